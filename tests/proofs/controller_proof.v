// SPDX-License-Identifier: Apache-2.0
// The controller of the tiled accelerator, for any program and any host, from the first reset on.
//
// PART 0: a result that is offered stays until it is taken; an image instruction takes exactly its
//   bytes, the last one with `image_last`, after dropping and counting every image of another
//   length, and a send instruction gives exactly its words, none lost and none twice.
// PART 1: instructions begin with a word time, one after another, in the order of the program; a
//   tile begins MIN_LOAD word times after the one before, MIN_RETURN where it adds to that one's
//   sums; what needs earlier words waits MIN_DRAIN for them. Runs begin by `go` and end by END.
// PART 2: every instruction ends: in each cycle in which the host is not waited for, a bounded
//   counter goes on.
// `holds` must stay 1; it has these properties and what makes them inductive. The inner wires are those
// of the controller.
module controller_proof #(
    parameter PART = 0,
    parameter WORD_CYCLES = 8,
    parameter PHASE_BITS = 3,
    parameter MIN_LOAD = 4,
    parameter MIN_RETURN = 7,
    parameter MIN_DRAIN = 5
) (
    input  wire         clk,
    input  wire         go,
    input  wire [213:0] program_word,
    input  wire         image_valid,
    input  wire         image_last,
    input  wire         result_ready,
    output wire         holds
);
    localparam PROGRAM_BITS = 3, LANE_ROWS = 2;
    reg                     reset = 1;
    wire                    busy, run_start, op_start, is_tile, is_pool, is_image, is_send, first;
    wire                    maximum, issue, stepping, window_first, window_last;
    wire                    image_ready, image_dropped, result_valid, overrun;
    wire [31:0]             cycles, entered, stalled;
    wire [PROGRAM_BITS-1:0] program_address, op_number;
    wire [PHASE_BITS-1:0]   phase;
    wire [11:0]             height, width, place_y, place_x;
    wire [15:0]             descriptor, route, row_tile, position, entry, send_lane, send_row;
    wire [14:0]             multiplier;
    wire [4:0]              pool_shift;
    wire [23:0]             linear;
    wire [1:0]              send_step;
    controller #(
        .WORD_CYCLES(WORD_CYCLES), .PHASE_BITS(PHASE_BITS), .PROGRAM_BITS(PROGRAM_BITS),
        .LANE_ROWS(LANE_ROWS), .MIN_LOAD(MIN_LOAD), .MIN_RETURN(MIN_RETURN), .MIN_DRAIN(MIN_DRAIN)
    ) subject (.*);

    // Inside the controller and its walker.
    wire         active, stepped, drained, op_ends, start, next_up;
    wire [213:0] present, next_word;
    wire [15:0]  since, idle, final_position, final_entry;
    wire [11:0]  inner_y, inner_x;
    wire [10:0]  space;
    wire [2:0]   tail;
    wire [PROGRAM_BITS-1:0] counter;

    // No instruction has nothing to do.
    wire [10:0] spacing = present[207:197];
    wire [15:0] positions = present[196:181], entries = present[36:21];
    wire [11:0] window_height = present[108:97], window_width = present[96:85];
    wire [2:0]  op = present[213:211], next_op = next_word[213:211];
    wire        sane = positions != 0 && entries != 0 && spacing != 0 && window_height != 0
                    && window_width != 0 && op >= 3'd1 && op <= 3'd4;
    reg         insane = 0;
    wire        claimed = !reset && !insane && (!active || sane);
    wire        slot_end = phase == WORD_CYCLES - 1;

    // What the host has seen of this instruction.
    wire        passes = is_image ? image_valid && image_ready : result_valid && result_ready;
    wire        row_ends = seen_position == positions - 16'd1;
    reg  [15:0] seen_position, seen_entry;
    reg         all_seen, waited = 0;
    reg         beyond, dropping = 0;  // the image is too long; an image of the wrong length ended
    wire        at_end = row_ends && seen_entry == entries - 16'd1;
    wire        takes = is_image && passes;
    wire        wrong = takes && (beyond || image_last != at_end);
    reg  [63:0] waited_for;
    wire [63:0] place = {send_lane, send_row, position, entry};

    // Naive clocks: word times since a tile began and since the last tile ended, up to 64.
    reg  [6:0]  since_tile = 0, since_end = 0;
    reg         tiles_before = 0;  // words of a tile may still be on their way
    reg  [PROGRAM_BITS-1:0] number;
    reg         started = 0, ran = 0, finished = 0, number_known = 0;
    wire        tile_ends = is_tile && op_ends;
    wire [6:0]  since_tile_now = since_tile == 7'd64 ? 7'd64 : since_tile + 7'd1;
    wire [6:0]  since_end_now = tile_ends ? 7'd0 : since_end == 7'd64 ? 7'd64 : since_end + 7'd1;
    wire        needs = next_op != 3'd1 || next_word[210];
    wire        begins = go && !busy && slot_end;

    // How far an instruction is, or the wait for the next one.
    localparam [15:0] LONGEST = MIN_LOAD > MIN_RETURN ? MIN_LOAD : MIN_RETURN;
    wire [15:0] loads = since < LONGEST ? since : LONGEST;
    wire [15:0] drains = drained || idle >= MIN_DRAIN ? MIN_DRAIN : idle;
    localparam  TOP = 2 + 32 + 24 + 11 + 2 + 3 + PHASE_BITS;
    wire [TOP-1:0] progress = {
        !active, active && stepped,
        !active ? {loads, drains} : stepped ? 32'd0 : {is_tile ? 16'd0 : entry, position},
        is_pool && !stepped ? {inner_y, inner_x} : 24'd0, is_tile ? space : 11'd0,
        is_send ? send_step : 2'd0, active && !is_tile ? tail : 3'd0, phase
    };
    wire        host_waits = is_image && !stepped && !image_valid
                          || is_send && !stepped && send_step == 2'd2 && !result_ready;
    // A beat of an image of the wrong length: the instruction may begin again.
    wire        host_errs = is_image && !stepped && image_valid && (overrun
        || image_last != (position == final_position && entry == final_entry));
    reg  [TOP-1:0] progress_before;
    reg            goes_on = 0;

    always @(posedge clk) begin
        reset <= 0;
        if (!reset && active && !sane) insane <= 1;
        if (start) begin
            seen_position <= 16'd0;
            seen_entry <= 16'd0;
            all_seen <= 1'b0;
            beyond <= 1'b0;
        end else if (wrong) begin
            seen_position <= 16'd0;
            seen_entry <= 16'd0;
            beyond <= !image_last;
        end else if (passes) begin
            seen_position <= row_ends ? 16'd0 : seen_position + 16'd1;
            if (row_ends) seen_entry <= seen_entry + 16'd1;
            if (at_end) all_seen <= 1'b1;
        end
        dropping <= !reset && wrong && image_last;
        waited <= !reset && result_valid && !result_ready;
        waited_for <= place;
        if (slot_end) begin
            since_tile <= since_tile_now;
            since_end <= since_end_now;
        end
        if (tile_ends) tiles_before <= 1;
        if (start && next_op == 3'd1) since_tile <= 7'd0;
        if (start && next_op != 3'd1) tiles_before <= 0;
        if (begins) {since_tile, tiles_before, number} <= 0;
        else if (start) number <= number + 1'b1;
        number_known <= !reset && (number_known || begins);
        started <= !reset && start && next_op != 3'd0;
        finished <= !reset && start && next_op == 3'd0;
        ran <= !reset && begins;
        progress_before <= progress;
        goes_on <= !reset && busy && !start && !host_waits && !host_errs;  // the same instruction or wait
        if (reset) {since_tile, since_end, tiles_before} <= 0;
    end

    reg ok;
    always @* begin
        ok = 1;
        if (PART == 0 && claimed) begin
            if (result_valid != (is_send && !stepped && send_step == 2'd2)) ok = 0;
            if (waited && (!result_valid || place != waited_for)) ok = 0;
            if ((image_ready || result_valid) && (all_seen || !is_image && !is_send)) ok = 0;
            if (is_image && (overrun != beyond || stepped && beyond)) ok = 0;
            if (is_image && beyond && {seen_position, seen_entry} != 0) ok = 0;
            if (image_dropped != dropping) ok = 0;
            if (is_image || is_send) begin
                if (all_seen != stepped || op_ends && !all_seen) ok = 0;
                if (!stepped && (position != seen_position || entry != seen_entry)) ok = 0;
                if (is_send && send_step == 2'd3 || is_send && stepped && send_step != 2'd0) ok = 0;
            end
        end
        if (PART == 1 && claimed) begin
            if (op_start != started || started && phase != 0) ok = 0;
            if (started && (!active || !busy)) ok = 0;
            if (start && (!slot_end || active && !op_ends || !busy)) ok = 0;
            if (started && number_known && op_number != number - 1'b1) ok = 0;
            if (busy && number_known && counter != number) ok = 0;
            if (start && next_op == 3'd1 && since_tile_now < MIN_LOAD) ok = 0;
            if (start && next_op == 3'd1 && next_word[208] && since_tile_now < MIN_RETURN) ok = 0;
            if (start && needs && (tiles_before || tile_ends) && since_end_now < MIN_DRAIN) ok = 0;
            if (ran && (!busy || cycles != 0 || active) || finished && busy) ok = 0;
            if (run_start != ran) ok = 0;
            // Naive and real clocks agree as far as it matters.
            if (busy && (since < 16'd64 ? {9'd0, since_tile} != since : since_tile != 7'd64)) ok = 0;
            if (busy && !drained && !is_tile
                && (idle < 16'd64 ? {9'd0, since_end} != idle : since_end != 7'd64)) ok = 0;
            if (busy && drained && tiles_before) ok = 0;
            if (busy && (since == 16'hffff || idle == 16'hffff)) ok = 0;
        end
        if (PART == 2 && claimed && goes_on && busy && progress <= progress_before) ok = 0;
        // What keeps this so.
        if (!reset && (active && !busy || phase > WORD_CYCLES - 1)) ok = 0;
        if (claimed && active
            && (final_position != positions - 16'd1 || final_entry != entries - 16'd1)) ok = 0;
        if (claimed && is_tile && (stepped || drained)) ok = 0;
        if (claimed && active) begin
            if (position >= positions || is_tile && space >= spacing) ok = 0;
            if (!is_tile && !stepped && entry >= entries) ok = 0;
            if (is_pool && (inner_y >= window_height || inner_x >= window_width)) ok = 0;
        end
        if (PART == 2 && !reset && is_send && (send_step == 2'd3 || stepped && send_step != 0)) ok = 0;
        if (PART == 2 && !reset && busy && (since == 16'hffff || idle == 16'hffff)) ok = 0;
    end
    assign holds = ok;
endmodule
