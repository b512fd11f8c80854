// SPDX-License-Identifier: Apache-2.0
// The streams of an accelerator, for any host and any accelerator behind: a result word that is
// offered stays until it is taken, also while an abort waits and after it; a packet that had begun
// before an abort is ended by one word 0; after an abort the accelerator sees no beat until the one
// after the TLAST of an image that had begun; an abort ends as soon as no word waits.
//
// Assumed: a word that the accelerator offers stays until it is taken or the accelerator is reset.
module streams_proof (
    input  wire        clk,
    input  wire        abort_asked,
    input  wire        image_tvalid,
    input  wire        image_tlast,
    input  wire        core_ready,
    input  wire        core_valid,
    input  wire [31:0] core_word,
    input  wire        core_last,
    input  wire        result_tready,
    output wire        holds
);
    reg         reset = 1, abort = 0;
    wire        cut, closing, image_tready, image_valid, result_ready, valid, last;
    wire [31:0] word;
    wire        open, closes, midway, discards;
    axi_streams subject (
        .clk(clk), .reset(reset), .aborting(abort), .cut(cut), .closing(closing),
        .s_axis_image_tvalid(image_tvalid), .s_axis_image_tlast(image_tlast),
        .s_axis_image_tready(image_tready), .m_axis_result_tdata(word),
        .m_axis_result_tvalid(valid), .m_axis_result_tready(result_tready),
        .m_axis_result_tlast(last), .image_valid(image_valid), .image_ready(core_ready),
        .result_word(core_word), .result_valid(core_valid), .result_last(core_last),
        .result_ready(result_ready)
    );

    reg         legal = 1, core_waits = 0, waits = 0, in_packet = 0, in_image = 0, was_cut = 0;
    reg         owes = 0;  // an ending word
    reg         skips = 0; // the rest of an image
    reg  [32:0] core_waited, waited;
    wire        gave = valid && result_tready, took = image_tvalid && image_tready;
    wire        legal_now = legal && (reset || !core_waits
                                      || core_valid && {core_last, core_word} == core_waited);
    always @(posedge clk) begin
        reset <= 0;
        abort <= !reset && (abort_asked || abort && !cut);
        legal <= legal_now;
        core_waits <= !reset && core_valid && !result_ready && !cut;
        core_waited <= {core_last, core_word};
        waits <= !reset && valid && !result_tready;
        waited <= {last, word};
        was_cut <= !reset && cut;
        if (gave) in_packet <= !last;
        if (took) in_image <= !image_tlast;
        owes <= !reset && (cut ? (gave ? !last : in_packet) : owes && !gave);
        skips <= !reset && (cut ? (took ? !image_tlast : in_image) : skips && !(took && image_tlast));
        if (reset) {in_packet, in_image} <= 0;
    end

    reg ok;
    always @* begin
        ok = 1;
        if (!reset) begin
            if (legal_now && waits && (!valid || waited != {last, word})) ok = 0;
            if (owes && !(valid && last && word == 0)) ok = 0;
            if (!owes && (valid != core_valid || {last, word} != {core_last, core_word})) ok = 0;
            if (result_ready && (owes || !result_tready)) ok = 0;
            if (skips && (image_valid || !image_tready)) ok = 0;
            if (!skips && (image_valid != image_tvalid || image_tready != core_ready)) ok = 0;
            if (cut != (abort && !owes && !(core_valid && !result_tready))) ok = 0;
            // What keeps this so.
            if (closes != owes || closing != owes || discards != skips || midway != in_image) ok = 0;
            if (!owes && open != in_packet || owes && (open || !in_packet)) ok = 0;
            if (legal_now && waits && !owes && !core_waits && core_valid != 1) ok = 0;
            if (legal_now && waits && !owes && {core_last, core_word} != waited) ok = 0;
        end
    end
    assign holds = ok;
endmodule
