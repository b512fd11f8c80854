// One row of interleaved bit-serial cells: IL for ALPHA = 1, MX above.
//
// The row is a few vectors with one bit per cell, cell 0 on the left. Words enter least
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
    parameter COLUMNS = 32,
    parameter ALPHA = 8,
    parameter INDEX_BITS = 3,  // at least 1, 2**INDEX_BITS >= ALPHA
    parameter ACCUMULATOR_BITS = 32,
    parameter CELL_WEIGHT_BITS = 8  // 2..8
) (
    input  wire                          clk,
    input  wire [ALPHA*COLUMNS-1:0]      x,           // channel a of column c: bit a * COLUMNS + c
    input  wire                          word_start,  // with bit 0 of column 0
    input  wire                          take,        // the cycle before a tile's first word_start
    input  wire [ACCUMULATOR_BITS/8-1:0] sum_in,
    output wire [ACCUMULATOR_BITS/8-1:0] sum_out,
    input  wire [COLUMNS-1:0]            load,        // columns whose next weight is written
    input  wire [CELL_WEIGHT_BITS-1:0]   load_weight,
    input  wire [INDEX_BITS-1:0]         load_index
);
    /* verilator no_inline_module */  // one piece of code for all rows simulates faster
    localparam LANES = ACCUMULATOR_BITS / 8;
    localparam TOP = CELL_WEIGHT_BITS - 1;

    wire [COLUMNS-1:0] bits, take_weight;
    wire [COLUMNS+6:0] start;
    choice_row #(
        .COLUMNS(COLUMNS), .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS), .WORD_BITS(1),
        .MARKERS(COLUMNS + 7)
    ) choice (
        .clk(clk), .x(x), .word_start(word_start), .take(take), .load(load),
        .load_index(load_index), .word(bits), .start(start), .take_weight(take_weight)
    );
    wire [COLUMNS-1:0] first = start[COLUMNS-1:0];
    wire [COLUMNS-1:0] last = start[COLUMNS+6:7];

    // Serial-parallel two's complement multiplier, carry-save (Baugh and Wooley 1973): products
    // with exactly one sign bit are inverted. The constants that this needs are 2**7 + 2**TOP,
    // which enter at the top of the sums, and -2**(TOP + 8): ones above the high half. After the
    // last bit the high half moves to a second register and is resolved while the next word enters.
    wire [COLUMNS-1:0] constants =
        TOP == 7 ? start[COLUMNS:1] : first | start[COLUMNS+6-TOP:7-TOP];
    wire loading = |load;  // weights hold still but for a few cycles of a tile:
    wire taking = |take_weight;  // these are clock gates
    genvar j, p;
    generate
        for (j = 0; j <= TOP; j = j + 1) begin : g_bit
            reg  [COLUMNS-1:0] next_weight, weight, carry, high_carry;
            wire [COLUMNS-1:0] above, high_carry_above;
            wire [COLUMNS-1:0] product = (bits & weight) ^ (j == TOP ? ~last : last);
            wire [COLUMNS-1:0] half = product ^ above;
            wire [COLUMNS-1:0] partial_now = half ^ carry;
            wire [COLUMNS-1:0] carry_now = (product & ~half) | (carry & half);
            always @(posedge clk)
                if (taking) weight <= (weight & ~take_weight) | (next_weight & take_weight);
            always @(posedge clk)
                if (loading)
                    next_weight <= (next_weight & ~load) | ({COLUMNS{load_weight[j]}} & load);
            // The last bit leaves nothing behind for the next word.
            always @(posedge clk) begin
                carry <= carry_now & ~last;
                high_carry <= (carry_now & last) | (high_carry_above & ~last);
            end
            if (j == TOP) begin : g_top
                assign above = constants;
                assign high_carry_above = {COLUMNS{1'b0}};
            end else begin : g_inner
                reg  [COLUMNS-1:0] partial, high_sum;  // both one place below bit j + 1
                wire [COLUMNS-1:0] high_sum_above;
                assign above = partial;
                assign high_carry_above = g_bit[j+1].high_carry;
                if (j == TOP - 1) begin : g_one
                    assign high_sum_above = {COLUMNS{1'b1}};
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
    reg  [COLUMNS-1:0] high_kept;
    wire [COLUMNS-1:0] high_half = g_bit[0].g_inner.high_sum ^ g_bit[0].high_carry;
    wire [COLUMNS-1:0] high = high_half ^ high_kept;
    always @(posedge clk)
        high_kept <= ~last & ((g_bit[0].high_carry & ~high_half) | (high_kept & high_half));

    // One serial adder per lane: low byte, high byte, then the sign as often as needed. A byte's
    // last carry goes on to the lane above.
    generate
        for (p = 0; p < LANES; p = p + 1) begin : g_lane
            reg  [COLUMNS-1:0] sum, sum_carry;
            wire [COLUMNS-1:0] addend, into;
            wire [COLUMNS:0]   passing = {sum, sum_in[p]};
            if (p == 0) begin : g_low
                assign addend = g_bit[0].partial_now;
                assign into = sum_carry & ~first;
            end else begin : g_up
                assign into = (g_lane[p-1].sum_carry & first) | (sum_carry & ~first);
                if (p == 1) begin : g_high
                    assign addend = high;
                end else begin : g_sign
                    reg [COLUMNS-1:0] sign;
                    assign addend = sign;
                    always @(posedge clk) sign <= (g_lane[p-1].addend & last) | (sign & ~last);
                end
            end
            always @(posedge clk) begin
                sum <= addend ^ passing[COLUMNS-1:0] ^ into;
                sum_carry <= (addend & passing[COLUMNS-1:0])
                           | (into & (addend | passing[COLUMNS-1:0]));
            end
            assign sum_out[p] = passing[COLUMNS];
        end
    endgenerate
endmodule
