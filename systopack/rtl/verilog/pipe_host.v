// SPDX-License-Identifier: Apache-2.0
// What of the layer-pipelined accelerator faces the host: start, input and results, joined. The units
// lie between `arrived` and `position_arrived`.
//
// `still` clears every valid in the units: in a reset, and while weights are taken over.
// Reset: synchronous, active high.
module pipe_host #(
    parameter WORD_CYCLES = 8,
    parameter PHASE_BITS = WORD_CYCLES > 2 ? $clog2(WORD_CYCLES) : 1,
    parameter PREPARE = 16,
    parameter PREPARE_BITS = PREPARE > 1 ? $clog2(PREPARE + 1) : 1,
    parameter IMAGE_WORDS = 784,
    parameter PERIOD = 784,
    parameter COUNT_BITS = $clog2((IMAGE_WORDS > PERIOD ? IMAGE_WORDS : PERIOD) + 1),
    parameter CREDITS = 4,
    parameter CREDIT_BITS = $clog2(CREDITS + 1),
    parameter ROWS = 10,
    parameter ROW_BITS = ROWS > 2 ? $clog2(ROWS) : 1,
    parameter RESULT_BITS = 32,
    parameter POSITIONS = 1,
    parameter ENTRIES = 4,
    parameter ENTRY_BITS = ENTRIES > 2 ? $clog2(ENTRIES) : 1,
    parameter ENTRY_COUNT_BITS = $clog2((ENTRIES > POSITIONS ? ENTRIES : POSITIONS) + 1)) (
    input  wire                        clk,
    input  wire                        reset,
    input  wire                        go,
    output wire                        started,        // `go` is obeyed
    output wire                        busy,           // an image is under way, or a start
    output wire                        idle,           // no image is under way, or none may be
    output wire [31:0]                 cycles,
    input  wire                        image_valid,
    input  wire                        image_last,
    output wire                        image_ready,
    output reg                         image_dropped,  // one of the wrong length has ended
    output wire                        result_valid,
    input  wire                        result_ready,
    output wire [31:0]                 result_word,
    output wire                        result_last,
    // The units.
    output wire [PHASE_BITS-1:0]       phase,
    output wire                        slot,
    output wire                        take,
    output wire                        still,
    output wire                        arrived,
    input  wire                        position_arrived,
    input  wire [ROWS*RESULT_BITS-1:0] position_words
);
    // Parameters that contradict each other stop elaboration with the module's name as the message.
    generate
        if (ENTRIES < CREDITS * POSITIONS) begin : g_wrong_0
            wrong_parameters_ENTRIES_is_less_than_CREDITS_times_POSITIONS stop ();
        end
    endgenerate

    wire slot_end, preparing, running, under_way, finished, judged, good;
    assign still = reset || !running;
    assign busy = under_way || preparing;
    assign idle = !under_way || !running;
    always @(posedge clk) image_dropped <= judged && !good && !reset;
    pipe_control #(
        .WORD_CYCLES(WORD_CYCLES), .PHASE_BITS(PHASE_BITS), .PREPARE(PREPARE),
        .PREPARE_BITS(PREPARE_BITS)
    ) control (
        .clk(clk), .reset(reset), .go(go), .busy(under_way), .phase(phase), .slot(slot),
        .slot_end(slot_end), .started(started), .preparing(preparing), .take(take),
        .running(running)
    );
    pipe_source #(
        .IMAGE_WORDS(IMAGE_WORDS), .PERIOD(PERIOD), .CREDITS(CREDITS), .COUNT_BITS(COUNT_BITS),
        .CREDIT_BITS(CREDIT_BITS)
    ) source (
        .clk(clk), .reset(reset), .running(running), .hold(go), .slot_end(slot_end),
        .image_valid(image_valid), .image_last(image_last), .image_ready(image_ready),
        .arrived(arrived), .judged(judged), .good(good), .finished(finished), .busy(under_way),
        .cycles(cycles)
    );
    pipe_results #(
        .ROWS(ROWS), .ROW_BITS(ROW_BITS), .WORD_BITS(RESULT_BITS), .POSITIONS(POSITIONS),
        .ENTRIES(ENTRIES), .ENTRY_BITS(ENTRY_BITS), .COUNT_BITS(ENTRY_COUNT_BITS),
        .CREDITS(CREDITS), .CREDIT_BITS(CREDIT_BITS)
    ) results (
        .clk(clk), .reset(still), .arrived(position_arrived), .words(position_words),
        .judged(judged), .good(good), .result_valid(result_valid), .result_ready(result_ready),
        .result_word(result_word), .result_last(result_last), .finished(finished)
    );
`ifdef SYSTOPACK_ASSERTIONS
    stream_rules #(.WIDTH(32)) result_rules (
        .clk(clk), .reset(reset), .valid(result_valid), .ready(result_ready), .data(result_word),
        .last(result_last)
    );
    image_rules image_rules (
        .clk(clk), .reset(reset), .taken(image_valid && image_ready), .last(image_last),
        .written(arrived), .dropped(image_dropped), .length(IMAGE_WORDS)
    );
`endif
endmodule
