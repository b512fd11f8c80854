// rtl/verilog/masked_register.v bit by bit: yosys then uses the flip-flops' own enables.
/* verilator lint_off UNUSEDSIGNAL */  // `any` is not needed here
module masked_register #(
    parameter WIDTH = 8
) (
    input  wire             clk,
    input  wire             any,
    input  wire [WIDTH-1:0] mask,
    input  wire [WIDTH-1:0] in,
    output reg  [WIDTH-1:0] out
);
    genvar i;
    generate
        for (i = 0; i < WIDTH; i = i + 1) begin : g_bit
            always @(posedge clk) if (mask[i]) out[i] <= in[i];
        end
    endgenerate
endmodule
