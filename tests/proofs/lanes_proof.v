// SPDX-License-Identifier: Apache-2.0
// The adders of a bit-serial cell: whatever is added in the two bytes of a product (or, in BL, in
// the bits of a whole word) reaches the passing sum with its sign, modulo its width, and nothing
// that was in the cell before does.
//
// The cell is in any state when the word begins; `holds` must stay 1. low and high are wires to
// what the multiplier gives to lanes 0 and 1.
module lanes_proof #(
    parameter CELL = 0,
    parameter ACCUMULATOR_BITS = 32,
    parameter CELL_WEIGHT_BITS = 8,
    parameter WORD_CYCLES = 8,
    parameter SUM_BITS = 4
) (
    input  wire                        clk,
    input  wire                        x,
    input  wire                        take,
    input  wire                        load,
    input  wire [CELL_WEIGHT_BITS-1:0] load_weight,
    input  wire [SUM_BITS-1:0]         sum_in,
    output wire                        holds
);
    localparam BITS = ACCUMULATOR_BITS;
    localparam [6:0] START = CELL == 0 ? 8 : 0;  // the markers of MX need a word to come
    reg  [6:0] cycle = 0;
    wire       word_start = cycle % WORD_CYCLES == 0;
    wire [SUM_BITS-1:0] sum_out;
    wire                load_index = 1'b0;
    wire                low, high;
    generate
        if (CELL == 0) begin : g_mx
            mx_row #(
                .COLUMNS(1), .ALPHA(1), .INDEX_BITS(1), .ACCUMULATOR_BITS(BITS),
                .CELL_WEIGHT_BITS(CELL_WEIGHT_BITS)
            ) row (.*);
        end else begin : g_bl
            bl_row #(
                .COLUMNS(1), .ALPHA(1), .INDEX_BITS(1), .ACCUMULATOR_BITS(BITS),
                .CELL_WEIGHT_BITS(CELL_WEIGHT_BITS)
            ) row (.*);
        end
    endgenerate

    reg [BITS-1:0] before_it, after_it, added;
    integer i;
    always @(posedge clk) begin
        cycle <= cycle + 7'd1;
        for (i = 0; i < BITS; i = i + 1) begin
            // Bit i of the sum is on the wire of its byte; it leaves a cycle later.
            if (cycle == START + i) before_it[i] <= sum_in[CELL == 0 ? i / 8 : 0];
            if (cycle == START + i + 1) after_it[i] <= sum_out[CELL == 0 ? i / 8 : 0];
            if (cycle == START + i && (CELL == 1 || i < 8)) added[i] <= low;
            if (CELL == 0 && i >= 8 && i < 16 && cycle == START + i) added[i] <= high;
        end
    end
    wire signed [15:0]     product = added[15:0];
    wire signed [BITS-1:0] addend = CELL == 0 ? product : $signed(added);
    assign holds = cycle != START + BITS + 1 || after_it == before_it + addend;
endmodule
