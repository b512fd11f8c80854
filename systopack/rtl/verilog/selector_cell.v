// SPDX-License-Identifier: Apache-2.0
// Cells without a multiplier: weights are 0 or plus or minus a power of two. Selector-accumulators.
//
// COLUMNS neighbouring cells of a row select a channel each, and the place at which its bits enter one
// accumulator that they share. The accumulator moves down a place every cycle, so a place further up
// is a cycle of delay: it is the delay line of all its cells, and nothing of a word is kept in a
// cell. Sums travel as in compact_cell, which see.
// A weight is a sign and a place, or 0; another weight gives wrong sums.
// CARRY_SAVE 1 is for standard cells: the place is held as a number, and full adders lead to two
// numbers. 0 is for look-up tables: a bit for every place, and adders of two numbers.
// Latency: 1 cycle for sums. No reset: what was there before a word does not reach its sum.
`ifdef SYSTOPACK_CARRY_SAVE
`define SYSTOPACK_SELECTOR_CARRY_SAVE 1
`else
`define SYSTOPACK_SELECTOR_CARRY_SAVE 0
`endif
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
/* verilator lint_off UNUSEDPARAM */
module selector_cell #(
    parameter ALPHA = 8,
    parameter INDEX_BITS = 3,   // at least 1, 2**INDEX_BITS >= ALPHA
    parameter LANES = 4,        // bytes of a sum
    parameter WEIGHT_BITS = 8,  // 2..8
    parameter COLUMNS = 1,
    parameter USED = COLUMNS,   // the others get no words
    parameter WEIGHT_BUFFERS = 2,
    parameter CARRY_SAVE = `SYSTOPACK_SELECTOR_CARRY_SAVE
) (
    input  wire                     clk,
    input  wire [COLUMNS*ALPHA-1:0] x,      // one bit of a word of each channel, lowest first
    input  wire [7:0]               phase,  // bit k: bit k of the words is there
    input  wire                     take,   // the next weights become the present ones
    input  wire [COLUMNS-1:0]       load,   // a next weight is written
    // A one at the weight's place or none, its sign, index; column by column.
    input  wire [COLUMNS*(WEIGHT_BITS+1+INDEX_BITS)-1:0] load_bits,
    input  wire [LANES-1:0]         sum_in,
    output reg  [LANES-1:0]         sum_out
);
    localparam TOP = WEIGHT_BITS - 1;
    localparam BITS = WEIGHT_BITS + 1 + INDEX_BITS;
    localparam PLACES = WEIGHT_BITS + 1;
    localparam SIZE = $clog2((COLUMNS << PLACES) / 2 + 1);  // of the accumulator
    localparam PLACE_BITS = WEIGHT_BITS > 2 ? $clog2(WEIGHT_BITS) : 1;
    localparam CODE = CARRY_SAVE != 0 ? PLACE_BITS : WEIGHT_BITS;
    localparam [31:0] NOTHING = TOP;  // the place of a weight of 0
    wire first = phase[0];
    wire last = phase[7];
    genvar c, j, p;

    // In every cycle a cell adds its word's bit at its place; in the last one it takes the bit off. Minus
    // a word is its complement and one: a negative weight adds the inverted bit, and in the first
    // cycle one more, which is the bit at its place or, where that is 0, at the next one.
    wire [COLUMNS*PLACES-1:0] rows;
    generate
        for (c = 0; c < COLUMNS; c = c + 1) begin : g_column
            wire [BITS-1:0]        new_bits = load_bits[c*BITS+:BITS];
            wire [WEIGHT_BITS-1:0] lowest = new_bits[TOP:0];
            wire [WEIGHT_BITS-1:0] single;  // a one at the weight's place
            wire [CODE-1:0]        code;
            wire                   minus;
            wire [CODE:0]          next_code;
            weight_register #(.WIDTH(CODE + 1), .BUFFERS(WEIGHT_BUFFERS)) weights (
                .clk(clk), .any_load(load[c]), .loaded({(CODE + 1) {load[c]}}), .any_take(take),
                .taken({(CODE + 1) {take}}), .in(next_code), .out({minus, code})
            );
            assign next_code[CODE] = new_bits[WEIGHT_BITS];
            if (CARRY_SAVE != 0) begin : g_place
                wire nothing = lowest == {WEIGHT_BITS{1'b0}};
                for (p = 0; p < CODE; p = p + 1) begin : g_code
                    wire [WEIGHT_BITS-1:0] there;
                    for (j = 0; j < WEIGHT_BITS; j = j + 1) begin : g_there
                        assign there[j] = lowest[j] && (j >> p) % 2 == 1;
                    end
                    assign next_code[p] = |there | (nothing & NOTHING[p]);
                end
                for (j = 0; j < WEIGHT_BITS; j = j + 1) begin : g_single
                    localparam [31:0] PLACE = j;
                    assign single[j] = code == PLACE[CODE-1:0] && (j < TOP || minus);
                end
            end else begin : g_single
                assign next_code[CODE-1:0] = lowest;
                assign single = code;
            end
            wire word, here, above_it;
            if (c >= USED) begin : g_none
                assign word = 1'b0;
                assign here = 1'b0;
                assign above_it = 1'b0;
            end else begin : g_used
                if (ALPHA == 1) begin : g_one
                    assign word = x[c];
                end else begin : g_choice
                    wire [INDEX_BITS-1:0] index;
                    wire [(1<<INDEX_BITS)-1:0] channels =
                        {{((1 << INDEX_BITS) - ALPHA) {1'b0}}, x[c*ALPHA+:ALPHA]};
                    weight_register #(.WIDTH(INDEX_BITS), .BUFFERS(WEIGHT_BUFFERS)) indices (
                        .clk(clk), .any_load(load[c]), .loaded({INDEX_BITS{load[c]}}),
                        .any_take(take), .taken({INDEX_BITS{take}}),
                        .in(new_bits[BITS-1:WEIGHT_BITS+1]), .out(index)
                    );
                    assign word = channels[index];
                end
                assign here = word ^ (minus & ~first);
                assign above_it = minus & first & ~word;
            end
            assign rows[c*PLACES+:PLACES] =
                ({1'b0, single} & {PLACES{here}}) | ({single, 1'b0} & {PLACES{above_it}});
        end
    endgenerate

    // In the last cycle the sum is taken off: a - b is ~(~a + b). The accumulator is inverted a cycle
    // ahead, and what it then gives is inverted again.
    reg  [SIZE-2:0] above;
    wire [SIZE-1:0] before_it = {last, above};
    wire [SIZE-1:0] total;
    generate
        if (CARRY_SAVE != 0) begin : g_carry_save
            localparam MOST = COLUMNS + 1;
            function [16*SIZE-1:0] counted(input integer most);
                integer k;
                for (k = 0; k < SIZE; k = k + 1) counted[16*k+:16] = k < PLACES ? most : 1;
            endfunction
            localparam [16*SIZE-1:0] HEIGHTS = counted(MOST);
            wire [SIZE*MOST-1:0] bits;
            for (j = 0; j < SIZE; j = j + 1) begin : g_bit
                for (c = 0; c < COLUMNS; c = c + 1) begin : g_row
                    if (j < PLACES) begin : g_there
                        assign bits[j*MOST+c] = rows[c*PLACES+j];
                    end else begin : g_none
                        assign bits[j*MOST+1+c] = 1'b0;
                    end
                end
                assign bits[j*MOST+(j<PLACES?COLUMNS:0)] = before_it[j];
            end
            wire [SIZE-1:0] one, other;
            adder_tree #(.SIZE(SIZE), .MOST(MOST), .HEIGHTS(HEIGHTS)) tree (
                .bits(bits), .one(one), .other(other)
            );
            wire [SIZE:0] carry;
            assign carry[0] = 1'b0;
            for (j = 0; j < SIZE; j = j + 1) begin : g_sum
                assign total[j] = one[j] ^ other[j] ^ carry[j];
                assign carry[j+1] = (one[j] & other[j]) | (carry[j] & (one[j] ^ other[j]));
            end
        end else begin : g_pairs
            localparam LEVELS = $clog2(COLUMNS);
            for (j = 0; j <= LEVELS; j = j + 1) begin : g_level
                localparam WIDTH = PLACES + j;
                localparam COUNT = (COLUMNS + (1 << j) - 1) >> j;
                wire [COUNT*WIDTH-1:0] sums;
                if (j == 0) begin : g_rows
                    assign sums = rows;
                end else begin : g_sums
                    localparam BELOW = (COLUMNS + (1 << (j - 1)) - 1) >> (j - 1);
                    wire [BELOW*(WIDTH-1)-1:0] parts = g_level[j-1].sums;
                    for (c = 0; c < COUNT; c = c + 1) begin : g_node
                        wire [WIDTH:0] sum;
                        if (2 * c + 1 < BELOW) begin : g_pair
                            signed_adder #(.BITS(WIDTH)) adder (
                                .a({1'b0, parts[2*c*(WIDTH-1)+:WIDTH-1]}),
                                .b({1'b0, parts[(2*c+1)*(WIDTH-1)+:WIDTH-1]}), .sum(sum)
                            );
                        end else begin : g_odd
                            assign sum = {2'b0, parts[2*c*(WIDTH-1)+:WIDTH-1]};
                        end
                        assign sums[c*WIDTH+:WIDTH] = sum[WIDTH-1:0];
                    end
                end
            end
            wire [SIZE+PLACES+LEVELS-1:0] wide = {{SIZE{1'b0}}, g_level[LEVELS].sums};
            assign total = before_it + wide[SIZE-1:0];
        end
    endgenerate
    always @(posedge clk)
        above <= last ? {(SIZE - 1) {1'b0}} : total[SIZE-1:1] ^ {(SIZE - 1) {phase[6]}};

    // One serial adder per lane: low byte, then byte after byte of what lies above it, which are held
    // and read bit by bit. A byte's last carry goes on to the lane above.
    generate
        for (p = 0; p < LANES; p = p + 1) begin : g_lane
            reg  carried;
            wire addend, into;
            if (p == 0) begin : g_low
                assign addend = total[0] ^ last;
                assign into = carried & ~first;
            end else begin : g_up
                // What is left of the high bits, at least the sign.
                localparam LEFT = SIZE - 1 - 8 * (p - 1) > 1 ? SIZE - 1 - 8 * (p - 1) : 1;
                reg  [LEFT-1:0] part;
                wire [7:0]      spread;
                for (j = 0; j < 8; j = j + 1) begin : g_spread
                    assign spread[j] = part[j<LEFT?j:LEFT-1];
                end
                assign addend = LEFT == 1 ? part[0] : |(spread & phase);
                if (p == 1) begin : g_high
                    always @(posedge clk) if (last) part <= ~total[SIZE-1:1];
                end else begin : g_rest
                    localparam BEFORE = SIZE - 1 - 8 * (p - 2) > 1 ? SIZE - 1 - 8 * (p - 2) : 1;
                    always @(posedge clk)
                        if (last) part <= g_lane[p-1].g_up.part[BEFORE-1:BEFORE-LEFT];
                end
                assign into = first ? g_lane[p-1].carried : carried;
            end
            always @(posedge clk) begin
                carried <= (addend & sum_in[p]) | (into & (addend ^ sum_in[p]));
                sum_out[p] <= addend ^ sum_in[p] ^ into;
            end
        end
    endgenerate
endmodule
