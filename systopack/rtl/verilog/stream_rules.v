// SPDX-License-Identifier: Apache-2.0
// Assertions for one channel with VALID and READY, in simulations that define SYSTOPACK_ASSERTIONS.
//
// While VALID waits for READY it stays, and so do TDATA and TLAST; VALID is low in a reset and known
// after it. A violation prints a line that begins with "ASSERTION" and ends the simulation.
`ifdef SYSTOPACK_ASSERTIONS
module stream_rules #(
    parameter WIDTH = 8,
    parameter [0:0] DRIVEN = 1  // 1: VALID comes from this design, so a reset has to clear it
) (
    input wire             clk,
    input wire             reset,
    input wire             valid,
    input wire             ready,
    input wire [WIDTH-1:0] data,
    input wire             last
);
    reg             waited = 1'b0, held_reset = 1'b0, held_last = 1'b0;
    reg [WIDTH-1:0] held = {WIDTH{1'b0}};
    always @(posedge clk) begin
        held_reset <= reset;
        waited <= valid && !ready && !reset;
        held <= data;
        held_last <= last;
        if (waited && !reset && !held_reset && (valid !== 1'b1 || data !== held || last !== held_last)) begin
            $display("ASSERTION: %m: a word that was offered and not taken did not stay");
            $finish;
        end
        if (DRIVEN && held_reset && valid !== 1'b0) begin
            $display("ASSERTION: %m: VALID is not low in a reset");
            $finish;
        end
    end
endmodule
`endif
