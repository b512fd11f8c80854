// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
// Pooling of all channels at once: a window's words arrive one a cycle.
//
// Maximum: the word is there 1 cycle after the last one of the window. Average:
// round(sum * MULTIPLIER / 2**SHIFT), saturated, LANE_CHANNELS channels share a multiplier, and the
// word is there LANE_CHANNELS + 4 cycles after it. Words outside the image are -128 for the maximum,
// 0 for the average (`pipe_window`'s FILL). Latency counts from the last word's cycle. Reset: of the
// turns and sums, synchronous, active high.
module pipe_pool #(
    parameter CHANNELS = 4,
    parameter READS = 4,
    parameter READ_BITS = READS > 2 ? $clog2(READS) : 1,
    parameter MAXIMUM = 1,
    parameter MULTIPLIER = 1,
    parameter SHIFT = 0,
    parameter LANE_CHANNELS = 4,
    parameter LANE_BITS = LANE_CHANNELS > 2 ? $clog2(LANE_CHANNELS) : 1) (
    input  wire                  clk,
    input  wire                  reset,
    input  wire [8*CHANNELS-1:0] word,
    input  wire                  reading,
    input  wire [READ_BITS-1:0]  index,
    output wire [8*CHANNELS-1:0] pooled
);
    localparam [31:0] LAST = READS - 1;

    // Parameters that contradict each other stop elaboration with the module's name as the message.
    generate
        if (CHANNELS < 1 || READS < 1 || LANE_CHANNELS < 1) begin : g_wrong_0
            wrong_parameters_CHANNELS_READS_and_LANE_CHANNELS_must_be_1_or_more stop ();
        end
        if ((1 << READ_BITS) < READS || (1 << LANE_BITS) < LANE_CHANNELS) begin : g_wrong_1
            wrong_parameters_READ_BITS_or_LANE_BITS_is_too_small_for_what_it_counts stop ();
        end
        if (MAXIMUM < 0 || MAXIMUM > 1 || MULTIPLIER < 0 || MULTIPLIER > 32767 || SHIFT < 0
            || SHIFT > 31) begin : g_wrong_2
            wrong_parameters_MAXIMUM_MULTIPLIER_or_SHIFT_is_out_of_its_range stop ();
        end
    endgenerate

    wire first = index == {READ_BITS{1'b0}};
    wire last = reading && index == LAST[READ_BITS-1:0];
    genvar c, u;
    generate
        if (MAXIMUM == 1) begin : g_maximum
            for (c = 0; c < CHANNELS; c = c + 1) begin : g_channel
                wire signed [7:0] member = word[8*c+:8];
                reg  signed [7:0] largest;
                always @(posedge clk)
                    if (reading && (first || member > largest)) largest <= member;
                assign pooled[8*c+:8] = largest;
            end
        end else begin : g_average
            localparam LANES = (CHANNELS + LANE_CHANNELS - 1) / LANE_CHANNELS;
            localparam [LANES*LANE_CHANNELS*24-1:0] NOTHING = 0;
            localparam [31:0] LAST_TURN = LANE_CHANNELS - 1;
            localparam [31:0] FACTOR = MULTIPLIER;
            localparam [31:0] PLACES = SHIFT;
            reg  [24*CHANNELS-1:0] so_far;  // the sums of the window's words so far
            wire [24*CHANNELS-1:0] total;
            reg  [LANES*LANE_CHANNELS*24-1:0] waiting;
            for (c = 0; c < CHANNELS; c = c + 1) begin : g_sum
                assign total[24*c+:24] = so_far[24*c+:24] + {{16{word[8*c+7]}}, word[8*c+:8]};
            end
            always @(posedge clk) begin
                if (reading || reset) so_far <= last || reset ? {24 * CHANNELS{1'b0}} : total;
                if (last) waiting <= NOTHING | total;
            end
            reg                 turn, turn_1, turn_2, turn_3;
            reg [LANE_BITS-1:0] channel, channel_1, channel_2, channel_3;
            always @(posedge clk) begin
                if (last) begin
                    turn <= 1'b1;
                    channel <= {LANE_BITS{1'b0}};
                end else if (channel == LAST_TURN[LANE_BITS-1:0]) begin
                    turn <= 1'b0;
                end else begin
                    channel <= channel + 1'b1;
                end
                {turn_1, channel_1} <= {turn, channel};
                {turn_2, channel_2} <= {turn_1, channel_1};
                {turn_3, channel_3} <= {turn_2, channel_2};
                if (reset) {turn, turn_1, turn_2, turn_3} <= 4'd0;
            end
            for (u = 0; u < LANES; u = u + 1) begin : g_lane
                reg signed [23:0] sum_1;
                reg signed [39:0] scaled_2;
                reg        [7:0]  result_3;
                wire       [7:0]  rounded;
                wire [24*LANE_CHANNELS-1:0] mine =
                    waiting[24*LANE_CHANNELS*u+:24*LANE_CHANNELS];
                always @(posedge clk) begin
                    sum_1    <= mine[24*channel+:24];
                    scaled_2 <= sum_1 * $signed({1'b0, FACTOR[14:0]});
                    result_3 <= rounded;
                end
                requantize #(.WIDTH(40)) round (
                    .value(scaled_2), .shift(PLACES[4:0]), .result(rounded)
                );
                for (c = u * LANE_CHANNELS; c < (u + 1) * LANE_CHANNELS && c < CHANNELS; c = c + 1)
                begin : g_channel
                    localparam [31:0] MINE = c - u * LANE_CHANNELS;
                    reg [7:0] held;
                    always @(posedge clk) if (turn_3 && channel_3 == MINE[LANE_BITS-1:0]) held <= result_3;
                    assign pooled[8*c+:8] = held;
                end
            end
        end
    endgenerate
endmodule
