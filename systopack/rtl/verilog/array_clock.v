// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
// The clock of an array: it runs while words are in the array, and holds still otherwise.
//
// It starts with the word time after `issue` and stops WORDS word times later, always at the same
// phase, so that markers inside the array keep their distance from later words. With GATED 0 the
// clock always runs, for devices whose clock networks have no gates; no word changes by it.
// Silicon takes GATED 1 and its own cell in the place of `clock_gate`.
module array_clock #(
    parameter GATED = 0,
    parameter WORDS = 16  // word times that a word stays in the array
) (
    input  wire clk,
    input  wire slot,     // first cycle of every word time
    input  wire issue,    // in the cycle of `slot`
    input  wire run,      // keep it running
    input  wire test_enable,
    output reg  running,  // the clock is wanted, gated or not
    output wire gated
);
    // Parameters that contradict each other stop elaboration with the module's name as the message.
    generate
        if (GATED < 0 || GATED > 1 || WORDS < 2) begin : g_wrong_0
            wrong_parameters_GATED_must_be_0_or_1_and_WORDS_2_or_more stop ();
        end
    endgenerate

    reg [WORDS-1:0] history;
    always @(posedge clk)
        if (slot) begin
            history <= {history[WORDS-2:0], issue};
            running <= run || issue || (|history);
        end
    generate
        if (GATED == 0) begin : g_always
            assign gated = clk;
        end else begin : g_gate
            clock_gate gate (
                .clk(clk), .enable(running), .test_enable(test_enable), .gated(gated)
            );
        end
    endgenerate
endmodule
