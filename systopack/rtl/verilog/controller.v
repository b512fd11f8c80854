// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some fields are only looked at ahead of time
// Runs the program: one instruction after another, each starting with a word time.
//
// tile: streams the output positions of one tile; pool: a step every cycle; image: takes the bytes
// of an image; send: gives sums from the partial-sum memories as 32-bit results; end.
// A tile waits until its weights are loaded, until partial sums it adds to are back and, where it
// starts a layer, until all earlier words are written; these waits are fixed numbers of word times
// (MIN_*), so every run takes the same cycles, but for waits of the two streams.
// An image that ends too early or too late is dropped: the instruction begins again with the next.
// Reset: synchronous, active high.
module controller #(
    parameter WORD_CYCLES = 8,
    parameter PHASE_BITS = 3,
    parameter PROGRAM_BITS = 8,
    parameter LANE_ROWS = 8,
    parameter MIN_LOAD = 4,       // word times between the starts of two tiles
    parameter MIN_RETURN = 4,     // the same where the second adds to the first one's sums
    parameter MIN_DRAIN = 4       // word times from a tile's end until its words are written
) (
    input  wire                    clk,
    input  wire                    reset,
    input  wire                    go,             // start of a run
    output reg                     busy,
    output reg  [31:0]             cycles,         // of this or the last run
    output reg  [31:0]             entered,        // word times in which words entered the array
    output reg  [31:0]             stalled,        // word times lost to weights or partial sums
    output wire [PROGRAM_BITS-1:0] program_address,
    input  wire [213:0]            program_word,   // one cycle after program_address
    output reg  [PHASE_BITS-1:0]   phase,          // cycle in the word time
    output reg                     run_start,      // first cycle of a run
    output reg                     op_start,       // first cycle of an instruction
    output reg  [PROGRAM_BITS-1:0] op_number,
    // The present instruction.
    output wire                    is_tile,
    output wire                    is_pool,
    output wire                    is_image,
    output wire                    is_send,
    output wire                    first,
    output wire [11:0]             height,
    output wire [11:0]             width,
    output wire [15:0]             descriptor,
    output wire [15:0]             route,
    output wire [15:0]             row_tile,
    output wire                    maximum,
    output wire [14:0]             multiplier,
    output wire [4:0]              pool_shift,
    // Where it is.
    output wire                    issue,          // a position enters in this word time
    output reg  [15:0]             position,
    output reg  [15:0]             entry,          // pooled channel, image channel, row sent
    output wire                    stepping,       // a step of pooling in this cycle
    output wire                    window_first,
    output wire                    window_last,
    output wire [11:0]             place_y,
    output wire [11:0]             place_x,
    output wire [23:0]             linear,
    input  wire                    image_valid,
    input  wire                    image_last,     // with the last byte of an image
    output wire                    image_ready,
    output reg                     image_dropped,  // an image of the wrong length has ended
    // Sending: the address is out in step 0, the word comes back in step 1 and waits in step 2.
    output reg  [1:0]              send_step,
    output reg                     result_valid,
    output reg  [15:0]             send_lane,
    output reg  [15:0]             send_row,
    input  wire                    result_ready
);
    localparam [2:0] END = 0, TILE = 1, POOL = 2, IMAGE = 3, SEND = 4;
    wire lane_ends = {16'd0, send_row} == LANE_ROWS - 1;

    // With some cycles in a word time the program memory's word waits in a register, and its
    // address comes from one: neither takes part in long paths.
    localparam LATE = WORD_CYCLES > 3 ? 1 : 0;
    reg  [213:0] waiting, present;
    always @(posedge clk) waiting <= program_word;
    wire [213:0] next_word = LATE != 0 ? waiting : program_word;
    reg  [15:0]  final_position, final_entry;
    reg          active, drained;
    // Word times that a counter can reach; large arrays that load row by row wait for long.
    localparam WAIT_BITS = MIN_LOAD > 65535 || MIN_RETURN > 65535 || MIN_DRAIN > 65535 ? 24 : 16;
    localparam [WAIT_BITS-1:0] LONGEST = {{(WAIT_BITS - 1) {1'b1}}, 1'b0};
    reg  [WAIT_BITS-1:0] since, idle;
    reg  [10:0]  space;
    reg          stepped;
    reg          overrun;  // the image goes on beyond its last byte
    reg  [2:0]   tail;
    reg  [PROGRAM_BITS-1:0] counter;

    wire [2:0]  op, next_op;
    wire        barrier, returns;
    wire [10:0] spacing;
    wire [7:0]  stride_y, stride_x;
    wire [15:0] positions, entries;
    wire [11:0] out_width, window_height, window_width;
    wire [19:0] stride_pitch;
    assign {op, barrier, first, returns, spacing, positions, out_width, stride_y, stride_x, width,
            height, stride_pitch, window_height, window_width, descriptor, route, row_tile, entries,
            maximum, multiplier, pool_shift} = present;
    assign next_op = next_word[213:211];
    wire next_barrier = next_word[210];
    wire next_returns = next_word[208];
    assign is_tile = active && op == TILE;
    assign is_pool = active && op == POOL;
    assign is_image = active && op == IMAGE;
    assign is_send = active && op == SEND;

    // The ends of positions and instructions, seen in the last cycle of a word time.
    wire slot_end = {{(32 - PHASE_BITS) {1'b0}}, phase} == WORD_CYCLES - 1;
    wire last_position = position == final_position;
    wire last_entry = entry == final_entry;
    wire position_ends = is_tile && slot_end && space == spacing - 11'd1;
    wire tile_ends = position_ends && last_position;
    wire other_ends = slot_end && stepped && (!is_pool || tail >= 3'd5);
    wire op_ends = tile_ends || other_ends;

    wire [WAIT_BITS-1:0] since_now = since + 1'b1;
    wire [WAIT_BITS-1:0] idle_now = tile_ends ? {WAIT_BITS{1'b0}} : idle + 1'b1;
    wire [31:0] since_words = {{(32 - WAIT_BITS) {1'b0}}, since_now};
    wire [31:0] idle_words = {{(32 - WAIT_BITS) {1'b0}}, idle_now};
    wire drained_now = drained || idle_words >= MIN_DRAIN;
    wire drains = next_op != TILE || next_barrier;  // the next one needs all earlier words
    wire fed = next_op != TILE || (since_words >= MIN_LOAD
                                   && (!next_returns || since_words >= MIN_RETURN));
    wire clear = !drains || drained_now;
    wire next_up = busy && slot_end && (!active || op_ends);
    wire start = next_up && clear && fed;
    wire start_run = go && !busy && slot_end;
    wire finish = start && next_op == END;
    assign program_address = LATE != 0 ? counter
                           : start_run || !busy ? {PROGRAM_BITS{1'b0}}
                           : start ? counter + 1'b1 : counter;

    assign issue = is_tile && space == 11'd0;
    assign stepping = is_pool && !stepped;
    assign image_ready = is_image && !stepped;
    wire took = image_ready && image_valid;
    wire whole = last_position && last_entry;
    wire sent = is_send && !stepped && send_step == 2'd2 && result_ready;

    position_walker walker (
        .clk(clk), .start(start || (stepping && window_last && last_position)),
        .step(position_ends || stepping), .out_width(out_width), .stride_y(stride_y),
        .stride_x(stride_x), .pitch(width), .stride_pitch(stride_pitch),
        .origin(24'd0), .window_height(window_height), .window_width(window_width), .place_y(place_y),
        .place_x(place_x), .linear(linear), .window_first(window_first), .window_last(window_last)
    );

    always @(posedge clk) begin
        phase <= slot_end || reset ? {PHASE_BITS{1'b0}} : phase + 1'b1;
        run_start <= start_run;
        op_start <= start && !finish;
        if (busy) cycles <= cycles + 32'd1;
        if (issue && slot_end) entered <= entered + 32'd1;
        if (next_up && clear && !fed) stalled <= stalled + 32'd1;
        if (start_run) begin
            busy <= 1'b1;
            active <= 1'b0;
            drained <= 1'b1;
            counter <= {PROGRAM_BITS{1'b0}};
            cycles <= 32'd0;
            entered <= 32'd0;
            stalled <= 32'd0;
            since <= {WAIT_BITS{1'b0}};
        end else if (slot_end && since != LONGEST) begin
            since <= since_now;
        end
        if (slot_end && !is_tile && idle != LONGEST) idle <= idle + 1'b1;
        if (tile_ends) idle <= {WAIT_BITS{1'b0}};

        // Steps within an instruction.
        if (is_tile && slot_end) space <= position_ends ? 11'd0 : space + 11'd1;
        if (position_ends || (took && !overrun) || (stepping && window_last)
            || (sent && !stepped)) begin
            position <= last_position ? 16'd0 : position + 16'd1;
            if (last_position && !is_tile) begin
                entry <= entry + 16'd1;
                send_row <= lane_ends ? 16'd0 : send_row + 16'd1;
                if (lane_ends) send_lane <= send_lane + 16'd1;
                if (last_entry && (!is_image || image_last)) stepped <= 1'b1;
            end
        end
        if (took) begin
            overrun <= !image_last && (overrun || whole);
            if (image_last ? overrun || !whole : whole) begin
                position <= 16'd0;
                entry <= 16'd0;
            end
        end
        image_dropped <= took && image_last && (overrun || !whole);
        if (is_send && !stepped && (send_step != 2'd2 || result_ready))
            send_step <= send_step == 2'd2 ? 2'd0 : send_step + 2'd1;
        result_valid <= !reset && is_send
                     && (send_step == 2'd1 || (send_step == 2'd2 && !result_ready));
        if (stepped && tail != 3'd7) tail <= tail + 3'd1;

        if (op_ends) active <= 1'b0;
        if (start) begin
            present <= next_word;
            final_position <= next_word[196:181] - 16'd1;
            final_entry <= next_word[36:21] - 16'd1;
            active <= !finish;
            op_number <= counter;
            counter <= counter + 1'b1;
            space <= 11'd0;
            position <= 16'd0;
            entry <= 16'd0;
            send_row <= 16'd0;
            send_lane <= 16'd0;
            send_step <= 2'd0;
            stepped <= 1'b0;
            overrun <= 1'b0;
            tail <= 3'd0;
            drained <= next_op != TILE;
            if (next_op == TILE) since <= {WAIT_BITS{1'b0}};
            if (finish) busy <= 1'b0;
        end
        if (reset) begin
            run_start <= 1'b0;
            op_start <= 1'b0;
            busy <= 1'b0;
            active <= 1'b0;
            image_dropped <= 1'b0;
            cycles <= 32'd0;
            entered <= 32'd0;
            stalled <= 32'd0;
        end
    end
endmodule
