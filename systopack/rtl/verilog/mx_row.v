// SPDX-License-Identifier: Apache-2.0
// Rows of interleaved bit-serial cells: IL for ALPHA = 1, MX above.
//
// All cells are a few vectors with one bit per cell: (row r, column c) is number c * ROWS + r,
// column 0 on the left, so the next column is ROWS places up. Words enter least
// significant bit first, one every 8 cycles. A partial sum has ACCUMULATOR_BITS bits and travels
// in byte lanes: byte p of a sum passes on lane p, 8 * p cycles after its byte 0, so that
// ACCUMULATOR_BITS / 8 sums are in flight at once and the multiplier never idles.
//
// word_start comes every 8 cycles without a gap; a word nobody needs is simply not read, and the
// first one ever is lost.
// Latency: a cell delays sums by one cycle; with ALPHA > 1 the multiplexer's register delays the
// input by one more. No reset: what was there before a word does not reach its sum.
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
/* verilator lint_off UNUSEDPARAM */
module mx_row #(
    parameter ROWS = 1,
    parameter COLUMNS = 32,
    // Blocks of columns side by side, each with sums of its own, run in step; the first one lacks
    // OFFSET columns.
    parameter BLOCK_COLUMNS = COLUMNS,
    parameter OFFSET = 0,
    parameter BLOCKS = 1,      // (COLUMNS + OFFSET) / BLOCK_COLUMNS
    parameter ALPHA = 8,
    parameter INDEX_BITS = 3,  // at least 1, 2**INDEX_BITS >= ALPHA
    parameter ACCUMULATOR_BITS = 32,
    parameter CELL_WEIGHT_BITS = 8, // 2..8
    parameter WEIGHT_BUFFERS = 2    // 1: weights are taken as they come, load is not read
) (
    input  wire                          clk,
    input  wire [ALPHA*ROWS*COLUMNS-1:0] x,      // channel a of cell n: a * ROWS * COLUMNS + n
    input  wire [ROWS-1:0]               word_start,  // with bit 0 of column 0
    input  wire [ROWS-1:0]               take,        // the cycle before a tile's first word_start
    // Lane p of row r of block k: (k * ACCUMULATOR_BITS / 8 + p) * ROWS + r.
    input  wire [BLOCKS*ROWS*ACCUMULATOR_BITS/8-1:0] sum_in,
    output wire [BLOCKS*ROWS*ACCUMULATOR_BITS/8-1:0] sum_out,
    input  wire [COLUMNS-1:0]            load,        // columns whose next weight is written
    input  wire [CELL_WEIGHT_BITS*ROWS-1:0] load_weight,  // bit j of row r: j * ROWS + r
    input  wire [INDEX_BITS*ROWS-1:0]    load_index
);
    localparam CELLS = ROWS * COLUMNS;
    localparam [CELLS-1:0] NONE = 0;
    localparam LANES = ACCUMULATOR_BITS / 8;
    localparam TOP = CELL_WEIGHT_BITS - 1;

    wire [CELLS-1:0] bits, take_weight;
    localparam PATTERN = ROWS * BLOCK_COLUMNS;
    wire [PATTERN+7*ROWS-1:0] start;
    multiplexer_row #(
        .ROWS(ROWS), .COLUMNS(COLUMNS), .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS), .WORD_BITS(1),
        .BLOCK_COLUMNS(BLOCK_COLUMNS), .OFFSET(OFFSET), .MARKERS(BLOCK_COLUMNS + 7),
        .WEIGHT_BUFFERS(WEIGHT_BUFFERS)
    ) choice (
        .clk(clk), .x(x), .word_start(word_start), .take(take), .load(load),
        .load_index(load_index), .word(bits), .start(start), .take_weight(take_weight)
    );
    // The same for all blocks.
    wire [BLOCKS*PATTERN-1:0] first_all = {BLOCKS{start[PATTERN-1:0]}};
    wire [BLOCKS*PATTERN-1:0] last_all = {BLOCKS{start[PATTERN+7*ROWS-1:7*ROWS]}};
    wire [BLOCKS*PATTERN-1:0] constant_all =
        {BLOCKS{TOP == 7 ? start[PATTERN+ROWS-1:ROWS]
                         : start[PATTERN-1:0] | start[PATTERN+(7-TOP)*ROWS-1:(7-TOP)*ROWS]}};
    wire [CELLS-1:0] first = first_all[BLOCKS*PATTERN-1:ROWS*OFFSET];
    wire [CELLS-1:0] last = last_all[BLOCKS*PATTERN-1:ROWS*OFFSET];

    // Serial-parallel two's complement multiplier, carry-save (Baugh and Wooley 1973): products
    // with exactly one sign bit are inverted. The constants that this needs are 2**7 + 2**TOP,
    // which enter at the top of the sums, and -2**(TOP + 8): ones above the high half. After the
    // last bit the high half moves to a second register and is resolved while the next word enters.
    wire [CELLS-1:0] constants = constant_all[BLOCKS*PATTERN-1:ROWS*OFFSET];
    wire [CELLS-1:0] written;  // cells whose next weight is written
    wire loading = |load;  // weights hold still but for a few cycles of a tile:
    wire taking = |take_weight[CELLS-1:CELLS-PATTERN];  // these are clock gates
    genvar c, j, k, p;
    generate
        for (c = 0; c < COLUMNS; c = c + 1) begin : g_column
            assign written[c*ROWS+:ROWS] = {ROWS{load[c]}};
        end
        for (j = 0; j <= TOP; j = j + 1) begin : g_bit
            wire [CELLS-1:0] weight;
            reg  [CELLS-1:0] carry, high_carry;
            wire [CELLS-1:0] above, high_carry_above;
            wire [CELLS-1:0] product = (bits & weight) ^ (j == TOP ? ~last : last);
            wire [CELLS-1:0] half = product ^ above;
            wire [CELLS-1:0] partial_now = half ^ carry;
            wire [CELLS-1:0] carry_now = (product & ~half) | (carry & half);
            weight_register #(.WIDTH(CELLS), .BUFFERS(WEIGHT_BUFFERS)) weights (
                .clk(clk), .any_load(loading), .loaded(written), .any_take(taking),
                .taken(take_weight), .in({COLUMNS{load_weight[j*ROWS+:ROWS]}}), .out(weight)
            );
            // The last bit leaves nothing behind for the next word.
            always @(posedge clk) begin
                carry <= carry_now & ~last;
                high_carry <= (carry_now & last) | (high_carry_above & ~last);
            end
            if (j == TOP) begin : g_top
                assign above = constants;
                assign high_carry_above = NONE;
            end else begin : g_inner
                reg  [CELLS-1:0] partial, high_sum;  // both one place below bit j + 1
                wire [CELLS-1:0] high_sum_above;
                assign above = partial;
                assign high_carry_above = g_bit[j+1].high_carry;
                if (j == TOP - 1) begin : g_one
                    assign high_sum_above = ~NONE;
                end else begin : g_shift
                    assign high_sum_above = g_bit[j+1].g_inner.high_sum;
                end
                always @(posedge clk) begin
                    partial <= g_bit[j+1].partial_now & ~last;
                    high_sum <= (g_bit[j+1].partial_now & last) | (high_sum_above & ~last);
                end
            end
        end
    endgenerate
    reg  [CELLS-1:0] high_kept;
    wire [CELLS-1:0] high_half = g_bit[0].g_inner.high_sum ^ g_bit[0].high_carry;
    wire [CELLS-1:0] high = high_half ^ high_kept;
    always @(posedge clk)
        high_kept <= ~last & ((g_bit[0].high_carry & ~high_half) | (high_kept & high_half));

    // One serial adder per lane: low byte, high byte, then the sign as often as needed. A byte's
    // last carry goes on to the lane above.
    generate
        for (p = 0; p < LANES; p = p + 1) begin : g_lane
            reg  [CELLS-1:0] sum, sum_carry;
            wire [CELLS-1:0] addend, into;
            wire [CELLS-1:0] passing;
            if (BLOCKS == 1) begin : g_chain
                wire [CELLS+ROWS-1:0] chain = {sum, sum_in[p*ROWS+:ROWS]};
                assign passing = chain[CELLS-1:0];
                assign sum_out[p*ROWS+:ROWS] = chain[CELLS+ROWS-1:CELLS];
            end else begin : g_blocks
                wire [CELLS-1:0] entering, edges;
                for (k = 0; k < BLOCKS; k = k + 1) begin : g_block
                    localparam LOW = k == 0 ? 0 : k * BLOCK_COLUMNS - OFFSET;
                    localparam SIZE = ((k + 1) * BLOCK_COLUMNS - OFFSET - LOW) * ROWS;
                    localparam LANE = (k * LANES + p) * ROWS;
                    if (SIZE == ROWS) begin : g_narrow
                        assign edges[LOW*ROWS+:SIZE] = {SIZE{1'b1}};
                        assign entering[LOW*ROWS+:SIZE] = sum_in[LANE+:ROWS];
                    end else begin : g_wide
                        assign edges[LOW*ROWS+:SIZE] = {{(SIZE - ROWS) {1'b0}}, {ROWS{1'b1}}};
                        assign entering[LOW*ROWS+:SIZE] =
                            {{(SIZE - ROWS) {1'b0}}, sum_in[LANE+:ROWS]};
                    end
                    assign sum_out[LANE+:ROWS] = sum[LOW*ROWS+SIZE-ROWS+:ROWS];
                end
                assign passing = entering | ((sum << ROWS) & ~edges);
            end
            if (p == 0) begin : g_low
                assign addend = g_bit[0].partial_now;
                assign into = sum_carry & ~first;
            end else begin : g_up
                assign into = (g_lane[p-1].sum_carry & first) | (sum_carry & ~first);
                if (p == 1) begin : g_high
                    assign addend = high;
                end else begin : g_sign
                    reg [CELLS-1:0] sign;
                    assign addend = sign;
                    always @(posedge clk) sign <= (g_lane[p-1].addend & last) | (sign & ~last);
                end
            end
            always @(posedge clk) begin
                sum <= addend ^ passing ^ into;
                sum_carry <= (addend & passing)
                           | (into & (addend | passing));
            end
        end
    endgenerate
endmodule
