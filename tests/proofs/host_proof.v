// SPDX-License-Identifier: Apache-2.0
// What of the layer-pipelined accelerator faces the host, joined as the accelerator joins it: for any
// host, any `go` and any units, from the first reset on. No assumption is made of what the blocks
// drive each other with.
//
// - No word of an image is refused but its first one: each word time takes one.
// - `go` is obeyed at the end of the first word time without an image under way; PREPARE word times
//   later images are let in.
// - While images are under way somebody can go on: the host with words of an image, the units
//   with positions they owe, or results that leave or are thrown away. So nothing hangs.
// - An image is finished only while one is under way, and positions always find room.
// - An image gives results exactly where it had the right length, and is counted where not.
// Assumed: the units give no more positions than the images that are in have. `holds` must stay 1.
module host_proof #(
    parameter WORD_CYCLES = 2,
    parameter CREDITS = 2,
    parameter POSITIONS = 2
) (
    input  wire       clk,
    input  wire       go,
    input  wire       image_valid,
    input  wire       image_last,
    input  wire       result_ready,
    input  wire       position_arrived,
    input  wire [3:0] position_words,
    output wire       holds
);
    localparam PHASE_BITS = 1, PREPARE = 3, PREPARE_BITS = 2, IMAGE_WORDS = 3, PERIOD = 4;
    localparam COUNT_BITS = 3, CREDIT_BITS = 2, ROWS = 2, ROW_BITS = 1, RESULT_BITS = 2;
    localparam ENTRIES = CREDITS * POSITIONS, ENTRY_BITS = 2, ENTRY_COUNT_BITS = 3;
    reg                    reset = 1;
    wire                   started, busy, idle, image_ready, image_dropped, result_valid;
    wire                   result_last, slot, take, still, arrived;
    wire [31:0]            cycles, result_word;
    wire [PHASE_BITS-1:0]  phase;
    pipe_host #(
        .WORD_CYCLES(WORD_CYCLES), .PHASE_BITS(PHASE_BITS), .PREPARE(PREPARE),
        .PREPARE_BITS(PREPARE_BITS), .IMAGE_WORDS(IMAGE_WORDS), .PERIOD(PERIOD),
        .COUNT_BITS(COUNT_BITS), .CREDITS(CREDITS), .CREDIT_BITS(CREDIT_BITS), .ROWS(ROWS),
        .ROW_BITS(ROW_BITS), .RESULT_BITS(RESULT_BITS), .POSITIONS(POSITIONS), .ENTRIES(ENTRIES),
        .ENTRY_BITS(ENTRY_BITS), .ENTRY_COUNT_BITS(ENTRY_COUNT_BITS)
    ) subject (.*);

    // Inside.
    wire                        preparing, running, filling, overrun, begun, last_sending, judged, good;
    wire                        finished, next;
    wire [PREPARE_BITS-1:0]     prepared;
    wire [COUNT_BITS-1:0]       word, since;
    wire [CREDIT_BITS-1:0]      images, known;
    wire [ENTRY_COUNT_BITS-1:0] held, position;
    wire [ENTRY_BITS-1:0]       read_entry, write_entry;
    wire [ROW_BITS-1:0]         row;
    wire [CREDITS-1:0]          verdicts;

    wire       slot_end = phase == WORD_CYCLES - 1;
    reg        legal = 1;
    reg  [3:0] owed = 0;       // positions that the units may still give
    reg  [3:0] slots = 0;      // word times since a start
    reg        starting = 0;
    wire       entered = arrived && word == 0;
    wire       took = image_valid && image_ready;
    // Whether images have the right length, by a naive count of beats.
    reg  [3:0] beats = 0;
    wire       ends = took && image_last;
    reg        dropping = 0;
    always @(posedge clk) begin
        reset <= 0;
        legal <= legal && (reset || !position_arrived || owed != 0);
        owed <= owed + (entered ? POSITIONS : 0) - (position_arrived && owed != 0 ? 1 : 0);
        if (started) {starting, slots} <= {1'b1, 4'd0};
        else if (starting && slot_end) begin
            slots <= slots + 1;
            if (slots == PREPARE - 1) starting <= 0;
        end
        if (took) beats <= image_last ? 0 : beats == IMAGE_WORDS ? beats : beats + 1;
        dropping <= !reset && judged && !good;
        if (reset) {owed, starting, slots, beats} <= 0;
    end

    reg ok;
    always @* begin
        ok = 1;
        if (!reset && legal) begin
            // Words.
            if (word != 0 && !filling && image_ready != slot_end) ok = 0;
            if (overrun && running && image_ready != slot_end) ok = 0;
            if (image_ready && !slot_end || filling && image_ready) ok = 0;
            if (arrived != (took && !overrun || filling && slot_end)) ok = 0;
            if (judged && good != (took && image_last && beats == IMAGE_WORDS - 1)) ok = 0;
            if (ends && beats == IMAGE_WORDS - 1 && !(judged && good)) ok = 0;
            if (entered && (go || !running) || image_dropped != dropping) ok = 0;
            // Starts.
            if (started != (go && slot_end && images == 0 && !starting)) ok = 0;
            if (preparing != starting || starting && running) ok = 0;
            if (busy != (images != 0 || starting)) ok = 0;
            // Nobody waits for nobody.
            if (images != 0 && !(word != 0 || owed != 0 || result_valid || held != 0 && known != 0)) ok = 0;
            if (held != 0 && known != 0 && !result_valid && !next) ok = 0;
            if (images != 0 && !running) ok = 0;
            if (finished && images == 0 || position_arrived && owed != 0 && held == ENTRIES) ok = 0;
            // What keeps this so.
            if (starting && (prepared != slots || slots > PREPARE - 1)) ok = 0;
            if (images > CREDITS || word > IMAGE_WORDS - 1 || since > PERIOD - 1) ok = 0;
            if (phase > WORD_CYCLES - 1) ok = 0;
            if (images * POSITIONS
                != owed + held + position + (result_valid && last_sending ? POSITIONS : 0)) ok = 0;
            if (images != 4'd0 + known + (word != 0) + (result_valid && last_sending)) ok = 0;
            if (position > POSITIONS - 1 || owed > ENTRIES) ok = 0;
            if (filling && (word == 0 || beats != 0)) ok = 0;
            if (overrun != (beats == IMAGE_WORDS)) ok = 0;
            if (!overrun && !filling && beats != word || overrun && (word != 0 || filling)) ok = 0;
            if (!result_valid && row != 0 || row > ROWS - 1) ok = 0;
            if (verdicts >> known) ok = 0;
        end
    end
    assign holds = ok;
endmodule
