// SPDX-License-Identifier: Apache-2.0
// A bit-parallel cell, for any loads and takes: a cycle after a word the sum has grown by weight
// times word. The weight is the one loaded before the last take.
//
// `holds` must stay 1, from any state. weight and next_weight are wires to the cell's registers.
module parallel_proof #(
    parameter ACCUMULATOR_BITS = 32,
    parameter CELL_WEIGHT_BITS = 8
) (
    input  wire                        clk,
    input  wire [7:0]                  x,
    input  wire                        take,
    input  wire [ACCUMULATOR_BITS-1:0] sum_in,
    input  wire                        load,
    input  wire [CELL_WEIGHT_BITS-1:0] load_weight,
    output wire                        holds
);
    wire [ACCUMULATOR_BITS-1:0]        sum_out;
    wire signed [CELL_WEIGHT_BITS-1:0] weight, next_weight;
    wire                               load_index = 1'b0;
    parallel_row #(
        .COLUMNS(1), .ALPHA(1), .INDEX_BITS(1), .ACCUMULATOR_BITS(ACCUMULATOR_BITS),
        .CELL_WEIGHT_BITS(CELL_WEIGHT_BITS)
    ) row (.*);
    reg loaded = 0, taken = 0, known = 0;
    reg signed [CELL_WEIGHT_BITS-1:0]  next_factor, factor;
    wire signed [7:0]                  word = x;
    wire signed [ACCUMULATOR_BITS-1:0] product = factor * word;
    reg  [ACCUMULATOR_BITS-1:0]        expected;
    always @(posedge clk) begin
        if (load) {loaded, next_factor} <= {1'b1, load_weight};
        if (take) {taken, factor} <= {loaded, next_factor};
        known <= taken;
        expected <= sum_in + product;
    end
    reg ok;
    always @* begin
        ok = 1;
        if (loaded && next_weight != next_factor) ok = 0;
        if (taken && weight != factor) ok = 0;
        if (known && sum_out != expected) ok = 0;
    end
    assign holds = ok;
endmodule
