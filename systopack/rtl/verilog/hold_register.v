// SPDX-License-Identifier: Apache-2.0
// Keep a value from the cycle after `store` until the next one. No reset.
module hold_register #(
    parameter WIDTH = 8
) (
    input  wire             clk,
    input  wire             store,
    input  wire [WIDTH-1:0] in,
    output reg  [WIDTH-1:0] out
);
    always @(posedge clk) if (store) out <= in;
endmodule
