// SPDX-License-Identifier: Apache-2.0
// Writes the weights of a tile into the array, LOADS words one after another.
//
// WAIT cycles after `start` the first address is given, `base` as it was with `start`. Where cells
// hold two weights, a load of the next tile follows the wave in which the array takes the present
// one; else it goes with the wave. Reset: synchronous, active high.
module tile_loader #(
    parameter LOADS = 32,
    parameter COLUMN_BITS = 5,
    parameter WAIT = 10,
    parameter ADDRESS_BITS = 10
) (
    input  wire                    clk,
    input  wire                    reset,
    input  wire                    start,
    input  wire [ADDRESS_BITS-1:0] base,
    output wire [ADDRESS_BITS-1:0] address,
    output reg                     load,         // a cycle after the address, as the data
    output reg  [COLUMN_BITS-1:0]  load_column
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
    assign address = !begin_now ? next_address : WAIT == 0 ? base : held;
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
