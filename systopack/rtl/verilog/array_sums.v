// SPDX-License-Identifier: Apache-2.0
// Whole sums of all rows, held from the cycle after `complete` until the next one. No reset.
module array_sums #(
    parameter ROWS = 32,
    parameter SOURCES = 32,           // rows of all lanes; those beyond ROWS are zeros
    parameter CELL = 0,
    parameter ACCUMULATOR_BITS = 32,
    parameter SUM_BITS = 4,           // wires of a row's sum
    parameter LANE_BITS = 1           // wires of its lanes
) (
    input  wire                                clk,
    input  wire                                complete,
    input  wire [ROWS*SUM_BITS-1:0]            sum_out,
    output wire [SOURCES*ACCUMULATOR_BITS-1:0] sums
);
    localparam ACC = ACCUMULATOR_BITS;
    reg [7:1] later;
    always @(posedge clk) later <= {later[6:1], complete};
    genvar r, i;
    generate
        for (r = 0; r < SOURCES; r = r + 1) begin : g_row
            if (r < ROWS) begin : g_used
                wire [ACC-1:0]      word;
                reg  [ACC-1:0]      finished;
                wire [SUM_BITS-1:0] leaving;
                for (i = 0; i < SUM_BITS / LANE_BITS; i = i + 1) begin : g_sum
                    assign leaving[i*LANE_BITS+:LANE_BITS] =
                        sum_out[(i*ROWS+r)*LANE_BITS+:LANE_BITS];
                end
                sum_deserializer #(
                    .CELL(CELL), .ACCUMULATOR_BITS(ACC), .SUM_BITS(SUM_BITS)
                ) deserializer (
                    .clk(clk), .complete(complete), .bit_now({later, complete}), .sum(leaving),
                    .word(word)
                );
                always @(posedge clk) if (complete) finished <= word;
                assign sums[r*ACC+:ACC] = finished;
            end else begin : g_none
                assign sums[r*ACC+:ACC] = {ACC{1'b0}};
            end
        end
    endgenerate
endmodule
