// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
// The streams of one array column, or of one output lane: each keeps two words of a channel's plane.
//
// A stream takes the word that its bank reads in its slot; in a slot all streams that take one name
// the same bank. It sends byte `low + o` of its words at every step and goes on to its other word when
// that wraps, at a run's first step where o is not negative. Bytes left or right of the image are
// zeros: `in_row` says it for every displacement of the tile.
// With PARTS 2 a second set of wires sends the byte `upper_bytes` further on; not `apart`, the same.
//
// SYSTOPACK_FPGA is for FPGAs, where flip-flops cost nothing and multiplexers are slow: what matched
// is kept for three cycles and the bank's word is chosen by one flip-flop a bank.
//
// Timing: `want`, `bank` 1 cycle after the slot; words of the banks are taken 3 cycles after it. `step`
// is the cycle before a step's first; the first bit or byte is on `x` two cycles after `step`.
// Reset: of `used`, synchronous, active high.
module word_streams #(
    parameter STREAMS = 8,
    parameter LOADS = 1,      // 1: descriptors are loaded together, STREAMS: one by one
    parameter BANKS = 16,
    parameter BANK_BITS = 4,
    parameter WORD_BYTES = 4,
    parameter PHASE_BITS = 2,
    parameter SLOT_BITS = 6,
    parameter DX_BITS = 2,
    parameter WORD_BITS = 1,  // wires of a stream: 1 serial, 8 whole bytes
    parameter PARTS = 1
) (
    input  wire                          clk,
    input  wire                          reset,
    input  wire [LOADS-1:0]              load,
    input  wire [STREAMS*(2+SLOT_BITS+BANK_BITS+PHASE_BITS+DX_BITS)-1:0] load_data,
    input  wire [SLOT_BITS-1:0]          slot,
    input  wire                          slot_valid,
    input  wire [SLOT_BITS-1:0]          slot_3,       // the same 3 cycles later
    input  wire                          slot_valid_3,
    output reg                           want,
    output reg  [BANK_BITS-1:0]          bank,
    input  wire [8*WORD_BYTES*BANKS-1:0] bank_words,
    input  wire [BANKS-1:0]              bank_zeros,   // its next word is zero, whatever is read
    input  wire                          step,
    input  wire                          run_start,    // with step
    input  wire [PHASE_BITS-1:0]         low,          // with step
    input  wire [PHASE_BITS:0]           step_bytes,   // of successive steps
    input  wire                          apart,        // from a step to the next, like upper_bytes
    input  wire [PHASE_BITS-1:0]         upper_bytes,
    input  wire [(1<<DX_BITS)-1:0]       in_row,       // with step
    input  wire [(1<<DX_BITS)-1:0]       upper_in_row,
    input  wire                          reading,
    input  wire [2:0]                    bit_index,
    output wire [STREAMS*WORD_BITS-1:0]  x,
    output wire [STREAMS*WORD_BITS-1:0]  upper_x
);
    /* verilator no_inline_module */  // one copy of its code for all instances
    localparam ENTRY = 2 + SLOT_BITS + BANK_BITS + PHASE_BITS + DX_BITS;
    localparam BITS = 8 * WORD_BYTES;
    wire [STREAMS-1:0] match, match_3;
    wire [STREAMS*BANK_BITS-1:0] banks;
    reg  [BANK_BITS-1:0] bank_0;
    integer i;
    always @* begin
        bank_0 = {BANK_BITS{1'b0}};
        for (i = 0; i < STREAMS; i = i + 1)
            bank_0 = bank_0 | (banks[i*BANK_BITS+:BANK_BITS] & {BANK_BITS{match[i]}});
    end
    always @(posedge clk) begin
        want <= |match && !reset;
        if (|match) bank <= bank_0;
    end
`ifdef SYSTOPACK_FPGA
    reg [STREAMS-1:0]   match_1, match_2, matched;
    reg [BANK_BITS-1:0] bank_2;
    reg [BANKS-1:0]     chosen;
    reg [BITS-1:0]      word;
    integer k;
    assign match_3 = matched;
    always @(posedge clk) begin
        {matched, match_2, match_1} <= {match_2, match_1, match};
        bank_2 <= bank;
        for (k = 0; k < BANKS; k = k + 1)
            chosen[k] <= {{(32 - BANK_BITS) {1'b0}}, bank_2} == k && !bank_zeros[k];
    end
    always @* begin
        word = {BITS{1'b0}};
        for (k = 0; k < BANKS; k = k + 1)
            word = word | (bank_words[k*BITS+:BITS] & {BITS{chosen[k]}});
    end
`else
    // Compared once for the bank and again for the word: fewer registers than what matched then.
    reg  [BANK_BITS-1:0] bank_3;
    always @* begin
        bank_3 = {BANK_BITS{1'b0}};
        for (i = 0; i < STREAMS; i = i + 1)
            bank_3 = bank_3 | (banks[i*BANK_BITS+:BANK_BITS] & {BANK_BITS{match_3[i]}});
    end
    wire [BITS-1:0] word = bank_words[bank_3*BITS+:BITS];
`endif

    // What does not change stands still: bytes between steps, the second set where it is the first.
    wire [2:0] upper_index = bit_index & {3{apart}};
    reg        stepped, apart_1;
    always @(posedge clk) {stepped, apart_1} <= {step, apart};

    genvar s;
    generate
        for (s = 0; s < STREAMS; s = s + 1) begin : g_stream
            reg  [ENTRY-1:0]      entry;
            wire                  loaded = load[LOADS == 1 ? 0 : s] || reset;
            wire                  used, negative;
            wire [SLOT_BITS-1:0]  my_slot;
            wire [PHASE_BITS-1:0] o;
            wire [DX_BITS-1:0]    dx;
            assign {used, my_slot, banks[s*BANK_BITS+:BANK_BITS], negative, o, dx} = entry;
            assign match[s] = slot_valid && used && my_slot == slot;
`ifndef SYSTOPACK_FPGA
            assign match_3[s] = slot_valid_3 && used && my_slot == slot_3;
`endif
            reg  [BITS-1:0]       even, odd;
            reg                   second;  // the present word is `odd`
            reg  [PHASE_BITS-1:0] place;
            reg                   mine;    // the step's byte is in the image
            wire [PHASE_BITS-1:0] new_place = low + o;
            wire flip = used && (run_start ? !negative : {1'b0, new_place} < step_bytes);
            always @(posedge clk) begin
                if (loaded)
                    entry <= {load_data[s*ENTRY+ENTRY-1] && !reset, load_data[s*ENTRY+:ENTRY-1]};
                if (match_3[s] && second) even <= word;
                if (match_3[s] && !second) odd <= word;
                if (step || reset) begin
                    second <= (second ^ flip) && !reset;
                    place <= new_place;
                    mine <= used && in_row[dx];
                end
            end
            wire [BITS-1:0] present = second ? odd : even;
            wire [7:0]      byte_now = present[8*place+:8];
            wire            on = reading && mine;
            reg  [WORD_BITS-1:0] sent;
            assign x[s*WORD_BITS+:WORD_BITS] = sent;
            if (WORD_BITS == 8) begin : g_bytes
                always @(posedge clk) if (stepped || !reading) sent <= byte_now & {8{on}};
            end else begin : g_bits
                always @(posedge clk) sent <= byte_now[bit_index] & on;
            end
            if (PARTS == 2) begin : g_upper
                wire [PHASE_BITS:0] far =
                    ({1'b0, place} + {1'b0, upper_bytes}) & {(PHASE_BITS + 1) {apart}};
                wire [BITS-1:0]     there = second ^ far[PHASE_BITS] ? odd : even;
                wire [7:0] upper_byte = there[8*far[PHASE_BITS-1:0]+:8];
                reg        upper_mine;
                wire       upper_on = reading && upper_mine;
                always @(posedge clk) if (step) upper_mine <= used && upper_in_row[dx];
                reg  [WORD_BITS-1:0] upper_sent;
                assign upper_x[s*WORD_BITS+:WORD_BITS] = apart_1 ? upper_sent : sent;
                if (WORD_BITS == 8) begin : g_bytes
                    always @(posedge clk)
                        if (apart && (stepped || !reading)) upper_sent <= upper_byte & {8{upper_on}};
                end else begin : g_bits
                    always @(posedge clk) if (apart) upper_sent <= upper_byte[upper_index] & upper_on;
                end
            end else begin : g_one
                assign upper_x[s*WORD_BITS+:WORD_BITS] = {WORD_BITS{1'b0}};
            end
        end
    endgenerate
endmodule
