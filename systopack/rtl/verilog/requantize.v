// SPDX-License-Identifier: Apache-2.0
// round(value / 2**shift) to nearest, ties to even, saturated to int8; combinational.
//
// Exactly the requantization of docs/method.md, section 3, for any value and any shift 0..31.
module requantize #(
    parameter WIDTH = 32  // at least 9
) (
    input  wire signed [WIDTH-1:0] value,
    input  wire        [4:0]       shift,
    output wire        [7:0]       result
);
    // Wide enough for the largest shift, which can exceed the width of the value.
    localparam WIDE = (WIDTH > 32 ? WIDTH : 32) + 1;
    wire signed [WIDTH-1:0] quotient = value >>> shift;
    wire        [WIDE-1:0]  extended = {{(WIDE - WIDTH) {value[WIDTH-1]}}, value};
    wire        [WIDE-1:0]  below = extended & ~({WIDE{1'b1}} << shift);
    wire        [WIDE-1:0]  half = ({{(WIDE - 1) {1'b0}}, 1'b1} << shift) >> 1;
    wire                    up = shift != 0 && (below > half || (below == half && quotient[0]));
    wire signed [WIDTH:0]   rounded = {quotient[WIDTH-1], quotient} + {{WIDTH{1'b0}}, up};
    // It fits where all bits from the sign bit of a byte upwards are equal.
    wire                    fits = rounded[WIDTH:7] == {(WIDTH - 6) {rounded[WIDTH]}};
    assign result = fits ? rounded[7:0] : rounded[WIDTH] ? 8'h80 : 8'h7f;
endmodule
