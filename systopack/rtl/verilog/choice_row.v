// The input side that all rows share: channel index, multiplexer, markers.
//
// Per column one word (WORD_BITS wide: 1 bit-serial, 8 bit-parallel) of ALPHA channels is chosen
// by the index that the cell holds. The index is double-buffered: `load` writes the next one,
// `take` makes it the present one. With ALPHA > 1 the chosen word is registered, so word, start
// and take_weight come one cycle later than with ALPHA = 1, which has no index at all.
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
/* verilator lint_off UNUSEDPARAM */
module choice_row #(
    parameter COLUMNS = 32,
    parameter ALPHA = 8,
    parameter INDEX_BITS = 3,  // at least 1, 2**INDEX_BITS >= ALPHA
    parameter WORD_BITS = 1,
    parameter MARKERS = 39     // markers kept: COLUMNS + largest cycle of a word asked for
) (
    input  wire                               clk,
    // Channel a of column c: bits (a * COLUMNS + c) * WORD_BITS on.
    input  wire [ALPHA*COLUMNS*WORD_BITS-1:0] x,
    input  wire                               word_start,   // with the first bit at column 0
    input  wire                               take,         // a cycle before a tile's first one
    input  wire [COLUMNS-1:0]                 load,
    input  wire [INDEX_BITS-1:0]              load_index,
    output wire [COLUMNS*WORD_BITS-1:0]       word,
    output wire [MARKERS-1:0]                 start,        // [c + k]: cycle k of a word at column c
    output wire [COLUMNS-1:0]                 take_weight   // the cycle before the tile's first word
);
    localparam BITS = COLUMNS * WORD_BITS;
    localparam LEAVES = 1 << INDEX_BITS;

    // Markers travel along the row with the sums.
    reg  [COLUMNS-1:0] take_chain;
    wire [COLUMNS:0]   taken = {take_chain, take};
    always @(posedge clk) take_chain <= taken[COLUMNS-1:0];

    wire start_0;
    generate
        if (MARKERS > 1) begin : g_chain
            reg [MARKERS-2:0] start_chain;
            assign start = {start_chain, start_0};
            always @(posedge clk) start_chain <= start[MARKERS-2:0];
        end else begin : g_one
            assign start = start_0;
        end
    endgenerate

    genvar k, c;
    generate
        if (ALPHA == 1) begin : g_single
            assign word = x;
            assign start_0 = word_start;
            assign take_weight = taken[COLUMNS-1:0];
        end else begin : g_choice
            // A binary tree of multiplexers: each level halves the channels, by the index bit
            // from the top.
            wire [LEAVES*BITS-1:0] channels;
            reg  [BITS-1:0]        chosen;
            reg                    start_late;
            wire                   loading = |load;
            wire                   taking = |taken[COLUMNS-1:0];
            if (ALPHA == LEAVES) begin : g_full
                assign channels = x;
            end else begin : g_padded
                assign channels = {{((LEAVES - ALPHA) * BITS) {1'b0}}, x};
            end
            for (k = 0; k < INDEX_BITS; k = k + 1) begin : g_level
                localparam HALF = (LEAVES >> k) / 2 * BITS;
                reg  [COLUMNS-1:0] next_index, index;  // bit INDEX_BITS - 1 - k of each cell's
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
                    for (c = 0; c < COLUMNS; c = c + 1) begin : g_column
                        assign bit_of_word[c*WORD_BITS+:WORD_BITS] = {WORD_BITS{index[c]}};
                    end
                end
                always @(posedge clk)
                    if (taking)
                        index <= (index & ~taken[COLUMNS-1:0]) | (next_index & taken[COLUMNS-1:0]);
                always @(posedge clk)
                    if (loading)
                        next_index <= (next_index & ~load)
                                    | ({COLUMNS{load_index[INDEX_BITS-1-k]}} & load);
            end
            always @(posedge clk) begin
                chosen     <= g_level[INDEX_BITS-1].chosen_half;
                start_late <= word_start;
            end
            assign word = chosen;
            assign start_0 = start_late;
            assign take_weight = taken[COLUMNS:1];
        end
    endgenerate
endmodule
