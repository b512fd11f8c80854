// SPDX-License-Identifier: Apache-2.0
// a + b + c. Synthesis for silicon puts the library's full adder in its place, where it has one.
module full_adder (
    input  wire a,
    input  wire b,
    input  wire c,
    output wire sum,
    output wire carry
);
    assign sum = a ^ b ^ c;
    assign carry = (a & b) | (c & (a ^ b));
endmodule
