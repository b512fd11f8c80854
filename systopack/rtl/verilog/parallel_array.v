// SPDX-License-Identifier: Apache-2.0
// An array of compact bit-parallel cells: CELLS_PER_STAGE columns add to a sum in one cycle.
//
// Columns of one stage (CELLS_PER_STAGE neighbours) work in step; stage s runs s cycles behind
// stage 0, and row r runs r / INPUT_FANOUT cycles behind row 0. Inputs enter together, sums
// enter and leave with the rows' delays, a cycle after the words.
// Latency: (COLUMNS - 1) / CELLS_PER_STAGE + 2 cycles, and the row's delay. No reset.
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
module parallel_array #(
    parameter ROWS = 32,
    parameter COLUMNS = 32,
    parameter ALPHA = 8,
    parameter INDEX_BITS = 3,
    parameter ACCUMULATOR_BITS = 32,
    parameter WEIGHT_BITS = 8,
    parameter INPUT_FANOUT = ROWS,
    parameter CELLS_PER_STAGE = 1,
    parameter WEIGHT_BUFFERS = 2,
    parameter LOAD_COLUMNS = 1
) (
    input  wire                             clk,
    input  wire [8*ALPHA*COLUMNS-1:0]       x,       // channel a of column c: (c * ALPHA + a) * 8
    input  wire                             take,    // the cycle before a tile's first word
    input  wire [ROWS*ACCUMULATOR_BITS-1:0] sum_in,  // row r: r * ACCUMULATOR_BITS
    output wire [ROWS*ACCUMULATOR_BITS-1:0] sum_out,
    input  wire [COLUMNS-1:0]               load,    // columns whose next weight is written
    // Bit j of row r, weight and then index: j * ROWS + r; column after column.
    input  wire [LOAD_COLUMNS*(WEIGHT_BITS+INDEX_BITS)*ROWS-1:0] load_data
);
    localparam STAGES = (COLUMNS - 1) / CELLS_PER_STAGE + 1;
    localparam GROUPS = (ROWS - 1) / INPUT_FANOUT + 1;
    localparam WIDTH = 8 * ALPHA * CELLS_PER_STAGE;
    localparam BITS = WEIGHT_BITS + INDEX_BITS;
    localparam ACC = ACCUMULATOR_BITS;

    // What came s cycles ago serves stage s of the lowest rows.
    wire [STAGES+GROUPS-1:0] taken;
    reg  [STAGES+GROUPS-2:0] take_line;
    assign taken = {take_line, take};
    always @(posedge clk) take_line <= taken[STAGES+GROUPS-2:0];

    wire [STAGES*WIDTH-1:0] padded = {{(STAGES * WIDTH - 8 * ALPHA * COLUMNS) {1'b0}}, x};
    wire [STAGES*WIDTH-1:0] skewed;
    skew #(.PLACES(STAGES), .WIDTH(WIDTH)) columns (.clk(clk), .in(padded), .out(skewed));

    // Rows of group g get the words that came g cycles ago.
    localparam SPAN = STAGES * WIDTH;
    wire [(GROUPS+1)*SPAN-1:0] words;
    reg  [GROUPS*SPAN-1:0]     held;
    assign words = {held, skewed};
    always @(posedge clk) held <= words[GROUPS*SPAN-1:0];

    genvar k, r, s;
    generate
        for (r = 0; r < ROWS; r = r + 1) begin : g_row
            localparam GROUP = r / INPUT_FANOUT;
            wire [LOAD_COLUMNS*BITS-1:0] new_bits;  // weight and index
            for (k = 0; k < LOAD_COLUMNS * BITS; k = k + 1) begin : g_new
                assign new_bits[k] = load_data[k*ROWS+r];
            end
            wire [(STAGES+1)*ACC-1:0] sums;
            assign sums[ACC-1:0] = sum_in[r*ACC+:ACC];
            assign sum_out[r*ACC+:ACC] = sums[STAGES*ACC+:ACC];
            for (s = 0; s < STAGES; s = s + 1) begin : g_stage
                localparam FIRST = s * CELLS_PER_STAGE;
                localparam HERE =
                    COLUMNS - FIRST < CELLS_PER_STAGE ? COLUMNS - FIRST : CELLS_PER_STAGE;
                wire [HERE*BITS-1:0] weights;
                for (k = 0; k < HERE; k = k + 1) begin : g_place
                    assign weights[k*BITS+:BITS] = new_bits[(FIRST+k)%LOAD_COLUMNS*BITS+:BITS];
                end
                parallel_stage #(
                    .COLUMNS(HERE), .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS),
                    .ACCUMULATOR_BITS(ACC), .WEIGHT_BITS(WEIGHT_BITS),
                    .WEIGHT_BUFFERS(WEIGHT_BUFFERS)
                ) cells (
                    .clk(clk), .x(words[GROUP*SPAN+s*WIDTH+:8*ALPHA*HERE]),
                    .take(taken[s+GROUP]), .load(load[FIRST+:HERE]), .load_bits(weights),
                    .sum_in(sums[s*ACC+:ACC]), .sum_out(sums[(s+1)*ACC+:ACC])
                );
            end
        end
    endgenerate
endmodule
