// SPDX-License-Identifier: Apache-2.0
// The requantizer against docs/method.md, section 3: the nearest integer to value / 2**shift, the even one
// of two that are equally near, and then the nearest of -128..127.
module requantize_proof #(
    parameter WIDTH = 32
) (
    input  wire signed [WIDTH-1:0] value,
    input  wire        [4:0]       shift,
    output wire                    holds
);
    wire [7:0] result;
    requantize #(.WIDTH(WIDTH)) subject (.value(value), .shift(shift), .result(result));
    wire signed [WIDTH+33:0] wide = value;
    wire signed [WIDTH+33:0] step = 1 <<< shift;
    wire signed [WIDTH+33:0] floor = wide >>> shift;
    wire signed [WIDTH+33:0] twice_rest = (wide - (floor <<< shift)) <<< 1;
    wire signed [WIDTH+33:0] nearest =
        twice_rest > step || (twice_rest == step && floor[0]) ? floor + 1 : floor;
    wire signed [WIDTH+33:0] limited = nearest > 127 ? 127 : nearest < -128 ? -128 : nearest;
    assign holds = result == limited[7:0];
endmodule
