// SPDX-License-Identifier: Apache-2.0
// The input side that all cells share: channel index, multiplexer, markers.
//
// Cell (row r, column c) is number c * ROWS + r in every vector, so that what moves to the next
// column moves ROWS places up, in all rows at once.
// Per cell one word (WORD_BITS wide: 1 bit-serial, 8 bit-parallel) of ALPHA channels is chosen
// by the index that the cell holds. With WEIGHT_BUFFERS 2 `load` writes the next index, `take` makes
// it the present one; with 1 `take` reads load_index itself. With ALPHA > 1 the chosen word is
// registered, so word, start and take_weight come one cycle later than with ALPHA = 1, which has no
// index at all.
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
/* verilator lint_off UNUSEDPARAM */
module multiplexer_row #(
    parameter ROWS = 1,
    parameter COLUMNS = 32,
    // Blocks of columns side by side run in step; the first one lacks OFFSET columns.
    parameter BLOCK_COLUMNS = COLUMNS,
    parameter OFFSET = 0,
    parameter ALPHA = 8,
    parameter INDEX_BITS = 3,  // at least 1, 2**INDEX_BITS >= ALPHA
    parameter WORD_BITS = 1,
    parameter MARKERS = 39,    // markers kept: BLOCK_COLUMNS + largest cycle asked for
    parameter WEIGHT_BUFFERS = 2
) (
    input  wire                               clk,
    // Channel a of cell n: bits (a * ROWS * COLUMNS + n) * WORD_BITS on.
    input  wire [ALPHA*ROWS*COLUMNS*WORD_BITS-1:0] x,
    input  wire [ROWS-1:0]                    word_start,   // with the first bit at column 0
    input  wire [ROWS-1:0]                    take,         // a cycle before a tile's first one
    input  wire [COLUMNS-1:0]                 load,         // columns that are written
    input  wire [INDEX_BITS*ROWS-1:0]         load_index,   // bit k of row r: k * ROWS + r
    output wire [ROWS*COLUMNS*WORD_BITS-1:0]  word,
    // [(c + k) * ROWS + r]: cycle k of a word at row r, column c of a block.
    output wire [ROWS*MARKERS-1:0]            start,
    output wire [ROWS*COLUMNS-1:0]            take_weight   // the cycle before a tile's first word
);
    localparam CELLS = ROWS * COLUMNS;
    localparam BITS = CELLS * WORD_BITS;
    localparam LEAVES = 1 << INDEX_BITS;

    // Markers travel along the rows with the sums, for all blocks together.
    localparam BLOCKS = (COLUMNS + OFFSET) / BLOCK_COLUMNS;
    localparam PATTERN = ROWS * BLOCK_COLUMNS;
    reg  [PATTERN-1:0]      take_chain;
    wire [PATTERN+ROWS-1:0] take_pattern = {take_chain, take};
    always @(posedge clk) take_chain <= take_pattern[PATTERN-1:0];
    wire [BLOCKS*PATTERN-1:0] take_early = {BLOCKS{take_pattern[PATTERN-1:0]}};
    wire [BLOCKS*PATTERN-1:0] take_late = {BLOCKS{take_pattern[PATTERN+ROWS-1:ROWS]}};
    wire [CELLS-1:0] taken = take_early[BLOCKS*PATTERN-1:ROWS*OFFSET];

    wire [ROWS-1:0] start_0;
    generate
        if (MARKERS > 1) begin : g_chain
            reg [ROWS*(MARKERS-1)-1:0] start_chain;
            assign start = {start_chain, start_0};
            always @(posedge clk) start_chain <= start[ROWS*(MARKERS-1)-1:0];
        end else begin : g_one
            assign start = start_0;
        end
    endgenerate

    genvar k, c;
    generate
        if (ALPHA == 1) begin : g_single
            assign word = x;
            assign start_0 = word_start;
            assign take_weight = taken;
        end else begin : g_choice
            // A binary tree of multiplexers: each level halves the channels, by the index bit
            // from the top.
            wire [LEAVES*BITS-1:0] channels;
            reg  [BITS-1:0]        chosen;
            reg  [ROWS-1:0]        start_late;
            wire [CELLS-1:0]       written;  // cells whose next index is written
            wire                   loading = |load;
            wire                   taking = |take_pattern[PATTERN-1:0];
            for (c = 0; c < COLUMNS; c = c + 1) begin : g_column
                assign written[c*ROWS+:ROWS] = {ROWS{load[c]}};
            end
            if (ALPHA == LEAVES) begin : g_full
                assign channels = x;
            end else begin : g_padded
                localparam [(LEAVES-ALPHA)*BITS-1:0] NOTHING = 0;
                assign channels = {NOTHING, x};
            end
            for (k = 0; k < INDEX_BITS; k = k + 1) begin : g_level
                localparam HALF = (LEAVES >> k) / 2 * BITS;
                wire [CELLS-1:0]   index;  // bit INDEX_BITS - 1 - k of each cell's
                wire [2*HALF-1:0]  from;
                wire [BITS-1:0]    bit_of_word;
                wire [HALF-1:0]    select = {(HALF / BITS) {bit_of_word}};
                wire [HALF-1:0]    chosen_half =
                    (from[HALF-1:0] & ~select) | (from[2*HALF-1:HALF] & select);
                if (k == 0) begin : g_first
                    assign from = channels;
                end else begin : g_next
                    assign from = g_level[k-1].chosen_half;
                end
                if (WORD_BITS == 1) begin : g_bit
                    assign bit_of_word = index;
                end else begin : g_word
                    for (c = 0; c < CELLS; c = c + 1) begin : g_cell
                        assign bit_of_word[c*WORD_BITS+:WORD_BITS] = {WORD_BITS{index[c]}};
                    end
                end
                weight_register #(.WIDTH(CELLS), .BUFFERS(WEIGHT_BUFFERS)) indices (
                    .clk(clk), .any_load(loading), .loaded(written), .any_take(taking),
                    .taken(taken), .in({COLUMNS{load_index[(INDEX_BITS-1-k)*ROWS+:ROWS]}}),
                    .out(index)
                );
            end
            always @(posedge clk) begin
                chosen     <= g_level[INDEX_BITS-1].chosen_half;
                start_late <= word_start;
            end
            assign word = chosen;
            assign start_0 = start_late;
            assign take_weight = take_late[BLOCKS*PATTERN-1:ROWS*OFFSET];
        end
    endgenerate
endmodule
