// SPDX-License-Identifier: Apache-2.0
// `requantize` in three stages: shift, decide how to round, round and saturate.
//
// `result` belongs to the value that came 3 cycles before, and stays until the next one's; a value
// every cycle where `valid`, which lets the stages stand still otherwise. No reset.
module requantize_stages #(
    parameter WIDTH = 32  // at least 16
) (
    input  wire                    clk,
    input  wire                    valid,
    input  wire signed [WIDTH-1:0] value,
    input  wire        [4:0]       shift,
    output wire signed [WIDTH-1:0] shifted,  // value >>> shift, a cycle after them
    output reg         [7:0]       result
);
    // Stage 1: the lowest bit of `by_1` is the half; `rest` says whether something is below it.
    wire signed [WIDTH:0] whole = {value, 1'b0};
    wire signed [WIDTH:0] by_16 = shift[4] ? whole >>> 16 : whole;
    wire signed [WIDTH:0] by_8 = shift[3] ? by_16 >>> 8 : by_16;
    wire signed [WIDTH:0] by_4 = shift[2] ? by_8 >>> 4 : by_8;
    wire signed [WIDTH:0] by_2 = shift[1] ? by_4 >>> 2 : by_4;
    wire signed [WIDTH:0] by_1 = shift[0] ? by_2 >>> 1 : by_2;
    wire rest = (shift[4] && |whole[15:0]) || (shift[3] && |by_16[7:0])
                || (shift[2] && |by_8[3:0]) || (shift[1] && |by_4[1:0]) || (shift[0] && by_2[0]);
    reg  [WIDTH:0] shifted_1;
    reg            valid_1, valid_2, rest_1, up_2, fits_2, negative_2;
    reg  [7:0]     quotient_2;
    // Stage 3: -129 does not fit, and what it is rounded to is what it is saturated to. Only the
    // largest byte can leave the range by being rounded.
    wire           stays = fits_2 && !(up_2 && quotient_2 == 8'h7f);
    assign shifted = shifted_1[WIDTH:1];
    always @(posedge clk) begin
        {valid_2, valid_1} <= {valid_1, valid};
        if (valid) {rest_1, shifted_1} <= {rest, by_1};
        if (valid_1) begin
            quotient_2 <= shifted_1[8:1];
            up_2       <= shifted_1[0] && (rest_1 || shifted_1[1]);
            fits_2     <= shifted_1[WIDTH:8] == {(WIDTH - 7) {shifted_1[WIDTH]}};
            negative_2 <= shifted_1[WIDTH];
        end
        if (valid_2) result <= stays ? quotient_2 + {7'd0, up_2} : negative_2 ? 8'h80 : 8'h7f;
    end
endmodule
