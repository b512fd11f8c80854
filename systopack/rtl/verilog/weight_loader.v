// SPDX-License-Identifier: Apache-2.0
// Writes the weights of the next tile into the array, column after column.
//
// `start` is the first cycle of a tile (or of a run); WAIT cycles later the first address is
// given, so that the load follows the wave in which the array takes the present weights over. Where
// cells have no next weights, it goes with the wave and `start` is that of the tile itself.
// Tiles lie one after another in the weight memory. Reset: synchronous, active high.
module weight_loader #(
    parameter COLUMNS = 32,
    parameter COLUMN_BITS = 5,
    parameter WAIT = 10,
    parameter ADDRESS_BITS = 10
) (
    input  wire                    clk,
    input  wire                    reset,
    input  wire                    run_start,
    input  wire                    start,
    output wire [ADDRESS_BITS-1:0] address,
    output reg                     load,         // a cycle after the address, as the data
    output reg  [COLUMN_BITS-1:0]  load_column
);
    wire                    begin_now;
    reg                     running;
    reg  [COLUMN_BITS-1:0]  column;
    reg  [ADDRESS_BITS-1:0] next_address;
    valid_line #(.CYCLES(WAIT)) wait_line (
        .clk(clk), .reset(reset), .in(start), .out(begin_now)
    );
    wire step = begin_now || running;
    wire [COLUMN_BITS-1:0] column_now = begin_now ? {COLUMN_BITS{1'b0}} : column;
    wire column_ends = {{(32 - COLUMN_BITS) {1'b0}}, column_now} == COLUMNS - 1;
    assign address = next_address;
    always @(posedge clk) begin
        load <= step && !reset;
        load_column <= column_now;
        if (step) begin
            next_address <= next_address + 1'b1;
            column <= column_ends ? {COLUMN_BITS{1'b0}} : column_now + 1'b1;
            running <= !column_ends;
        end
        if (run_start) begin
            next_address <= {ADDRESS_BITS{1'b0}};
            running <= 1'b0;
        end
        if (reset) running <= 1'b0;
    end
endmodule
