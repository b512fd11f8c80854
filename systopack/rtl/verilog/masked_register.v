// Keep each bit, or take a new one where its bit of `mask` is set. No reset.
//
// `any` is set wherever a bit of `mask` may be: a clock gate for the whole register. For FPGAs,
// whose flip-flops have an enable of their own, synthesis/fpga/verilog has the same bit by bit.
module masked_register #(
    parameter WIDTH = 8
) (
    input  wire             clk,
    input  wire             any,
    input  wire [WIDTH-1:0] mask,
    input  wire [WIDTH-1:0] in,
    output reg  [WIDTH-1:0] out
);
    always @(posedge clk) if (any) out <= (out & ~mask) | (in & mask);
endmodule
