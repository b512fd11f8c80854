// SPDX-License-Identifier: Apache-2.0
// One port that reads or writes, registered read: maps to single-port memory. No reset.
module single_memory #(
    parameter WIDTH = 8,
    parameter ADDRESS_BITS = 10,
    parameter WORDS = 1 << ADDRESS_BITS
) (
    input  wire                    clk,
    input  wire                    read,
    input  wire                    write,       // not together with `read`
    input  wire [ADDRESS_BITS-1:0] address,
    input  wire [WIDTH-1:0]        write_data,
    output reg  [WIDTH-1:0]        read_data    // from the cycle after `read` until the next one
);
    reg [WIDTH-1:0] words[0:WORDS-1];
    always @(posedge clk) begin
        if (write) words[address] <= write_data;
        if (read) read_data <= words[address];
    end
endmodule
