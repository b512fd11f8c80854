// SPDX-License-Identifier: Apache-2.0
// The weights of all tiles, and their way into the array: LOADS words one after another.
//
// WAIT cycles after `start` the first address is given, `base` as it was with `start`. Where cells
// hold two weights, a load of the next tile follows the wave in which the array takes the present
// one; else it goes with the wave. Reset: synchronous, active high.
module tile_weights #(
    parameter LOADS = 32,
    parameter COLUMN_BITS = 5,
    parameter WAIT = 10,
    parameter ADDRESS_BITS = 10,
    parameter WORDS = 1 << ADDRESS_BITS,
    parameter WIDTH = 352
) (
    input  wire                    clk,
    input  wire                    reset,
    input  wire                    write,        // before a run
    input  wire [ADDRESS_BITS-1:0] write_address,
    input  wire [WIDTH-1:0]        write_data,
    input  wire                    start,
    input  wire [ADDRESS_BITS-1:0] base,
    output reg                     load,         // a cycle after the address, as the data
    output reg  [COLUMN_BITS-1:0]  load_column,
    output wire [WIDTH-1:0]        load_data
);
    wire                    begin_now;
    reg                     running;
    reg  [COLUMN_BITS-1:0]  column;
    reg  [ADDRESS_BITS-1:0] next_address, held;
    valid_line #(.CYCLES(WAIT)) wait_line (
        .clk(clk), .reset(reset), .in(start), .out(begin_now)
    );
    wire step = begin_now || running;
    wire [COLUMN_BITS-1:0] column_now = begin_now ? {COLUMN_BITS{1'b0}} : column;
    wire column_ends = {{(32 - COLUMN_BITS) {1'b0}}, column_now} == LOADS - 1;
    wire [ADDRESS_BITS-1:0] address = !begin_now ? next_address : WAIT == 0 ? base : held;
    memory #(.WIDTH(WIDTH), .ADDRESS_BITS(ADDRESS_BITS), .WORDS(WORDS)) weights (
        .clk(clk), .write(write), .write_address(write_address), .write_data(write_data),
        .read(step), .read_address(address), .read_data(load_data)
    );
    always @(posedge clk) begin
        if (start) held <= base;
        load <= step && !reset;
        load_column <= column_now;
        if (step) begin
            next_address <= address + 1'b1;
            column <= column_ends ? {COLUMN_BITS{1'b0}} : column_now + 1'b1;
            running <= !column_ends;
        end
        if (reset) running <= 1'b0;
    end
endmodule
