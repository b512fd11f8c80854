// SPDX-License-Identifier: Apache-2.0
// Assertions for a ring of weights, in simulations that define SYSTOPACK_ASSERTIONS.
//
// A word is read only after it came in this run, never in the cycle in which it is written, and is
// written over only after it was read. A violation prints a line that begins with "ASSERTION" and
// ends the simulation.
`ifdef SYSTOPACK_ASSERTIONS
module weight_rules #(
    parameter WORDS = 64,
    parameter ADDRESS_BITS = 6
) (
    input wire                    clk,
    input wire                    busy,
    input wire                    write,
    input wire [ADDRESS_BITS-1:0] write_address,
    input wire                    load,
    input wire [ADDRESS_BITS-1:0] load_address
);
    reg [WORDS-1:0] came, kept;  // kept: not read yet
    initial {came, kept} = {2 * WORDS{1'b0}};
    always @(posedge clk) begin
        if (load) kept[load_address] <= 1'b0;
        if (write) {came[write_address], kept[write_address]} <= 2'b11;
        if (!busy) {came, kept} <= {2 * WORDS{1'b0}};
        if (busy && load && !came[load_address]) begin
            $display("ASSERTION: %m: a word of weights was read before it came");
            $stop;
            $finish;
        end
        if (busy && write && (kept[write_address] || (load && load_address == write_address))) begin
            $display("ASSERTION: %m: a word of weights was written over before it was read");
            $stop;
            $finish;
        end
    end
endmodule
`endif
