// SPDX-License-Identifier: Apache-2.0
// Lets images in: one word of all channels in a word time, one image every PERIOD word times, at
// most CREDITS images whose results are not all sent. So nothing behind it ever has to stop.
//
// `hold` keeps the first word of an image out; the others are always let in. An image that ends
// before its last word is filled up with words of no meaning, what goes on beyond it is taken and
// thrown away. With its last word an image is `judged`, whether it had the right length (`good`);
// the results of one that had not are not sent.
// `image_ready` comes in the last cycle of a word time. Reset: synchronous, active high.
module pipe_source #(
    parameter IMAGE_WORDS = 784,
    parameter PERIOD = 784,
    parameter CREDITS = 4,
    parameter COUNT_BITS = 11,  // 2**COUNT_BITS > PERIOD and IMAGE_WORDS
    parameter CREDIT_BITS = 3   // 2**CREDIT_BITS > CREDITS
) (
    input  wire        clk,
    input  wire        reset,
    input  wire        running,
    input  wire        hold,
    input  wire        slot_end,
    input  wire        image_valid,
    input  wire        image_last,
    output wire        image_ready,
    output wire        arrived,
    output wire        judged,
    output wire        good,
    input  wire        finished,  // the last result of an image has been sent or thrown away
    output wire        busy,
    output reg  [31:0] cycles     // since the first of the present images, or of the last ones
);
    localparam [31:0] LAST = IMAGE_WORDS - 1;
    localparam [31:0] PACE = PERIOD - 1;
    localparam [31:0] LIMIT = CREDITS;

    // Parameters that contradict each other stop elaboration with the module's name as the message.
    generate
        if (IMAGE_WORDS < 1 || PERIOD < 1 || CREDITS < 1) begin : g_wrong_0
            wrong_parameters_IMAGE_WORDS_PERIOD_and_CREDITS_must_be_1_or_more stop ();
        end
        if ((1 << COUNT_BITS) <= IMAGE_WORDS || (1 << COUNT_BITS) <= PERIOD
            || (1 << CREDIT_BITS) <= CREDITS) begin : g_wrong_1
            wrong_parameters_COUNT_BITS_or_CREDIT_BITS_is_too_small_for_what_it_counts stop ();
        end
    endgenerate

    reg [COUNT_BITS-1:0]  word, since;  // words of this image; word times since its first one
    reg [CREDIT_BITS-1:0] images;
    reg                   begun, filling, overrun;
    wire first = word == {COUNT_BITS{1'b0}};
    wire last = word == LAST[COUNT_BITS-1:0];
    wire paced = !begun || since == PACE[COUNT_BITS-1:0];
    wire open = !first || (!hold && paced && images != LIMIT[CREDIT_BITS-1:0]);
    assign busy = images != {CREDIT_BITS{1'b0}};
    assign image_ready = running && slot_end && !filling && (overrun || open);
    wire took = image_valid && image_ready;
    assign arrived = (took && !overrun) || (filling && slot_end);
    assign judged = arrived && last;
    assign good = !filling && image_last;
    wire entered = arrived && first;
    always @(posedge clk) begin
        if (arrived) word <= last ? {COUNT_BITS{1'b0}} : word + 1'b1;
        if (took) begin
            overrun <= !image_last && (overrun || last);
            filling <= image_last && !overrun && !last;
        end
        if (judged && filling) filling <= 1'b0;
        if (entered) begin
            since <= {COUNT_BITS{1'b0}};
            begun <= 1'b1;
        end else if (slot_end && since != PACE[COUNT_BITS-1:0]) begin
            since <= since + 1'b1;
        end
        if (entered && !finished) images <= images + 1'b1;
        if (!entered && finished) images <= images - 1'b1;
        if (entered && !busy) cycles <= 32'd1;
        else if (busy) cycles <= cycles + 32'd1;
        if (reset) begin
            word <= {COUNT_BITS{1'b0}};
            since <= {COUNT_BITS{1'b0}};
            begun <= 1'b0;
            filling <= 1'b0;
            overrun <= 1'b0;
            images <= {CREDIT_BITS{1'b0}};
            cycles <= 32'd0;
        end
    end
endmodule
