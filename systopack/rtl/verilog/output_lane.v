// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
// What LANE_ROWS rows of the array share: partial-sum memory, biases, and the way from an
// accumulator to an int8. It serves one row a cycle, all of them within a word time.
//
// Feeding: `feed_*` addresses are given in the cycle of a row's turn; the sum (or the bias, for a
// row tile's first column tile) waits in `feed` two cycles later.
// Results: a row's turn is the cycle of `turn`; counted from it, the residual word arrives after
// 3, the sum of both is registered after 4, clipped after 5, requantized after 6, and then
// written to the partial-sum memory or to `bytes`. Reset: of the turns, synchronous, active high.
module output_lane #(
    parameter LANE_ROWS = 8,
    parameter ROW_BITS = 3,
    parameter ACCUMULATOR_BITS = 32,
    parameter RESIDUALS = 1,  // 0: no residual is ever added
    parameter SUM_ADDRESS_BITS = 10,
    parameter PARAMETER_BITS = 8
) (
    input  wire                                  clk,
    input  wire                                  reset,
    input  wire                                  write_bias,
    input  wire                                  write_parameter,
    input  wire [PARAMETER_BITS-1:0]             table_address,
    // Bias, or {residual used, residual shift, shift, highest, lowest}.
    input  wire [10+2*ACCUMULATOR_BITS:0]        table_data,
    // Feeding.
    input  wire [SUM_ADDRESS_BITS-1:0]           feed_address,
    input  wire [PARAMETER_BITS-1:0]             feed_bias_address,
    input  wire                                  feed_from_bias,  // a cycle after the addresses
    input  wire                                  feed_store,      // a cycle after the addresses
    input  wire [ROW_BITS-1:0]                   feed_row,        // a cycle after the addresses
    output wire [LANE_ROWS*ACCUMULATOR_BITS-1:0] feed,
    output wire [ACCUMULATOR_BITS-1:0]           kept,            // read data, for sending
    // Results.
    input  wire [LANE_ROWS*ACCUMULATOR_BITS-1:0] sums,
    input  wire                                  turn,
    input  wire [ROW_BITS-1:0]                   turn_row,
    input  wire [PARAMETER_BITS-1:0]             parameter_address,  // two cycles after turn
    input  wire [7:0]                            residual,           // three cycles after turn
    input  wire                                  last,               // with turn: finish the sum
    input  wire                                  keep,               // with turn: to the memory
    input  wire                                  requantized,        // with turn: as int8
    input  wire [SUM_ADDRESS_BITS-1:0]           keep_address,       // with turn
    output wire [8*LANE_ROWS-1:0]                bytes
);
    wire [ACCUMULATOR_BITS-1:0] bias, stored;
    memory #(.WIDTH(ACCUMULATOR_BITS), .ADDRESS_BITS(PARAMETER_BITS)) biases (
        .clk(clk), .write(write_bias), .write_address(table_address),
        .write_data(table_data[ACCUMULATOR_BITS-1:0]), .read_address(feed_bias_address),
        .read_data(bias)
    );
    assign kept = stored;

    // Feeding.
    genvar r;
    generate
        for (r = 0; r < LANE_ROWS; r = r + 1) begin : g_feed
            localparam [ROW_BITS-1:0] ROW = r;
            reg [ACCUMULATOR_BITS-1:0] waiting;
            always @(posedge clk)
                if (feed_store && feed_row == ROW) waiting <= feed_from_bias ? bias : stored;
            assign feed[r*ACCUMULATOR_BITS+:ACCUMULATOR_BITS] = waiting;
        end
    endgenerate

    // Results, one row after another; the number in a name is the stage.
    wire                               residual_used_3;
    wire [4:0]                         residual_shift_3, shift_3;
    wire signed [ACCUMULATOR_BITS-1:0] highest_3, lowest_3;
    memory #(.WIDTH(11 + 2 * ACCUMULATOR_BITS), .ADDRESS_BITS(PARAMETER_BITS)) parameters (
        .clk(clk), .write(write_parameter), .write_address(table_address),
        .write_data(table_data), .read_address(parameter_address),
        .read_data({residual_used_3, residual_shift_3, shift_3, highest_3, lowest_3})
    );
    reg  signed [ACCUMULATOR_BITS-1:0] word_1, word_2, word_3, sum_4, clipped_5, result_6;
    reg  signed [ACCUMULATOR_BITS-1:0] highest_4, lowest_4;
    reg         [4:0]                  shift_4, shift_5;
    reg                                last_4, last_5;
    wire                               last_3, requantized_5, turn_6, keep_6;
    wire        [ROW_BITS-1:0]         row_6;
    wire        [SUM_ADDRESS_BITS-1:0] keep_address_6;
    wire        [7:0]                  rounded_5;
    delay_line #(.WIDTH(1), .CYCLES(3)) to_add (.clk(clk), .in(last), .out(last_3));
    delay_line #(.WIDTH(1), .CYCLES(5)) to_round (
        .clk(clk), .in(requantized), .out(requantized_5)
    );
    valid_line #(.CYCLES(6)) turn_line (.clk(clk), .reset(reset), .in(turn), .out(turn_6));
    delay_line #(.WIDTH(1 + ROW_BITS + SUM_ADDRESS_BITS), .CYCLES(6)) to_end (
        .clk(clk), .in({keep, turn_row, keep_address}), .out({keep_6, row_6, keep_address_6})
    );
    wire signed [ACCUMULATOR_BITS-1:0] operand_3 = {{(ACCUMULATOR_BITS - 8) {residual[7]}}, residual};
    always @(posedge clk) begin
        word_1 <= sums[turn_row*ACCUMULATOR_BITS+:ACCUMULATOR_BITS];
        word_2 <= word_1;
        word_3 <= word_2;
        sum_4  <= RESIDUALS != 0 && last_3 && residual_used_3 ? word_3 + (operand_3 << residual_shift_3) : word_3;
        {last_4, shift_4, highest_4, lowest_4} <= {last_3, shift_3, highest_3, lowest_3};
        clipped_5 <= !last_4 ? sum_4
                   : sum_4 > highest_4 ? highest_4 : sum_4 < lowest_4 ? lowest_4 : sum_4;
        {last_5, shift_5} <= {last_4, shift_4};
        result_6 <= last_5 && requantized_5
                  ? {{(ACCUMULATOR_BITS - 8) {rounded_5[7]}}, rounded_5} : clipped_5;
    end
    requantize #(.WIDTH(ACCUMULATOR_BITS)) round (
        .value(clipped_5), .shift(shift_5), .result(rounded_5)
    );

    memory #(.WIDTH(ACCUMULATOR_BITS), .ADDRESS_BITS(SUM_ADDRESS_BITS)) partial_sums (
        .clk(clk), .write(turn_6 && keep_6), .write_address(keep_address_6),
        .write_data(result_6), .read_address(feed_address), .read_data(stored)
    );
    generate
        for (r = 0; r < LANE_ROWS; r = r + 1) begin : g_byte
            localparam [ROW_BITS-1:0] ROW = r;
            reg [7:0] result;
            always @(posedge clk) if (turn_6 && row_6 == ROW) result <= result_6[7:0];
            assign bytes[8*r+:8] = result;
        end
    endgenerate
endmodule
