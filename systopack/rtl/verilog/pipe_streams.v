// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
// Words read from a window, gathered and sent serially: one stream for each column of the filter
// matrix that is used.
//
// Stream s takes channel CHANNEL[s] of the read with index TURN[s]. `transfer` comes when all are
// gathered; the first bit follows one cycle later, the sign stays after the eighth. Reset: of
// `moving`, synchronous, active high.
module pipe_streams #(
    parameter STREAMS = 4,
    parameter CHANNELS = 4,
    parameter READ_BITS = 3,
    parameter WORD_BITS = 1,                                // 8: bit-parallel
    parameter [16*STREAMS-1:0] CHANNEL = {STREAMS{16'd0}},
    parameter [16*STREAMS-1:0] TURN = {STREAMS{16'd0}}
) (
    input  wire                         clk,
    input  wire                         reset,
    input  wire [8*CHANNELS-1:0]        word,
    input  wire                         reading,
    input  wire [READ_BITS-1:0]         index,
    input  wire                         transfer,
    output wire [STREAMS*WORD_BITS-1:0] stream
);
    // Parameters that contradict each other stop elaboration with the module's name as the message.
    genvar s;
    generate
        if (STREAMS < 1 || CHANNELS < 1) begin : g_wrong_0
            wrong_parameters_STREAMS_and_CHANNELS_must_be_1_or_more stop ();
        end
        if (WORD_BITS != 1 && WORD_BITS != 8) begin : g_wrong_1
            wrong_parameters_WORD_BITS_must_be_1_or_8 stop ();
        end
        for (s = 0; s < STREAMS; s = s + 1) begin : g_choice
            if (CHANNEL[16*s+:16] >= CHANNELS || TURN[16*s+:16] >= 1 << READ_BITS) begin : g_wrong
                wrong_parameters_an_entry_of_CHANNEL_or_TURN_is_out_of_range stop ();
            end
        end
    endgenerate

    // Registers move for the 8 cycles of a word only; the sign stays. Stream s has byte s.
    localparam [8*STREAMS-1:0] SIGNS = {STREAMS{8'h80}};
    reg [2:0]           left;
    reg                 moving;
    reg [8*STREAMS-1:0] gathered, leaving;
    always @(posedge clk) begin
        if (transfer) left <= 3'd7;
        else if (moving) left <= left - 3'd1;
        moving <= !reset && (transfer || (moving && left != 3'd1));
        if (transfer || moving)
            leaving <= transfer ? gathered : (leaving & SIGNS) | ((leaving >> 1) & ~SIGNS);
    end
    generate
        for (s = 0; s < STREAMS; s = s + 1) begin : g_stream
            always @(posedge clk)
                if (reading && index == TURN[16*s+:READ_BITS])
                    gathered[8*s+:8] <= word[8*CHANNEL[16*s+:16]+:8];
            assign stream[s*WORD_BITS+:WORD_BITS] = leaving[8*s+:WORD_BITS];
        end
    endgenerate
endmodule
