// The systolic array: ROWS x COLUMNS cells, weight-stationary, with its own skew.
//
// Words of all columns enter together, sums of all rows enter together and leave together. Inside,
// column c runs c cycles behind column 0 and row r runs r / ROWS_PER_REGISTER cycles behind row 0.
//
// Latency from the first bit of a word to the first bit of its sums:
//   COLUMNS + (ROWS - 1) / ROWS_PER_REGISTER + (ALPHA > 1) cycles.
// Throughput: one word per stream every 8 cycles (MX, IL), ACCUMULATOR_BITS (BL), 1 (parallel).
// Weights are double-buffered: column load_column of row block load_block is written while the
// present tile runs; `take` makes the loaded tile the present one, cell by cell, just ahead of the
// first word after it.
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
/* verilator lint_off UNUSEDPARAM */
module systolic_array #(
    parameter ROWS = 32,
    parameter COLUMNS = 32,
    parameter ALPHA = 8,
    parameter INDEX_BITS = 3,        // at least 1, 2**INDEX_BITS >= ALPHA
    parameter ACCUMULATOR_BITS = 32,
    parameter CELL = 0,              // 0: MX or IL, 1: BL, 2: bit-parallel
    parameter ROWS_PER_REGISTER = 1,
    parameter LOAD_ROWS = 32,        // rows of a block
    parameter COLUMN_BITS = 5,       // 2**COLUMN_BITS >= COLUMNS
    parameter BLOCK_BITS = 1,        // 2**BLOCK_BITS >= blocks
    parameter WORD_BITS = 1,         // wires of a stream: 8 bit-parallel, else 1
    parameter SUM_BITS = 4,          // wires of a sum: lanes, 1 or ACCUMULATOR_BITS
    parameter CELL_WEIGHT_BITS = 8   // of a cell's weight, 2..8
) (
    input  wire                                clk,
    input  wire                                word_start,  // with the first bit of every word
    input  wire                                take,        // the cycle before a tile's first one
    // Channel a of column c: bits (a * COLUMNS + c) * WORD_BITS on.
    input  wire [ALPHA*COLUMNS*WORD_BITS-1:0]  x,
    input  wire [ROWS*SUM_BITS-1:0]            sum_in,      // row r: bits r * SUM_BITS on
    output wire [ROWS*SUM_BITS-1:0]            sum_out,
    input  wire                                load,
    input  wire [COLUMN_BITS-1:0]              load_column,
    input  wire [BLOCK_BITS-1:0]               load_block,
    // Row i of the block: weight, then index above it.
    input  wire [LOAD_ROWS*(CELL_WEIGHT_BITS+INDEX_BITS)-1:0] load_data
);
    localparam TOP_DELAY = (ROWS - 1) / ROWS_PER_REGISTER;
    localparam MULTIPLEXER = ALPHA > 1 ? 1 : 0;
    localparam STREAM = COLUMNS * WORD_BITS;
    localparam LOAD_BITS = CELL_WEIGHT_BITS + INDEX_BITS;

    // Column skew: stage d drops column d, which has been delayed enough, and delays the rest.
    wire [ALPHA*STREAM-1:0] skewed;
    genvar a, c, r;
    generate
        for (a = 0; a < ALPHA; a = a + 1) begin : g_skew
            for (c = 0; c < COLUMNS; c = c + 1) begin : g_stage
                wire [(COLUMNS-c)*WORD_BITS-1:0] waiting;
                if (c == 0) begin : g_edge
                    assign waiting = x[a*STREAM+:STREAM];
                end else begin : g_delay
                    reg [(COLUMNS-c)*WORD_BITS-1:0] held;
                    always @(posedge clk)
                        held <= g_stage[c-1].waiting[(COLUMNS-c+1)*WORD_BITS-1:WORD_BITS];
                    assign waiting = held;
                end
                assign skewed[(a*COLUMNS+c)*WORD_BITS+:WORD_BITS] = waiting[WORD_BITS-1:0];
            end
        end
    endgenerate

    reg [COLUMNS-1:0] load_columns;
    integer i;
    always @* begin
        for (i = 0; i < COLUMNS; i = i + 1)
            load_columns[i] = load && load_column == i[COLUMN_BITS-1:0];
    end

    generate
        for (r = 0; r < ROWS; r = r + 1) begin : g_row
            localparam DELAY = r / ROWS_PER_REGISTER;
            // One input register serves ROWS_PER_REGISTER rows.
            wire [ALPHA*STREAM-1:0] row_x;
            wire                    row_start, row_take;
            if (DELAY == 0) begin : g_bottom
                assign row_x = skewed;
                assign row_start = word_start;
                assign row_take = take;
            end else if (r % ROWS_PER_REGISTER == 0) begin : g_register
                reg [ALPHA*STREAM-1:0] held_x;
                reg                    held_start, held_take;
                always @(posedge clk) begin
                    held_x     <= g_row[r-1].row_x;
                    held_start <= g_row[r-1].row_start;
                    held_take  <= g_row[r-1].row_take;
                end
                assign row_x = held_x;
                assign row_start = held_start;
                assign row_take = held_take;
            end else begin : g_shared
                assign row_x = g_row[r-1].row_x;
                assign row_start = g_row[r-1].row_start;
                assign row_take = g_row[r-1].row_take;
            end

            wire [SUM_BITS-1:0] entering, leaving;
            delay_line #(.WIDTH(SUM_BITS), .CYCLES(DELAY + MULTIPLEXER)) enter (
                .clk(clk), .in(sum_in[r*SUM_BITS+:SUM_BITS]), .out(entering)
            );
            delay_line #(.WIDTH(SUM_BITS), .CYCLES(TOP_DELAY - DELAY)) leave (
                .clk(clk), .in(leaving), .out(sum_out[r*SUM_BITS+:SUM_BITS])
            );

            wire [COLUMNS-1:0]    row_load;
            wire [LOAD_BITS-1:0]  row_data = load_data[(r%LOAD_ROWS)*LOAD_BITS+:LOAD_BITS];
            assign row_load = {{(32 - BLOCK_BITS) {1'b0}}, load_block} == r / LOAD_ROWS
                            ? load_columns : {COLUMNS{1'b0}};

            if (CELL == 0) begin : g_mx
                mx_row #(
                    .COLUMNS(COLUMNS), .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS),
                    .ACCUMULATOR_BITS(ACCUMULATOR_BITS), .CELL_WEIGHT_BITS(CELL_WEIGHT_BITS)
                ) cells (
                    .clk(clk), .x(row_x), .word_start(row_start), .take(row_take),
                    .sum_in(entering), .sum_out(leaving), .load(row_load),
                    .load_weight(row_data[CELL_WEIGHT_BITS-1:0]),
                    .load_index(row_data[CELL_WEIGHT_BITS+:INDEX_BITS])
                );
            end else if (CELL == 1) begin : g_bl
                bl_row #(
                    .COLUMNS(COLUMNS), .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS),
                    .ACCUMULATOR_BITS(ACCUMULATOR_BITS), .CELL_WEIGHT_BITS(CELL_WEIGHT_BITS)
                ) cells (
                    .clk(clk), .x(row_x), .word_start(row_start), .take(row_take),
                    .sum_in(entering), .sum_out(leaving), .load(row_load),
                    .load_weight(row_data[CELL_WEIGHT_BITS-1:0]),
                    .load_index(row_data[CELL_WEIGHT_BITS+:INDEX_BITS])
                );
            end else begin : g_parallel
                parallel_row #(
                    .COLUMNS(COLUMNS), .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS),
                    .ACCUMULATOR_BITS(ACCUMULATOR_BITS), .CELL_WEIGHT_BITS(CELL_WEIGHT_BITS)
                ) cells (
                    .clk(clk), .x(row_x), .take(row_take),
                    .sum_in(entering), .sum_out(leaving), .load(row_load),
                    .load_weight(row_data[CELL_WEIGHT_BITS-1:0]),
                    .load_index(row_data[CELL_WEIGHT_BITS+:INDEX_BITS])
                );
            end
        end
    endgenerate
endmodule
