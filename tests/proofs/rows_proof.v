// SPDX-License-Identifier: Apache-2.0
// The rows of product_proof.v are the product: 8 rows from the word's lowest bit up, each giving
// its lowest bit away, the last one negative, and the rest is what is left of weight * word.
module rows_proof #(
    parameter CELL_WEIGHT_BITS = 8
) (
    input  wire signed [CELL_WEIGHT_BITS-1:0] weight,
    input  wire signed [7:0]                  word,
    output wire                               holds
);
    localparam B = CELL_WEIGHT_BITS;
    reg signed [B:0]   rest;
    reg signed [B+1:0] row, total;
    reg        [7:0]   given;
    integer i;
    always @* begin
        rest = 0;
        for (i = 0; i < 8; i = i + 1) begin
            row = !word[i] ? 0 : i == 7 ? -weight : weight;
            total = rest + row;
            given[i] = total[0];
            rest = total >>> 1;
        end
    end
    wire signed [B+7:0] product = word * weight;
    assign holds = {rest[B-1:0], given} == product && rest[B] == rest[B-1];
endmodule
