// SPDX-License-Identifier: Apache-2.0
// What follows from a slot and from a step, each as late as it is needed; the number is the delay in cycles.
//
// `take` comes with the cycle before the step's words enter the array, `word_soon` two cycles before
// the turns of its sums. While `reading`, bit `bit_index` of the words is sent; the highest stays.
// Reset: synchronous, active high, of what makes something happen.
module step_timing #(
    parameter WORD_CYCLES = 8,
    parameter PHASE_BITS = 2,
    parameter SLOT_BITS = 6,
    parameter FETCH = 3,
    parameter OUT = 60
) (
    input  wire                  clk,
    input  wire                  reset,
    input  wire [SLOT_BITS-1:0]  slot,
    input  wire                  array_slot,
    input  wire                  lane_slot,
    output wire [SLOT_BITS-1:0]  slot_3,
    output wire                  array_slot_3,
    output wire                  lane_slot_3,
    input  wire                  issue,
    input  wire                  first_issue,
    input  wire                  run_start,
    input  wire [PHASE_BITS-1:0] low,
    input  wire [PHASE_BITS:0]   step_bytes,
    input  wire                  split,
    input  wire [PHASE_BITS-1:0] upper_bytes,
    output wire                  step_2,
    output wire                  run_start_2,
    output wire [PHASE_BITS-1:0] low_2,
    output wire [PHASE_BITS:0]   step_bytes_2,
    output reg                   split_3,        // until the next step
    output reg  [PHASE_BITS-1:0] upper_bytes_3,  // until the next step
    output reg                   reading,
    output wire [2:0]            bit_index,
    output wire                  take,
    output wire                  word_soon
);
    delay_line #(.WIDTH(SLOT_BITS), .CYCLES(3)) slot_delay (
        .clk(clk), .in(slot), .out(slot_3)
    );
    valid_line #(.CYCLES(3)) to_words (
        .clk(clk), .reset(reset), .in(array_slot), .out(array_slot_3)
    );
    valid_line #(.CYCLES(3)) to_operands (
        .clk(clk), .reset(reset), .in(lane_slot), .out(lane_slot_3)
    );
    wire                  split_2;
    wire [PHASE_BITS-1:0] upper_bytes_2;
    reg  [5:0]            bit_count;
    valid_line #(.CYCLES(2)) to_streams (.clk(clk), .reset(reset), .in(issue), .out(step_2));
    delay_line #(.WIDTH(3 + 3 * PHASE_BITS), .CYCLES(2)) low_delay (
        .clk(clk), .in({run_start, split, low, step_bytes, upper_bytes}),
        .out({run_start_2, split_2, low_2, step_bytes_2, upper_bytes_2})
    );
    valid_line #(.CYCLES(FETCH)) to_array (.clk(clk), .reset(reset), .in(first_issue), .out(take));
    valid_line #(.CYCLES(OUT - 1)) to_output (
        .clk(clk), .reset(reset), .in(issue), .out(word_soon)
    );
    always @(posedge clk) begin
        if (step_2 || reset) bit_count <= 6'd0;
        else if ({26'd0, bit_count} != WORD_CYCLES - 1) bit_count <= bit_count + 6'd1;
        if (step_2) begin
            reading <= 1'b1;
            {split_3, upper_bytes_3} <= {split_2, upper_bytes_2};
        end else if ({26'd0, bit_count} == WORD_CYCLES - 1) reading <= 1'b0;
        if (reset) reading <= 1'b0;
    end
    assign bit_index = bit_count > 6'd7 ? 3'd7 : bit_count[2:0];
endmodule
