// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
// From the sums of ROWS rows to their output words, one row a cycle: bias, residual, clip,
// requantization.
//
// `capture` comes with whole sums; row j's turn is j + 1 cycles later, its word is there 9 cycles
// after its turn, the last one ROWS + 9 cycles after `capture`. A word stays until the next one.
// Parameters of a row: {residual used, residual shift, requantized, shift, highest, lowest, bias}.
// Throughput: a position every ROWS cycles. Reset: of the turns, synchronous, active high.
module pipe_lane #(
    parameter ROWS = 8,
    parameter ROW_BITS = ROWS > 2 ? $clog2(ROWS) : 1,
    parameter ACCUMULATOR_BITS = 32,
    parameter OUTPUT_BITS = 8          // 8, or ACCUMULATOR_BITS for the network's output
) (
    input  wire                             clk,
    input  wire                             reset,
    input  wire                             write_parameter,
    input  wire [ROW_BITS-1:0]              table_address,
    input  wire [12+3*ACCUMULATOR_BITS-1:0] table_data,
    input  wire                             capture,
    input  wire [ROWS*ACCUMULATOR_BITS-1:0] sums,
    input  wire [8*ROWS-1:0]                residual,  // stable from 2 cycles after capture on
    output wire [ROWS*OUTPUT_BITS-1:0]      words
);
    localparam ACC = ACCUMULATOR_BITS;
    localparam [31:0] LAST = ROWS - 1;

    // Parameters that contradict each other stop elaboration with the module's name as the message.
    generate
        if (ROWS < 1 || (1 << ROW_BITS) < ROWS) begin : g_wrong_0
            wrong_parameters_ROW_BITS_does_not_fit_ROWS stop ();
        end
        if (OUTPUT_BITS != 8 && OUTPUT_BITS != ACCUMULATOR_BITS) begin : g_wrong_1
            wrong_parameters_OUTPUT_BITS_must_be_8_or_ACCUMULATOR_BITS stop ();
        end
    endgenerate

    reg  [ROWS*ACC-1:0] waiting;
    reg                 turn;
    reg  [ROW_BITS-1:0] row;
    always @(posedge clk) begin
        if (capture) waiting <= sums;
        if (capture) begin
            turn <= 1'b1;
            row <= {ROW_BITS{1'b0}};
        end else if (row == LAST[ROW_BITS-1:0]) begin
            turn <= 1'b0;
        end else begin
            row <= row + 1'b1;
        end
        if (reset) turn <= 1'b0;
    end

    wire                  residual_used_1, requantized_1;
    wire [4:0]            residual_shift_1, shift_1;
    wire signed [ACC-1:0] highest_1, lowest_1, bias_1;
    memory #(.WIDTH(12 + 3 * ACC), .ADDRESS_BITS(ROW_BITS), .WORDS(ROWS)) parameters (
        .clk(clk), .write(write_parameter), .write_address(table_address),
        .write_data(table_data), .read(turn), .read_address(row),
        .read_data({residual_used_1, residual_shift_1, requantized_1, shift_1, highest_1,
                    lowest_1, bias_1})
    );
    reg signed [ACC-1:0] word_1, total_2, operand_2, total_3, total_4, clipped_5;
    reg signed [ACC-1:0] highest_2, lowest_2, highest_3, lowest_3, highest_4, lowest_4;
    reg                  requantized_2, requantized_3, requantized_4, requantized_5, above_4, below_4;
    reg        [4:0]     shift_2, shift_3, shift_4, shift_5;
    reg [ROW_BITS-1:0]   row_1;
    wire                 turn_5, turn_8;
    wire [ROW_BITS-1:0]  row_8;
    valid_line #(.CYCLES(5)) turn_line (.clk(clk), .reset(reset), .in(turn), .out(turn_5));
    valid_line #(.CYCLES(3)) end_line (.clk(clk), .reset(reset), .in(turn_5), .out(turn_8));
    delay_line #(.WIDTH(ROW_BITS), .CYCLES(8)) to_end (.clk(clk), .in(row), .out(row_8));
    wire [7:0] operand_1 = residual[8*row_1+:8];
    wire signed [ACC-1:0] extended_1 = {{(ACC - 8) {operand_1[7]}}, operand_1};
    always @(posedge clk) begin
        word_1    <= waiting[row*ACC+:ACC];
        row_1     <= row;
        total_2   <= word_1 + bias_1;
        operand_2 <= residual_used_1 ? extended_1 << residual_shift_1 : {ACC{1'b0}};
        {requantized_2, shift_2, highest_2, lowest_2} <=
            {requantized_1, shift_1, highest_1, lowest_1};
        total_3   <= total_2 + operand_2;
        {requantized_3, shift_3, highest_3, lowest_3} <=
            {requantized_2, shift_2, highest_2, lowest_2};
        total_4   <= total_3;
        {above_4, below_4} <= {total_3 > highest_3, total_3 < lowest_3};
        {requantized_4, shift_4, highest_4, lowest_4} <=
            {requantized_3, shift_3, highest_3, lowest_3};
        clipped_5 <= above_4 ? highest_4 : below_4 ? lowest_4 : total_4;
        {requantized_5, shift_5} <= {requantized_4, shift_4};
    end
    wire signed [ACC-1:0] unused_quotient;
    wire        [7:0]     rounded_8;
    requantize_stages #(.WIDTH(ACC)) round (
        .clk(clk), .valid(turn_5), .value(clipped_5), .shift(shift_5), .shifted(unused_quotient),
        .result(rounded_8)
    );
    wire                   requantized_8;
    wire [OUTPUT_BITS-1:0] plain_8, result_8;
    delay_line #(.WIDTH(1 + OUTPUT_BITS), .CYCLES(3)) plain_line (
        .clk(clk), .in({requantized_5, clipped_5[OUTPUT_BITS-1:0]}), .out({requantized_8, plain_8})
    );
    generate
        if (OUTPUT_BITS == 8) begin : g_byte
            assign result_8 = requantized_8 ? rounded_8 : plain_8;
        end else begin : g_whole
            assign result_8 =
                requantized_8 ? {{(OUTPUT_BITS - 8) {rounded_8[7]}}, rounded_8} : plain_8;
        end
    endgenerate

    genvar r;
    generate
        for (r = 0; r < ROWS; r = r + 1) begin : g_word
            localparam [ROW_BITS-1:0] ROW = r;
            reg [OUTPUT_BITS-1:0] held;
            always @(posedge clk)
                if (turn_8 && row_8 == ROW) held <= result_8;
            assign words[r*OUTPUT_BITS+:OUTPUT_BITS] = held;
        end
    endgenerate
endmodule
