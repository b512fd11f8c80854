// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
// Turn whole partial sums into the wires of one array row.
//
// `transfer` comes once a word time; the first bit of the word is on the wires one cycle later.
// Byte lane p of an MX or IL row follows 8 * p cycles behind lane 0.
module sum_serializer #(
    parameter CELL = 0,
    parameter ACCUMULATOR_BITS = 32,
    parameter SUM_BITS = 4
) (
    input  wire                        clk,
    input  wire                        transfer,
    input  wire [ACCUMULATOR_BITS-1:0] word,
    output wire [SUM_BITS-1:0]         sum
);
    genvar p;
    generate
        if (CELL == 2 || CELL == 4) begin : g_parallel
            reg [ACCUMULATOR_BITS-1:0] held;
            always @(posedge clk) if (transfer) held <= word;
            assign sum = held;
        end else if (CELL == 1) begin : g_bl
            reg [ACCUMULATOR_BITS-1:0] shifting;
            always @(posedge clk) shifting <= transfer ? word : shifting >> 1;
            assign sum = shifting[0];
        end else begin : g_lanes
            for (p = 0; p < SUM_BITS; p = p + 1) begin : g_lane
                reg  [7:0] shifting;
                wire [7:0] due;
                if (p == 0) begin : g_now
                    assign due = word[7:0];
                end else begin : g_later
                    reg [8*p-1:0] waiting;
                    if (p == 1) begin : g_one
                        always @(posedge clk) if (transfer) waiting <= word[15:8];
                    end else begin : g_more
                        always @(posedge clk)
                            if (transfer) waiting <= {waiting[8*(p-1)-1:0], word[8*p+:8]};
                    end
                    assign due = waiting[8*p-1-:8];
                end
                always @(posedge clk) shifting <= transfer ? due : shifting >> 1;
                assign sum[p] = shifting[0];
            end
        end
    endgenerate
endmodule
