// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // the walker's rows and windows are not needed here
// Follows the words that leave the array: which tile, which position, and what becomes of them.
//
// It walks a program of its own, one entry a tile, a step ahead of the words. `word` comes the
// cycle before the rows' turns; when all bytes of a finished word are there, they are captured
// and written, one route entry a cycle. Reset: synchronous, active high; a run's start is one too.
module output_sequencer #(
    parameter LANE_ROWS = 8,
    parameter ROW_BITS = 3,
    parameter PROGRAM_BITS = 8
) (
    input  wire                    clk,
    input  wire                    reset,
    input  wire                    run_start,
    input  wire                    word,
    output wire [PROGRAM_BITS-1:0] program_address,
    input  wire [118:0]            program_word,
    output reg                     turn,
    output reg  [ROW_BITS-1:0]     turn_row,
    output wire                    last,
    output wire                    keep,
    output wire                    requantized,
    output wire [15:0]             row_tile,
    output wire [15:0]             residual,        // descriptor of the lane's first row
    output wire [23:0]             residual_linear,
    output reg  [15:0]             position,
    output wire                    capture,         // in this cycle all bytes are there
    output wire [15:0]             route_address,
    output reg                     store,           // a cycle after route_address
    output reg  [15:0]             store_offset,
    output reg  [PROGRAM_BITS-1:0] tile             // tiles begun
);
    reg  [118:0] present;
    reg  [15:0]  left;
    wire [15:0]  positions, route;
    wire [11:0]  writes, out_width;
    wire [7:0]   stride_x;
    wire [19:0]  stride_pitch;
    assign {positions, last, keep, requantized, row_tile, residual, route, writes, out_width,
            stride_x, stride_pitch} = present;
    wire new_tile = word && left == 16'd0;
    // With some cycles in a word time the address may come from the register.
    assign program_address = LANE_ROWS > 3 ? tile
                           : run_start ? {PROGRAM_BITS{1'b0}} : new_tile ? tile + 1'b1 : tile;

    wire [11:0] unused_y, unused_x;
    wire        unused_first, unused_last;
    position_walker walker (
        .clk(clk), .start(new_tile), .step(word && !new_tile), .out_width(out_width),
        .stride_y(8'd0), .stride_x(stride_x), .pitch(12'd0), .stride_pitch(stride_pitch),
        .origin(24'd0), .window_height(12'd1), .window_width(12'd1), .place_y(unused_y), .place_x(unused_x),
        .linear(residual_linear), .window_first(unused_first), .window_last(unused_last)
    );

    always @(posedge clk) begin
        if (run_start || reset) begin
            left <= 16'd0;
            tile <= {PROGRAM_BITS{1'b0}};
            turn <= 1'b0;
        end else begin
            if (new_tile) begin
                present <= program_word;
                left <= program_word[118:103] - 16'd1;
                position <= 16'd0;
                tile <= tile + 1'b1;
            end else if (word) begin
                left <= left - 16'd1;
                position <= position + 16'd1;
            end
            if (word) begin
                turn <= 1'b1;
                turn_row <= {ROW_BITS{1'b0}};
            end else if ({{(32 - ROW_BITS) {1'b0}}, turn_row} == LANE_ROWS - 1) begin
                turn <= 1'b0;
            end else begin
                turn_row <= turn_row + 1'b1;
            end
        end
    end

    // The last row's byte is there LANE_ROWS + 6 cycles after the first row's turn.
    wire [15:0] due_route, due_position;
    wire [11:0] due_writes;
    valid_line #(.CYCLES(LANE_ROWS + 6)) due (
        .clk(clk), .reset(reset), .in(turn && turn_row == {ROW_BITS{1'b0}} && last), .out(capture)
    );
    delay_line #(.WIDTH(44), .CYCLES(LANE_ROWS + 6)) due_words (
        .clk(clk), .in({route, writes, position}), .out({due_route, due_writes, due_position})
    );
    reg [15:0] next_route;
    reg [11:0] remaining;
    assign route_address = capture ? due_route : next_route;
    always @(posedge clk) begin
        if (capture) begin
            next_route <= due_route + 16'd1;
            remaining <= due_writes == 12'd0 ? 12'd0 : due_writes - 12'd1;
            store <= due_writes != 12'd0;
            store_offset <= due_position;
        end else begin
            store <= remaining != 12'd0;
            if (remaining != 12'd0) begin
                next_route <= next_route + 16'd1;
                remaining <= remaining - 12'd1;
            end
        end
        if (run_start || reset) begin
            remaining <= 12'd0;
            store <= 1'b0;
        end
    end
endmodule
