// SPDX-License-Identifier: Apache-2.0
// Bits of many weights as two numbers of the same sum, modulo 2**SIZE.
//
// Bits of equal weight are added by full adders, three at a time, until no weight has more than
// two: balanced, and no bit is carried further than it must. Combinational.
/* verilator lint_off UNUSEDSIGNAL */  // places that a weight does not fill
module adder_tree #(
    parameter SIZE = 16,
    parameter MOST = 8,  // places of each weight
    // Bits of each weight, 16 bits each, at most MOST.
    parameter [16*SIZE-1:0] HEIGHTS = {SIZE{16'd1}}
) (
    input  wire [SIZE*MOST-1:0] bits,  // of weight 2**k from k * MOST on
    output wire [SIZE-1:0]      one,
    output wire [SIZE-1:0]      other
);
    // Bits of each weight after one more level of full adders; after all of `levels`. And the levels
    // that are needed until none has more than two.
    function [16*SIZE-1:0] added(input [16*SIZE-1:0] now);
        integer k;
        for (k = 0; k < SIZE; k = k + 1)
            added[16*k+:16] = now[16*k+:16] - 16'd2 * (now[16*k+:16] / 16'd3)
                            + (k == 0 ? 16'd0 : now[16*(k==0?0:k-1)+:16] / 16'd3);
    endfunction
    function [16*SIZE-1:0] heights(input integer levels);
        integer n;
        begin
            heights = HEIGHTS;
            for (n = 0; n < levels; n = n + 1) heights = added(heights);
        end
    endfunction
    function integer levels_needed(input integer most);
        reg [16*SIZE-1:0] now;
        integer           k, high;
        begin
            now = HEIGHTS;
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
    localparam [16*SIZE-1:0] LEFT = heights(LEVELS);

    genvar f, k, l;
    generate
        for (l = 0; l <= LEVELS; l = l + 1) begin : g_level
            wire [SIZE*MOST-1:0] now;
            if (l == 0) begin : g_given
                assign now = bits;
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
                            .a(g_level[l-1].now[k*MOST+3*f]),
                            .b(g_level[l-1].now[k*MOST+3*f+1]),
                            .c(g_level[l-1].now[k*MOST+3*f+2]),
                            .sum(now[k*MOST+f]), .carry(carry)
                        );
                        if (NEXT != 0) begin : g_carry
                            assign now[NEXT*MOST+CARRIES+f] = carry;
                        end
                    end
                    for (f = 0; f < REST; f = f + 1) begin : g_rest
                        assign now[k*MOST+ADDERS+f] = g_level[l-1].now[k*MOST+3*ADDERS+f];
                    end
                end
            end
        end
        for (k = 0; k < SIZE; k = k + 1) begin : g_out
            if (LEFT[16*k+:16] > 0) begin : g_one
                assign one[k] = g_level[LEVELS].now[k*MOST];
            end else begin : g_no_one
                assign one[k] = 1'b0;
            end
            if (LEFT[16*k+:16] > 1) begin : g_other
                assign other[k] = g_level[LEVELS].now[k*MOST+1];
            end else begin : g_no_other
                assign other[k] = 1'b0;
            end
        end
    endgenerate
endmodule
