// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
// The streams of the lanes: operands of residual sums and of pooling steps, a stream for each row.
//
// `step` comes a cycle before a step's first turn; a row's operand is there 2 cycles after its turn.
// With LANES 0 there are none. Reset: synchronous, active high.
module lane_operands #(
    parameter LANES = 4,
    parameter ALL_LANES = 4,
    parameter LANE_ROWS = 8,
    parameter ROW_BITS = 3,
    parameter TOGETHER = 64,    // descriptors in a word
    parameter STREAM_BITS = 16,
    parameter BANKS = 16,
    parameter BANK_BITS = 4,
    parameter WORD_BYTES = 4,
    parameter PHASE_BITS = 2,
    parameter SLOT_BITS = 6,
    parameter DX_BITS = 2
) (
    input  wire                            clk,
    input  wire                            reset,
    input  wire                            load,
    input  wire [5:0]                      load_number,
    input  wire [TOGETHER*STREAM_BITS-1:0] descriptors,
    input  wire [SLOT_BITS-1:0]            slot,
    input  wire                            slot_valid,
    input  wire [SLOT_BITS-1:0]            slot_3,       // the same 3 cycles later
    input  wire                            slot_valid_3,
    output wire [ALL_LANES-1:0]            wants,
    output wire [ALL_LANES*BANK_BITS-1:0]  want_banks,
    input  wire [8*WORD_BYTES*BANKS-1:0]   bank_words,
    input  wire [BANKS-1:0]                bank_zeros,
    input  wire                            step,
    input  wire                            run_start,
    input  wire [PHASE_BITS-1:0]           low,
    input  wire [PHASE_BITS:0]             step_bytes,
    input  wire [ROW_BITS-1:0]             turn_row,
    output wire [8*ALL_LANES-1:0]          operands
);
    wire                  step_1, run_start_1;
    wire [PHASE_BITS-1:0] low_1;
    wire [ROW_BITS-1:0]   turn_row_2;
    valid_line #(.CYCLES(1)) to_step (.clk(clk), .reset(reset), .in(step), .out(step_1));
    delay_line #(.WIDTH(1 + PHASE_BITS), .CYCLES(1)) low_delay (
        .clk(clk), .in({run_start, low}), .out({run_start_1, low_1})
    );
    delay_line #(.WIDTH(ROW_BITS), .CYCLES(2)) row_delay (
        .clk(clk), .in(turn_row), .out(turn_row_2)
    );
    localparam DX = 1 << DX_BITS;
    genvar u, r;
    generate
        for (u = 0; u < ALL_LANES; u = u + 1) begin : g_lane
            if (u < LANES) begin : g_streams
                wire [LANE_ROWS-1:0]             mine;
                wire [LANE_ROWS*STREAM_BITS-1:0] entries;
                wire [8*LANE_ROWS-1:0]           bytes, unused;
                for (r = 0; r < LANE_ROWS; r = r + 1) begin : g_entry
                    localparam ROW = u * LANE_ROWS + r;
                    assign mine[r] = load && {26'd0, load_number} == ROW / TOGETHER;
                    assign entries[r*STREAM_BITS+:STREAM_BITS] =
                        descriptors[ROW%TOGETHER*STREAM_BITS+:STREAM_BITS];
                end
                word_streams #(
                    .STREAMS(LANE_ROWS), .LOADS(LANE_ROWS), .BANKS(BANKS), .BANK_BITS(BANK_BITS),
                    .WORD_BYTES(WORD_BYTES), .PHASE_BITS(PHASE_BITS), .SLOT_BITS(SLOT_BITS),
                    .DX_BITS(DX_BITS), .WORD_BITS(8)
                ) streams (
                    .clk(clk), .reset(reset), .load(mine), .load_data(entries), .slot(slot),
                    .slot_valid(slot_valid), .slot_3(slot_3), .slot_valid_3(slot_valid_3),
                    .want(wants[u]),
                    .bank(want_banks[u*BANK_BITS+:BANK_BITS]), .bank_words(bank_words),
                    .bank_zeros(bank_zeros),
                    .step(step_1), .run_start(run_start_1), .low(low_1),
                    .step_bytes(step_bytes), .apart(1'b0), .upper_bytes({PHASE_BITS{1'b0}}),
                    .in_row({DX{1'b1}}), .upper_in_row({DX{1'b1}}), .reading(1'b1),
                    .bit_index(3'd0), .x(bytes), .upper_x(unused)
                );
                assign operands[8*u+:8] = bytes[8*turn_row_2+:8];
            end else begin : g_none
                assign wants[u] = 1'b0;
                assign want_banks[u*BANK_BITS+:BANK_BITS] = {BANK_BITS{1'b0}};
                assign operands[8*u+:8] = 8'd0;
            end
        end
    endgenerate
endmodule
