// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // upper bits of places
// Gathers the bytes of an image to words of its planes: a byte a cycle, channel by channel.
//
// Channels lie in the banks in turn; those of a bank follow each other at `pitch` words. All planes
// begin with byte `first_byte` of their first word; what is before and after them becomes zeros.
// Latency: a word is written in the cycle after its last byte. Reset: synchronous, active high.
module image_words #(
    parameter BANKS = 16,
    parameter BANK_BITS = 4,
    parameter WORD_BYTES = 4,
    parameter PHASE_BITS = 2,
    parameter FEATURE_BITS = 10
) (
    input  wire                    clk,
    input  wire                    reset,
    input  wire                    took,           // a byte, in this cycle
    input  wire [7:0]              image_byte,
    input  wire [15:0]             channel,
    input  wire [23:0]             position,       // of its plane
    input  wire                    last_position,
    input  wire [15:0]             plane,          // of channel 0, in words
    input  wire [15:0]             pitch,
    input  wire [5:0]              first_byte,
    output reg                     write,
    output reg  [BANK_BITS-1:0]    bank,
    output reg  [FEATURE_BITS-1:0] address,
    output reg  [8*WORD_BYTES-1:0] data
);
    localparam BITS = 8 * WORD_BYTES;
    reg  [BITS-1:0]       gathered;
    wire [23:0]           place = position + {18'd0, first_byte};
    wire [PHASE_BITS-1:0] in_word = place[PHASE_BITS-1:0];
    wire                  ends = &in_word || last_position;
    wire [BITS-1:0]       now = (position == 24'd0 ? {BITS{1'b0}} : gathered)
                              | ({{(BITS - 8) {1'b0}}, image_byte} << {in_word, 3'd0});
    // A channel lies behind the one before it in its bank.
    reg  [FEATURE_BITS-1:0] behind;  // of the banks' first channel with this rank
    wire [FEATURE_BITS-1:0] start = {16'd0, channel} < BANKS ? plane[FEATURE_BITS-1:0] : behind;
    always @(posedge clk) begin
        write <= took && ends && !reset;
        bank <= channel[BANK_BITS-1:0];
        data <= now;
        address <= start + place[PHASE_BITS+:FEATURE_BITS];
        if (took && last_position && ({16'd0, channel} + 32'd1) % BANKS == 0)
            behind <= start + pitch[FEATURE_BITS-1:0];
        if (took) gathered <= ends ? {BITS{1'b0}} : now;
    end
endmodule
