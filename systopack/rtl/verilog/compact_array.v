// SPDX-License-Identifier: Apache-2.0
// An array of compact cells: CELLS_PER_STAGE columns add to a sum in one cycle, in pairs where it
// is even; with SELECTORS of cells without a multiplier, all of a stage as one.
//
// Columns of one stage (CELLS_PER_STAGE neighbours) work in step; stage s runs s cycles behind
// stage 0, and row r runs r / INPUT_FANOUT cycles behind row 0. Inputs enter together, sums
// enter and leave with the rows' delays.
// Latency: (COLUMNS - 1) / CELLS_PER_STAGE + 1 cycles, and the row's delay. No reset.
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
module compact_array #(
    parameter ROWS = 32,
    parameter COLUMNS = 32,
    parameter ALPHA = 8,
    parameter INDEX_BITS = 3,
    parameter LANES = 4,
    parameter WEIGHT_BITS = 8,
    parameter INPUT_FANOUT = ROWS,
    parameter CELLS_PER_STAGE = 1,
    parameter WEIGHT_BUFFERS = 2,
    parameter LOAD_COLUMNS = 1,
    parameter PARTS = 1,  // 2: the upper half of the rows has words of its own
    parameter SELECTORS = 0
) (
    input  wire                        clk,
    // Channel a of column c: c * ALPHA + a; above all of them, those of the upper half.
    input  wire [PARTS*ALPHA*COLUMNS-1:0] x,
    input  wire                        word_start,  // with bit 0 of every word
    input  wire                        take,        // the cycle before a tile's first one
    input  wire [ROWS*LANES-1:0]       sum_in,      // lane p of row r: p * ROWS + r
    output wire [ROWS*LANES-1:0]       sum_out,
    input  wire [COLUMNS-1:0]          load,        // columns whose next weight is written
    // Bit j of row r, weight and then index: j * ROWS + r; column after column.
    input  wire [LOAD_COLUMNS*(WEIGHT_BITS+INDEX_BITS)*ROWS-1:0] load_data
);
    localparam STAGES = (COLUMNS - 1) / CELLS_PER_STAGE + 1;
    localparam GROUPS = (ROWS - 1) / INPUT_FANOUT + 1;
    localparam WIDTH = ALPHA * CELLS_PER_STAGE;
    // Cells that share an adder.
    localparam SHARED = SELECTORS != 0 ? CELLS_PER_STAGE : CELLS_PER_STAGE % 2 == 0 ? 2 : 1;
    localparam BITS = WEIGHT_BITS + INDEX_BITS;
    localparam HELD = SELECTORS != 0 ? BITS + 1 : BITS;  // of a cell

    // Markers: what came s cycles ago serves stage s of the lowest rows.
    wire [STAGES+GROUPS+6:0] start;
    wire [STAGES+GROUPS-1:0] taken;
    reg  [STAGES+GROUPS+5:0] start_line;
    reg  [STAGES+GROUPS-2:0] take_line;
    assign start = {start_line, word_start};
    assign taken = {take_line, take};
    always @(posedge clk) begin
        start_line <= start[STAGES+GROUPS+5:0];
        take_line <= taken[STAGES+GROUPS-2:0];
    end

    wire [STAGES*WIDTH-1:0] padded = {{(STAGES * WIDTH - ALPHA * COLUMNS) {1'b0}},
                                       x[ALPHA*COLUMNS-1:0]};
    wire [STAGES*WIDTH-1:0] skewed, upper_skewed;
    skew #(.PLACES(STAGES), .WIDTH(WIDTH)) columns (.clk(clk), .in(padded), .out(skewed));
    // The upper half's words wait as long as those that come from below.
    localparam HALF = ROWS / 2 / INPUT_FANOUT;
    generate
        if (PARTS == 2) begin : g_upper
            wire [ALPHA*COLUMNS-1:0] late;
            delay_line #(.WIDTH(ALPHA * COLUMNS), .CYCLES(HALF)) upper_delay (
                .clk(clk), .in(x[2*ALPHA*COLUMNS-1:ALPHA*COLUMNS]), .out(late)
            );
            skew #(.PLACES(STAGES), .WIDTH(WIDTH)) upper_columns (
                .clk(clk), .in({{(STAGES * WIDTH - ALPHA * COLUMNS) {1'b0}}, late}),
                .out(upper_skewed)
            );
        end else begin : g_one
            assign upper_skewed = {STAGES * WIDTH{1'b0}};
        end
    endgenerate

    genvar c, g, k, p, r;
    generate
        for (g = 0; g < GROUPS; g = g + 1) begin : g_group
            wire [STAGES*WIDTH-1:0] words;
            if (g == 0) begin : g_bottom
                assign words = skewed;
            end else if (PARTS == 2 && g == HALF) begin : g_half
                assign words = upper_skewed;
            end else begin : g_held
                reg [STAGES*WIDTH-1:0] held;
                always @(posedge clk) held <= g_group[g-1].words;
                assign words = held;
            end
        end
        for (r = 0; r < ROWS; r = r + 1) begin : g_row
            localparam GROUP = r / INPUT_FANOUT;
            wire [LOAD_COLUMNS*HELD-1:0] new_bits;  // weight and index, as the cells hold them
            for (k = 0; k < LOAD_COLUMNS; k = k + 1) begin : g_new
                wire [BITS-1:0] given;
                for (p = 0; p < BITS; p = p + 1) begin : g_bit
                    assign given[p] = load_data[(k*BITS+p)*ROWS+r];
                end
                wire [INDEX_BITS-1:0] index = given[BITS-1:WEIGHT_BITS];
                wire [WEIGHT_BITS-1:0] weight = given[WEIGHT_BITS-1:0];
                if (SELECTORS != 0) begin : g_single
                    // The lowest one of a power of two, with either sign, is its place.
                    assign new_bits[k*HELD+:HELD] =
                        {index, weight[WEIGHT_BITS-1], weight & ~(weight << 1)};
                end else begin : g_whole
                    assign new_bits[k*HELD+:HELD] = {index, weight};
                end
            end
            for (c = 0; c < COLUMNS; c = c + SHARED) begin : g_column
                localparam STAGE = c / CELLS_PER_STAGE;
                localparam ENDS = c + SHARED >= COLUMNS
                    || (c + SHARED) % CELLS_PER_STAGE == 0;
                wire [SHARED*ALPHA-1:0] inputs;
                wire [SHARED-1:0]       loads;
                wire [SHARED*HELD-1:0]  weights;
                for (k = 0; k < SHARED; k = k + 1) begin : g_place
                    assign weights[k*HELD+:HELD] = new_bits[(c+k)%LOAD_COLUMNS*HELD+:HELD];
                    if (c + k < COLUMNS) begin : g_used
                        assign inputs[k*ALPHA+:ALPHA] = g_group[GROUP].words[(c+k)*ALPHA+:ALPHA];
                        assign loads[k] = load[c+k];
                    end else begin : g_none
                        assign inputs[k*ALPHA+:ALPHA] = {ALPHA{1'b0}};
                        assign loads[k] = 1'b0;
                    end
                end
                wire [LANES-1:0] from, to;
                for (p = 0; p < LANES; p = p + 1) begin : g_lane
                    if (c == 0) begin : g_edge
                        assign from[p] = sum_in[p*ROWS+r];
                    end else begin : g_inner
                        assign from[p] = g_row[r].g_column[c-SHARED].to[p];
                    end
                    if (c + SHARED >= COLUMNS) begin : g_out
                        assign sum_out[p*ROWS+r] = to[p];
                    end
                end
                localparam USED = COLUMNS - c < SHARED ? COLUMNS - c : SHARED;
                wire [7:0] phase = start[STAGE+GROUP+:8];
                wire take_now = taken[STAGE+GROUP];
                if (SELECTORS != 0) begin : g_selectors
                    selector_cell #(
                        .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS), .LANES(LANES),
                        .WEIGHT_BITS(WEIGHT_BITS), .COLUMNS(SHARED), .USED(USED),
                        .WEIGHT_BUFFERS(WEIGHT_BUFFERS)
                    ) cells (
                        .clk(clk), .x(inputs), .phase(phase), .take(take_now),
                        .load(loads), .load_bits(weights), .sum_in(from), .sum_out(to)
                    );
                end else begin : g_compact
                    compact_cell #(
                        .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS), .LANES(LANES),
                        .WEIGHT_BITS(WEIGHT_BITS), .REGISTERED(ENDS ? 1 : 0), .COLUMNS(SHARED),
                        .USED(USED), .WEIGHT_BUFFERS(WEIGHT_BUFFERS)
                    ) cells (
                        .clk(clk), .x(inputs), .phase(phase), .take(take_now),
                        .load(loads), .load_bits(weights), .sum_in(from), .sum_out(to)
                    );
                end
            end
        end
    endgenerate
endmodule
