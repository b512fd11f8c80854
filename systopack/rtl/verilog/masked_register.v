// SPDX-License-Identifier: Apache-2.0
// Keep each bit, or take a new one where its bit of `mask` is set. No reset.
//
// `any` is set wherever a bit of `mask` may be. Synthesis tools get it bit by bit, for flip-flops
// with an enable of their own and for clock gates, one for all bits with the same mask; simulators
// in whole vectors, which is many times as fast.
/* verilator lint_off UNUSEDSIGNAL */  // synthesis needs no `any`
module masked_register #(
    parameter WIDTH = 8
) (
    input  wire             clk,
    input  wire             any,
    input  wire [WIDTH-1:0] mask,
    input  wire [WIDTH-1:0] in,
    output reg  [WIDTH-1:0] out
);
`ifdef SYNTHESIS
    genvar i;
    generate
        for (i = 0; i < WIDTH; i = i + 1) begin : g_bit
            always @(posedge clk) if (mask[i]) out[i] <= in[i];
        end
    endgenerate
`else
    always @(posedge clk) if (any) out <= (out & ~mask) | (in & mask);
`endif
endmodule
