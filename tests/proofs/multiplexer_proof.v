// SPDX-License-Identifier: Apache-2.0
// The input side of a row, for any traffic: the word that leaves is the word of the channel whose
// index was loaded before the last take, and the markers follow it.
//
// `holds` must stay 1, from any state. index and next_index are wires to the registers of the row.
module multiplexer_proof #(
    parameter COLUMNS = 2,
    parameter ALPHA = 8,
    parameter INDEX_BITS = 3,
    parameter WORD_BITS = 1,
    parameter MARKERS = 4
) (
    input  wire                               clk,
    input  wire [ALPHA*COLUMNS*WORD_BITS-1:0] x,
    input  wire                               word_start,
    input  wire                               take,
    input  wire [COLUMNS-1:0]                 load,
    input  wire [INDEX_BITS-1:0]              load_index,
    output wire                               holds
);
    localparam LATE = ALPHA > 1 ? 1 : 0;
    localparam PAST = MARKERS + COLUMNS + 2;
    wire [COLUMNS*WORD_BITS-1:0]  word;
    wire [MARKERS-1:0]            start;
    wire [COLUMNS-1:0]            take_weight;
    wire [INDEX_BITS*COLUMNS-1:0] index, next_index;  // bit b of column c at b * COLUMNS + c
    multiplexer_row #(
        .COLUMNS(COLUMNS), .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS), .WORD_BITS(WORD_BITS),
        .MARKERS(MARKERS)
    ) row (.*);

    // What should be there, and since when it is known. An index that does not exist reads 0.
    reg  [PAST-1:0]               known = 0, starts = 0, takes = 0;
    reg  [COLUMNS-1:0]            loaded = 0, taken = 0;
    reg  [INDEX_BITS*COLUMNS-1:0] chosen_next = 0, chosen = 0;
    reg  [COLUMNS*WORD_BITS-1:0]  expected = 0;
    wire [PAST-1:0]               starts_now = {starts[PAST-2:0], word_start};
    wire [PAST-1:0]               takes_now = {takes[PAST-2:0], take};
    wire [PAST-1:0]               known_now = {known[PAST-2:0], 1'b1};
    integer c, b, a, i;
    reg [INDEX_BITS-1:0] own;
    always @(posedge clk) begin
        known <= known_now;
        starts <= starts_now;
        takes <= takes_now;
        for (c = 0; c < COLUMNS; c = c + 1) begin
            for (b = 0; b < INDEX_BITS; b = b + 1) begin
                own[b] = chosen[b*COLUMNS+c];
                if (load[c]) chosen_next[b*COLUMNS+c] <= load_index[b];
                if (known_now[c] && takes_now[c]) chosen[b*COLUMNS+c] <= chosen_next[b*COLUMNS+c];
            end
            if (load[c]) loaded[c] <= 1;
            if (!known_now[c]) taken[c] <= 0;
            else if (takes_now[c]) taken[c] <= loaded[c];
            for (i = 0; i < WORD_BITS; i = i + 1) begin
                expected[c*WORD_BITS+i] <= 0;
                for (a = 0; a < ALPHA; a = a + 1)
                    if (own == a) expected[c*WORD_BITS+i] <= x[(a*COLUMNS+c)*WORD_BITS+i];
            end
        end
    end
    reg [COLUMNS-1:0] taken_before = 0;
    always @(posedge clk) taken_before <= taken;

    reg ok;
    integer k;
    always @* begin
        ok = 1;
        for (k = 0; k < MARKERS; k = k + 1)
            if (known_now[k+LATE] && start[k] != starts_now[k+LATE]) ok = 0;
        for (k = 0; k < COLUMNS; k = k + 1) begin
            if (known_now[k+LATE] && take_weight[k] != takes_now[k+LATE]) ok = 0;
            if (ALPHA == 1) begin
                if (word[k*WORD_BITS+:WORD_BITS] != x[k*WORD_BITS+:WORD_BITS]) ok = 0;
            end else begin
                if (taken_before[k] && word[k*WORD_BITS+:WORD_BITS] != expected[k*WORD_BITS+:WORD_BITS])
                    ok = 0;
                for (b = 0; b < INDEX_BITS; b = b + 1) begin
                    if (loaded[k] && next_index[b*COLUMNS+k] != chosen_next[b*COLUMNS+k]) ok = 0;
                    if (taken[k] && index[b*COLUMNS+k] != chosen[b*COLUMNS+k]) ok = 0;
                end
            end
        end
    end
    assign holds = ok;
endmodule
