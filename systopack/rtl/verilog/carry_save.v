// SPDX-License-Identifier: Apache-2.0
// The products of COLUMNS signed words and signed weights as two numbers whose sum is theirs.
//
// Two's complement products bit by bit: bits that count negative are inverted (Baugh and Wooley
// 1973), which makes the sum too large by COLUMNS * 2**(WEIGHT_BITS + 7); whoever adds it up takes
// that off. Bits of equal weight are added by full adders, three at a time and all columns at
// once, until no weight has more than two: balanced, and no bit is carried further than it must.
// one + other < 2**SIZE. Combinational.
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

    // Bits of each weight, 16 bits each: of the products; after one more level of full adders; after
    // all of `levels`. And the levels that are needed until none has more than two.
    function [16*SIZE-1:0] products(input integer constants);
        integer n, k;
        for (k = 0; k < SIZE; k = k + 1) begin
            n = k < 8 + TOP ? (k < 7 ? k : 7) - (k < TOP ? 0 : k - TOP) + 1 : 0;
            products[16*k+:16] = COLUMNS * n + (constants >> k) % 2;
        end
    endfunction
    function [16*SIZE-1:0] added(input [16*SIZE-1:0] now);
        integer k;
        for (k = 0; k < SIZE; k = k + 1)
            added[16*k+:16] = now[16*k+:16] - 16'd2 * (now[16*k+:16] / 16'd3)
                            + (k == 0 ? 16'd0 : now[16*(k==0?0:k-1)+:16] / 16'd3);
    endfunction
    function [16*SIZE-1:0] heights(input integer levels);
        integer n;
        begin
            heights = products(CONSTANT);
            for (n = 0; n < levels; n = n + 1) heights = added(heights);
        end
    endfunction
    function integer levels_needed(input integer most);
        reg [16*SIZE-1:0] now;
        integer           k, high;
        begin
            now = products(CONSTANT);
            levels_needed = 0;
            high = most + 1;
            while (high > most) begin
                high = 0;
                for (k = 0; k < SIZE; k = k + 1) if (now[16*k+:16] > high) high = now[16*k+:16];
                if (high > most) begin
                    now = added(now);
                    levels_needed = levels_needed + 1;
                end
            end
        end
    endfunction
    localparam LEVELS = levels_needed(2);
    localparam [16*SIZE-1:0] FIRST = heights(0);
    localparam [16*SIZE-1:0] LEFT = heights(LEVELS);

    genvar c, f, i, j, k, l;
    generate
        for (l = 0; l <= LEVELS; l = l + 1) begin : g_level
            wire [SIZE*MOST-1:0] bits;  // of weight 2**k from k * MOST on
            if (l == 0) begin : g_products
                for (k = 0; k < SIZE; k = k + 1) begin : g_weight
                    if (CONSTANT[k]) begin : g_constant
                        assign bits[k*MOST+FIRST[16*k+:16]-1] = 1'b1;
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
            end else begin : g_adders
                localparam [16*SIZE-1:0] BEFORE = heights(l - 1);
                for (k = 0; k < SIZE; k = k + 1) begin : g_weight
                    localparam ADDERS = BEFORE[16*k+:16] / 3;
                    localparam REST = BEFORE[16*k+:16] - 3 * ADDERS;
                    localparam NEXT = k + 1 < SIZE ? k + 1 : 0;
                    localparam CARRIES = BEFORE[16*NEXT+:16] - 2 * (BEFORE[16*NEXT+:16] / 3);
                    for (f = 0; f < ADDERS; f = f + 1) begin : g_adder
                        wire carry;
                        full_adder adder (
                            .a(g_level[l-1].bits[k*MOST+3*f]),
                            .b(g_level[l-1].bits[k*MOST+3*f+1]),
                            .c(g_level[l-1].bits[k*MOST+3*f+2]),
                            .sum(bits[k*MOST+f]), .carry(carry)
                        );
                        if (NEXT != 0) begin : g_carry
                            assign bits[NEXT*MOST+CARRIES+f] = carry;
                        end
                    end
                    for (f = 0; f < REST; f = f + 1) begin : g_rest
                        assign bits[k*MOST+ADDERS+f] = g_level[l-1].bits[k*MOST+3*ADDERS+f];
                    end
                end
            end
        end
        for (k = 0; k < SIZE; k = k + 1) begin : g_out
            if (LEFT[16*k+:16] > 0) begin : g_one
                assign one[k] = g_level[LEVELS].bits[k*MOST];
            end else begin : g_no_one
                assign one[k] = 1'b0;
            end
            if (LEFT[16*k+:16] > 1) begin : g_other
                assign other[k] = g_level[LEVELS].bits[k*MOST+1];
            end else begin : g_no_other
                assign other[k] = 1'b0;
            end
        end
    endgenerate
endmodule
