// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
// Add the partial sums of two blocks of columns, row by row, on the wires of the cells' format.
//
// `first` marks the first bit of a byte (MX, IL) or word (BL). A byte's last carry goes on to the
// lane above, as in the cells. Latency: 1 cycle. Throughput: that of the cells. No reset: a word's
// carries begin at its first bit.
module sum_adder #(
    parameter ROWS = 4,
    parameter CELL = 0,
    parameter SUM_BITS = 4
) (
    input  wire                     clk,
    input  wire                     first,
    input  wire [ROWS*SUM_BITS-1:0] a,  // wires as at the array's edge
    input  wire [ROWS*SUM_BITS-1:0] b,
    output reg  [ROWS*SUM_BITS-1:0] sum
);
    localparam BITS = ROWS * SUM_BITS;
    genvar r;
    generate
        if (CELL == 2 || CELL == 4) begin : g_parallel
            for (r = 0; r < ROWS; r = r + 1) begin : g_row
                always @(posedge clk)
                    sum[r*SUM_BITS+:SUM_BITS] <= a[r*SUM_BITS+:SUM_BITS] + b[r*SUM_BITS+:SUM_BITS];
            end
        end else begin : g_serial
            reg  [BITS-1:0] carry;
            wire [BITS-1:0] up = carry << ROWS;  // of all rows' lane below
            wire [BITS-1:0] into = first ? up : carry;
            always @(posedge clk) begin
                sum   <= a ^ b ^ into;
                carry <= (a & b) | (into & (a | b));
            end
        end
    endgenerate
endmodule
