// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
// All cells of a band of a packed filter matrix: tiles that run in step, the sums of the blocks of
// columns added by a tree.
//
// A channel that no cell selects has no wire: SLOTS gives for channel a of column c, at
// c * ALPHA + a, the number of its stream plus 1, or 0.
// Latency, first bit of a word to its whole sums (`word`, in the cycle of `complete`):
//   BLOCK_COLUMNS + (min(ROWS, TILE_ROWS) - 1) / INPUT_FANOUT + (ALPHA > 1), or that of compact
//   cells (systolic_array.v), + levels of the tree + EXTRA + ACCUMULATOR_BITS (bit-parallel: 0).
// Throughput: one word per stream and word time. No reset.
module pipe_array #(
    parameter ROWS = 4,
    parameter COLUMNS = 4,
    parameter BLOCK_COLUMNS = 4,
    parameter OFFSET = 0,             // columns that the first block lacks
    parameter BLOCKS = 1,             // (COLUMNS + OFFSET) / BLOCK_COLUMNS
    parameter TILE_ROWS = 4,
    parameter LEVELS = 0,             // ceil(log2(BLOCKS))
    parameter ALPHA = 8,
    parameter INDEX_BITS = ALPHA > 2 ? $clog2(ALPHA) : 1,
    parameter ACCUMULATOR_BITS = 32,
    parameter CELL = 0,
    parameter INPUT_FANOUT = 1,
    parameter CELLS_PER_STAGE = 1,
    parameter WEIGHT_BUFFERS = 2,     // 0: weights are written in place, while no word is there
    parameter COLUMN_BITS = COLUMNS > 2 ? $clog2(COLUMNS) : 1,        // 2**COLUMN_BITS >= COLUMNS
    parameter PARALLEL = CELL == 2 || CELL == 4,
    parameter WORD_BITS = PARALLEL ? 8 : 1,
    parameter SUM_BITS = PARALLEL ? ACCUMULATOR_BITS : CELL == 1 ? 1 : ACCUMULATOR_BITS / 8,
    parameter CELL_WEIGHT_BITS = 8,
    parameter STREAMS = 4,
    parameter EXTRA = 0,
    parameter WORD_CYCLES = PARALLEL ? 1 : CELL == 1 ? ACCUMULATOR_BITS : 8,
    parameter PHASE_BITS = WORD_CYCLES > 2 ? $clog2(WORD_CYCLES) : 1,
    parameter FIRST = 0,              // phase of a block's first sum bit
    parameter [16*COLUMNS*ALPHA-1:0] SLOTS = {COLUMNS * ALPHA{16'd0}}
) (
    input  wire                             clk,
    input  wire [PHASE_BITS-1:0]            phase,
    input  wire                             word_start,
    input  wire                             take,
    input  wire                             complete,
    input  wire [STREAMS*WORD_BITS-1:0]     stream,
    input  wire                             load,
    input  wire [COLUMN_BITS-1:0]           load_column,
    input  wire [ROWS*(CELL_WEIGHT_BITS+INDEX_BITS)-1:0] load_data,
    output wire [ROWS*ACCUMULATOR_BITS-1:0] word
);
    localparam SUMS = ROWS * SUM_BITS;
    localparam [SUMS*BLOCKS-1:0] NO_SUMS = 0;

    // Parameters that contradict each other stop elaboration with the module's name as the message.
    generate
        if (ROWS < 1 || COLUMNS < 1 || ALPHA < 1 || TILE_ROWS < 1 || INPUT_FANOUT < 1) begin : g_wrong_0
            wrong_parameters_ROWS_COLUMNS_ALPHA_and_TILE_ROWS_must_be_1_or_more stop ();
        end
        if (BLOCKS * BLOCK_COLUMNS != COLUMNS + OFFSET || OFFSET < 0 || OFFSET >= BLOCK_COLUMNS) begin : g_wrong_1
            wrong_parameters_BLOCKS_and_OFFSET_do_not_follow_from_COLUMNS_and_BLOCK_COLUMNS stop ();
        end
        if ((1 << LEVELS) < BLOCKS || (1 << LEVELS) >= 2 * BLOCKS) begin : g_wrong_2
            wrong_parameters_LEVELS_does_not_follow_from_BLOCKS stop ();
        end
        if ((PARALLEL && (WORD_CYCLES != 1 || WORD_BITS != 8 || SUM_BITS != ACCUMULATOR_BITS))
            || (CELL == 1 && (WORD_CYCLES != ACCUMULATOR_BITS || WORD_BITS != 1 || SUM_BITS != 1))
            || ((CELL % 3 == 0 || CELL == 5) && (WORD_CYCLES != 8 || WORD_BITS != 1
                                  || 8 * SUM_BITS != ACCUMULATOR_BITS))
            || CELL < 0 || CELL > 5 || (CELLS_PER_STAGE != 1 && CELL < 3)
            || WEIGHT_BUFFERS % 2 != 0) begin : g_wrong_3
            wrong_parameters_CELL_does_not_fit_WORD_CYCLES_WORD_BITS_SUM_BITS_ACCUMULATOR_BITS stop ();
        end
        if (CELL != 0 && (BLOCKS != 1 || TILE_ROWS < ROWS)) begin : g_wrong_4
            wrong_parameters_only_CELL_0_can_be_cut_into_tiles stop ();
        end
        if ((1 << INDEX_BITS) < ALPHA || (1 << COLUMN_BITS) < COLUMNS
            || (1 << PHASE_BITS) < WORD_CYCLES) begin : g_wrong_5
            wrong_parameters_a_number_of_bits_is_too_small_for_what_it_counts stop ();
        end
        if (FIRST < 0 || FIRST >= WORD_CYCLES || EXTRA < 0) begin : g_wrong_6
            wrong_parameters_FIRST_or_EXTRA_is_no_time_of_a_word stop ();
        end
    endgenerate

    genvar c, a, l, n, r;
    wire [SUMS*BLOCKS-1:0]              block_sums;
    wire [BLOCK_COLUMNS*BLOCKS*ALPHA*WORD_BITS-1:0] x;
    systolic_array #(
        .ROWS(ROWS), .COLUMNS(COLUMNS), .BLOCK_COLUMNS(BLOCK_COLUMNS), .OFFSET(OFFSET),
        .BLOCKS(BLOCKS), .TILE_ROWS(TILE_ROWS), .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS),
        .ACCUMULATOR_BITS(ACCUMULATOR_BITS), .CELL(CELL),
        .INPUT_FANOUT(INPUT_FANOUT), .CELLS_PER_STAGE(CELLS_PER_STAGE), .COLUMN_BITS(COLUMN_BITS), .WORD_BITS(WORD_BITS),
        .SUM_BITS(SUM_BITS), .CELL_WEIGHT_BITS(CELL_WEIGHT_BITS), .WEIGHT_BUFFERS(WEIGHT_BUFFERS)
    ) cells (
        .clk(clk), .word_start(word_start), .take(take), .x(x),
        .sum_in(NO_SUMS), .sum_out(block_sums), .load(load),
        .load_column(load_column), .load_data(load_data)
    );
    generate
        for (c = 0; c < OFFSET; c = c + 1) begin : g_lacking
            assign x[c*BLOCKS*ALPHA*WORD_BITS+:ALPHA*WORD_BITS] = {ALPHA * WORD_BITS{1'b0}};
        end
        for (c = 0; c < COLUMNS; c = c + 1) begin : g_column
            localparam PLACE = (c + OFFSET) % BLOCK_COLUMNS * BLOCKS + (c + OFFSET) / BLOCK_COLUMNS;
            for (a = 0; a < ALPHA; a = a + 1) begin : g_channel
                localparam [15:0] SLOT = SLOTS[16*(c*ALPHA+a)+:16];
                if (SLOT > STREAMS) begin : g_wrong
                    wrong_parameters_an_entry_of_SLOTS_is_above_STREAMS stop ();
                end
                if (SLOT == 16'd0) begin : g_none
                    assign x[(PLACE*ALPHA+a)*WORD_BITS+:WORD_BITS] = {WORD_BITS{1'b0}};
                end else begin : g_stream
                    assign x[(PLACE*ALPHA+a)*WORD_BITS+:WORD_BITS] =
                        stream[(SLOT-1)*WORD_BITS+:WORD_BITS];
                end
            end
        end

        // The tree: an odd one waits a cycle.
        for (l = 0; l <= LEVELS; l = l + 1) begin : g_level
            localparam COUNT = (BLOCKS + (1 << l) - 1) >> l;
            wire [SUMS*COUNT-1:0] sums;
            if (l == 0) begin : g_leaves
                assign sums = block_sums;
            end else begin : g_add
                localparam [31:0] START = (FIRST + l - 1) % WORD_CYCLES;
                wire first = phase == START[PHASE_BITS-1:0];
                localparam BELOW = (BLOCKS + (1 << (l - 1)) - 1) >> (l - 1);
                for (n = 0; n < COUNT; n = n + 1) begin : g_node
                    if (2 * n + 1 < BELOW) begin : g_pair
                        sum_adder #(.ROWS(ROWS), .CELL(CELL), .SUM_BITS(SUM_BITS)) adder (
                            .clk(clk), .first(first),
                            .a(g_level[l-1].sums[2*n*SUMS+:SUMS]),
                            .b(g_level[l-1].sums[(2*n+1)*SUMS+:SUMS]),
                            .sum(sums[n*SUMS+:SUMS])
                        );
                    end else begin : g_odd
                        delay_line #(.WIDTH(SUMS), .CYCLES(1)) wait_line (
                            .clk(clk), .in(g_level[l-1].sums[2*n*SUMS+:SUMS]),
                            .out(sums[n*SUMS+:SUMS])
                        );
                    end
                end
            end
        end
    endgenerate

    localparam LANE_BITS = PARALLEL ? ACCUMULATOR_BITS : 1;
    wire [SUMS-1:0] total;
    delay_line #(.WIDTH(SUMS), .CYCLES(EXTRA)) extra (
        .clk(clk), .in(g_level[LEVELS].sums), .out(total)
    );
    reg [7:1] later;
    always @(posedge clk) later <= {later[6:1], complete};
    generate
        for (r = 0; r < ROWS; r = r + 1) begin : g_row
            wire [SUM_BITS-1:0] sum;
            for (a = 0; a < SUM_BITS / LANE_BITS; a = a + 1) begin : g_lane
                assign sum[a*LANE_BITS+:LANE_BITS] = total[(a*ROWS+r)*LANE_BITS+:LANE_BITS];
            end
            sum_deserializer #(
                .CELL(CELL), .ACCUMULATOR_BITS(ACCUMULATOR_BITS), .SUM_BITS(SUM_BITS)
            ) gather (
                .clk(clk), .complete(complete), .bit_now({later, complete}), .sum(sum),
                .word(word[r*ACCUMULATOR_BITS+:ACCUMULATOR_BITS])
            );
        end
    endgenerate
endmodule
