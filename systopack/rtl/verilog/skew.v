// SPDX-License-Identifier: Apache-2.0
// Skew of the columns: what belongs to place p leaves p cycles after it entered. No reset.
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
module skew #(
    parameter PLACES = 4,
    parameter WIDTH = 1  // wires of a place
) (
    input  wire                    clk,
    input  wire [PLACES*WIDTH-1:0] in,  // place p at p * WIDTH
    output wire [PLACES*WIDTH-1:0] out
);
    genvar s;
    generate
        // Stage s holds what has waited s cycles: place s, which leaves, and those above it.
        for (s = 0; s < PLACES; s = s + 1) begin : g_stage
            wire [(PLACES-s)*WIDTH-1:0] here;
            if (s == 0) begin : g_first
                assign here = in;
            end else begin : g_later
                reg [(PLACES-s)*WIDTH-1:0] line;
                always @(posedge clk) line <= g_stage[s-1].here[(PLACES-s+1)*WIDTH-1:WIDTH];
                assign here = line;
            end
            assign out[s*WIDTH+:WIDTH] = here[WIDTH-1:0];
        end
    endgenerate
endmodule
