// SPDX-License-Identifier: Apache-2.0
// COLUMNS bit-parallel cells of a row that add their products to a sum together: a word a cycle.
//
// The products are added up by a balanced tree and then added to the passing sum, which comes one
// cycle after the words and leaves one cycle later. Sums wrap. No register behind the multiplexer.
// No reset: nothing is kept but weights and what is on its way.
// CARRY_SAVE 1 is for standard cells: full adders down to two numbers, which are registered. 0 is for
// whatever has multipliers, where each product is registered, in front of the tree.
`ifdef SYSTOPACK_CARRY_SAVE
`define SYSTOPACK_CARRY_SAVE_DEFAULT 1
`else
`define SYSTOPACK_CARRY_SAVE_DEFAULT 0
`endif
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
module parallel_stage #(
    parameter COLUMNS = 8,
    parameter ALPHA = 8,
    parameter INDEX_BITS = 3,   // at least 1, 2**INDEX_BITS >= ALPHA
    parameter ACCUMULATOR_BITS = 32,
    parameter WEIGHT_BITS = 8,  // 2..8
    parameter WEIGHT_BUFFERS = 2,
    parameter CARRY_SAVE = `SYSTOPACK_CARRY_SAVE_DEFAULT
) (
    input  wire                        clk,
    input  wire [8*COLUMNS*ALPHA-1:0]  x,     // channel a of column c: (c * ALPHA + a) * 8
    input  wire                        take,  // the next weights become the present ones
    input  wire [COLUMNS-1:0]          load,  // a next weight is written
    input  wire [COLUMNS*(WEIGHT_BITS+INDEX_BITS)-1:0] load_bits,  // weight, index; column by column
    input  wire [ACCUMULATOR_BITS-1:0] sum_in,
    output reg  [ACCUMULATOR_BITS-1:0] sum_out
);
    localparam BITS = WEIGHT_BITS + INDEX_BITS;
    localparam LEVELS = $clog2(COLUMNS);
    localparam PRODUCT = WEIGHT_BITS + 8;
    localparam SIZE = PRODUCT + LEVELS;  // of the products' sum
    wire [8*COLUMNS-1:0]           words;
    wire [WEIGHT_BITS*COLUMNS-1:0] weights;
    genvar c, l;
    generate
        for (c = 0; c < COLUMNS; c = c + 1) begin : g_column
            wire [BITS-1:0] new_bits = load_bits[c*BITS+:BITS];
            weight_register #(.WIDTH(WEIGHT_BITS), .BUFFERS(WEIGHT_BUFFERS)) held (
                .clk(clk), .any_load(load[c]), .loaded({WEIGHT_BITS{load[c]}}), .any_take(take),
                .taken({WEIGHT_BITS{take}}), .in(new_bits[WEIGHT_BITS-1:0]),
                .out(weights[c*WEIGHT_BITS+:WEIGHT_BITS])
            );
            if (ALPHA == 1) begin : g_single
                assign words[8*c+:8] = x[8*c+:8];
            end else begin : g_choice
                wire [INDEX_BITS-1:0] index;
                wire [(8<<INDEX_BITS)-1:0] channels =
                    {{((8 << INDEX_BITS) - 8 * ALPHA) {1'b0}}, x[8*c*ALPHA+:8*ALPHA]};
                weight_register #(.WIDTH(INDEX_BITS), .BUFFERS(WEIGHT_BUFFERS)) indices (
                    .clk(clk), .any_load(load[c]), .loaded({INDEX_BITS{load[c]}}), .any_take(take),
                    .taken({INDEX_BITS{take}}), .in(new_bits[BITS-1:WEIGHT_BITS]), .out(index)
                );
                assign words[8*c+:8] = channels[{index, 3'd0}+:8];
            end
        end
        if (CARRY_SAVE != 0) begin : g_carry_save
            // The two numbers' sum is too large by COLUMNS * 2**(PRODUCT - 1).
            localparam [ACCUMULATOR_BITS-1:0] LESS = COLUMNS;
            localparam [ACCUMULATOR_BITS-1:0] SURPLUS = LESS << (PRODUCT - 1);
            wire [SIZE-1:0] one, other;
            reg  [SIZE-1:0] one_kept, other_kept;
            carry_save #(.COLUMNS(COLUMNS), .WEIGHT_BITS(WEIGHT_BITS), .SIZE(SIZE)) products (
                .words(words), .weights(weights), .one(one), .other(other)
            );
            wire [ACCUMULATOR_BITS+SIZE-1:0] wide_one = {{ACCUMULATOR_BITS{1'b0}}, one_kept};
            wire [ACCUMULATOR_BITS+SIZE-1:0] wide_other = {{ACCUMULATOR_BITS{1'b0}}, other_kept};
            always @(posedge clk) begin
                one_kept <= one;
                other_kept <= other;
                sum_out <= sum_in + wide_one[ACCUMULATOR_BITS-1:0]
                    + wide_other[ACCUMULATOR_BITS-1:0] - SURPLUS;
            end
        end else begin : g_tree
            for (l = 0; l <= LEVELS; l = l + 1) begin : g_level
                localparam COUNT = (COLUMNS + (1 << l) - 1) >> l;
                localparam WIDTH = PRODUCT + l;
                wire [COUNT*WIDTH-1:0] sums;
                for (c = 0; c < COUNT; c = c + 1) begin : g_node
                    if (l == 0) begin : g_product
                        wire signed [7:0]             word = words[8*c+:8];
                        wire signed [WEIGHT_BITS-1:0] weight = weights[c*WEIGHT_BITS+:WEIGHT_BITS];
                        reg signed  [PRODUCT-1:0]     product;
                        always @(posedge clk) product <= weight * word;
                        assign sums[c*WIDTH+:WIDTH] = product;
                    end else if (2 * c + 1 < (COLUMNS + (1 << (l - 1)) - 1) >> (l - 1)) begin : g_pair
                        signed_adder #(.BITS(WIDTH - 1)) adder (
                            .a(g_level[l-1].sums[2*c*(WIDTH-1)+:WIDTH-1]),
                            .b(g_level[l-1].sums[(2*c+1)*(WIDTH-1)+:WIDTH-1]),
                            .sum(sums[c*WIDTH+:WIDTH])
                        );
                    end else begin : g_odd
                        wire [WIDTH-2:0] alone = g_level[l-1].sums[2*c*(WIDTH-1)+:WIDTH-1];
                        assign sums[c*WIDTH+:WIDTH] = {alone[WIDTH-2], alone};
                    end
                end
            end
            wire [SIZE-1:0] total = g_level[LEVELS].sums;
            wire [ACCUMULATOR_BITS+SIZE-1:0] wide = {{ACCUMULATOR_BITS{total[SIZE-1]}}, total};
            always @(posedge clk) sum_out <= sum_in + wide[ACCUMULATOR_BITS-1:0];
        end
    endgenerate
endmodule
