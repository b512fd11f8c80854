// SPDX-License-Identifier: Apache-2.0
// Delay a valid or an enable by a fixed number of cycles, 0 included.
//
// Reset: synchronous, active high; what is on its way is cleared, so that nothing of an earlier run
// reaches the next one.
/* verilator lint_off UNUSEDSIGNAL */  // without a delay there is no register
module valid_line #(
    parameter CYCLES = 1
) (
    input  wire clk,
    input  wire reset,
    input  wire in,
    output wire out
);
    generate
        if (CYCLES == 0) begin : g_none
            assign out = in;
        end else if (CYCLES == 1) begin : g_one
            reg line;
            always @(posedge clk) line <= in && !reset;
            assign out = line;
        end else begin : g_many
            reg [CYCLES-1:0] line;
            always @(posedge clk) line <= reset ? {CYCLES{1'b0}} : {line[CYCLES-2:0], in};
            assign out = line[CYCLES-1];
        end
    endgenerate
endmodule
