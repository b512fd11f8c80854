// SPDX-License-Identifier: Apache-2.0
// One row of bit-parallel cells: a word a cycle, behind the interface of the bit-serial rows.
//
// Cell c adds weight * word to the passing partial sum and registers it: one cycle a cell, plus
// one for the multiplexer's register where ALPHA > 1. Sums wrap. No reset.
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
/* verilator lint_off UNUSEDPARAM */
module parallel_row #(
    parameter COLUMNS = 32,
    parameter ALPHA = 1,
    parameter INDEX_BITS = 1,
    parameter ACCUMULATOR_BITS = 32,
    parameter CELL_WEIGHT_BITS = 8, // 2..8
    parameter WEIGHT_BUFFERS = 2
) (
    input  wire                        clk,
    input  wire [8*ALPHA*COLUMNS-1:0]  x,
    input  wire                        take,
    input  wire [ACCUMULATOR_BITS-1:0] sum_in,
    output wire [ACCUMULATOR_BITS-1:0] sum_out,
    input  wire [COLUMNS-1:0]          load,
    input  wire [CELL_WEIGHT_BITS-1:0] load_weight,
    input  wire [INDEX_BITS-1:0]       load_index
);
    /* verilator no_inline_module */  // one piece of code for all rows simulates faster
    wire [8*COLUMNS-1:0] words;
    wire [COLUMNS-1:0]   take_weight;
    wire                 start;
    multiplexer_row #(
        .COLUMNS(COLUMNS), .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS), .WORD_BITS(8), .MARKERS(1),
        .WEIGHT_BUFFERS(WEIGHT_BUFFERS)
    ) choice (
        .clk(clk), .x(x), .word_start(1'b0), .take(take), .load(load),
        .load_index(load_index), .word(words), .start(start), .take_weight(take_weight)
    );

    wire [ACCUMULATOR_BITS-1:0] sums[0:COLUMNS];
    assign sums[0] = sum_in;
    assign sum_out = sums[COLUMNS];
    genvar c;
    generate
        for (c = 0; c < COLUMNS; c = c + 1) begin : g_cell
            wire signed [CELL_WEIGHT_BITS-1:0] weight;
            reg         [ACCUMULATOR_BITS-1:0] sum;
            wire signed [7:0]                  word = words[8*c+:8];
            wire signed [CELL_WEIGHT_BITS+7:0] product = weight * word;
            weight_register #(.WIDTH(CELL_WEIGHT_BITS), .BUFFERS(WEIGHT_BUFFERS)) held (
                .clk(clk), .any_load(load[c]), .loaded({CELL_WEIGHT_BITS{load[c]}}),
                .any_take(take_weight[c]), .taken({CELL_WEIGHT_BITS{take_weight[c]}}),
                .in(load_weight), .out(weight)
            );
            always @(posedge clk) begin
                sum <= sums[c] + {{(ACCUMULATOR_BITS - 8 - CELL_WEIGHT_BITS)
                                        {product[CELL_WEIGHT_BITS+7]}}, product};
            end
            assign sums[c+1] = sum;
        end
    endgenerate
endmodule
