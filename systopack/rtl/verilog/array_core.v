// SPDX-License-Identifier: Apache-2.0
// The array with its clock, and the whole sums of its rows behind it.
//
// Where weights come with the words, the clock of the array stops while there are none: it runs
// from a step's `issue` for WORDS word times. At the start of a run it has to go once, so that cells
// begin their first word with nothing of another one. `sums` are held from the cycle after `complete`.
module array_core #(
    parameter ROWS = 32,
    parameter COLUMNS = 32,
    parameter ALPHA = 8,
    parameter ACCUMULATOR_BITS = 32,
    parameter CELL = 0,
    parameter INPUT_FANOUT = 1,
    parameter CELL_WEIGHT_BITS = 8,
    parameter CELLS_PER_STAGE = 1,
    parameter WEIGHT_BUFFERS = 2,
    parameter PARTS = 1,
    parameter WORD_BITS = 1,          // wires of a stream
    parameter SUM_BITS = 4,           // wires of a row's sum
    parameter LANE_BITS = 1,          // wires of its lanes
    parameter SOURCES = 32,           // rows of all lanes
    parameter COLUMN_BITS = 5,
    parameter LOAD_BITS = 352,
    parameter GATED = 0,              // 1: the clock does stop
    parameter WORDS = 8               // word times that a word stays in the array
) (
    input  wire                                    clk,
    input  wire                                    test_enable,
    input  wire                                    slot,        // first cycle of a word time
    input  wire                                    issue,       // with `slot`
    input  wire                                    word_start,
    input  wire                                    complete,
    input  wire                                    take,
    input  wire [PARTS*ALPHA*COLUMNS*WORD_BITS-1:0] x,
    input  wire                                    load,
    input  wire [COLUMN_BITS-1:0]                  load_column,
    input  wire [LOAD_BITS-1:0]                    load_data,
    output wire [SOURCES*ACCUMULATOR_BITS-1:0]     sums
);
    wire running, array_clk;
    array_clock #(.GATED(WEIGHT_BUFFERS == 1 ? GATED : 0), .WORDS(WORDS)) array_gate (
        .clk(clk), .slot(slot), .issue(issue), .run(1'b0), .test_enable(test_enable),
        .running(running), .gated(array_clk)
    );
    wire [ROWS*SUM_BITS-1:0] sum_out;
    systolic_array #(
        .ROWS(ROWS), .COLUMNS(COLUMNS), .ALPHA(ALPHA), .ACCUMULATOR_BITS(ACCUMULATOR_BITS),
        .CELL(CELL), .INPUT_FANOUT(INPUT_FANOUT), .CELL_WEIGHT_BITS(CELL_WEIGHT_BITS),
        .CELLS_PER_STAGE(CELLS_PER_STAGE), .WEIGHT_BUFFERS(WEIGHT_BUFFERS), .PARTS(PARTS)
    ) array (
        .clk(array_clk), .word_start(word_start), .take(take), .x(x),
        .sum_in({ROWS*SUM_BITS{1'b0}}), .sum_out(sum_out), .load(load), .load_column(load_column),
        .load_data(load_data)
    );
    array_sums #(
        .ROWS(ROWS), .SOURCES(SOURCES), .CELL(CELL), .ACCUMULATOR_BITS(ACCUMULATOR_BITS),
        .SUM_BITS(SUM_BITS), .LANE_BITS(LANE_BITS)
    ) whole (
        .clk(clk), .complete(complete && running), .sum_out(sum_out), .sums(sums)
    );
endmodule
