// SPDX-License-Identifier: Apache-2.0
// Keeps finished positions of the network's output and sends them as 32-bit words, row by row,
// position after position, sign-extended.
//
// `arrived` comes with all rows of a position, `judged` once for every image, with the last of its
// words that went in. A position's first word is offered 2 cycles after both at the earliest; the
// positions of an image that was not `good` are thrown away. ENTRIES positions fit, as many as all
// images under way have. Reset: synchronous, active high.
module pipe_results #(
    parameter ROWS = 10,
    parameter ROW_BITS = 4,
    parameter WORD_BITS = 32,      // of a row, at most 32
    parameter POSITIONS = 1,       // of an image
    parameter ENTRIES = 4,
    parameter ENTRY_BITS = 2,      // 2**ENTRY_BITS >= ENTRIES
    parameter COUNT_BITS = 3,      // 2**COUNT_BITS > ENTRIES and POSITIONS
    parameter CREDITS = 4,         // images under way
    parameter CREDIT_BITS = 3      // 2**CREDIT_BITS > CREDITS
) (
    input  wire                      clk,
    input  wire                      reset,
    input  wire                      arrived,
    input  wire [ROWS*WORD_BITS-1:0] words,
    input  wire                      judged,
    input  wire                      good,
    output reg                       result_valid,
    input  wire                      result_ready,
    output wire [31:0]               result_word,
    output wire                      result_last,  // the last word of an image
    output wire                      finished      // it is being sent, or thrown away
);
    localparam [31:0] END = ENTRIES - 1;
    localparam [31:0] LAST_ROW = ROWS - 1;
    localparam [31:0] LAST_POSITION = POSITIONS - 1;
    localparam [CREDITS-1:0] OLDEST = 1;

    // Parameters that contradict each other stop elaboration with the module's name as the message.
    generate
        if (ROWS < 1 || POSITIONS < 1 || ENTRIES < 1 || CREDITS < 1) begin : g_wrong_0
            wrong_parameters_ROWS_POSITIONS_ENTRIES_and_CREDITS_must_be_1_or_more stop ();
        end
        if (WORD_BITS < 2 || WORD_BITS > 32) begin : g_wrong_1
            wrong_parameters_WORD_BITS_must_be_2_to_32 stop ();
        end
        if ((1 << ROW_BITS) < ROWS || (1 << ENTRY_BITS) < ENTRIES || (1 << COUNT_BITS) <= ENTRIES
            || (1 << COUNT_BITS) <= POSITIONS || (1 << CREDIT_BITS) <= CREDITS) begin : g_wrong_2
            wrong_parameters_a_number_of_bits_is_too_small_for_what_it_counts stop ();
        end
    endgenerate

    wire [ROWS*WORD_BITS-1:0] oldest;
    reg  [ROWS*WORD_BITS-1:0] sending;
    reg  [ENTRY_BITS-1:0]     write_entry, read_entry;
    reg  [COUNT_BITS-1:0]     held, position;
    reg  [ROW_BITS-1:0]       row;
    reg                       last_sending;  // `sending` is the last position of its image
    // Of the images whose positions have not all been fetched: bit 0 belongs to the oldest.
    reg  [CREDITS-1:0]        verdicts;
    reg  [CREDIT_BITS-1:0]    known;
    wire last_row = row == LAST_ROW[ROW_BITS-1:0];
    wire last_position = position == LAST_POSITION[COUNT_BITS-1:0];
    wire sent = result_valid && result_ready;
    wire waits = held != {COUNT_BITS{1'b0}} && known != {CREDIT_BITS{1'b0}};
    wire fetch = waits && verdicts[0] && (!result_valid || (sent && last_row));
    wire skip = waits && !verdicts[0] && !result_valid;
    wire next = fetch || skip;
    wire settled = next && last_position;
    wire [WORD_BITS-1:0] word = sending[WORD_BITS*row+:WORD_BITS];
    assign result_word = {{(33 - WORD_BITS) {word[WORD_BITS-1]}}, word[WORD_BITS-2:0]};
    assign result_last = last_row && last_sending;
    assign finished = (sent && result_last) || (skip && last_position);
    wire [CREDIT_BITS-1:0] left = settled ? known - 1'b1 : known;
    wire [CREDITS-1:0]     older = settled ? verdicts >> 1 : verdicts;
    // Its word is wanted in the cycle in which the host takes the last one.
    register_memory #(
        .WIDTH(ROWS * WORD_BITS), .ADDRESS_BITS(ENTRY_BITS), .WORDS(ENTRIES)
    ) kept (
        .clk(clk), .write(arrived), .write_address(write_entry), .write_data(words),
        .read_address(read_entry), .read_data(oldest)
    );
    always @(posedge clk) begin
        if (arrived) begin
            write_entry <= write_entry == END[ENTRY_BITS-1:0] ? {ENTRY_BITS{1'b0}}
                                                              : write_entry + 1'b1;
        end
        if (next) begin
            read_entry <= read_entry == END[ENTRY_BITS-1:0] ? {ENTRY_BITS{1'b0}}
                                                            : read_entry + 1'b1;
            position <= last_position ? {COUNT_BITS{1'b0}} : position + 1'b1;
        end
        if (fetch) begin
            sending <= oldest;
            last_sending <= last_position;
        end
        verdicts <= judged && good ? older | (OLDEST << left) : older;
        known <= judged ? left + 1'b1 : left;
        if (arrived && !next) held <= held + 1'b1;
        if (!arrived && next) held <= held - 1'b1;
        result_valid <= fetch || (result_valid && !(sent && last_row));
        if (sent) row <= last_row ? {ROW_BITS{1'b0}} : row + 1'b1;
        if (reset) begin
            write_entry <= {ENTRY_BITS{1'b0}};
            read_entry <= {ENTRY_BITS{1'b0}};
            held <= {COUNT_BITS{1'b0}};
            position <= {COUNT_BITS{1'b0}};
            row <= {ROW_BITS{1'b0}};
            verdicts <= {CREDITS{1'b0}};
            known <= {CREDIT_BITS{1'b0}};
            result_valid <= 1'b0;
        end
`ifdef SYSTOPACK_ASSERTIONS
        if (!reset && arrived && !next && {{(32 - COUNT_BITS) {1'b0}}, held} == ENTRIES) begin
            $display("ASSERTION: %m: a position came that there is no place for");
            $stop;
            $finish;
        end
`endif
    end
endmodule
