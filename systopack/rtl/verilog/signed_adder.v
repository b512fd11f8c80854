// SPDX-License-Identifier: Apache-2.0
// a + b, one bit wider. Combinational; a module, so that tools keep adders of two numbers, which
// carry chains do best.
module signed_adder #(
    parameter BITS = 16
) (
    input  wire [BITS-1:0] a,
    input  wire [BITS-1:0] b,
    output wire [BITS:0]   sum
);
    assign sum = {a[BITS-1], a} + {b[BITS-1], b};
endmodule
