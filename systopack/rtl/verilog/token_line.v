// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
// Delay what belongs to a token, whose rows take turns: it is constant for LANE_ROWS cycles.
//
// So one register lasts for up to LANE_ROWS stages. `starts[k]` is high in the cycle in which a
// token's first row is k stages behind `in`. No reset.
module token_line #(
    parameter WIDTH = 1,
    parameter CYCLES = 1,
    parameter LANE_ROWS = 8
) (
    input  wire              clk,
    input  wire [CYCLES-1:0] starts,
    input  wire [WIDTH-1:0]  in,
    output wire [WIDTH-1:0]  out
);
    localparam HOPS = (CYCLES + LANE_ROWS - 1) / LANE_ROWS;
    genvar h;
    generate
        if (LANE_ROWS == 1) begin : g_each
            delay_line #(.WIDTH(WIDTH), .CYCLES(CYCLES)) each (.clk(clk), .in(in), .out(out));
        end else begin : g_hops
            for (h = 0; h < HOPS; h = h + 1) begin : g_hop
                localparam DUE = h == HOPS - 1 ? CYCLES : (h + 1) * LANE_ROWS;
                reg [WIDTH-1:0] kept;
                if (h == 0) begin : g_in
                    always @(posedge clk) if (starts[DUE-1]) kept <= in;
                end else begin : g_on
                    always @(posedge clk) if (starts[DUE-1]) kept <= g_hop[h-1].kept;
                end
            end
            assign out = g_hop[HOPS-1].kept;
        end
    endgenerate
endmodule
