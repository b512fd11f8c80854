// SPDX-License-Identifier: Apache-2.0
// The requantizer in stages against the one without, three cycles later, and its quotient.
module stages_proof #(
    parameter WIDTH = 32
) (
    input  wire             clk,
    input  wire [WIDTH-1:0] value,
    input  wire [4:0]       shift,
    output wire             holds
);
    wire [7:0]       result, now;
    wire [WIDTH-1:0] shifted;
    reg  [WIDTH-1:0] quotient;
    reg  [7:0]       expected_1, expected_2, expected_3;
    requantize_stages #(.WIDTH(WIDTH)) subject (
        .clk(clk), .value(value), .shift(shift), .shifted(shifted), .result(result)
    );
    requantize #(.WIDTH(WIDTH)) plain (.value(value), .shift(shift), .result(now));
    always @(posedge clk) {expected_3, expected_2, expected_1} <= {expected_2, expected_1, now};
    always @(posedge clk) quotient <= $signed(value) >>> shift;
    assign holds = result == expected_3 && shifted == quotient;
endmodule
