// SPDX-License-Identifier: Apache-2.0
// The weights (or indices) of a set of cells, one bit of each.
//
// With BUFFERS 2 `load` writes the next bits, of the cells in `loaded`, and `take` makes them the
// present ones. With BUFFERS 1 there are no next bits: cells that take read `in`, which then carries
// theirs. With BUFFERS 0 `load` writes the present bits themselves. `any_*` is set wherever a bit of
// the mask may be: clock gates for a whole register.
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
module weight_register #(
    parameter WIDTH = 8,
    parameter BUFFERS = 2
) (
    input  wire             clk,
    input  wire             any_load,
    input  wire [WIDTH-1:0] loaded,
    input  wire             any_take,
    input  wire [WIDTH-1:0] taken,
    input  wire [WIDTH-1:0] in,
    output wire [WIDTH-1:0] out
);
    localparam IN_PLACE = BUFFERS == 0;
    wire [WIDTH-1:0] next;
    generate
        if (BUFFERS == 2) begin : g_next
            masked_register #(.WIDTH(WIDTH)) waiting (
                .clk(clk), .any(any_load), .mask(loaded), .in(in), .out(next)
            );
        end else begin : g_none
            assign next = in;
        end
    endgenerate
    masked_register #(.WIDTH(WIDTH)) present (
        .clk(clk), .any(IN_PLACE ? any_load : any_take), .mask(IN_PLACE ? loaded : taken), .in(next),
        .out(out)
    );
endmodule
