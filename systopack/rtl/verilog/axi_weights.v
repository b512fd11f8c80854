// SPDX-License-Identifier: Apache-2.0
// The AXI4-Stream of weights, through which the end of a run and an abort (`cut`) cut cleanly.
//
// What is left then of a stream that had begun is taken and thrown away up to its TLAST, so that the
// next run begins with the next stream. Latency: none. Reset: synchronous, active high.
module axi_weights (
    input  wire clk,
    input  wire reset,
    input  wire cut,
    input  wire busy,             // a run goes on
    // Outside.
    input  wire s_axis_weights_tvalid,
    input  wire s_axis_weights_tlast,
    output wire s_axis_weights_tready,
    // The accelerator.
    output wire weights_valid,
    input  wire weights_ready
);
    reg  ran, midway, discards;
    wire taken = s_axis_weights_tvalid && s_axis_weights_tready;
    wire midway_now = taken ? !s_axis_weights_tlast : midway;
    assign s_axis_weights_tready = discards || weights_ready;
    assign weights_valid = s_axis_weights_tvalid && !discards;
    always @(posedge clk) begin
        ran <= busy;
        midway <= midway_now;
        discards <= cut || (ran && !busy) ? midway_now : discards && midway_now;
        if (reset) {ran, midway, discards} <= 3'd0;
    end
`ifdef SYSTOPACK_ASSERTIONS
    stream_rules #(.WIDTH(1), .DRIVEN(0)) weights_rules (
        .clk(clk), .reset(reset), .valid(s_axis_weights_tvalid), .ready(s_axis_weights_tready),
        .data(1'b0), .last(s_axis_weights_tlast)
    );
`endif
endmodule
