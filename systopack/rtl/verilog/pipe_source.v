// Lets images in: one word of all channels in a word time, one image every PERIOD word times, at
// most CREDITS images whose results are not all sent. So nothing behind it ever has to stop.
//
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
    input  wire        slot_end,
    input  wire        image_valid,
    output wire        image_ready,
    output wire        arrived,
    input  wire        finished,  // the last result of an image has been sent
    output wire        busy,
    output reg  [31:0] cycles     // since the first of the present images, or of the last ones
);
    localparam [31:0] LAST = IMAGE_WORDS - 1;
    localparam [31:0] PACE = PERIOD - 1;
    localparam [31:0] LIMIT = CREDITS;
    reg [COUNT_BITS-1:0]  word, since;  // words of this image; word times since its first one
    reg [CREDIT_BITS-1:0] images;
    reg                   begun;
    wire first = word == {COUNT_BITS{1'b0}};
    wire paced = !begun || since == PACE[COUNT_BITS-1:0];
    assign busy = images != {CREDIT_BITS{1'b0}};
    assign image_ready = running && !reset && slot_end
                       && (!first || (paced && images != LIMIT[CREDIT_BITS-1:0]));
    assign arrived = image_valid && image_ready;
    wire entered = arrived && first;
    always @(posedge clk) begin
        if (arrived) word <= word == LAST[COUNT_BITS-1:0] ? {COUNT_BITS{1'b0}} : word + 1'b1;
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
            images <= {CREDIT_BITS{1'b0}};
            cycles <= 32'd0;
        end
    end
endmodule
