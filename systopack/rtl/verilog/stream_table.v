// SPDX-License-Identifier: Apache-2.0
// The descriptors of all tiles' streams, and their way to array columns and lanes.
//
// A word is read with `load`; it comes a cycle later, with its number, to those who take it.
// Reset: of what is taken, synchronous, active high.
module stream_table #(
    parameter WIDTH = 1024,
    parameter ADDRESS_BITS = 8,
    parameter WORDS = 1 << ADDRESS_BITS
) (
    input  wire                    clk,
    input  wire                    reset,
    input  wire                    write,
    input  wire [ADDRESS_BITS-1:0] write_address,
    input  wire [WIDTH-1:0]        write_data,
    input  wire                    load,
    input  wire                    load_residual,  // it is the lanes'
    input  wire [ADDRESS_BITS-1:0] load_address,
    input  wire [5:0]              load_number,
    output reg                     for_array,
    output reg                     for_lanes,
    output reg  [5:0]              number,
    output wire [WIDTH-1:0]        descriptors
);
    memory #(.WIDTH(WIDTH), .ADDRESS_BITS(ADDRESS_BITS), .WORDS(WORDS)) kept (
        .clk(clk), .write(write), .write_address(write_address), .write_data(write_data),
        .read(load), .read_address(load_address), .read_data(descriptors)
    );
    always @(posedge clk) begin
        for_array <= load && !load_residual && !reset;
        for_lanes <= load && load_residual && !reset;
        number <= load_number;
    end
endmodule
