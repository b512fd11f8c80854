// SPDX-License-Identifier: Apache-2.0
// What the controller says of a position or a step, as late as the stages of banks and lanes need it.
//
// The number at the end of an output's name is its delay in cycles. Reset: synchronous, active high,
// of what makes something happen.
module step_delays #(
    parameter READS = 8,
    parameter LANE_ROWS = 8,
    parameter PHASE_BITS = 3
) (
    input  wire                  clk,
    input  wire                  reset,
    input  wire [PHASE_BITS-1:0] phase,
    input  wire                  is_tile,
    input  wire                  is_pool,
    input  wire                  first,
    input  wire                  stepping,
    input  wire                  window_first,
    input  wire                  window_last,
    input  wire [47:0]           place,
    input  wire [15:0]           position,
    input  wire [15:0]           row_tile,
    input  wire [15:0]           pool_entry,
    output wire [47:0]           place_1,
    output wire [15:0]           position_2,
    output wire [15:0]           row_tile_2,
    output wire [PHASE_BITS-1:0] phase_2,
    output wire [PHASE_BITS-1:0] phase_3,
    output wire                  hold_3,
    output wire [PHASE_BITS-1:0] hold_index_3,
    output wire                  window_first_3,
    output wire                  pooling_3,
    output wire                  feed_3,
    output wire                  first_3,
    output wire [15:0]           pool_entry_5,
    output wire                  pooled_6,
    output wire [15:0]           pool_position_6
);
    delay_line #(.WIDTH(48), .CYCLES(1)) place_delay (
        .clk(clk), .in(place), .out(place_1)
    );
    wire reading = {{(32 - PHASE_BITS) {1'b0}}, phase} < READS;
    valid_line #(.CYCLES(3)) hold_delay (
        .clk(clk), .reset(reset), .in(reading && is_tile), .out(hold_3)
    );
    valid_line #(.CYCLES(3)) pooling_delay (
        .clk(clk), .reset(reset), .in(is_pool), .out(pooling_3)
    );
    delay_line #(.WIDTH(1 + PHASE_BITS), .CYCLES(3)) window_delay (
        .clk(clk), .in({window_first, phase}), .out({window_first_3, hold_index_3})
    );
    valid_line #(.CYCLES(6)) pooled_delay (
        .clk(clk), .reset(reset), .in(stepping && window_last), .out(pooled_6)
    );
    delay_line #(.WIDTH(16), .CYCLES(6)) pool_delay (
        .clk(clk), .in(position), .out(pool_position_6)
    );
    delay_line #(.WIDTH(16), .CYCLES(5)) entry_delay (
        .clk(clk), .in(pool_entry), .out(pool_entry_5)
    );
    delay_line #(.WIDTH(32 + PHASE_BITS), .CYCLES(2)) feed_delay (
        .clk(clk), .in({position, row_tile, phase}), .out({position_2, row_tile_2, phase_2})
    );
    wire feeding = {{(32 - PHASE_BITS) {1'b0}}, phase} < LANE_ROWS;
    valid_line #(.CYCLES(3)) feeding_delay (
        .clk(clk), .reset(reset), .in(feeding && is_tile), .out(feed_3)
    );
    delay_line #(.WIDTH(1), .CYCLES(3)) first_delay (.clk(clk), .in(first), .out(first_3));
    delay_line #(.WIDTH(PHASE_BITS), .CYCLES(1)) phase_delay (
        .clk(clk), .in(phase_2), .out(phase_3)
    );
endmodule
