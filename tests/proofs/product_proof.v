// SPDX-License-Identifier: Apache-2.0
// The multiplier of a bit-serial cell, for any endless stream of words and any loads and takes:
// what is added to the passing sums is, bit for bit, the weight times the word.
//
// `holds` must stay 1, from any state; it has the conclusion and the invariants that make it
// inductive. Wires without a driver here are connected to the cell by the proof's script.
module product_proof #(
    parameter CELL = 0,          // 0: MX or IL, 1: BL
    parameter ACCUMULATOR_BITS = 16,
    parameter CELL_WEIGHT_BITS = 8,
    parameter WORD_CYCLES = 8,
    parameter SUM_BITS = 2
) (
    input  wire                        clk,
    input  wire                        x_bit,
    input  wire                        take_wish,
    input  wire                        load,
    input  wire [CELL_WEIGHT_BITS-1:0] load_weight,
    input  wire [SUM_BITS-1:0]         sum_in,
    output wire                        holds
);
    localparam B = CELL_WEIGHT_BITS;
    // The traffic: words without a gap; BL words go on with their sign; weights are taken over
    // between two words.
    reg  [5:0] phase = 0;
    reg        sign;
    wire       last = phase == WORD_CYCLES - 1;
    wire       x = CELL == 1 && phase >= 8 ? sign : x_bit;
    wire       take = take_wish && last;
    wire [SUM_BITS-1:0] sum_out;
    wire       word_start = phase == 6'd0, load_index = 1'b0;
    generate
        if (CELL == 0) begin : g_mx
            mx_row #(
                .COLUMNS(1), .ALPHA(1), .INDEX_BITS(1), .ACCUMULATOR_BITS(ACCUMULATOR_BITS),
                .CELL_WEIGHT_BITS(B)
            ) row (.*);
        end else begin : g_bl
            bl_row #(
                .COLUMNS(1), .ALPHA(1), .INDEX_BITS(1), .ACCUMULATOR_BITS(ACCUMULATOR_BITS),
                .CELL_WEIGHT_BITS(B)
            ) row (.*);
        end
    endgenerate
    // Inside the cell: what lanes 0 and 1 add, and the multiplier's registers.
    wire         low, high;
    wire [B-1:0] weight, next_weight, carry, high_carry;
    wire [B-2:0] partial, high_sum;
    wire         high_kept;
    wire [6:0]   markers;  // [k]: cycle k + 1 of a word

    // What should be there, and since when it is known. A product is made by rows, from the word's
    // lowest bit up: each cycle adds a row, gives the lowest bit away and keeps the rest.
    reg                loaded = 0, taken = 0, started = 0, whole = 0;
    reg [6:0]          known = 0;  // markers that have come since the first word
    reg signed [B-1:0] factor, next_factor;
    reg signed [B:0]   rest, high_rest;  // MX: the high half is given away with the next word
    wire signed [B+1:0] row = !x || phase >= 6'd8 ? 0 : phase == 6'd7 ? -factor : factor;
    wire signed [B+1:0] total = (phase == 6'd0 ? 0 : rest) + row;
    always @(posedge clk) begin
        phase <= last ? 6'd0 : phase + 6'd1;
        known <= {known[5:0], 1'b1};
        if (phase == 6'd7) sign <= x;
        if (load) {loaded, next_factor} <= {1'b1, load_weight};
        if (take) {taken, factor} <= {loaded, next_factor};
        rest <= total >>> 1;
        high_rest <= last ? total >>> 1 : high_rest >>> 1;
        if (last) begin
            started <= take ? loaded : taken;  // the next word's weight is known
            whole <= started;                  // the word that has just come is whole
        end
    end

    integer             k;
    reg                 ok;
    reg signed [B+10:0] inside;
    always @* begin
        ok = phase < WORD_CYCLES;
        // The conclusion.
        if (started && (CELL == 1 || phase < 6'd8) && low != total[0]) ok = 0;
        if (CELL == 0 && whole && high != high_rest[0]) ok = 0;
        // Weights and markers.
        if (loaded && next_weight != next_factor) ok = 0;
        if (taken && weight != factor) ok = 0;
        if (taken && !loaded || started && !taken || whole && !started) ok = 0;
        if (CELL == 0) begin
            if (started && known != 7'h7f) ok = 0;
            for (k = 0; k < 7; k = k + 1) begin
                if (known[k] && markers[k] != (phase == k + 1)) ok = 0;
                if (k > 0 && known[k] && !known[k-1]) ok = 0;
                if (phase == k + 1 && !known[k]) ok = 0;
            end
        end
        // Sums and carries hold the rest, but for the constants of the inverted products.
        inside = carry + partial;
        if (CELL == 1) begin
            if (phase >= 6'd8 && sign) inside = inside - factor;
            if (phase != 6'd0) begin
                inside = inside - (1 <<< (B - 1));
                if (started && inside != rest) ok = 0;
            end
        end else begin
            if (B == 8 && phase == 6'd1) inside = inside - 64;
            else if (phase != 6'd0) inside = inside - (1 <<< (B - 1));
            if (phase > 6'd1 && phase > 8 - B) inside = inside - (128 >> phase);
            if (started && inside != (phase == 6'd0 ? 0 : rest)) ok = 0;
            inside = high_sum + high_carry + high_kept;
            inside = inside - (1 <<< (B - 1));
            if (whole && inside != high_rest) ok = 0;
        end
    end
    assign holds = ok;
endmodule
