// SPDX-License-Identifier: Apache-2.0
// One write port, one read port that answers in the same cycle: a register file. No reset.
//
// What is written is read from the next cycle on; the word before it until then.
module register_memory #(
    parameter WIDTH = 8,
    parameter ADDRESS_BITS = 10,
    parameter WORDS = 1 << ADDRESS_BITS
) (
    input  wire                    clk,
    input  wire                    write,
    input  wire [ADDRESS_BITS-1:0] write_address,
    input  wire [WIDTH-1:0]        write_data,
    input  wire [ADDRESS_BITS-1:0] read_address,
    output wire [WIDTH-1:0]        read_data       // in the cycle of read_address
);
    reg [WIDTH-1:0] words[0:WORDS-1];
    assign read_data = words[read_address];
    always @(posedge clk) if (write) words[write_address] <= write_data;
endmodule
