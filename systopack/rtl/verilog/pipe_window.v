// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
// A line buffer: the last DEPTH words of a tensor (all CHANNELS in a word), and the READS
// displaced words that an output position needs, one a cycle.
//
// Words are written in raster order, image after image, without a gap between them. Read j
// gives the word at the place + (dy, dx) of displacement j, FILL outside the image.
// Latency: read j is on `word`, with `reading` and `index`, j + 3 cycles after `issue`.
// Throughput: a position every READS cycles. Reset: of addresses and valids, synchronous.
module pipe_window #(
    parameter CHANNELS = 4,
    parameter DEPTH = 20,
    parameter ADDRESS_BITS = DEPTH > 2 ? $clog2(DEPTH) : 1,       // 2**ADDRESS_BITS >= DEPTH
    parameter READS = 8,
    parameter READ_BITS = READS > 2 ? $clog2(READS) : 1,
    parameter STEP_X = 1,             // distances of words, modulo DEPTH: to the next position,
    parameter STEP_Y = 1,             // to the first one of the next row,
    parameter STEP_IMAGE = 1,         // to the first one of the next image
    parameter IN_HEIGHT = 8,
    parameter IN_WIDTH = 8,
    parameter PLACE_BITS = 5,
    parameter FILL = 0,               // 0..255
    // By displacement: its distance modulo DEPTH, dy and dx; 16 bits each.
    parameter [16*READS-1:0] OFFSETS = {READS{16'd0}},
    parameter [16*READS-1:0] DY = {READS{16'd0}},
    parameter [16*READS-1:0] DX = {READS{16'd0}}
) (
    input  wire                  clk,
    input  wire                  reset,
    input  wire                  write,
    input  wire [8*CHANNELS-1:0] data,
    input  wire                  issue,
    input  wire                  last_x,
    input  wire                  last,
    input  wire [PLACE_BITS-1:0] place_y,
    input  wire [PLACE_BITS-1:0] place_x,
    output wire [8*CHANNELS-1:0] word,
    output reg                   reading,
    output reg  [READ_BITS-1:0]  index
);
    localparam [31:0] END = DEPTH - 1;
    localparam [31:0] NEXT_X = STEP_X;
    localparam [31:0] NEXT_Y = STEP_Y;
    localparam [31:0] NEXT_IMAGE = STEP_IMAGE;
    localparam [31:0] LAST_READ = READS - 1;
    localparam [31:0] OUTSIDE = FILL;

    // Parameters that contradict each other stop elaboration with the module's name as the message.
    genvar j;
    generate
        if (CHANNELS < 1 || DEPTH < 1 || READS < 1) begin : g_wrong_0
            wrong_parameters_CHANNELS_DEPTH_and_READS_must_be_1_or_more stop ();
        end
        if ((1 << ADDRESS_BITS) < DEPTH || ADDRESS_BITS > 16 || (1 << READ_BITS) < READS) begin : g_wrong_1
            wrong_parameters_ADDRESS_BITS_or_READ_BITS_does_not_fit_DEPTH_and_READS stop ();
        end
        if (STEP_X >= DEPTH || STEP_Y >= DEPTH || STEP_IMAGE >= DEPTH || STEP_X < 0 || STEP_Y < 0
            || STEP_IMAGE < 0) begin : g_wrong_2
            wrong_parameters_a_step_is_not_below_DEPTH stop ();
        end
        if (FILL < 0 || FILL > 255) begin : g_wrong_3
            wrong_parameters_FILL_must_be_0_to_255 stop ();
        end
        for (j = 0; j < READS; j = j + 1) begin : g_offset
            if (OFFSETS[16*j+:16] >= DEPTH) begin : g_wrong
                wrong_parameters_an_entry_of_OFFSETS_is_not_below_DEPTH stop ();
            end
        end
    endgenerate


    wire [8*CHANNELS-1:0]  stored;
    reg [ADDRESS_BITS-1:0] write_address, base, reading_base, address;
    reg                    running, running_1, inside_1, inside_2;
    reg [READ_BITS-1:0]    turn, turn_1;
    reg [PLACE_BITS-1:0]   reading_y, reading_x;

    function [ADDRESS_BITS-1:0] moved(
        input [ADDRESS_BITS-1:0] from, input [ADDRESS_BITS-1:0] distance
    );
        reg [ADDRESS_BITS:0] sum;
        reg [ADDRESS_BITS:0] folded;
        begin
            sum = {1'b0, from} + {1'b0, distance};
            folded = sum - END[ADDRESS_BITS:0] - 1'b1;
            moved = sum > END[ADDRESS_BITS:0] ? folded[ADDRESS_BITS-1:0] : sum[ADDRESS_BITS-1:0];
        end
    endfunction

    wire [15:0] offset = OFFSETS[16*turn+:16];
    wire signed [31:0] dy = {{16{DY[16*turn+15]}}, DY[16*turn+:16]};
    wire signed [31:0] dx = {{16{DX[16*turn+15]}}, DX[16*turn+:16]};
    wire signed [31:0] y = {{(32 - PLACE_BITS) {1'b0}}, reading_y} + dy;
    wire signed [31:0] x = {{(32 - PLACE_BITS) {1'b0}}, reading_x} + dx;

    memory #(.WIDTH(8 * CHANNELS), .ADDRESS_BITS(ADDRESS_BITS), .WORDS(DEPTH)) lines (
        .clk(clk), .write(write), .write_address(write_address), .write_data(data),
        .read(running_1), .read_address(address), .read_data(stored)
    );
    always @(posedge clk) begin
        if (write)
            write_address <= write_address == END[ADDRESS_BITS-1:0] ? {ADDRESS_BITS{1'b0}}
                                                                    : write_address + 1'b1;
        if (issue) begin
            reading_base <= base;
            reading_y <= place_y;
            reading_x <= place_x;
            turn <= {READ_BITS{1'b0}};
            running <= 1'b1;
            base <= moved(base, last ? NEXT_IMAGE[ADDRESS_BITS-1:0]
                              : last_x ? NEXT_Y[ADDRESS_BITS-1:0] : NEXT_X[ADDRESS_BITS-1:0]);
        end else if (running) begin
            if (turn == LAST_READ[READ_BITS-1:0]) running <= 1'b0;
            else turn <= turn + 1'b1;
        end
        address <= moved(reading_base, offset[ADDRESS_BITS-1:0]);
        inside_1 <= y >= 0 && y < IN_HEIGHT && x >= 0 && x < IN_WIDTH;
        {running_1, turn_1} <= {running, turn};
        inside_2 <= inside_1;
        {reading, index} <= {running_1, turn_1};
        if (reset) begin
            write_address <= {ADDRESS_BITS{1'b0}};
            base <= {ADDRESS_BITS{1'b0}};
            {running, running_1, reading} <= 3'd0;
        end
    end
    assign word = inside_2 ? stored : {CHANNELS{OUTSIDE[7:0]}};
endmodule
