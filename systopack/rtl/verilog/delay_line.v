// SPDX-License-Identifier: Apache-2.0
// Delay a signal by a fixed number of cycles, 0 included. No reset.
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
/* verilator lint_off UNUSEDPARAM */
module delay_line #(
    parameter WIDTH = 1,
    parameter CYCLES = 1
) (
    input  wire             clk,
    input  wire [WIDTH-1:0] in,
    output wire [WIDTH-1:0] out
);
    generate
        if (CYCLES == 0) begin : g_none
            assign out = in;
        end else if (CYCLES == 1) begin : g_one
            reg [WIDTH-1:0] line;
            always @(posedge clk) line <= in;
            assign out = line;
        end else begin : g_many
            reg [WIDTH*CYCLES-1:0] line;
            always @(posedge clk) line <= {line[WIDTH*(CYCLES-1)-1:0], in};
            assign out = line[WIDTH*CYCLES-1-:WIDTH];
        end
    endgenerate
endmodule
