// SPDX-License-Identifier: Apache-2.0
// What visits and instructions wait for: fixed numbers of word times (MIN_*).
//
// Counted in word times since weights began to enter the array, and since the last visit ended.
// Reset: each count begins with its event.
module visit_waits #(
    parameter MIN_LOAD = 4,
    parameter MIN_DRAIN = 4
) (
    input  wire clk,
    input  wire slot_end,      // last cycle of a word time
    input  wire run_begins,
    input  wire load_begins,   // with `slot_end`: of weights that enter the array
    input  wire resting,       // no visit goes on
    input  wire tiles_end,
    output wire loaded,        // a visit may begin with the next word time
    output wire drained        // its words are all written then
);
    localparam WAIT_BITS = MIN_LOAD > 65535 || MIN_DRAIN > 65535 ? 24 : 16;
    localparam [WAIT_BITS-1:0] LONGEST = {{(WAIT_BITS - 1) {1'b1}}, 1'b0};
    reg  [WAIT_BITS-1:0] since, idle;
    wire [31:0] since_words = {{(32 - WAIT_BITS) {1'b0}}, since} + 32'd1;
    wire [31:0] idle_words = {{(32 - WAIT_BITS) {1'b0}}, idle} + 32'd1;
    assign loaded = since_words >= MIN_LOAD;
    assign drained = idle_words >= MIN_DRAIN && !tiles_end;
    always @(posedge clk) begin
        if (run_begins || load_begins) since <= {WAIT_BITS{1'b0}};
        else if (slot_end && since != LONGEST) since <= since + 1'b1;
        if (tiles_end) idle <= {WAIT_BITS{1'b0}};
        else if (slot_end && resting && idle != LONGEST) idle <= idle + 1'b1;
    end
endmodule
