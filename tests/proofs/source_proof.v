// SPDX-License-Identifier: Apache-2.0
// The input of the layer-pipelined accelerator, for any host, from the first reset on: a word is
// let in exactly when the rule says so, at most CREDITS images are under way, and their first words
// are PERIOD word times apart. The rest of an image is never refused, whatever `hold` does.
//
// Assumed: an image is finished only while one is under way (`host_proof` shows it). `holds` must
// stay 1. The inner wires are the registers of the block.
module source_proof #(
    parameter IMAGE_WORDS = 5,
    parameter PERIOD = 7,
    parameter CREDITS = 3
) (
    input  wire clk,
    input  wire running,
    input  wire hold,
    input  wire slot_end,
    input  wire image_valid,
    input  wire image_last,
    input  wire finished,
    output wire holds
);
    localparam COUNT_BITS = 4, CREDIT_BITS = 3;
    reg                    reset = 1;
    wire                   image_ready, arrived, judged, good, busy, begun, filling, overrun;
    wire [31:0]            cycles;
    wire [COUNT_BITS-1:0]  word, since;
    wire [CREDIT_BITS-1:0] images;
    pipe_source #(
        .IMAGE_WORDS(IMAGE_WORDS), .PERIOD(PERIOD), .CREDITS(CREDITS),
        .COUNT_BITS(COUNT_BITS), .CREDIT_BITS(CREDIT_BITS)
    ) subject (.*);

    reg  [7:0] taken = 0, under_way = 0, slots = 0;  // slots since the last first word, up to PERIOD
    reg        any = 0, legal = 1;
    reg        fills = 0, beyond = 0;  // the image was too short, is too long
    wire       took = image_valid && image_ready;
    wire       goes_in = took && !beyond || fills && slot_end;
    wire       ends = goes_in && taken == IMAGE_WORDS - 1;
    wire       enters = goes_in && taken == 0;
    wire       may = !fills && (beyond || taken != 0
                                || !hold && (!any || slots == PERIOD) && under_way < CREDITS);
    // In this cycle's slot end: slots counts it already.
    wire [7:0] slots_now = slots;
    always @(posedge clk) begin
        reset <= 0;
        legal <= legal && (reset || !finished || under_way != 0);
        if (goes_in) taken <= ends ? 0 : taken + 1;
        if (ends) fills <= 0;
        else if (took && !beyond && image_last) fills <= 1;
        if (took) beyond <= !image_last && (beyond || ends);
        under_way <= under_way + enters - (finished && under_way != 0);
        if (enters) {any, slots} <= {1'b1, 8'd1};
        else if (slot_end && slots != PERIOD) slots <= slots + 1;
        if (reset) {taken, under_way, slots, any, fills, beyond} <= 0;
    end

    reg ok;
    always @* begin
        ok = 1;
        if (!reset && legal) begin
            if (image_ready != (running && slot_end && may)) ok = 0;
            if (arrived != goes_in || judged != ends) ok = 0;
            if (ends && good != (!fills && image_last)) ok = 0;
            if (under_way > CREDITS || busy != (under_way != 0)) ok = 0;
            // What keeps this so.
            if (filling != fills || overrun != beyond || fills && taken == 0) ok = 0;
            if (beyond && (taken != 0 || fills)) ok = 0;
            if (word != taken || images != under_way || begun != any) ok = 0;
            if (any && since + 1 != slots_now || since > PERIOD - 1) ok = 0;
            if (any && slots == 0 || taken > IMAGE_WORDS - 1 || slots > PERIOD) ok = 0;
        end
    end
    assign holds = ok;
endmodule
