// SPDX-License-Identifier: Apache-2.0
// Assertions for one channel with VALID and READY, in simulations that define SYSTOPACK_ASSERTIONS.
//
// While VALID waits for READY it stays, and so do TDATA and TLAST; VALID is low in a reset and known
// after it. The very first clock edge is not looked at: a clock that begins high has an edge at time
// 0, which some registers see and some do not. A violation prints a line that begins with "ASSERTION" and ends the simulation.
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
    reg             begun, waited, held_reset, held_last;
    reg [WIDTH-1:0] held;
    initial {begun, waited, held_reset} = 3'b000;
    always @(posedge clk) begin
        begun <= 1'b1;
        held_reset <= reset && begun;
        waited <= valid && !ready && !reset && begun;
        held <= data;
        held_last <= last;
        if (waited && !reset && !held_reset && (valid !== 1'b1 || data !== held || last !== held_last)) begin
            $display("ASSERTION: %m: a word that was offered and not taken did not stay");
            $stop;
            $finish;
        end
        if (DRIVEN && held_reset && valid !== 1'b0) begin
            $display("ASSERTION: %m: VALID is not low in a reset");
            $stop;
            $finish;
        end
    end
endmodule
`endif
