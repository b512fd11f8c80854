// SPDX-License-Identifier: Apache-2.0
// The products of COLUMNS signed words and signed weights as two numbers whose sum is theirs.
//
// Two's complement products bit by bit: bits that count negative are inverted (Baugh and Wooley
// 1973), which makes the sum too large by COLUMNS * 2**(WEIGHT_BITS + 7); whoever adds it up takes
// that off. `adder_tree` adds them up. one + other < 2**SIZE. Combinational.
module carry_save #(
    parameter COLUMNS = 8,
    parameter WEIGHT_BITS = 8,  // 2..8
    parameter SIZE = WEIGHT_BITS + 8 + $clog2(COLUMNS)
) (
    input  wire [8*COLUMNS-1:0]           words,
    input  wire [WEIGHT_BITS*COLUMNS-1:0] weights,
    output wire [SIZE-1:0]                one,
    output wire [SIZE-1:0]                other
);
    localparam TOP = WEIGHT_BITS - 1;
    localparam MOST = COLUMNS * WEIGHT_BITS + 1;  // bits of one weight, at most
    // What the inverted bits ask for, apart from what is taken off.
    localparam [SIZE-1:0] CONSTANT = COLUMNS * ((1 << 7) + (1 << TOP));

    // Bits of each weight, 16 bits each.
    function [16*SIZE-1:0] products(input integer constants);
        integer n, k;
        for (k = 0; k < SIZE; k = k + 1) begin
            n = k < 8 + TOP ? (k < 7 ? k : 7) - (k < TOP ? 0 : k - TOP) + 1 : 0;
            products[16*k+:16] = COLUMNS * n + (constants >> k) % 2;
        end
    endfunction
    localparam [16*SIZE-1:0] HEIGHTS = products(CONSTANT);

    wire [SIZE*MOST-1:0] bits;  // of weight 2**k from k * MOST on
    genvar c, i, j, k;
    generate
        for (k = 0; k < SIZE; k = k + 1) begin : g_weight
            if (CONSTANT[k]) begin : g_constant
                assign bits[k*MOST+HEIGHTS[16*k+:16]-1] = 1'b1;
            end
        end
        for (i = 0; i < 8; i = i + 1) begin : g_bit
            for (j = 0; j < WEIGHT_BITS; j = j + 1) begin : g_row
                localparam PLACE = i + j < 7 ? j : 7 - i;  // among those of its weight
                localparam MINUS = (i == 7) != (j == TOP);
                for (c = 0; c < COLUMNS; c = c + 1) begin : g_column
                    wire product = words[8*c+i] & weights[WEIGHT_BITS*c+j];
                    assign bits[(i+j)*MOST+PLACE*COLUMNS+c] = MINUS ? ~product : product;
                end
            end
        end
    endgenerate
    adder_tree #(.SIZE(SIZE), .MOST(MOST), .HEIGHTS(HEIGHTS)) tree (
        .bits(bits), .one(one), .other(other)
    );
endmodule
