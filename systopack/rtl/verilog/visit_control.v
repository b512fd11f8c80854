// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some fields are only looked at ahead of time
// Runs the program of the tiled accelerator: which tile is on the array, in which slot the banks read.
//
// An instruction starts with a word time. TILES runs a row tile: for every block of positions its
// column tiles one after another, each a visit: stream descriptors are loaded, the first words of all
// streams are read (prologue), then come periods of `slots` cycles with a step every `step_cycles`.
// In the last WRITES slots of a period, and whenever no slot runs, the banks belong to results.
// IMAGE takes the bytes of an image, SEND gives sums of the lanes as 32-bit results, END ends.
// A visit waits for its weights, an instruction with `barrier` until all words before are written
// (`visit_waits`). Of a RING of tiles, bit 19 of an address says that the instruction's tiles stay for
// all its blocks. An image of the wrong length is dropped: the instruction begins again with the
// next. Reset: synchronous, active high.
module visit_control #(
    parameter WORD_CYCLES = 8,
    parameter WORD_BYTES = 4,
    parameter PHASE_BITS = 2,     // of a byte in a word
    parameter WRITES = 2,         // slots that belong to results
    parameter LANE_ROWS = 8,
    parameter LOADS = 32,         // words of a tile's weights
    parameter PROGRAM_BITS = 8,
    parameter WEIGHT_BUFFERS = 2,
    parameter RING = 0,           // words of the ring of tiles, 0: all tiles have their own
    parameter MIN_LOAD = 4,       // word times between the first steps of two visits
    parameter MIN_DRAIN = 4       // word times from a visit's end until its words are written
) (
    input  wire                    clk,
    input  wire                    reset,
    input  wire                    go,
    output reg                     busy,
    output reg  [31:0]             cycles,
    output reg  [31:0]             entered,         // word times in which words entered the array
    output reg  [31:0]             stalled,         // word times lost to weights
    output wire                    program_read,
    output wire [PROGRAM_BITS-1:0] program_address,
    input  wire [503:0]            program_word,    // one cycle after program_address
    output reg                     run_start, op_start,
    output reg  [PROGRAM_BITS-1:0] op_number,
    output wire                    is_tiles, is_image, is_send,
    output reg  [(WORD_CYCLES > 2 ? $clog2(WORD_CYCLES) : 1)-1:0] phase,  // cycle in the word time
    // Loading.
    output wire                    load,            // a stream word's address is out
    output wire [15:0]             load_address,
    output wire                    load_residual,   // it is of the lanes' streams
    output wire [5:0]              load_number,
    output wire                    rewind,
    output reg  [15:0]             list,
    output reg  [19:0]             weights_now,     // of this visit
    output wire [19:0]             weights_next,    // of the one after it
    output wire                    visit_begins,    // with the next word time: a visit's first step
    output wire                    tile_leaves,     // its tile is not loaded again
    output wire                    tile_again,      // the tile to load now or next was loaded before
    input  wire                    weights_there,   // or on their way into the array
    input  wire                    load_begins,     // with the next word time
    output wire                    unfed,           // a visit waits for weights, in a word time's end
    // Slots.
    output reg  [9:0]              slot,
    output wire                    slot_valid,
    output wire                    array_slot, lane_slot,  // for streams of the array, of residual operands
    output wire [31:0]             base, residual_base,
    output wire [23:0]             limit,
    // Steps, in the cycle of their slot.
    output wire                    issue,
    output wire                    array_issue,     // its words go to the array
    output wire                    first_issue, issue_run_start,  // of a visit, of a run
    output wire [PHASE_BITS-1:0]   issue_low,
    output reg  [PHASE_BITS:0]     step_bytes,
    output wire [PHASE_BITS-1:0]   upper_bytes,
    output wire                    split,
    output reg  [11:0]             place_x,         // of the step's first position in the source
    output wire [11:0]             width, window,
    output wire [7:0]              stride_x,
    // Image and results.
    input  wire                    image_valid, image_last,
    output wire                    image_ready,
    output reg                     image_dropped,
    output wire                    image_took,
    output reg  [23:0]             position,
    output reg  [15:0]             entry,
    output wire                    last_position,
    output wire [15:0]             image_plane, image_pitch,
    output wire [5:0]              image_phase,
    output wire                    send_read,       // of the first step
    output reg  [1:0]              send_step,
    output reg                     result_valid,
    output reg  [15:0]             send_lane, send_row,
    input  wire                    result_ready
);
    /* verilator no_inline_module */  // one copy of its code for all instances
    localparam [2:0] END = 0, TILES = 1, IMAGE = 2, SEND = 3;
    localparam [2:0] NONE = 0, LOAD = 1, PROLOGUE = 2, WRITE = 3, ALIGN = 4, PERIOD = 5;
    localparam [31:0] WRITES_WIDE = WRITES;
    wire [9:0] write_slots = WRITES_WIDE[9:0];
    localparam PHASE_COUNT = WORD_CYCLES > 2 ? $clog2(WORD_CYCLES) : 1;

    // With some cycles in a word time the program memory's word waits in a register.
    localparam LATE = WORD_CYCLES > 3 ? 1 : 0;
    reg  [503:0] waiting, present;
    reg          counted, coming;  // the counter has moved; its word comes
    always @(posedge clk) if (coming) waiting <= program_word;
    wire [503:0] next_word = LATE != 0 ? waiting : program_word;
    reg          active, drained, stepped;
    reg  [PROGRAM_BITS-1:0] counter;

    wire [2:0]  op;
    wire        barrier, gather, residual, pool_step;
    wire [11:0] column_tiles, blocks, runs, last_runs, slots, out_width, window_height, window_width;
    wire [15:0] run_steps, last_run_steps, run_periods, last_run_periods, streams, jobs, row_tile;
    wire [15:0] entries;
    wire [3:0]  steps_per_period, residual_words;
    wire [9:0]  step_cycles, slot_first, slot_stop;
    wire [5:0]  load_words, tail, lag;
    wire [19:0] run_pitch, stride_pitch, weights, following_weights;
    wire [23:0] block_pitch, positions, residual_block_pitch;
    wire [7:0]  jobs_stride;
    assign {op, barrier, gather, split, residual, pool_step, column_tiles, blocks, runs, last_runs,
            run_steps, last_run_steps, run_periods, last_run_periods, steps_per_period,
            step_cycles, slots, slot_first, slot_stop, load_words, residual_words, tail, lag,
            out_width, stride_x, width, run_pitch, block_pitch, limit, window_height,
            window_width, stride_pitch, streams, jobs, jobs_stride, weights, following_weights,
            window, entries, positions, residual_block_pitch, row_tile} = present;
    wire [2:0] next_op = next_word[503:501];
    wire next_barrier = next_word[500];
    assign is_tiles = active && op == TILES;
    assign is_image = active && op == IMAGE;
    assign is_send = active && op == SEND;
    assign send_read = is_send && !stepped && send_step == 2'd0;
    assign {image_plane, image_pitch, image_phase} = {streams, jobs, lag};

    // Word times.
    wire slot_end = {{(32 - PHASE_COUNT) {1'b0}}, phase} == WORD_CYCLES - 1;

    // Where the visit is.
    reg  [2:0]  state;
    reg  [11:0] tile, block, runs_left;
    reg  [15:0] steps_left, periods_left;
    reg  [5:0]  loads_left, loaded, tail_left, lag_left;
    reg  [9:0]  in_step;      // cycles since the step began
    reg  [3:0]  written, period_steps;
    reg  [15:0] load_place;
    reg         tailing, first_run, new_run;
    reg  last_tile, last_block;
    // Whether the next tile or block is the last one, known long before.
    reg  one_tile, next_tile_last, next_block_last;
    always @(posedge clk) begin
        one_tile <= column_tiles == 12'd1;
        next_tile_last <= tile + 12'd2 == column_tiles;
        next_block_last <= block + 12'd2 == blocks;
    end
    wire [15:0] steps_now = last_block ? last_run_steps : run_steps;
    wire [15:0] periods_now = last_block ? last_run_periods : run_periods;
    wire [11:0] runs_now = last_block ? last_runs : runs;
    wire with_residual = residual && last_tile;

    wire loaded_now, written_now;
    wire fed = !first_run || pool_step || (loaded_now && weights_there);

    // Ends of everything.
    reg  [9:0] last_slot, write_slot, last_cycle, last_prologue;  // of a period, a step, the prologue
    wire period_ends = state == PERIOD && slot == last_slot;
    wire run_ends = period_ends && !tailing && periods_left == 16'd1;
    wire last_run_ends = run_ends && runs_left == 12'd1;
    wire visit_ends = (last_run_ends && !(with_residual && tail != 6'd0))
                   || (period_ends && tailing && tail_left == 6'd1);
    wire tiles_end = visit_ends && last_tile && last_block;
    wire next_visit = visit_ends && !(last_tile && last_block);
    wire other_ends = slot_end && stepped;
    wire op_ends = tiles_end || other_ends;
    wire prologue_ends = state == PROLOGUE && slot == last_prologue;
    wire [5:0] loads_now = loaded == 6'd0
                         ? load_words + (with_residual ? {2'd0, residual_words} : 6'd0) : loads_left;
    wire load_ends = state == LOAD && loads_now == 6'd0;
    wire empty = slot_first == slot_stop;
    wire leaving = (state == WRITE && {28'd0, written} == WRITES - 1) || state == ALIGN;
    wire periods_start = leaving && slot_end && fed;
    assign unfed = leaving && slot_end && !fed;
    assign visit_begins = periods_start && first_run && !pool_step;
    wire run_again = run_ends && !last_run_ends && !gather;

    wire drained_now = drained || written_now;
    wire clear = !(next_op != TILES || next_barrier) || drained_now;
    wire next_up = busy && slot_end && (!active || op_ends);
    wire start = next_up && clear;
    wire start_run = go && !busy && slot_end;
    visit_waits #(.MIN_LOAD(MIN_LOAD), .MIN_DRAIN(MIN_DRAIN)) waits (
        .clk(clk), .slot_end(slot_end), .run_begins(start_run), .load_begins(load_begins),
        .resting(!is_tiles), .tiles_end(tiles_end), .loaded(loaded_now), .drained(written_now)
    );
    wire finish = start && next_op == END;
    wire start_tiles = start && next_op == TILES;
    assign program_read = LATE != 0 ? counted : start_run || start;
    always @(posedge clk) {coming, counted} <= {counted, start_run || start};
    assign program_address = LATE != 0 ? counter
                           : start_run || !busy ? {PROGRAM_BITS{1'b0}}
                           : start ? counter + 1'b1 : counter;

    // Slots and steps.
    assign slot_valid = state == PROLOGUE
                     || (state == PERIOD && slot < write_slot);
    wire last_gathered = gather && periods_left == 16'd1 && runs_left == 12'd1;
    assign array_slot = slot_valid && !tailing && !(state == PERIOD && last_gathered) && !pool_step;
    assign lane_slot = slot_valid && with_residual;
    assign issue = state == PERIOD && !tailing && in_step == 10'd0 && steps_left != 16'd0
                && period_steps != steps_per_period;
    assign array_issue = issue && !pool_step;
    assign first_issue = array_issue && first_run;
    assign issue_run_start = gather || new_run;

    // Where words come from. RUN: a word further at every period; GATHER: the place of the next step.
    reg  [31:0] block_base, run_base, words_base, residual_block, residual_place;
    wire [23:0] walked;
    wire [11:0] unused_y, unused_x;
    wire        unused_first, unused_last;
    // The walker steps where the banks belong to results, so that its sums may take a cycle.
    wire writes_begin = (state == WRITE && written == 4'd0 && first_run)
                     || (state == PERIOD && slot == write_slot);
    wire walk = gather && writes_begin
             && (pool_step ? (state == WRITE ? lag == 6'd0 : lag_left <= 6'd1) : !tailing);
    wire begin_walk = state == LOAD;
    position_walker walker (
        .clk(clk), .start(begin_walk), .step(walk), .out_width(out_width),
        .stride_y(8'd0), .stride_x(stride_x), .pitch(width),
        .stride_pitch(pool_step ? stride_pitch : run_pitch), .origin(block_base[23:0]), .window_height(window_height),
        .window_width(window_width), .place_y(unused_y), .place_x(unused_x), .linear(walked),
        .window_first(unused_first), .window_last(unused_last)
    );
    reg  [31:0] gather_base;
    always @(posedge clk) gather_base <= {8'd0, walked};
    assign base = gather ? gather_base : words_base;
    assign residual_base = pool_step ? gather_base : residual_place;

    // The low bits of a step's place: of the step that has been fetched.
    reg  [PHASE_BITS-1:0] gathered_low, run_low;
    assign issue_low = gather ? gathered_low : run_low;
    assign upper_bytes = split ? stride_x[PHASE_BITS-1:0] : {PHASE_BITS{1'b0}};
    reg  [11:0] column;  // position in its row
    wire [12:0] beyond = {1'b0, column} + (split ? 13'd2 : 13'd1);

    assign load = state == LOAD && loads_now != 6'd0;
    assign load_residual = loaded >= load_words;
    assign load_address = load_place;
    assign load_number = load_residual ? loaded - load_words : loaded;
    assign rewind = state == LOAD && loaded == 6'd0;
    wire [31:0] following = {12'd0, weights_now} + LOADS;
    wire wraps = RING != 0 && {13'd0, following[18:0]} == RING;
    wire [19:0] following_tile = wraps ? {weights_now[19], 19'd0} : following[19:0];
    wire passing = RING != 0 && !weights_now[19];  // tiles come again for every block
    reg  [19:0] after_this;
    always @(posedge clk)
        after_this <= !last_tile || (!last_block && passing) ? following_tile
                    : !last_block ? weights : following_weights;
    assign weights_next = after_this;
    assign tile_leaves = !weights_now[19] || last_block;
    assign tile_again = WEIGHT_BUFFERS == 1 ? weights_now[19] && block != 12'd0
                      : weights_next[19] && (last_tile ? !last_block : block != 12'd0);

    // Streams of the host.
    reg  [23:0] final_position;
    reg  [15:0] final_entry;
    assign last_position = position == final_position;
    wire last_entry = entry == final_entry;
    wire lane_ends = {16'd0, send_row} == LANE_ROWS - 1;
    reg  overrun;  // the image goes on beyond its last byte
    assign image_ready = is_image && !stepped;
    assign image_took = image_ready && image_valid;
    wire whole = last_position && last_entry;
    wire sent = is_send && !stepped && send_step == 2'd2 && result_ready;

    always @(posedge clk) begin
        phase <= slot_end || reset ? {PHASE_COUNT{1'b0}} : phase + 1'b1;
        run_start <= start_run;
        op_start <= start && !finish;
        if (busy) cycles <= cycles + 32'd1;
        if (issue && !pool_step) entered <= entered + 32'd1;
        if (unfed) stalled <= stalled + 32'd1;
        if (start_run) begin
            {busy, active, drained} <= 3'b101;
            counter <= {PROGRAM_BITS{1'b0}};
            {cycles, entered, stalled} <= 96'd0;
        end

        // The visit.
        case (state)
            LOAD: begin
                loaded <= loaded + 6'd1;
                if (load) load_place <= load_place + 16'd1;
                loads_left <= loads_now - 6'd1;
                if (load_ends) begin
                    state <= empty ? WRITE : PROLOGUE;
                    slot <= slot_first;
                end
            end
            PROLOGUE: begin
                slot <= slot + 10'd1;
                if (prologue_ends) state <= WRITE;
            end
            WRITE, ALIGN: begin
                written <= written + 4'd1;
                if (leaving) state <= ALIGN;
            end
            PERIOD: begin
                slot <= period_ends ? 10'd0 : slot + 10'd1;
                in_step <= in_step == last_cycle || period_ends ? 10'd0 : in_step + 10'd1;
            end
            default: ;
        endcase
        if (state != WRITE && state != ALIGN) written <= 4'd0;
        if (periods_start) begin
            state <= PERIOD;
            slot <= 10'd0;
            in_step <= 10'd0;
            words_base <= words_base + WORD_BYTES;
            new_run <= 1'b1;
            run_low <= {PHASE_BITS{1'b0}};
        end
        if (period_ends || periods_start) period_steps <= 4'd0;
        else if (issue) period_steps <= period_steps + 4'd1;
        if (issue) begin
            steps_left <= steps_left - 16'd1;
            new_run <= 1'b0;
            run_low <= run_low + step_bytes[PHASE_BITS-1:0];
            column <= beyond >= {1'b0, out_width} ? 12'd0 : beyond[11:0];
            place_x <= beyond >= {1'b0, out_width} ? 12'd0
                     : place_x + (split ? {3'd0, stride_x, 1'b0} : {4'd0, stride_x});
            first_run <= 1'b0;
        end
        if (walk || begin_walk) gathered_low <= gather_base[PHASE_BITS-1:0];
        if (period_ends) begin
            periods_left <= periods_left - 16'd1;
            words_base <= words_base + WORD_BYTES;
            if (tailing) tail_left <= tail_left - 6'd1;
            if (lag_left != 6'd0) lag_left <= lag_left - 6'd1;
            if (lag_left <= 6'd1) residual_place <= residual_place + (gather ? 32'd1 : WORD_BYTES);
        end
        if (periods_start && lag == 6'd0 && first_run)
            residual_place <= residual_place + (gather ? 32'd1 : WORD_BYTES);
        if (run_ends) begin
            runs_left <= runs_left - 12'd1;
            periods_left <= periods_now;
            steps_left <= steps_now;
            run_base <= run_base + {12'd0, run_pitch};
        end
        if (run_again) begin
            words_base <= run_base + {12'd0, run_pitch};
            slot <= slot_first;
            state <= empty ? WRITE : PROLOGUE;
        end
        if (last_run_ends && !visit_ends) tailing <= 1'b1;
        if (tiles_end) state <= NONE;
        if (start_tiles || next_visit) begin
            state <= LOAD;
            loaded <= 6'd0;
            tailing <= 1'b0;
            first_run <= 1'b1;
            column <= 12'd0;
            place_x <= 12'd0;
        end
        if (next_visit) begin
            tile <= last_tile ? 12'd0 : tile + 12'd1;
            last_tile <= last_tile ? one_tile : next_tile_last;
            if (last_tile) last_block <= next_block_last;
            list <= last_tile ? jobs : list + {8'd0, jobs_stride};
            weights_now <= weights_next;
            load_place <= last_tile ? streams : load_place;
            if (last_tile) begin
                block <= block + 12'd1;
                block_base <= block_base + {8'd0, block_pitch};
                residual_block <= residual_block + {8'd0, residual_block_pitch};
            end
        end
        if (start_tiles) begin
            tile <= 12'd0;
            block <= 12'd0;
            last_tile <= next_word[495:484] == 12'd1;
            last_block <= next_word[483:472] == 12'd1;
            list <= next_word[155:140];
            weights_now <= next_word[131:112];
            load_place <= next_word[171:156];
            block_base <= 32'd0;
            residual_block <= 32'd0;
        end
        // The first cycle of LOAD knows the instruction.
        if (op_start) begin
            last_slot <= slots[9:0] - 10'd1;
            write_slot <= slots[9:0] < write_slots ? 10'd0 : slots[9:0] - write_slots;
            last_cycle <= step_cycles - 10'd1;
            last_prologue <= slot_stop - 10'd1;
        end
        if (state == LOAD && loaded == 6'd0) begin
            steps_left <= steps_now;
            periods_left <= periods_now;
            runs_left <= runs_now;
            run_base <= block_base;
            words_base <= block_base;
            residual_place <= residual_block;
            tail_left <= tail;
            lag_left <= lag;
            step_bytes <= gather ? {1'b1, {PHASE_BITS{1'b0}}} : split ? {stride_x[PHASE_BITS-1:0], 1'b0}
                        : stride_x[PHASE_BITS:0];
        end

        // Image and results.
        if ((image_took && !overrun) || sent) begin
            position <= last_position ? 24'd0 : position + 24'd1;
            if (last_position) begin
                entry <= entry + 16'd1;
                send_row <= lane_ends ? 16'd0 : send_row + 16'd1;
                if (lane_ends) send_lane <= send_lane + 16'd1;
                if (last_entry && (!is_image || image_last)) stepped <= 1'b1;
            end
        end
        if (image_took) begin
            overrun <= !image_last && (overrun || whole);
            if (image_last ? overrun || !whole : whole) begin
                position <= 24'd0;
                entry <= 16'd0;
            end
        end
        image_dropped <= image_took && image_last && (overrun || !whole);
        if (is_send && !stepped && (send_step != 2'd2 || result_ready))
            send_step <= send_step == 2'd2 ? 2'd0 : send_step + 2'd1;
        result_valid <= !reset && is_send
                     && (send_step == 2'd1 || (send_step == 2'd2 && !result_ready));

        if (op_ends) active <= 1'b0;
        if (start) begin
            present <= next_word;
            final_position <= next_word[63:40] - 24'd1;
            final_entry <= next_word[79:64] - 16'd1;
            active <= !finish;
            op_number <= counter;
            counter <= counter + 1'b1;
            position <= 24'd0;
            entry <= 16'd0;
            {send_row, send_lane, send_step} <= 34'd0;
            stepped <= 1'b0;
            overrun <= 1'b0;
            drained <= next_op != TILES;
            if (finish) busy <= 1'b0;
        end
        if (reset) begin
            {run_start, op_start, busy, active, image_dropped} <= 5'd0;
            state <= NONE;
            {cycles, entered, stalled} <= 96'd0;
        end
    end
endmodule
