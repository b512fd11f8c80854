// SPDX-License-Identifier: Apache-2.0
// The AXI4-Streams of an accelerator, through which an abort cuts cleanly.
//
// `cut` resets the accelerator behind: it comes as soon as no result word waits for the other side,
// since a word that is offered has to stay. A result packet that had begun is then ended by a word
// 0 with TLAST. The rest of an image that had begun is taken and thrown away up to its TLAST.
// Latency: none. Reset: synchronous, active high.
module axi_streams (
    input  wire        clk,
    input  wire        reset,
    input  wire        aborting,       // until `cut`
    output wire        cut,
    output wire        closing,        // the word that ends a packet is offered
    // Outside.
    input  wire        s_axis_image_tvalid,
    input  wire        s_axis_image_tlast,
    output wire        s_axis_image_tready,
    output wire [31:0] m_axis_result_tdata,
    output wire        m_axis_result_tvalid,
    input  wire        m_axis_result_tready,
    output wire        m_axis_result_tlast,
    // The accelerator.
    output wire        image_valid,
    input  wire        image_ready,
    input  wire [31:0] result_word,
    input  wire        result_valid,
    input  wire        result_last,
    output wire        result_ready
);
    reg open;      // a result packet has begun
    reg closes;
    reg midway;    // an image has begun
    reg discards;
    wire given = result_valid && result_ready;
    wire open_now = given ? !result_last : open;
    wire taken = s_axis_image_tvalid && s_axis_image_tready;
    wire midway_now = taken ? !s_axis_image_tlast : midway;
    assign closing = closes;
    assign cut = aborting && !closes && (!result_valid || m_axis_result_tready);
    assign m_axis_result_tvalid = closes || result_valid;
    assign m_axis_result_tdata = closes ? 32'd0 : result_word;
    assign m_axis_result_tlast = closes || result_last;
    assign result_ready = m_axis_result_tready && !closes;
    assign s_axis_image_tready = discards || image_ready;
    assign image_valid = s_axis_image_tvalid && !discards;
    always @(posedge clk) begin
        open <= open_now && !cut;
        closes <= cut ? open_now : closes && !m_axis_result_tready;
        midway <= midway_now;
        discards <= cut ? midway_now : discards && midway_now;
        if (reset) {open, closes, midway, discards} <= 4'd0;
    end
`ifdef SYSTOPACK_ASSERTIONS
    stream_rules #(.WIDTH(32)) result_rules (
        .clk(clk), .reset(reset), .valid(m_axis_result_tvalid), .ready(m_axis_result_tready),
        .data(m_axis_result_tdata), .last(m_axis_result_tlast)
    );
    stream_rules #(.WIDTH(1), .DRIVEN(0)) image_rules (
        .clk(clk), .reset(reset), .valid(s_axis_image_tvalid), .ready(s_axis_image_tready),
        .data(1'b0), .last(s_axis_image_tlast)
    );
`endif
endmodule
