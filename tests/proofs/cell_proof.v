// SPDX-License-Identifier: Apache-2.0
// One cell against `sum + weight * chosen word`, for every weight, index, word and partial sum; or
// compact cells that share an adder against the sum with all their products.
//
// Words follow each other without a gap. The word from cycle START on is checked; whatever was in
// the cell before, the words before it and the words after it are free. `holds` must stay 1.
module cell_proof #(
    parameter CELL = 0,
    parameter ALPHA = 1,
    parameter INDEX_BITS = 1,
    parameter ACCUMULATOR_BITS = 32,
    parameter WORD_CYCLES = 8,
    parameter WORD_BITS = 1,
    parameter SUM_BITS = 4,
    parameter CELL_WEIGHT_BITS = 8,
    parameter CELLS_PER_ADDER = 1,
    parameter CARRY_SAVE = 0,
    parameter LATE = 0  // cycles of the registers between words and sums
) (
    input  wire                       clk,
    input  wire [CELLS_PER_ADDER*ALPHA*WORD_BITS-1:0] x,
    input  wire [SUM_BITS-1:0]        sum_in,
    input  wire [CELLS_PER_ADDER*(CELL_WEIGHT_BITS+INDEX_BITS)-1:0] load_bits,
    output wire                       holds
);
    localparam PARALLEL = WORD_BITS > 1;            // all bits of a word and of a sum at once
    localparam LANES = !PARALLEL && SUM_BITS > 1;   // a sum's bytes on wires of their own
    localparam START = PARALLEL ? 4 : 2 * WORD_CYCLES;
    localparam SERIAL = PARALLEL ? 1 : ACCUMULATOR_BITS;
    localparam END = START + LATE + 1 + SERIAL;
    localparam READS = PARALLEL ? 1 : 8;
    localparam COLUMNS = CELLS_PER_ADDER;
    localparam BITS = CELL_WEIGHT_BITS + INDEX_BITS;
    localparam LEAVES = 1 << INDEX_BITS;

    reg  [6:0] cycle = 0;
    wire       word_start = cycle % WORD_CYCLES == 0;
    wire       load = cycle == START - 3;
    wire       take = cycle == START - 1;
    wire [SUM_BITS-1:0] sum_out;
    wire [CELL_WEIGHT_BITS-1:0] load_weight = load_bits[CELL_WEIGHT_BITS-1:0];
    wire [INDEX_BITS-1:0]       load_index = load_bits[BITS-1:CELL_WEIGHT_BITS];
    generate
        if (CELL == 3) begin : g_compact
            compact_cell #(
                .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS), .LANES(SUM_BITS),
                .WEIGHT_BITS(CELL_WEIGHT_BITS), .COLUMNS(COLUMNS)
            ) cells (.phase(8'd1 << cycle % 8), .load({COLUMNS{load}}), .*);
        end else if (CELL == 4) begin : g_compact_parallel
            parallel_stage #(
                .COLUMNS(COLUMNS), .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS),
                .ACCUMULATOR_BITS(ACCUMULATOR_BITS), .WEIGHT_BITS(CELL_WEIGHT_BITS),
                .CARRY_SAVE(CARRY_SAVE)
            ) cells (.load({COLUMNS{load}}), .*);
        end else if (CELL == 5) begin : g_selector
            // As compact_array gives them: a one at the weight's place, its sign, the index.
            wire [COLUMNS*(BITS+1)-1:0] single;
            for (genvar s = 0; s < COLUMNS; s = s + 1) begin : g_single
                wire [CELL_WEIGHT_BITS-1:0] weight = load_bits[s*BITS+:CELL_WEIGHT_BITS];
                assign single[s*(BITS+1)+:BITS+1] =
                    {load_bits[s*BITS+CELL_WEIGHT_BITS+:INDEX_BITS],
                     weight[CELL_WEIGHT_BITS-1], weight & ~(weight << 1)};
            end
            selector_cell #(
                .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS), .LANES(SUM_BITS),
                .WEIGHT_BITS(CELL_WEIGHT_BITS), .COLUMNS(COLUMNS), .CARRY_SAVE(CARRY_SAVE)
            ) cells (
                .phase(8'd1 << cycle % 8), .load({COLUMNS{load}}), .load_bits(single), .*
            );
        end else if (CELL == 0) begin : g_mx
            mx_row #(
                .COLUMNS(1), .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS),
                .ACCUMULATOR_BITS(ACCUMULATOR_BITS), .CELL_WEIGHT_BITS(CELL_WEIGHT_BITS)
            ) row (.*);
        end else if (CELL == 1) begin : g_bl
            bl_row #(
                .COLUMNS(1), .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS),
                .ACCUMULATOR_BITS(ACCUMULATOR_BITS), .CELL_WEIGHT_BITS(CELL_WEIGHT_BITS)
            ) row (.*);
        end else begin : g_parallel
            parallel_row #(
                .COLUMNS(1), .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS),
                .ACCUMULATOR_BITS(ACCUMULATOR_BITS), .CELL_WEIGHT_BITS(CELL_WEIGHT_BITS)
            ) row (.*);
        end
    endgenerate

    // What went in and what came out, gathered bit by bit.
    reg [COLUMNS*BITS-1:0]     held;    // weight and index of each column
    reg [COLUMNS*8*LEAVES-1:0] words;   // channels that do not exist are 0
    reg [ACCUMULATOR_BITS-1:0] before_it, after_it;
    // A word of a sum on one wire goes on with its sign for the whole word time.
    wire                       repeated;
    integer a, c, i, p;
    always @(posedge clk) begin
        cycle <= cycle + 1;
        if (load) held <= load_bits;
        for (c = 0; c < COLUMNS; c = c + 1)
            for (a = 0; a < LEAVES; a = a + 1)
                for (i = 0; i < READS; i = i + 1)
                    if (a >= ALPHA) words[8*(c*LEAVES+a)+:8] <= 0;
                    else if (cycle == START + i)
                        words[8*(c*LEAVES+a)+(PARALLEL?0:i)+:WORD_BITS] <=
                            x[WORD_BITS*(c*ALPHA+a)+:WORD_BITS];
        for (i = 0; i < SERIAL; i = i + 1)
            if (LANES) begin
                for (p = 0; p < SUM_BITS; p = p + 1)
                    if (i / 8 == p) begin
                        if (cycle == START + LATE + i) before_it[i] <= sum_in[p];
                        if (cycle == START + LATE + 1 + i) after_it[i] <= sum_out[p];
                    end
            end else begin
                if (cycle == START + LATE + i) before_it[i+:SUM_BITS] <= sum_in;
                if (cycle == START + LATE + 1 + i) after_it[i+:SUM_BITS] <= sum_out;
            end
    end
    // Such inputs must be sign-extended; others are free.
    generate
        if (!PARALLEL && !LANES) begin : g_extended
            reg wrong;
            always @(posedge clk) begin
                if (cycle == START) wrong <= 0;
                for (a = 0; a < ALPHA; a = a + 1)
                    if (cycle >= START + 8 && cycle < START + WORD_CYCLES && x[a] != words[8*a+7])
                        wrong <= 1;
            end
            assign repeated = !wrong;
        end else begin : g_free
            assign repeated = 1;
        end
    endgenerate
    wire [ACCUMULATOR_BITS-1:0] sums[0:COLUMNS];
    assign sums[0] = before_it;
    genvar n;
    generate
        for (n = 0; n < COLUMNS; n = n + 1) begin : g_column
            wire        [INDEX_BITS-1:0]       index = held[n*BITS+CELL_WEIGHT_BITS+:INDEX_BITS];
            wire signed [CELL_WEIGHT_BITS-1:0] factor = held[n*BITS+:CELL_WEIGHT_BITS];
            wire signed [7:0]                  word = words[8*(n*LEAVES+(ALPHA==1?0:index))+:8];
            wire signed [ACCUMULATOR_BITS-1:0] product = word * factor;
            assign sums[n+1] = sums[n] + product;
        end
    endgenerate
    // Cells without a multiplier hold powers of two; others are free.
    wire [COLUMNS-1:0] allowed;
    generate
        for (n = 0; n < COLUMNS; n = n + 1) begin : g_allowed
            wire [CELL_WEIGHT_BITS-1:0] factor = held[n*BITS+:CELL_WEIGHT_BITS];
            wire [CELL_WEIGHT_BITS-1:0] size = factor[CELL_WEIGHT_BITS-1] ? -factor : factor;
            assign allowed[n] = CELL != 5 || (size & (size - 1'b1)) == 0;
        end
    endgenerate
    assign holds = cycle != END || !repeated || !(&allowed) || after_it == sums[COLUMNS];
endmodule
