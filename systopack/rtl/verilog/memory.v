// SPDX-License-Identifier: Apache-2.0
// One write port, one read port, registered read: maps to block memory. No reset.
//
// What is read in the cycle in which the same word is written is of no use to anybody, so that
// block memories need no logic around them (`no_rw_check`).
module memory #(
    parameter WIDTH = 8,
    parameter ADDRESS_BITS = 10,
    parameter WORDS = 1 << ADDRESS_BITS
) (
    input  wire                    clk,
    input  wire                    write,
    input  wire [ADDRESS_BITS-1:0] write_address,
    input  wire [WIDTH-1:0]        write_data,
    input  wire                    read,
    input  wire [ADDRESS_BITS-1:0] read_address,
    output reg  [WIDTH-1:0]        read_data       // from the cycle after `read` until the next one
);
`ifdef SYSTOPACK_FPGA
    (* no_rw_check, ram_style = WIDTH >= 32 ? "block" : "auto" *)  // few look-up tables are free
`else
    (* no_rw_check *)
`endif
    reg [WIDTH-1:0] words[0:WORDS-1];
    always @(posedge clk) begin
        if (write) words[write_address] <= write_data;
        if (read) read_data <= words[read_address];
    end
endmodule
