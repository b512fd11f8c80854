// SPDX-License-Identifier: Apache-2.0
// The output of the layer-pipelined accelerator, for any host, from the first reset on: the words of
// every position of an image that was good leave once, in the order of a plain queue, those of others
// never; a word that is offered stays until it is taken, the last word of an image is marked, and a
// position that waits and is judged is sent or thrown away at once.
//
// Assumed: at most ENTRIES positions are there at a time, and at most CREDITS images are judged whose
// positions have not all left (`host_proof` shows both). `holds` must stay 1. The inner wires are
// the registers of the block; kept has entry e at e * POSITION.
module results_proof #(
    parameter ROWS = 3,
    parameter WORD_BITS = 4,
    parameter POSITIONS = 2,
    parameter ENTRIES = 3,
    parameter CREDITS = 2
) (
    input  wire                      clk,
    input  wire                      arrived,
    input  wire [ROWS*WORD_BITS-1:0] words,
    input  wire                      judged,
    input  wire                      good,
    input  wire                      result_ready,
    output wire                      holds
);
    localparam ROW_BITS = 2, CREDIT_BITS = 2, ENTRY_BITS = 2, COUNT_BITS = 3, POSITION = ROWS * WORD_BITS;
    reg                         reset = 1;
    wire                        result_valid, result_last, finished;
    wire [31:0]                 result_word;
    wire [ENTRIES*POSITION-1:0] kept;
    wire [POSITION-1:0]         sending;
    wire [ENTRY_BITS-1:0]       write_entry, read_entry;
    wire [COUNT_BITS-1:0]       held, position;
    wire [ROW_BITS-1:0]         row;
    wire                        last_sending;
    wire [CREDITS-1:0]          verdicts;
    wire [CREDIT_BITS-1:0]      known;
    pipe_results #(
        .ROWS(ROWS), .ROW_BITS(ROW_BITS), .WORD_BITS(WORD_BITS), .POSITIONS(POSITIONS),
        .ENTRIES(ENTRIES), .ENTRY_BITS(ENTRY_BITS), .COUNT_BITS(COUNT_BITS), .CREDITS(CREDITS),
        .CREDIT_BITS(CREDIT_BITS)
    ) subject (.*);

    localparam [CREDITS:0] ONE = 1;
    // The queue: entry 0 is being sent or comes next. The verdicts: entry 0 is that of its image.
    reg  [(ENTRIES+1)*POSITION-1:0] queue;
    reg  [CREDITS:0] judgements = 0;
    reg  [3:0]  count = 0, sent_row = 0, sent_position = 0, known_images = 0;
    reg         legal = 1, waits = 0, waited = 0;
    reg  [32:0] waited_for;
    wire        gave = result_valid && result_ready;
    wire        row_ends = sent_row == ROWS - 1;
    wire        image_ends = sent_position == POSITIONS - 1;
    wire        throws = !result_valid && count != 0 && known_images != 0 && !judgements[0];
    wire        pops = gave && row_ends || throws, settles = pops && image_ends;
    wire [3:0]  images_left = known_images - settles;
    wire [CREDITS:0] judgements_left = settles ? judgements >> 1 : judgements;
    wire [3:0]  left = count - pops;
    wire [(ENTRIES+1)*POSITION-1:0] rest = pops ? queue >> POSITION : queue;
    wire [WORD_BITS-1:0] due = queue[WORD_BITS*sent_row+:WORD_BITS];
    integer i;
    always @(posedge clk) begin
        reset <= 0;
        legal <= legal && (reset || (!arrived || count < ENTRIES)
                                    && (!judged || known_images < CREDITS));
        known_images <= images_left + judged;
        judgements <= judged && good ? judgements_left | (ONE << images_left) : judgements_left;
        queue <= rest;
        if (arrived)
            for (i = 0; i <= ENTRIES; i = i + 1)
                if (left == i) queue[POSITION*i+:POSITION] <= words;
        count <= left + arrived;
        if (gave) sent_row <= row_ends ? 0 : sent_row + 1;
        if (pops) sent_position <= image_ends ? 0 : sent_position + 1;
        waits <= left != 0 && !throws && images_left != 0 && judgements_left[0];
        waited <= result_valid && !result_ready;
        waited_for <= {result_last, result_word};
        if (reset) {count, sent_row, sent_position, waits, waited, known_images, judgements} <= 0;
    end

    reg ok;
    integer e;
    reg [3:0] at;
    always @* begin
        ok = 1;
        at = 0;
        if (!reset && legal) begin
            if (result_valid && (count == 0 || $signed(result_word) != $signed(due))) ok = 0;
            if (result_valid && result_last != (row_ends && image_ends)) ok = 0;
            if (result_valid && (known_images == 0 || !judgements[0])) ok = 0;
            if (finished != settles) ok = 0;
            if (waited && (!result_valid || waited_for != {result_last, result_word})) ok = 0;
            if (waits && count != 0 && !result_valid) ok = 0;
            // What keeps this so.
            if (count != held + result_valid || count > ENTRIES) ok = 0;
            if (row != sent_row || row > ROWS - 1) ok = 0;
            if (position != (result_valid ? (image_ends ? 0 : sent_position + 1) : sent_position)) ok = 0;
            if (result_valid && last_sending != image_ends || sent_position > POSITIONS - 1) ok = 0;
            if (known_images > CREDITS || known != known_images - (result_valid && last_sending)) ok = 0;
            if (verdicts != (result_valid && last_sending ? judgements >> 1 : judgements)) ok = 0;
            if (judgements >> known_images) ok = 0;
            if (position > POSITIONS - 1 || !result_valid && row != 0) ok = 0;
            if (read_entry > ENTRIES - 1 || write_entry > ENTRIES - 1) ok = 0;
            if (write_entry != (read_entry + held) % ENTRIES) ok = 0;
            if (result_valid && sending != queue[POSITION-1:0]) ok = 0;
            for (e = 0; e < ENTRIES; e = e + 1) begin
                at = (read_entry + e) % ENTRIES;
                if (e < held && kept[POSITION*at+:POSITION]
                    != queue[POSITION*(e+result_valid)+:POSITION]) ok = 0;
            end
        end
    end
    assign holds = ok;
endmodule
