// SPDX-License-Identifier: Apache-2.0
// Systolic arrays: ROWS x COLUMNS cells, weight-stationary, with their own skew.
//
// Words of all columns enter together, sums of all rows enter together and leave together. Inside,
// column c runs c cycles behind column 0 and row r runs r / INPUT_FANOUT cycles behind row 0.
// A large matrix is cut into tiles that run in step: BLOCK_COLUMNS x TILE_ROWS cells each (the first
// block of columns lacks OFFSET columns), every block of columns with sums of its own. CELL 0 only;
// other arrays are one tile.
//
// Latency from the first bit of a word to the first bit of its sums:
//   BLOCK_COLUMNS + (min(ROWS, TILE_ROWS) - 1) / INPUT_FANOUT + (ALPHA > 1) cycles;
//   compact: (COLUMNS - 1) / CELLS_PER_STAGE + 1 + (ROWS - 1) / INPUT_FANOUT, bit-parallel one more.
// Throughput: one word per stream every 8 cycles (bit-serial), ACCUMULATOR_BITS (balanced), 1
// (bit-parallel). With WEIGHT_BUFFERS 2, column load_column is written while the present tile runs; `take` makes the loaded tile the present one, cell by cell, just ahead of the first
// word after it. With 1, cells take the next weights as they come: `load` and the first columns' in
// the cycle of `take`, the next columns' in the next one; LOAD_COLUMNS columns and all rows at once.
// One tile only. With 0, `load` writes the present weights; nothing is taken.
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
/* verilator lint_off UNUSEDPARAM */
module systolic_array #(
    parameter ROWS = 32,
    parameter COLUMNS = 32,
    parameter BLOCK_COLUMNS = COLUMNS,
    parameter OFFSET = 0,
    parameter BLOCKS = 1,            // (COLUMNS + OFFSET) / BLOCK_COLUMNS
    parameter TILE_ROWS = ROWS,
    parameter ALPHA = 8,
    parameter ACCUMULATOR_BITS = 32,
    parameter CELL = 0,              // number of a row of hardware/cells.py
    parameter INPUT_FANOUT = 1,
    parameter CELL_WEIGHT_BITS = 8,  // of a cell's weight, 2..8
    parameter CELLS_PER_STAGE = 1,   // compact cells that add to a sum in one cycle
    parameter WEIGHT_BUFFERS = 2,
    parameter PARTS = 1,             // 2: the upper half of the rows has words of its own (CELL 3, 5)
    // These follow from the ones above; leave them alone.
    parameter INDEX_BITS = ALPHA > 2 ? $clog2(ALPHA) : 1,
    parameter COLUMN_BITS = COLUMNS > 2 ? $clog2(COLUMNS) : 1,
    parameter PARALLEL = CELL == 2 || CELL == 4,  // all bits of a word in a cycle
    parameter WORD_BITS = PARALLEL ? 8 : 1,       // wires of a stream
    parameter SUM_BITS = PARALLEL ? ACCUMULATOR_BITS : CELL == 1 ? 1 : ACCUMULATOR_BITS / 8,
    parameter LOAD_COLUMNS = WEIGHT_BUFFERS == 1 ? CELLS_PER_STAGE : 1
) (
    input  wire                                clk,
    input  wire                                word_start,  // with the first bit of every word
    input  wire                                take,        // the cycle before a tile's first one
    // Channel a of the column at place p of block k: ((p * BLOCKS + k) * ALPHA + a) * WORD_BITS on;
    // with one block that is (column * ALPHA + a) * WORD_BITS.
    input  wire [PARTS*BLOCK_COLUMNS*BLOCKS*ALPHA*WORD_BITS-1:0] x,
    // A sum has byte lanes of one wire (bit-serial) or one lane (balanced: a wire, bit-parallel: all).
    // Lane p of row r of block k: ((k * lanes + p) * ROWS + r) * wires of a lane on.
    input  wire [BLOCKS*ROWS*SUM_BITS-1:0]     sum_in,
    output wire [BLOCKS*ROWS*SUM_BITS-1:0]     sum_out,
    input  wire                                load,
    input  wire [COLUMN_BITS-1:0]              load_column,
    // Bit j of row r, weight and then index: j * ROWS + r; column after column.
    input  wire [LOAD_COLUMNS*ROWS*(CELL_WEIGHT_BITS+INDEX_BITS)-1:0] load_data
);
    localparam HIGHEST = ROWS < TILE_ROWS ? ROWS : TILE_ROWS;
    localparam TOP_DELAY = (HIGHEST - 1) / INPUT_FANOUT;
    localparam MULTIPLEXER = ALPHA > 1 && CELL < 3 ? 1 : 0;  // its register
    localparam PRODUCTS = CELL == 4 ? 1 : 0;                 // a register behind them
    localparam STREAM = COLUMNS * WORD_BITS;
    localparam LOAD_BITS = CELL_WEIGHT_BITS + INDEX_BITS;

    // Column skew: the words of all blocks' columns at the same place wait together.
    wire [BLOCK_COLUMNS*BLOCKS*ALPHA*WORD_BITS-1:0] late;
    skew #(.PLACES(BLOCK_COLUMNS), .WIDTH(BLOCKS * ALPHA * WORD_BITS)) columns (
        .clk(clk), .in(x[BLOCK_COLUMNS*BLOCKS*ALPHA*WORD_BITS-1:0]), .out(late)
    );
    // By channels: channel a of column c at (a * COLUMNS + c) * WORD_BITS.
    wire [ALPHA*STREAM-1:0] skewed;
    genvar a, c, r;
    generate
        for (c = 0; c < COLUMNS; c = c + 1) begin : g_place
            localparam PLACE = (c + OFFSET) % BLOCK_COLUMNS * BLOCKS + (c + OFFSET) / BLOCK_COLUMNS;
            for (a = 0; a < ALPHA; a = a + 1) begin : g_channel
                assign skewed[(a*COLUMNS+c)*WORD_BITS+:WORD_BITS] =
                    late[(PLACE*ALPHA+a)*WORD_BITS+:WORD_BITS];
            end
        end
    endgenerate

    localparam [COLUMNS-1:0] COLUMN_0 = 1;
    wire [COLUMNS-1:0] load_columns = load ? COLUMN_0 << load_column : {COLUMNS{1'b0}};

    // Weights on their way to the rows.
    wire [LOAD_COLUMNS*ROWS*LOAD_BITS-1:0] coming;  // bit j of row r at j * ROWS + r
    generate
        if (WEIGHT_BUFFERS == 1) begin : g_wave
            load_skew #(
                .ROWS(ROWS), .INPUT_FANOUT(INPUT_FANOUT), .BITS(LOAD_COLUMNS * LOAD_BITS),
                .WEIGHT_BITS(CELL_WEIGHT_BITS), .LATE(MULTIPLEXER)
            ) to_rows (
                .clk(clk), .load(load), .in(load_data), .out(coming)
            );
        end else begin : g_load
            assign coming = load_data;
        end
    endgenerate

    // Sums: row r enters and leaves with the delay that keeps all rows together outside.
    localparam SUMS = BLOCKS * ROWS * SUM_BITS;
    localparam LANE_BITS = PARALLEL ? ACCUMULATOR_BITS : 1;
    wire [SUMS-1:0] present, entering, leaving;
    delay_line #(.WIDTH(SUMS), .CYCLES(MULTIPLEXER + PRODUCTS)) wait_line (
        .clk(clk), .in(sum_in), .out(present)
    );
    row_skew #(
        .ROWS(ROWS), .TILE_ROWS(TILE_ROWS), .INPUT_FANOUT(INPUT_FANOUT),
        .WIDTH(LANE_BITS), .COPIES(SUMS / ROWS / LANE_BITS), .LEAVING(0)
    ) enter (
        .clk(clk), .in(present), .out(entering)
    );
    row_skew #(
        .ROWS(ROWS), .TILE_ROWS(TILE_ROWS), .INPUT_FANOUT(INPUT_FANOUT),
        .WIDTH(LANE_BITS), .COPIES(SUMS / ROWS / LANE_BITS), .LEAVING(1)
    ) leave (
        .clk(clk), .in(leaving), .out(sum_out)
    );

    generate
        if (CELL == 3 || CELL == 5) begin : g_compact
            compact_array #(
                .ROWS(ROWS), .COLUMNS(COLUMNS), .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS),
                .LANES(SUM_BITS), .WEIGHT_BITS(CELL_WEIGHT_BITS), .INPUT_FANOUT(INPUT_FANOUT),
                .CELLS_PER_STAGE(CELLS_PER_STAGE), .WEIGHT_BUFFERS(WEIGHT_BUFFERS),
                .LOAD_COLUMNS(LOAD_COLUMNS), .PARTS(PARTS), .SELECTORS(CELL == 5 ? 1 : 0)
            ) cells (
                .clk(clk), .x(x), .word_start(word_start), .take(take), .sum_in(entering),
                .sum_out(leaving), .load(load_columns), .load_data(coming)
            );
        end else if (CELL == 4) begin : g_compact_parallel
            parallel_array #(
                .ROWS(ROWS), .COLUMNS(COLUMNS), .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS),
                .ACCUMULATOR_BITS(ACCUMULATOR_BITS), .WEIGHT_BITS(CELL_WEIGHT_BITS),
                .INPUT_FANOUT(INPUT_FANOUT), .CELLS_PER_STAGE(CELLS_PER_STAGE),
                .WEIGHT_BUFFERS(WEIGHT_BUFFERS), .LOAD_COLUMNS(LOAD_COLUMNS)
            ) cells (
                .clk(clk), .x(x), .take(take), .sum_in(entering), .sum_out(leaving),
                .load(load_columns), .load_data(coming)
            );
        end else if (CELL == 0) begin : g_mx
            // All rows as one set of vectors, cell (r, c) at c * ROWS + r. Inputs move up from
            // register to register, each of which serves INPUT_FANOUT rows of a tile.
            localparam CELLS = ROWS * COLUMNS;
            localparam TILE_REGISTERS = TOP_DELAY + 1;
            localparam FULL_TILES = ROWS / TILE_ROWS;
            localparam REST = ROWS % TILE_ROWS;
            localparam REGISTERS = FULL_TILES * TILE_REGISTERS
                                 + (REST + INPUT_FANOUT - 1) / INPUT_FANOUT;
            wire [ALPHA*CELLS-1:0]  cell_x;
            wire [REGISTERS-1:0]    bottom;
            wire [ROWS-1:0]         row_start, row_take;
            wire [REGISTERS-1:0]    start_now, take_now;
            reg  [REGISTERS-1:0]    held_start, held_take;
            for (r = 0; r < REGISTERS; r = r + 1) begin : g_bottom
                assign bottom[r] = r % TILE_REGISTERS == 0;
            end
            for (a = 0; a < ALPHA; a = a + 1) begin : g_channel
                reg  [COLUMNS*REGISTERS-1:0] held;
                wire [COLUMNS*REGISTERS-1:0] now;
                always @(posedge clk) held <= now;
                // The two forms are the same hardware; simulators want one tile by columns (a
                // column is a machine word or two), many tiles by whole vectors.
                if (REGISTERS == TILE_REGISTERS) begin : g_columns
                    for (c = 0; c < COLUMNS; c = c + 1) begin : g_column
                        if (REGISTERS == 1) begin : g_one
                            assign now[c] = skewed[a*COLUMNS+c];
                        end else begin : g_more
                            assign now[c*REGISTERS+:REGISTERS] =
                                {held[c*REGISTERS+:REGISTERS-1], skewed[a*COLUMNS+c]};
                        end
                    end
                end else begin : g_vectors
                    reg  [COLUMNS*REGISTERS-1:0] bottom_words;  // of the lowest tile
                    integer                      i;
                    always @* begin
                        bottom_words = 0;
                        for (i = 0; i < COLUMNS; i = i + 1)
                            bottom_words[i*REGISTERS] = skewed[a*COLUMNS+i];
                    end
                    for (r = 0; r < REGISTERS; r = r + TILE_REGISTERS) begin : g_tile
                        wire [COLUMNS*REGISTERS-1:0] new_words;
                        if (r == 0) begin : g_lowest
                            assign new_words = bottom_words;
                        end else begin : g_above
                            assign new_words =
                                g_tile[r-TILE_REGISTERS].new_words | (bottom_words << r);
                        end
                    end
                    assign now = g_tile[(REGISTERS-1)/TILE_REGISTERS*TILE_REGISTERS].new_words
                               | ((held << 1) & ~{COLUMNS{bottom}});
                end
                if (ROWS == REGISTERS) begin : g_systolic
                    assign cell_x[a*CELLS+:CELLS] = now;
                end else begin : g_shared
                    for (c = 0; c < COLUMNS; c = c + 1) begin : g_column
                        for (r = 0; r < ROWS; r = r + 1) begin : g_cell
                            localparam MINE = r / TILE_ROWS * TILE_REGISTERS
                                            + r % TILE_ROWS / INPUT_FANOUT;
                            assign cell_x[a*CELLS+c*ROWS+r] = now[c*REGISTERS+MINE];
                        end
                    end
                end
            end
            assign start_now = ({REGISTERS{word_start}} & bottom) | ((held_start << 1) & ~bottom);
            assign take_now = ({REGISTERS{take}} & bottom) | ((held_take << 1) & ~bottom);
            always @(posedge clk) begin
                held_start <= start_now;
                held_take  <= take_now;
            end
            for (r = 0; r < ROWS; r = r + 1) begin : g_row
                localparam MINE = r / TILE_ROWS * TILE_REGISTERS
                                + r % TILE_ROWS / INPUT_FANOUT;
                assign row_start[r] = start_now[MINE];
                assign row_take[r] = take_now[MINE];
            end
            mx_row #(
                .ROWS(ROWS), .COLUMNS(COLUMNS), .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS),
                .BLOCK_COLUMNS(BLOCK_COLUMNS), .OFFSET(OFFSET), .BLOCKS(BLOCKS),
                .ACCUMULATOR_BITS(ACCUMULATOR_BITS), .CELL_WEIGHT_BITS(CELL_WEIGHT_BITS),
                .WEIGHT_BUFFERS(WEIGHT_BUFFERS)
            ) cells (
                .clk(clk), .x(cell_x), .word_start(row_start), .take(row_take),
                .sum_in(entering), .sum_out(leaving), .load(load_columns),
                .load_weight(coming[CELL_WEIGHT_BITS*ROWS-1:0]),
                .load_index(coming[CELL_WEIGHT_BITS*ROWS+:INDEX_BITS*ROWS])
            );
        end else begin : g_rows
            for (r = 0; r < ROWS; r = r + 1) begin : g_row
                // One input register serves INPUT_FANOUT rows.
                wire [ALPHA*STREAM-1:0] row_x;
                wire                    row_start, row_take;
                if (r / INPUT_FANOUT == 0) begin : g_bottom
                    assign row_x = skewed;
                    assign row_start = word_start;
                    assign row_take = take;
                end else if (r % INPUT_FANOUT == 0) begin : g_register
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
                wire [LOAD_BITS-1:0] row_data;
                for (a = 0; a < LOAD_BITS; a = a + 1) begin : g_data
                    assign row_data[a] = coming[a*ROWS+r];
                end
                if (CELL == 1) begin : g_bl
                    bl_row #(
                        .COLUMNS(COLUMNS), .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS),
                        .ACCUMULATOR_BITS(ACCUMULATOR_BITS), .CELL_WEIGHT_BITS(CELL_WEIGHT_BITS),
                        .WEIGHT_BUFFERS(WEIGHT_BUFFERS)
                    ) cells (
                        .clk(clk), .x(row_x), .word_start(row_start), .take(row_take),
                        .sum_in(entering[r*SUM_BITS+:SUM_BITS]),
                        .sum_out(leaving[r*SUM_BITS+:SUM_BITS]), .load(load_columns),
                        .load_weight(row_data[CELL_WEIGHT_BITS-1:0]),
                        .load_index(row_data[CELL_WEIGHT_BITS+:INDEX_BITS])
                    );
                end else begin : g_parallel
                    parallel_row #(
                        .COLUMNS(COLUMNS), .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS),
                        .ACCUMULATOR_BITS(ACCUMULATOR_BITS), .CELL_WEIGHT_BITS(CELL_WEIGHT_BITS),
                        .WEIGHT_BUFFERS(WEIGHT_BUFFERS)
                    ) cells (
                        .clk(clk), .x(row_x), .take(row_take),
                        .sum_in(entering[r*SUM_BITS+:SUM_BITS]),
                        .sum_out(leaving[r*SUM_BITS+:SUM_BITS]), .load(load_columns),
                        .load_weight(row_data[CELL_WEIGHT_BITS-1:0]),
                        .load_index(row_data[CELL_WEIGHT_BITS+:INDEX_BITS])
                    );
                end
            end
        end
    endgenerate
endmodule
