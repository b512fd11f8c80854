// SPDX-License-Identifier: Apache-2.0
// A bank of the feature memory: words of WORD_BYTES bytes, one port, byte enables, registered read.
//
// In a cycle with `access` a word is written (any of `enables`) or read. What was read stays until
// the next access; after a write `read_data` is of no use to anybody, so that a word may lie in
// several block memories, of which those read that are not written.
// Latency of a read: 1 cycle. No reset.
module feature_bank #(
    parameter WORD_BYTES = 4,
    parameter ADDRESS_BITS = 10,
    parameter WORDS = 1 << ADDRESS_BITS
) (
    input  wire                    clk,
    input  wire                    access,
    input  wire [WORD_BYTES-1:0]   enables,     // bytes that are written
    input  wire [ADDRESS_BITS-1:0] address,
    input  wire [8*WORD_BYTES-1:0] write_data,
    output reg  [8*WORD_BYTES-1:0] read_data
);
    /* verilator no_inline_module */  // one copy of its code for all instances
    reg [8*WORD_BYTES-1:0] words[0:WORDS-1];
    integer b;
    always @(posedge clk)
        if (access) begin
            for (b = 0; b < WORD_BYTES; b = b + 1)
                if (enables[b]) words[address][8*b+:8] <= write_data[8*b+:8];
            if (enables == {WORD_BYTES{1'b0}}) read_data <= words[address];
        end
endmodule
