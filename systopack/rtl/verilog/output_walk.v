// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some fields serve only some steps
// Follows the steps that leave the array: which tile, which position, and what becomes of them.
//
// It walks a program of its own, one entry for each row tile. `word` comes two cycles before the
// rows' turns, `step` one before them, for the streams of residual operands. With a pooling in the
// lanes it counts windows; in a pooling step every step is a window element.
// Reset: synchronous, active high; a run's start is one too.
module output_walk #(
    parameter LANE_ROWS = 8,
    parameter ROW_BITS = 3,
    parameter PROGRAM_BITS = 8,
    parameter PHASE_BITS = 2,
    parameter POOL_BITS = 4,
    parameter SUM_POSITION_BITS = 6
) (
    input  wire                    clk,
    input  wire                    reset,
    input  wire                    run_start,
    input  wire                    word,
    output wire                    program_read,
    output wire [PROGRAM_BITS-1:0] program_address,
    input  wire [256:0]            program_word,
    // Streams of residual operands.
    output wire                    step,  // of a last column tile: others have no operands
    output wire                    step_run_start,
    output wire [PHASE_BITS-1:0]   step_low,
    output wire [PHASE_BITS:0]     step_bytes,
    // Lanes, with the turns.
    output reg                     turn,
    output reg  [ROW_BITS-1:0]     turn_row,
    output reg                     first,
    output reg                     last,
    output reg                     keep,
    output reg                     requantized,
    output reg                     bypass,
    output reg  [SUM_POSITION_BITS-1:0] position,
    output reg  [15:0]             row_tile,
    output reg  [1:0]              pool,
    output reg                     pool_first,
    output reg                     pool_last,
    output reg  [POOL_BITS-1:0]    pool_index,
    output reg                     masked,
    output reg  [14:0]             multiplier,
    output reg  [4:0]              pool_shift,
    output reg                     split,
    output reg  [23:0]             index,
    output reg                     final_index,        // index is the plane's last byte
    output reg                     final_upper,  // the one after it is
    output reg                     flush,
    output reg                     store
);
    /* verilator no_inline_module */  // one copy of its code for all instances
    reg  [256:0] present;
    wire [11:0]  column_tiles, blocks, window_height, window_width, out_width, pooled_width;
    wire [11:0]  pooled_height, height, width;
    wire [23:0]  steps, last_steps, final_byte;
    wire [15:0]  tile_rows;
    wire [1:0]   pool_kind;
    wire [14:0]  factor;
    wire [4:0]   shift;
    wire [7:0]   stride_y, stride_x, top, left;
    wire         kept, rounded, residual, pool_step, halves, write, gather;
    assign {column_tiles, blocks, steps, last_steps, kept, rounded, residual, pool_step, halves,
            write, gather, tile_rows, final_byte, pool_kind, window_height, window_width,
            out_width, pooled_width, pooled_height, factor, shift, stride_y, stride_x, top, left,
            height, width} = present;

    // The present step.
    reg  [PROGRAM_BITS-1:0] begun;  // row tiles
    reg  [23:0] remaining, place, plain, plain_start;  // in the visit; positions of the layer
    reg  [11:0] plain_x, tile, block, inner_x, inner_y, outer_x, outer_y, outer_start;
    reg  [23:0] row_index, row_start;
    reg         over;
    wire last_tile = tile == column_tiles - 12'd1;
    wire last_block = block == blocks - 12'd1;
    wire ends = remaining == 24'd1;
    wire new_op = word && (over || (ends && last_tile && last_block));
    wire new_visit = word && ends;
    wire [23:0] amount = halves ? 24'd2 : 24'd1;
    reg counted;  // `begun` has moved
    always @(posedge clk) counted <= new_op || run_start || reset;
    assign program_read = LANE_ROWS > 3 ? counted : run_start || new_op;
    assign program_address = LANE_ROWS > 3 ? begun
                           : run_start ? {PROGRAM_BITS{1'b0}} : new_op ? begun + 1'b1 : begun;

    // Windows: of a pooling in the lanes they lie beside each other, of a pooling step they are walked.
    wire fused = pool_kind != 2'd0 && !pool_step;
    wire inner_x_ends = inner_x == window_width - 12'd1;
    wire inner_y_ends = inner_y == window_height - 12'd1;
    wire row_ends = plain_x == out_width - 12'd1;
    wire [11:0] place_y, place_x;
    wire [23:0] linear;
    wire        walk_first, walk_last;
    wire        step_pool = pool_step;
    wire [19:0] product = {12'd0, stride_y} * {8'd0, width};
    wire [19:0] stride_pitch;
    generate
        if (LANE_ROWS > 3) begin : g_later  // there is a cycle before the next step
            reg [19:0] known;
            always @(posedge clk) if (counted) known <= product;
            assign stride_pitch = known;
        end else begin : g_now
            assign stride_pitch = product;
        end
    endgenerate
    position_walker walker (
        .clk(clk), .start(new_op), .step(word && step_pool), .out_width(out_width),
        .stride_y(stride_y), .stride_x(stride_x), .pitch(width),
        .stride_pitch(stride_pitch), .origin(24'd0), .window_height(window_height),
        .window_width(window_width), .place_y(place_y), .place_x(place_x), .linear(linear),
        .window_first(walk_first), .window_last(walk_last)
    );
    wire [12:0] source_y = {1'b0, place_y} - {5'd0, top};
    wire [12:0] source_x = {1'b0, place_x} - {5'd0, left};
    wire outside = source_y >= {1'b0, height} || source_x >= {1'b0, width};
    wire beyond = outer_x >= pooled_width || outer_y >= pooled_height;

    reg stepped;
    assign step = stepped && last_tile;
    assign step_run_start = gather || place == 24'd0;
    assign step_low = pool_step ? linear[PHASE_BITS-1:0] : plain[PHASE_BITS-1:0];
    localparam [PHASE_BITS:0] ONE = 1;
    assign step_bytes = gather ? ONE << PHASE_BITS : halves ? ONE << 1 : ONE;

    // The output position of a pooling step.
    reg [23:0] pool_place;
    always @(posedge clk) begin
        if ((word && walk_last) || new_op) pool_place <= new_op ? 24'd0 : pool_place + 24'd1;
    end

    wire [11:0] first_blocks = program_word[244:233];
    always @(posedge clk) begin
        stepped <= word && !reset;
        if (word) begin
            place <= place + 24'd1;
            plain <= plain + amount;
            remaining <= remaining - 24'd1;
            over <= 1'b0;
            // Windows beside each other.
            plain_x <= row_ends ? 12'd0 : plain_x + 12'd1;
            inner_x <= inner_x_ends || row_ends ? 12'd0 : inner_x + 12'd1;
            outer_x <= row_ends ? 12'd0 : inner_x_ends ? outer_x + 12'd1 : outer_x;
            if (row_ends) begin
                inner_y <= inner_y_ends ? 12'd0 : inner_y + 12'd1;
                if (inner_y_ends) begin
                    outer_y <= outer_y + 12'd1;
                    row_index <= row_index + {12'd0, pooled_width};
                end
            end
            if (new_visit) begin
                place <= 24'd0;
                {inner_x, inner_y, outer_x, plain_x} <= 48'd0;
                tile <= tile + 12'd1;
                remaining <= last_block ? last_steps : steps;
                plain <= plain_start;
                outer_y <= outer_start;
                row_index <= row_start;
                if (last_tile) begin
                    tile <= 12'd0;
                    block <= block + 12'd1;
                    remaining <= block == blocks - 12'd2 ? last_steps : steps;
                    plain <= plain + amount;
                    plain_start <= plain + amount;
                    outer_y <= outer_y + 12'd1;
                    outer_start <= outer_y + 12'd1;
                    row_index <= row_index + {12'd0, pooled_width};
                    row_start <= row_index + {12'd0, pooled_width};
                end
            end
            if (new_op) begin
                present <= program_word;
                begun <= begun + 1'b1;
                {tile, block, outer_y, outer_start} <= 48'd0;
                {plain, plain_start, row_index, row_start} <= 96'd0;
                {inner_x, inner_y, outer_x, plain_x} <= 48'd0;
                place <= 24'd0;
                remaining <= first_blocks == 12'd1 ? program_word[208:185] : program_word[232:209];
            end
        end
        if (stepped) begin
            turn <= 1'b1;
            turn_row <= {ROW_BITS{1'b0}};
            first <= tile == 12'd0;
            last <= last_tile;
            keep <= kept;
            requantized <= rounded;
            bypass <= pool_step;
            position <= place[SUM_POSITION_BITS-1:0];
            row_tile <= tile_rows;
            pool <= pool_kind;
            pool_first <= pool_step ? walk_first : inner_x == 12'd0 && inner_y == 12'd0;
            pool_last <= pool_step ? walk_last : inner_x_ends && inner_y_ends && !beyond;
            pool_index <= pool_step || beyond ? {POOL_BITS{1'b0}} : outer_x[POOL_BITS-1:0];
            masked <= pool_step ? outside : fused && beyond;
            multiplier <= factor;
            pool_shift <= shift;
            split <= halves;
            index <= fused ? row_index + {12'd0, outer_x} : pool_step ? pool_place : plain;
            final_index <= (fused ? row_index + {12'd0, outer_x} : pool_step ? pool_place : plain)
                     == final_byte;
            final_upper <= plain + 24'd1 == final_byte;
            flush <= ends;
            store <= write && last_tile;
        end else if ({{(32 - ROW_BITS) {1'b0}}, turn_row} == LANE_ROWS - 1) begin
            turn <= 1'b0;
        end else begin
            turn_row <= turn_row + 1'b1;
        end
        if (run_start || reset) begin
            over <= 1'b1;
            begun <= {PROGRAM_BITS{1'b0}};
            remaining <= 24'd0;
            turn <= 1'b0;
            stepped <= 1'b0;
        end
    end
endmodule
