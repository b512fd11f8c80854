// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
// The tiled accelerator: one array that runs all tiles of all layers of a packed network, and a
// feature memory that holds every live tensor once.
//
// Images enter as bytes, channel by channel, results leave as 32-bit words (ready/valid, AXI4-Stream
// rules); `config_*` fills the memories before a run; with a RING `weights_*` brings the weights of a
// run, in the order of visits (`weight_ring`). Every other signal is for observation.
// Delays are fixed, in cycles after the slot of a step: FETCH until a word that was read in this slot
// has come, FETCH + 1 words enter the array, OUT sums are complete, OUT + 1 first row's turn.
module tiled_accelerator #(
    parameter ROWS = 32,
    parameter COLUMNS = 32,
    parameter ALPHA = 8,
    parameter ACCUMULATOR_BITS = 32,
    parameter CELL = 0,
    parameter INPUT_FANOUT = 1,
    parameter CELL_WEIGHT_BITS = 8,
    parameter CELLS_PER_STAGE = 1,
    parameter WEIGHT_BUFFERS = 2,
    parameter BANKS = 16,
    parameter WORD_BYTES = 4,
    parameter PHASE_BITS = 2,         // log2 of WORD_BYTES
    parameter BANK_DEPTH = 1024,      // words of a bank
    parameter FEATURE_BITS = 10,
    parameter SLOT_BITS = 6,
    parameter OFFSET_BITS = 12,
    parameter DX_BITS = 2,
    parameter STREAM_ADDRESS_BITS = 8,
    parameter STREAM_WORDS = 1 << STREAM_ADDRESS_BITS,
    parameter JOB_ADDRESS_BITS = 8,
    parameter JOB_WORDS = 1 << JOB_ADDRESS_BITS,
    parameter DISPLACEMENT_ADDRESS_BITS = 5,
    parameter PARAMETER_BITS = 8,     // row tiles times rows of a lane
    parameter PARAMETER_WORDS = 1 << PARAMETER_BITS,
    parameter SUM_POSITION_BITS = 6,
    parameter POOL_BITS = 4,
    parameter PROGRAM_BITS = 8,
    parameter PROGRAM_WORDS = 1 << PROGRAM_BITS,
    parameter OUTPUT_WORDS = 1 << PROGRAM_BITS,
    parameter WEIGHT_BITS = 10,
    parameter WEIGHT_WORDS = 1 << WEIGHT_BITS,
    parameter RING = 0,               // tiles of weights that are held at a time, 0: all
    parameter BEAT_BITS = 32,         // of the stream that brings them
    parameter RESIDUALS = 1,          // 1: some steps read operands in the lanes
    parameter POOLS = 2,              // 0: no pooling, 1: maximum, 2: averages too
    parameter CLIPS = 1,              // 1: some layers hold their sums between two limits
    parameter GATED = 0,              // 1: idle arrays have no clock; `clock_gate` is a cell then
    parameter SPLIT = 0,              // 1: both halves of the rows may work side by side
    parameter CONFIG_BITS = 1024,     // the widest memory word
    // These follow from the ones above; leave them alone.
    parameter PARALLEL = CELL == 2 || CELL == 4,  // all bits of a word in a cycle
    parameter WORD_CYCLES = PARALLEL ? 1 : CELL == 1 ? ACCUMULATOR_BITS : 8,
    parameter LANE_ROWS = ROWS < WORD_CYCLES ? ROWS : WORD_CYCLES,
    parameter LANES = (ROWS - 1) / LANE_ROWS + 1
) (
    input  wire                    clk,
    input  wire                    reset,
    input  wire                    test_enable,  // of gated clocks
    input  wire                    go,
    output wire                    started, busy,
    output wire [31:0]             cycles, entered, stalled,
    // 0 program, 1 output program, 2 weights, 3 streams, 4 jobs, 5 displacements, 6 rows.
    input  wire                    config_write,
    input  wire [2:0]              config_memory,
    input  wire [7:0]              config_bank,
    input  wire [19:0]             config_address,
    input  wire [CONFIG_BITS-1:0]  config_data,
    input  wire                    weights_valid, weights_last,
    output wire                    weights_ready,
    input  wire [BEAT_BITS-1:0]    weights_data,
    output wire                    weights_wrong,  // the stream of a run was too short or too long
    input  wire                    image_valid, image_last,
    output wire                    image_ready,
    input  wire [7:0]              image_byte,
    output wire                    image_dropped,
    output wire                    result_valid,
    input  wire                    result_ready,
    output reg  [31:0]             result_word,
    output wire                    op_start,
    output wire [PROGRAM_BITS-1:0] op_number,
    // Words that are written, by bank.
    output wire [BANKS-1:0]                written,
    output wire [BANKS*FEATURE_BITS-1:0]   written_address,
    output wire [BANKS*WORD_BYTES-1:0]     written_enables,
    output wire [BANKS*8*WORD_BYTES-1:0]   written_data
);
    localparam ACC = ACCUMULATOR_BITS, BITS = 8 * WORD_BYTES, SOURCES = LANES * LANE_ROWS;
    localparam BANK_BITS = BANKS > 2 ? $clog2(BANKS) : 1, PARTS = SPLIT != 0 ? 2 : 1;
    localparam GROUPS = (ROWS - 1) / BANKS + 1, WRITES = GROUPS < 2 ? 2 : GROUPS;
    localparam INDEX_BITS = ALPHA > 2 ? $clog2(ALPHA) : 1, DX = 1 << DX_BITS;
    localparam PHASE_COUNT = WORD_CYCLES > 2 ? $clog2(WORD_CYCLES) : 1;
    localparam ROW_BITS = LANE_ROWS > 2 ? $clog2(LANE_ROWS) : 1;
    localparam WORD_BITS = PARALLEL ? 8 : 1, SUM_BITS = PARALLEL ? ACC : CELL == 1 ? 1 : ACC / 8;
    localparam LOAD_COLUMNS = WEIGHT_BUFFERS == 1 ? CELLS_PER_STAGE : 1;
    localparam LOAD_BITS = LOAD_COLUMNS * ROWS * (CELL_WEIGHT_BITS + INDEX_BITS);
    localparam LOADS = (COLUMNS - 1) / LOAD_COLUMNS + 1;
    localparam COLUMN_BITS = COLUMNS > 2 ? $clog2(COLUMNS) : 1;
    localparam STREAM_BITS = 2 + SLOT_BITS + BANK_BITS + PHASE_BITS + DX_BITS;
    localparam TOGETHER = ((COLUMNS - 1) / 4 + 1) * ALPHA;  // stream descriptors in a word
    localparam JOB_BITS = 1 + SLOT_BITS + PHASE_BITS + FEATURE_BITS + OFFSET_BITS;
    localparam INDEX = FEATURE_BITS + PHASE_BITS < 24 ? FEATURE_BITS + PHASE_BITS : 24;
    localparam OUTPUT_BITS = OUTPUT_WORDS > 2 ? $clog2(OUTPUT_WORDS) : 1;
    localparam ROW_WORD = 13 + FEATURE_BITS + PHASE_BITS + (CLIPS != 0 ? 3 : 1) * ACC;

    // Delays in cycles, waits in word times (docs/hardware/tiled.md).
    localparam FETCH = 3, PRODUCTS = CELL == 4 ? 1 : 0;
    localparam MULTIPLEXER = ALPHA > 1 && CELL < 3 ? 1 : 0;
    localparam TOP_DELAY = (ROWS - 1) / INPUT_FANOUT;
    localparam LATENCY = (COLUMNS - 1) / CELLS_PER_STAGE + 1 + TOP_DELAY + MULTIPLEXER + PRODUCTS;
    localparam OUT = FETCH + 1 + LATENCY + (PARALLEL ? 0 : ACC);
    localparam SWAP = WEIGHT_BUFFERS == 1 ? 0 : 1 + MULTIPLEXER + TOP_DELAY;
    localparam MIN_LOAD = (SWAP + LOADS - 1) / WORD_CYCLES + 1;
    localparam LANE_CYCLES = POOLS == 0 ? 11 : POOLS == 1 ? 13 : 20;  // from a row's turn to its word
    localparam MIN_DRAIN = (OUT + LANE_CYCLES + LANE_ROWS + WRITES + 4) / WORD_CYCLES + 1;

    tiled_rules #(
        .ROWS(ROWS), .COLUMNS(COLUMNS), .ALPHA(ALPHA), .ACCUMULATOR_BITS(ACCUMULATOR_BITS), .CELL(CELL),
        .INPUT_FANOUT(INPUT_FANOUT), .CELL_WEIGHT_BITS(CELL_WEIGHT_BITS), .CELLS_PER_STAGE(CELLS_PER_STAGE),
        .WEIGHT_BUFFERS(WEIGHT_BUFFERS), .BANKS(BANKS), .WORD_BYTES(WORD_BYTES), .PHASE_BITS(PHASE_BITS),
        .BANK_DEPTH(BANK_DEPTH), .FEATURE_BITS(FEATURE_BITS), .SLOT_BITS(SLOT_BITS), .DX_BITS(DX_BITS),
        .OFFSET_BITS(OFFSET_BITS), .STREAM_ADDRESS_BITS(STREAM_ADDRESS_BITS), .STREAM_WORDS(STREAM_WORDS),
        .JOB_ADDRESS_BITS(JOB_ADDRESS_BITS), .JOB_WORDS(JOB_WORDS), .PROGRAM_WORDS(PROGRAM_WORDS),
        .OUTPUT_WORDS(OUTPUT_WORDS), .PARAMETER_WORDS(PARAMETER_WORDS),
        .DISPLACEMENT_ADDRESS_BITS(DISPLACEMENT_ADDRESS_BITS), .PARAMETER_BITS(PARAMETER_BITS),
        .SUM_POSITION_BITS(SUM_POSITION_BITS), .POOL_BITS(POOL_BITS), .PROGRAM_BITS(PROGRAM_BITS),
        .WEIGHT_BITS(WEIGHT_BITS), .WEIGHT_WORDS(WEIGHT_WORDS), .RESIDUALS(RESIDUALS), .POOLS(POOLS),
        .CLIPS(CLIPS), .SPLIT(SPLIT), .CONFIG_BITS(CONFIG_BITS), .LOAD_BITS(LOAD_BITS),
        .STREAM_WORD(TOGETHER * STREAM_BITS), .JOB_BITS(JOB_BITS), .ROW_WORD(ROW_WORD), .ROW_BITS(ROW_BITS),
        .WRITES(WRITES), .PARALLEL(PARALLEL), .WORD_CYCLES(WORD_CYCLES), .LANE_ROWS(LANE_ROWS), .LANES(LANES),
        .RING(RING), .BEAT_BITS(BEAT_BITS), .LOADS(LOADS)
    ) rules ();

    // Control.
    wire [PHASE_COUNT-1:0]  phase;
    wire                    run_start, is_tiles, is_image, is_send;
    wire                    load, load_residual, rewind, slot_valid, array_slot, lane_slot;
    wire                    issue, array_issue, first_issue, issue_run_start, split;
    wire [15:0]             load_address, list, entry, image_plane, image_pitch, send_lane, send_row;
    wire [5:0]              load_number, image_phase;
    wire [19:0]             weights_now, weights_next;
    wire                    visit_begins, tile_leaves, tile_again, weights_there, load_begins, unfed;
    wire [9:0]              slot;
    wire [31:0]             base, residual_base;
    wire [23:0]             limit, position;
    wire [PHASE_BITS-1:0]   issue_low, upper_bytes;
    wire [PHASE_BITS:0]     step_bytes;
    wire [11:0]             place_x, width, window;
    wire [7:0]              stride_x;
    wire                    image_took, last_position, send_read;
    wire [1:0]              send_step;
    wire                    program_read, output_read;
    wire [PROGRAM_BITS-1:0] program_address, output_address;
    wire [503:0]            program_word;
    wire [256:0]            output_word;
    memory #(.WIDTH(504), .ADDRESS_BITS(PROGRAM_BITS), .WORDS(PROGRAM_WORDS)) instructions (
        .clk(clk), .write(config_write && config_memory == 3'd0),
        .write_address(config_address[PROGRAM_BITS-1:0]), .write_data(config_data[503:0]),
        .read(program_read), .read_address(program_address), .read_data(program_word)
    );
    visit_control #(
        .WORD_CYCLES(WORD_CYCLES), .WORD_BYTES(WORD_BYTES), .PHASE_BITS(PHASE_BITS),
        .WRITES(WRITES), .LANE_ROWS(LANE_ROWS), .LOADS(LOADS), .PROGRAM_BITS(PROGRAM_BITS),
        .WEIGHT_BUFFERS(WEIGHT_BUFFERS), .RING(RING * LOADS), .MIN_LOAD(MIN_LOAD), .MIN_DRAIN(MIN_DRAIN)
    ) control (
        .clk(clk), .reset(reset), .go(go), .busy(busy), .cycles(cycles), .entered(entered), .stalled(stalled),
        .program_read(program_read), .program_address(program_address), .program_word(program_word),
        .run_start(run_start), .op_start(op_start), .op_number(op_number), .is_tiles(is_tiles),
        .is_image(is_image), .is_send(is_send), .phase(phase), .load(load), .load_residual(load_residual),
        .load_address(load_address), .load_number(load_number), .rewind(rewind), .list(list),
        .weights_now(weights_now), .weights_next(weights_next), .visit_begins(visit_begins),
        .tile_leaves(tile_leaves), .tile_again(tile_again), .weights_there(weights_there),
        .load_begins(load_begins), .unfed(unfed), .slot(slot), .slot_valid(slot_valid), .array_slot(array_slot),
        .lane_slot(lane_slot), .base(base), .residual_base(residual_base), .limit(limit), .issue(issue),
        .array_issue(array_issue), .first_issue(first_issue), .issue_run_start(issue_run_start),
        .issue_low(issue_low), .step_bytes(step_bytes), .upper_bytes(upper_bytes), .split(split),
        .place_x(place_x), .width(width), .stride_x(stride_x), .window(window), .image_valid(image_valid),
        .image_last(image_last), .image_ready(image_ready), .image_dropped(image_dropped),
        .image_took(image_took), .position(position), .entry(entry), .last_position(last_position),
        .image_plane(image_plane), .image_pitch(image_pitch), .image_phase(image_phase), .send_read(send_read),
        .send_step(send_step), .result_valid(result_valid), .send_lane(send_lane), .send_row(send_row),
        .result_ready(result_ready)
    );
    assign started = run_start;

    // A step, as late as its words are read: `step_2` is the cycle before.
    wire                  step_2, step_run_start_2, take, word_soon, reading;
    wire                  array_slot_3, lane_slot_3, split_3;
    wire [SLOT_BITS-1:0]  slot_3;
    wire [PHASE_BITS-1:0] step_low_2, upper_bytes_3;
    wire [PHASE_BITS:0]   step_bytes_2;
    wire [2:0]            bit_index;
    step_timing #(
        .WORD_CYCLES(WORD_CYCLES), .PHASE_BITS(PHASE_BITS), .SLOT_BITS(SLOT_BITS), .FETCH(FETCH),
        .OUT(OUT)
    ) timing (
        .clk(clk), .reset(reset), .slot(slot[SLOT_BITS-1:0]), .array_slot(array_slot), .lane_slot(lane_slot),
        .slot_3(slot_3), .array_slot_3(array_slot_3), .lane_slot_3(lane_slot_3), .issue(issue),
        .first_issue(first_issue), .run_start(issue_run_start), .low(issue_low), .step_bytes(step_bytes),
        .split(split), .upper_bytes(upper_bytes), .step_2(step_2), .run_start_2(step_run_start_2),
        .low_2(step_low_2), .step_bytes_2(step_bytes_2), .split_3(split_3), .upper_bytes_3(upper_bytes_3),
        .reading(reading), .bit_index(bit_index), .take(take), .word_soon(word_soon)
    );

    // Which displacements stay inside the image's row.
    wire [DX-1:0] in_row_2, upper_in_row_2;
    row_mask #(.DX(DX), .ADDRESS_BITS(DISPLACEMENT_ADDRESS_BITS)) mask (
        .clk(clk), .write(config_write && config_memory == 3'd5),
        .table_address(config_address[DISPLACEMENT_ADDRESS_BITS-1:0]),
        .table_data(config_data[13*DX-1:0]), .start(rewind), .window(window[DISPLACEMENT_ADDRESS_BITS-1:0]),
        .place(place_x), .upper(split ? {4'd0, stride_x} : 12'd0), .width(width),
        .in_row(in_row_2), .upper_in_row(upper_in_row_2)
    );

    wire [TOGETHER*STREAM_BITS-1:0] descriptors;
    wire                            load_columns, load_lanes;
    wire [5:0]                      loaded;
    stream_table #(
        .WIDTH(TOGETHER * STREAM_BITS), .ADDRESS_BITS(STREAM_ADDRESS_BITS), .WORDS(STREAM_WORDS)
    ) streams (
        .clk(clk), .reset(reset), .write(config_write && config_memory == 3'd3),
        .write_address(config_address[STREAM_ADDRESS_BITS-1:0]),
        .write_data(config_data[TOGETHER*STREAM_BITS-1:0]), .load(load),
        .load_residual(load_residual), .load_address(load_address[STREAM_ADDRESS_BITS-1:0]),
        .load_number(load_number), .for_array(load_columns), .for_lanes(load_lanes),
        .number(loaded), .descriptors(descriptors)
    );

    // Weights.
    wire                   load_weights;
    wire [CONFIG_BITS+LOAD_BITS-1:0] config_wide = {{LOAD_BITS{1'b0}}, config_data};
    wire slot_end = {{(32 - PHASE_COUNT) {1'b0}}, phase} == WORD_CYCLES - 1;
    wire [COLUMN_BITS-1:0] load_column;
    wire [LOAD_BITS-1:0]   load_data;
    wire [19:0] load_base = WEIGHT_BUFFERS == 1 ? weights_now : run_start ? 20'd0 : weights_next;
    tile_weights #(
        .LOADS(LOADS), .COLUMN_BITS(COLUMN_BITS), .WAIT(FETCH + SWAP - 1),
        .ADDRESS_BITS(WEIGHT_BITS), .WORDS(WEIGHT_WORDS), .WIDTH(LOAD_BITS),
        .WEIGHT_BUFFERS(WEIGHT_BUFFERS), .RING(RING), .BEAT_BITS(BEAT_BITS)
    ) weights (
        .clk(clk), .reset(reset), .write(config_write && config_memory == 3'd2),
        .write_address(config_address[WEIGHT_BITS-1:0]), .write_data(config_wide[LOAD_BITS-1:0]),
        .start(first_issue || (WEIGHT_BUFFERS == 2 && run_start)), .base(load_base[WEIGHT_BITS-1:0]),
        .busy(busy), .slot_end(slot_end), .begins(visit_begins), .leaves(tile_leaves), .again(tile_again),
        .next_base(weights_next[WEIGHT_BITS-1:0]), .there(weights_there), .load_begins(load_begins),
        .unfed(unfed), .wrong(weights_wrong), .weights_valid(weights_valid), .weights_last(weights_last),
        .weights_ready(weights_ready), .weights_data(weights_data), .load(load_weights),
        .load_column(load_column), .load_data(load_data)
    );

    // What follows the array.
    wire                  lane_step, lane_run_start, turn, first, last, keep, requantized, bypass;
    wire [PHASE_BITS-1:0] lane_low;
    wire [PHASE_BITS:0]   lane_step_bytes;
    wire [ROW_BITS-1:0]   turn_row;
    wire [SUM_POSITION_BITS-1:0] sum_position;
    wire [15:0]           row_tile;
    wire [1:0]            pool;
    wire                  pool_first, pool_last, masked, halves, final_index, final_upper, flush, store;
    wire [POOL_BITS-1:0]  pool_index;
    wire [14:0]           multiplier;
    wire [4:0]            pool_shift;
    wire [23:0]           index;
    memory #(.WIDTH(257), .ADDRESS_BITS(OUTPUT_BITS), .WORDS(OUTPUT_WORDS)) output_instructions (
        .clk(clk), .write(config_write && config_memory == 3'd1),
        .write_address(config_address[OUTPUT_BITS-1:0]), .write_data(config_data[256:0]),
        .read(output_read), .read_address(output_address[OUTPUT_BITS-1:0]),
        .read_data(output_word)
    );
    output_walk #(
        .LANE_ROWS(LANE_ROWS), .ROW_BITS(ROW_BITS), .PROGRAM_BITS(PROGRAM_BITS),
        .PHASE_BITS(PHASE_BITS), .POOL_BITS(POOL_BITS), .SUM_POSITION_BITS(SUM_POSITION_BITS)
    ) walk (
        .clk(clk), .reset(reset), .run_start(run_start), .word(word_soon), .program_read(output_read),
        .program_address(output_address), .program_word(output_word), .step(lane_step),
        .step_run_start(lane_run_start), .step_low(lane_low), .step_bytes(lane_step_bytes), .turn(turn),
        .turn_row(turn_row), .first(first), .last(last), .keep(keep), .requantized(requantized),
        .bypass(bypass), .position(sum_position), .row_tile(row_tile), .pool(pool), .pool_first(pool_first),
        .pool_last(pool_last), .pool_index(pool_index), .masked(masked), .multiplier(multiplier),
        .pool_shift(pool_shift), .split(halves), .index(index), .final_index(final_index),
        .final_upper(final_upper), .flush(flush), .store(store)
    );

    // The feature memory: words of the image, words that streams take, words of results.
    localparam PLACES = GROUPS * BANKS;  // for rows; those beyond the lanes' never wait
    wire [PLACES+SOURCES-1:0]                pending, taken;
    wire [(PLACES+SOURCES)*FEATURE_BITS-1:0] pending_address;
    wire [(PLACES+SOURCES)*BITS-1:0]         pending_data;
    wire [(PLACES+SOURCES)*WORD_BYTES-1:0]   pending_enables;
    localparam UP = PLACES + SOURCES - 1;
    assign pending[UP:SOURCES] = {PLACES{1'b0}};
    assign pending_address[(UP+1)*FEATURE_BITS-1:SOURCES*FEATURE_BITS] = {PLACES*FEATURE_BITS{1'b0}};
    assign pending_data[(UP+1)*BITS-1:SOURCES*BITS] = {PLACES * BITS{1'b0}};
    assign pending_enables[(UP+1)*WORD_BYTES-1:SOURCES*WORD_BYTES] = {PLACES * WORD_BYTES{1'b0}};
    assign taken[UP:PLACES] = {SOURCES{1'b0}};
    wire [BANKS*BITS-1:0]                bank_words;
    wire [BANKS-1:0]                     bank_zeros;
    wire [COLUMNS+LANES-1:0]             wants;
    wire [(COLUMNS+LANES)*BANK_BITS-1:0] want_banks;
    wire                                 image_write;
    wire [BANK_BITS-1:0]                 image_bank;
    wire [FEATURE_BITS-1:0]              image_address;
    wire [BITS-1:0]                      image_data;
    image_words #(
        .BANKS(BANKS), .BANK_BITS(BANK_BITS), .WORD_BYTES(WORD_BYTES), .PHASE_BITS(PHASE_BITS),
        .FEATURE_BITS(FEATURE_BITS)
    ) image (
        .clk(clk), .reset(reset), .took(image_took), .image_byte(image_byte), .channel(entry),
        .position(position), .last_position(last_position), .plane(image_plane),
        .pitch(image_pitch), .first_byte(image_phase), .write(image_write), .bank(image_bank),
        .address(image_address), .data(image_data)
    );
    feature_memory #(
        .BANKS(BANKS), .BANK_BITS(BANK_BITS), .WORD_BYTES(WORD_BYTES), .PHASE_BITS(PHASE_BITS),
        .WORDS(BANK_DEPTH), .FEATURE_BITS(FEATURE_BITS), .SLOT_BITS(SLOT_BITS),
        .OFFSET_BITS(OFFSET_BITS), .JOB_ADDRESS_BITS(JOB_ADDRESS_BITS), .JOB_WORDS(JOB_WORDS),
        .GROUPS(GROUPS), .USERS(COLUMNS + LANES)
    ) features (
        .clk(clk), .reset(reset), .write_job(config_write && config_memory == 3'd4), .job_bank(config_bank),
        .table_address(config_address[JOB_ADDRESS_BITS-1:0]), .table_data(config_data[JOB_BITS-1:0]),
        .rewind(rewind), .list(list[JOB_ADDRESS_BITS-1:0]), .slot(slot[SLOT_BITS-1:0]), .slot_valid(slot_valid),
        .base(base[FEATURE_BITS+PHASE_BITS:0]), .residual_base(residual_base[FEATURE_BITS+PHASE_BITS:0]),
        .limit(limit[FEATURE_BITS+PHASE_BITS:0]), .wants(wants), .want_banks(want_banks),
        .bank_words(bank_words), .bank_zeros(bank_zeros), .image_write(image_write), .image_bank(image_bank),
        .image_address(image_address), .image_data(image_data), .pending(pending[PLACES-1:0]),
        .pending_address(pending_address[PLACES*FEATURE_BITS-1:0]),
        .pending_data(pending_data[PLACES*BITS-1:0]), .pending_enables(pending_enables[PLACES*WORD_BYTES-1:0]),
        .taken(taken[PLACES-1:0]), .written(written), .written_address(written_address),
        .written_enables(written_enables), .written_data(written_data)
    );

    // Streams and the array.
    genvar c, u;
    wire [ALPHA*COLUMNS*WORD_BITS-1:0] x, upper_x;
    generate
        for (c = 0; c < COLUMNS; c = c + 1) begin : g_column
            localparam NUMBER = c * ALPHA / TOGETHER;
            wire mine = load_columns && {26'd0, loaded} == NUMBER;
            word_streams #(
                .STREAMS(ALPHA), .BANKS(BANKS), .BANK_BITS(BANK_BITS), .WORD_BYTES(WORD_BYTES),
                .PHASE_BITS(PHASE_BITS), .SLOT_BITS(SLOT_BITS), .DX_BITS(DX_BITS),
                .WORD_BITS(WORD_BITS), .PARTS(PARTS)
            ) column (
                .clk(clk), .reset(reset), .load(mine),
                .load_data(descriptors[c*ALPHA%TOGETHER*STREAM_BITS+:ALPHA*STREAM_BITS]),
                .slot(slot[SLOT_BITS-1:0]), .slot_valid(array_slot), .slot_3(slot_3),
                .slot_valid_3(array_slot_3), .want(wants[c]),
                .bank(want_banks[c*BANK_BITS+:BANK_BITS]), .bank_words(bank_words), .bank_zeros(bank_zeros),
                .step(step_2), .run_start(step_run_start_2), .low(step_low_2),
                .step_bytes(step_bytes_2), .apart(split_3), .upper_bytes(upper_bytes_3),
                .in_row(in_row_2), .upper_in_row(upper_in_row_2), .reading(reading),
                .bit_index(bit_index), .x(x[c*ALPHA*WORD_BITS+:ALPHA*WORD_BITS]),
                .upper_x(upper_x[c*ALPHA*WORD_BITS+:ALPHA*WORD_BITS])
            );
        end
    endgenerate
    wire [2*ALPHA*COLUMNS*WORD_BITS-1:0] words = {upper_x, x};
    wire word_start = {{(32 - PHASE_COUNT) {1'b0}}, phase} == (FETCH + 1) % WORD_CYCLES;
    wire complete = {{(32 - PHASE_COUNT) {1'b0}}, phase} == OUT % WORD_CYCLES;
    wire [SOURCES*ACC-1:0] all_sums;
    array_core #(
        .ROWS(ROWS), .COLUMNS(COLUMNS), .ALPHA(ALPHA), .ACCUMULATOR_BITS(ACC), .CELL(CELL),
        .INPUT_FANOUT(INPUT_FANOUT), .CELL_WEIGHT_BITS(CELL_WEIGHT_BITS),
        .CELLS_PER_STAGE(CELLS_PER_STAGE), .WEIGHT_BUFFERS(WEIGHT_BUFFERS), .PARTS(PARTS),
        .WORD_BITS(WORD_BITS), .SUM_BITS(SUM_BITS), .LANE_BITS(PARALLEL ? ACC : 1),
        .SOURCES(SOURCES), .COLUMN_BITS(COLUMN_BITS), .LOAD_BITS(LOAD_BITS), .GATED(GATED),
        .WORDS((OUT + 1) / WORD_CYCLES + 2)
    ) core (
        .clk(clk), .test_enable(test_enable), .slot(phase == {PHASE_COUNT{1'b0}}),
        .issue(array_issue || run_start), .word_start(word_start), .complete(complete), .take(take),
        .x(words[PARTS*ALPHA*COLUMNS*WORD_BITS-1:0]), .load(load_weights),
        .load_column(load_column), .load_data(load_data), .sums(all_sums)
    );

    // Lanes.
    wire [8*LANES-1:0]        operands;
    wire [PARAMETER_BITS-1:0] parameter_address;
    lane_operands #(
        .LANES(RESIDUALS != 0 ? LANES : 0), .ALL_LANES(LANES), .LANE_ROWS(LANE_ROWS),
        .ROW_BITS(ROW_BITS), .TOGETHER(TOGETHER), .STREAM_BITS(STREAM_BITS), .BANKS(BANKS),
        .BANK_BITS(BANK_BITS), .WORD_BYTES(WORD_BYTES), .PHASE_BITS(PHASE_BITS),
        .SLOT_BITS(SLOT_BITS), .DX_BITS(DX_BITS)
    ) residuals (
        .clk(clk), .reset(reset), .load(load_lanes), .load_number(loaded), .descriptors(descriptors),
        .slot(slot[SLOT_BITS-1:0]), .slot_valid(lane_slot), .slot_3(slot_3), .slot_valid_3(lane_slot_3),
        .wants(wants[COLUMNS+:LANES]), .want_banks(want_banks[COLUMNS*BANK_BITS+:LANES*BANK_BITS]),
        .bank_words(bank_words), .bank_zeros(bank_zeros), .step(lane_step), .run_start(lane_run_start), .low(lane_low),
        .step_bytes(lane_step_bytes), .turn_row(turn_row), .operands(operands)
    );
    wire [ROW_BITS+15:0]      tile_and_row = {row_tile, turn_row};
    assign parameter_address = LANE_ROWS == 1 ? row_tile[PARAMETER_BITS-1:0]
                             : tile_and_row[PARAMETER_BITS-1:0];
    wire [ACC*LANES-1:0] kept;
    generate
        for (u = 0; u < LANES; u = u + 1) begin : g_lane
            wire upper = halves && u * LANE_ROWS >= ROWS / 2;
            /* verilator lint_off PINCONNECTEMPTY */  // for observation
            sum_lane #(
                .LANE_ROWS(LANE_ROWS), .ROW_BITS(ROW_BITS), .ACCUMULATOR_BITS(ACC),
                .RESIDUALS(RESIDUALS), .POOLS(POOLS), .CLIPS(CLIPS), .SUM_POSITION_BITS(SUM_POSITION_BITS),
                .PARAMETER_BITS(PARAMETER_BITS), .PARAMETER_WORDS(PARAMETER_WORDS),
                .POOL_BITS(POOL_BITS), .FEATURE_BITS(FEATURE_BITS), .WORD_BYTES(WORD_BYTES), .PHASE_BITS(PHASE_BITS),
                .INDEX_BITS(INDEX), .RESIDUAL_STAGE(2)
            ) lane (
                .clk(clk), .reset(reset),
                .write_parameter(config_write && config_memory == 3'd6
                                 && {24'd0, config_bank} == u),
                .table_address(config_address[PARAMETER_BITS-1:0]),
                .table_data(config_data[ROW_WORD-1:0]), .sums(all_sums[u*LANE_ROWS*ACC+:LANE_ROWS*ACC]),
                .turn(turn), .turn_row(turn_row), .first(first), .last(last), .keep(keep),
                .requantized(requantized), .bypass(bypass), .position(sum_position),
                .parameter_address(parameter_address), .pool(pool), .pool_first(pool_first), .pool_last(pool_last),
                .pool_index(pool_index), .masked(masked), .multiplier(multiplier),
                .pool_shift(pool_shift), .index(upper ? index[INDEX-1:0] + 1'b1 : index[INDEX-1:0]),
                .ends(upper ? final_upper : final_index), .flush(flush),
                .step_bytes(halves ? 2'd2 : 2'd1), .store(store), .residual(operands[8*u+:8]),
                .pending(pending[u*LANE_ROWS+:LANE_ROWS]),
                .pending_address(pending_address[u*LANE_ROWS*FEATURE_BITS+:LANE_ROWS*FEATURE_BITS]),
                .pending_data(pending_data[u*LANE_ROWS*BITS+:LANE_ROWS*BITS]),
                .pending_enables(pending_enables[u*LANE_ROWS*WORD_BYTES+:LANE_ROWS*WORD_BYTES]),
                .taken(taken[u*LANE_ROWS+:LANE_ROWS]),
                .send_read(send_read && {16'd0, send_lane} == u),
                .send_position(position[SUM_POSITION_BITS-1:0]),
                .send_row(send_row[ROW_BITS-1:0]), .kept(kept[u*ACC+:ACC]),
                .made_valid(), .made_row(), .made_byte()
            );
        end
    endgenerate

    // Results.
    wire signed [ACC-1:0] sent = kept[send_lane*ACC+:ACC];
    always @(posedge clk) if (send_step == 2'd1) result_word <= {{(32 - ACC) {sent[ACC-1]}}, sent};
`ifdef SYSTOPACK_ASSERTIONS
    // A byte of the image is kept for its word or, with its last one, written.
    reg byte_1, ends_1;
    always @(posedge clk) {byte_1, ends_1} <= {image_took && !reset, image.ends};
    stream_rules #(.WIDTH(32)) result_rules (
        .clk(clk), .reset(reset), .valid(result_valid), .ready(result_ready), .data(result_word),
        .last(1'b0)
    );
    image_rules #(.LATE(1)) image_rules (
        .clk(clk), .reset(reset), .taken(image_valid && image_ready), .last(image_last),
        .written(byte_1 && (!ends_1 || written[image_bank])), .dropped(image_dropped),
        .length({8'd0, control.positions} * {16'd0, control.entries})
    );
`endif
endmodule
