// SPDX-License-Identifier: Apache-2.0
// One row of balanced bit-serial cells (BL): word time = ACCUMULATOR_BITS, one sum at a time.
//
// Input words are sign-extended to ACCUMULATOR_BITS bits. Otherwise as mx_row, which see:
// word_start comes every ACCUMULATOR_BITS cycles, a cell delays sums by one cycle and the
// multiplexer's register (ALPHA > 1) the input by one.
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
/* verilator lint_off UNUSEDPARAM */
module bl_row #(
    parameter COLUMNS = 32,
    parameter ALPHA = 1,
    parameter INDEX_BITS = 1,
    parameter ACCUMULATOR_BITS = 32,
    parameter CELL_WEIGHT_BITS = 8, // 2..8
    parameter WEIGHT_BUFFERS = 2
) (
    input  wire                     clk,
    input  wire [ALPHA*COLUMNS-1:0] x,
    input  wire                     word_start,
    input  wire                     take,
    input  wire                     sum_in,
    output wire                     sum_out,
    input  wire [COLUMNS-1:0]       load,
    input  wire [CELL_WEIGHT_BITS-1:0] load_weight,
    input  wire [INDEX_BITS-1:0]    load_index
);
    /* verilator no_inline_module */  // one piece of code for all rows simulates faster
    localparam BITS = CELL_WEIGHT_BITS;
    wire [COLUMNS-1:0] bits, first, take_weight;
    multiplexer_row #(
        .COLUMNS(COLUMNS), .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS), .WORD_BITS(1), .MARKERS(COLUMNS),
        .WEIGHT_BUFFERS(WEIGHT_BUFFERS)
    ) choice (
        .clk(clk), .x(x), .word_start(word_start), .take(take), .load(load),
        .load_index(load_index), .word(bits), .start(first), .take_weight(take_weight)
    );

    // The sign bit of the weight counts -2**(BITS - 1) in every cycle: its products are inverted
    // and the constant 2**(BITS - 1) enters with the first bit (modulo 2**ACCUMULATOR_BITS).
    // Bit j of column c lies at j * COLUMNS + c, in every vector below.
    wire [BITS*COLUMNS-1:0]       weight;
    reg  [BITS*COLUMNS-1:COLUMNS] partial;
    reg  [BITS*COLUMNS-1:0]       carry;
    wire [BITS*COLUMNS-1:0]       product = ({BITS{bits}} & weight)
                                          ^ {{COLUMNS{1'b1}}, {((BITS - 1) * COLUMNS) {1'b0}}};
    wire [BITS*COLUMNS-1:0]       above = {first, partial & {(BITS - 1) {~first}}};
    wire [BITS*COLUMNS-1:0]       kept = carry & {BITS{~first}};
    wire [BITS*COLUMNS-1:0]       partial_now = product ^ above ^ kept;
    wire [BITS*COLUMNS-1:0]       loading;
    genvar j;
    generate
        for (j = 0; j < BITS; j = j + 1) begin : g_load
            assign loading[j*COLUMNS+:COLUMNS] = {COLUMNS{load_weight[j]}};
        end
    endgenerate
    weight_register #(.WIDTH(BITS * COLUMNS), .BUFFERS(WEIGHT_BUFFERS)) weights (
        .clk(clk), .any_load(|load), .loaded({BITS{load}}), .any_take(|take_weight),
        .taken({BITS{take_weight}}), .in(loading), .out(weight)
    );
    always @(posedge clk) begin
        partial <= partial_now[BITS*COLUMNS-1:COLUMNS];
        carry <= (product & above) | (kept & (product | above));
    end

    reg  [COLUMNS-1:0] sum;
    reg  [COLUMNS-1:0] sum_carry;
    wire [COLUMNS-1:0] addend = partial_now[COLUMNS-1:0];
    wire [COLUMNS:0]   passing = {sum, sum_in};
    wire [COLUMNS-1:0] into = sum_carry & ~first;
    always @(posedge clk) begin
        sum <= addend ^ passing[COLUMNS-1:0] ^ into;
        sum_carry <= (addend & passing[COLUMNS-1:0]) | (into & (addend | passing[COLUMNS-1:0]));
    end
    assign sum_out = passing[COLUMNS];
endmodule
