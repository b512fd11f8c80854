// SPDX-License-Identifier: Apache-2.0
// The requantizer in stages against the one without, three cycles later, and its quotient; both stay
// while nothing follows.
module stages_proof #(
    parameter WIDTH = 32
) (
    input  wire             clk,
    input  wire             valid,
    input  wire [WIDTH-1:0] value,
    input  wire [4:0]       shift,
    output wire             holds
);
    wire [7:0]       result, now;
    wire [WIDTH-1:0] shifted;
    reg  [WIDTH-1:0] quotient;
    reg              valid_1, valid_2, seen_1, seen_2, seen_3;  // seen: since the beginning
    initial {valid_1, valid_2, seen_1, seen_2, seen_3} = 5'd0;
    reg  [7:0]       expected_1, expected_2, expected_3;
    requantize_stages #(.WIDTH(WIDTH)) subject (
        .clk(clk), .valid(valid), .value(value), .shift(shift), .shifted(shifted), .result(result)
    );
    requantize #(.WIDTH(WIDTH)) plain (.value(value), .shift(shift), .result(now));
    always @(posedge clk) begin
        {valid_2, valid_1} <= {valid_1, valid};
        if (valid) {seen_1, expected_1, quotient} <= {1'b1, now, $signed(value) >>> shift};
        if (valid_1) {seen_2, expected_2} <= {seen_1, expected_1};
        if (valid_2) {seen_3, expected_3} <= {seen_2, expected_2};
    end
    assign holds = (!seen_3 || result == expected_3) && (!seen_1 || shifted == quotient);
endmodule
