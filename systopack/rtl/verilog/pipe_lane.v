// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
// From the sums of ROWS rows to their output words, one row a cycle: bias, residual, clip,
// requantization.
//
// `capture` comes with whole sums; row j's turn is j + 1 cycles later, its word is there 6 cycles
// after its turn, the last one ROWS + 6 cycles after `capture`. A word stays until the next one.
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
    reg signed [ACC-1:0] word_1, total_2, operand_2, total_3, clipped_4, result_5;
    reg signed [ACC-1:0] highest_2, lowest_2, highest_3, lowest_3;
    reg                  requantized_2, requantized_3, requantized_4;
    reg        [4:0]     shift_2, shift_3, shift_4;
    reg [ROW_BITS-1:0]   row_1;
    wire                 turn_5;
    wire [ROW_BITS-1:0]  row_5;
    valid_line #(.CYCLES(5)) turn_line (.clk(clk), .reset(reset), .in(turn), .out(turn_5));
    delay_line #(.WIDTH(ROW_BITS), .CYCLES(5)) to_end (.clk(clk), .in(row), .out(row_5));
    wire [7:0] rounded_4;
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
        clipped_4 <= total_3 > highest_3 ? highest_3 : total_3 < lowest_3 ? lowest_3 : total_3;
        {requantized_4, shift_4} <= {requantized_3, shift_3};
        result_5  <= requantized_4 ? {{(ACC - 8) {rounded_4[7]}}, rounded_4} : clipped_4;
    end
    requantize #(.WIDTH(ACC)) round (
        .value(clipped_4), .shift(shift_4), .result(rounded_4)
    );

    genvar r;
    generate
        for (r = 0; r < ROWS; r = r + 1) begin : g_word
            localparam [ROW_BITS-1:0] ROW = r;
            reg [OUTPUT_BITS-1:0] held;
            always @(posedge clk)
                if (turn_5 && row_5 == ROW) held <= result_5[OUTPUT_BITS-1:0];
            assign words[r*OUTPUT_BITS+:OUTPUT_BITS] = held;
        end
    endgenerate
endmodule
