// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
// Gather the wires of one array row into whole sums.
//
// `complete` comes once a word time, the cycle after a sum's last bit was on the wires
// (bit-parallel: with the sum itself); `word` is valid in that cycle. Serial bits are caught where
// they stay, so that a register moves once a word time.
module sum_deserializer #(
    parameter CELL = 0,
    parameter ACCUMULATOR_BITS = 32,
    parameter SUM_BITS = 4
) (
    input  wire                        clk,
    input  wire                        complete,
    input  wire [7:0]                  bit_now,   // one hot: which bit of the bytes is on the wires
    input  wire [SUM_BITS-1:0]         sum,
    output wire [ACCUMULATOR_BITS-1:0] word
);
    genvar p, k;
    generate
        if (CELL == 2 || CELL == 4) begin : g_parallel
            assign word = sum;
        end else if (CELL == 1) begin : g_bl
            reg [ACCUMULATOR_BITS-1:0] shifting;
            always @(posedge clk) shifting <= {sum[0], shifting[ACCUMULATOR_BITS-1:1]};
            assign word = shifting;
        end else begin : g_lanes
            for (p = 0; p < SUM_BITS; p = p + 1) begin : g_lane
                localparam WAIT = SUM_BITS - 1 - p;  // words that byte p waits for the last byte
                reg [7:0] caught;
                for (k = 0; k < 8; k = k + 1) begin : g_bit
                    always @(posedge clk) if (bit_now[k]) caught[k] <= sum[p];
                end
                if (WAIT == 0) begin : g_last
                    assign word[8*p+:8] = caught;
                end else if (WAIT == 1) begin : g_one
                    reg [7:0] waiting;
                    always @(posedge clk) if (complete) waiting <= caught;
                    assign word[8*p+:8] = waiting;
                end else begin : g_more
                    reg [8*WAIT-1:0] waiting;
                    always @(posedge clk)
                        if (complete) waiting <= {waiting[8*(WAIT-1)-1:0], caught};
                    assign word[8*p+:8] = waiting[8*WAIT-1-:8];
                end
            end
        end
    endgenerate
endmodule
