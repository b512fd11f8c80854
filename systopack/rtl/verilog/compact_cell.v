// SPDX-License-Identifier: Apache-2.0
// MX cells (IL for ALPHA = 1) with as few flip-flops as possible, for silicon.
//
// COLUMNS neighbouring cells of a row add up their products in one accumulator. They do in every
// cycle what cells of mx_row do, but for their parts: the multiplier adds with a ripple carry, so
// that what it keeps is one number and not a sum and carries; the multiplexer has no register; the
// high half of the products' sum and its sign are held (a clock edge every 8 cycles) and read bit
// by bit, not shifted. Weights, index and held bits have enables of their own, which synthesis turns
// into clock gates.
// Latency: 1 cycle for sums where REGISTERED, else 0. No reset: what was there before a word does
// not reach its sum.
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
module compact_cell #(
    parameter ALPHA = 8,
    parameter INDEX_BITS = 3,   // at least 1, 2**INDEX_BITS >= ALPHA
    parameter LANES = 4,        // bytes of a sum
    parameter WEIGHT_BITS = 8,  // 2..8
    parameter REGISTERED = 1,   // whether sums leave through a register
    parameter COLUMNS = 1,      // 1 or 2
    parameter USED = COLUMNS,   // the others get no words
    parameter WEIGHT_BUFFERS = 2
) (
    input  wire                     clk,
    input  wire [COLUMNS*ALPHA-1:0] x,      // one bit of a word of each channel, lowest first
    input  wire [7:0]               phase,  // bit k: bit k of the words is there
    input  wire                     take,   // the next weights become the present ones
    input  wire [COLUMNS-1:0]       load,   // a next weight is written
    input  wire [COLUMNS*(WEIGHT_BITS+INDEX_BITS)-1:0] load_bits,  // weight, index; column by column
    input  wire [LANES-1:0]         sum_in,
    output wire [LANES-1:0]         sum_out
);
    localparam TOP = WEIGHT_BITS - 1;
    localparam BITS = WEIGHT_BITS + INDEX_BITS;
    localparam SIZE = WEIGHT_BITS + COLUMNS - 1;  // of the accumulator
    wire first = phase[0];
    wire last = phase[7];
    genvar c, j, p;

    // Two's complement products, bit by bit. The last bit of a word counts negative: where it is
    // set the weight is subtracted. The weights' highest bits count negative too: their products
    // are inverted (Baugh and Wooley 1973), which needs two constants, COLUMNS * 2**TOP, there at a
    // word's start, and -COLUMNS * 2**(TOP + 8), which turns the highest bit of the whole sum.
    localparam [SIZE-1:0] START = {1'b1, {(SIZE - 1) {1'b0}}};
    localparam [TOP:0] TURNED = {1'b1, {TOP{1'b0}}};
    wire [COLUMNS-1:0] minus;
    generate
        for (c = 0; c < COLUMNS; c = c + 1) begin : g_column
            wire [BITS-1:0]      new_bits = load_bits[c*BITS+:BITS];
            wire [WEIGHT_BITS-1:0] weight;
            weight_register #(.WIDTH(WEIGHT_BITS), .BUFFERS(WEIGHT_BUFFERS)) weights (
                .clk(clk), .any_load(load[c]), .loaded({WEIGHT_BITS{load[c]}}), .any_take(take),
                .taken({WEIGHT_BITS{take}}), .in(new_bits[TOP:0]), .out(weight)
            );
            wire word;
            if (c >= USED) begin : g_none
                assign word = 1'b0;
            end else if (ALPHA == 1) begin : g_single
                assign word = x[c];
            end else begin : g_choice
                wire [INDEX_BITS-1:0] index;
                wire [(1<<INDEX_BITS)-1:0] channels =
                    {{((1 << INDEX_BITS) - ALPHA) {1'b0}}, x[c*ALPHA+:ALPHA]};
                weight_register #(.WIDTH(INDEX_BITS), .BUFFERS(WEIGHT_BUFFERS)) indices (
                    .clk(clk), .any_load(load[c]), .loaded({INDEX_BITS{load[c]}}), .any_take(take),
                    .taken({INDEX_BITS{take}}), .in(new_bits[BITS-1:WEIGHT_BITS]), .out(index)
                );
                assign word = channels[index];
            end
            assign minus[c] = word & last;
            wire [WEIGHT_BITS-1:0] product =
                ({WEIGHT_BITS{word}} & (weight ^ {WEIGHT_BITS{minus[c]}})) ^ TURNED;
        end
    endgenerate

    reg  [SIZE-1:0] above;  // of the sum so far, what lies above the bits that have left
    wire [SIZE-1:0] one, other;  // what is left to be added to it, and a carry
    wire            plus;
    generate
        if (COLUMNS == 1) begin : g_one
            assign one = above;
            assign other = g_column[0].product;
            assign plus = minus[0];
        end else begin : g_two
            // Three numbers become two; there is room for one carry below.
            wire [TOP:0] a = g_column[0].product;
            wire [TOP:0] b = g_column[1].product;
            wire [TOP:0] low = above[TOP:0];
            assign one = {above[SIZE-1], a ^ b ^ low};
            assign other = {(a & b) | (low & (a ^ b)), minus[0]};
            assign plus = minus[1];
        end
    endgenerate
    wire [SIZE-1:0] total;
    wire [SIZE:0]   carry;
    assign carry[0] = plus;
    generate
        for (j = 0; j < SIZE; j = j + 1) begin : g_bit
            assign total[j] = other[j] ^ one[j] ^ carry[j];
            assign carry[j+1] = (other[j] & one[j]) | (carry[j] & (other[j] ^ one[j]));
        end
    endgenerate
    reg  [SIZE-1:0] high;   // the last sum's high half
    wire [8:0]      spread = {{(9 - SIZE) {high[SIZE-1]}}, high};
    always @(posedge clk) begin
        above <= last ? START : {carry[SIZE], total[SIZE-1:1]};
        if (last) high <= {~carry[SIZE], total[SIZE-1:1]};
    end

    // One serial adder per lane: low byte, high byte, then the sign as often as needed. A byte's
    // last carry goes on to the lane above.
    generate
        for (p = 0; p < LANES; p = p + 1) begin : g_lane
            reg  sum_carry;
            wire addend, into;
            wire sum = addend ^ sum_in[p] ^ into;
            if (p == 0) begin : g_low
                assign addend = total[0];
                assign into = sum_carry & ~first;
            end else begin : g_up
                assign into = first ? g_lane[p-1].sum_carry : sum_carry;
                if (p == 1) begin : g_high
                    assign addend = |(spread[7:0] & phase);
                end else begin : g_sign
                    reg sign;
                    assign addend = sign;
                    if (p == 2) begin : g_new
                        always @(posedge clk) if (last) sign <= spread[8];
                    end else begin : g_old
                        always @(posedge clk) if (last) sign <= g_lane[p-1].g_up.g_sign.sign;
                    end
                end
            end
            always @(posedge clk)
                sum_carry <= (addend & sum_in[p]) | (into & (addend ^ sum_in[p]));
            if (REGISTERED != 0) begin : g_register
                reg kept;
                always @(posedge clk) kept <= sum;
                assign sum_out[p] = kept;
            end else begin : g_none
                assign sum_out[p] = sum;
            end
        end
    endgenerate
endmodule
