// SPDX-License-Identifier: Apache-2.0
// Makes words of the bytes of a lane's rows, as they stand in the planes of the feature memory.
//
// A word begins with its first byte: the places before a plane's first byte and after its last one
// become zeros. It is complete with the last byte that this row gives it, at the latest with
// `flush`, and waits in `pending` until `taken`; the next word of its row is collected meanwhile.
// A plane's or a visit's last word, which may follow soon, waits where it was collected.
// Reset: of all words, synchronous, active high.
module lane_words #(
    parameter LANE_ROWS = 8,
    parameter ROW_BITS = 3,
    parameter FEATURE_BITS = 10,
    parameter WORD_BYTES = 4,
    parameter PHASE_BITS = 2
) (
    input  wire                              clk,
    input  wire                              reset,
    input  wire                              store,
    input  wire [ROW_BITS-1:0]               row,
    input  wire [7:0]                        value,
    input  wire [FEATURE_BITS-1:0]           address,
    input  wire [PHASE_BITS-1:0]             place,
    input  wire                              first,       // of the plane
    input  wire                              last,        // of the plane
    input  wire                              flush,
    input  wire [1:0]                        step_bytes,
    input  wire [LANE_ROWS-1:0]              taken,
    output reg  [LANE_ROWS-1:0]              pending,
    output reg  [LANE_ROWS*FEATURE_BITS-1:0] pending_address,
    output reg  [LANE_ROWS*8*WORD_BYTES-1:0] pending_data,
    output reg  [LANE_ROWS*WORD_BYTES-1:0]   pending_enables
);
    localparam KEPT = WORD_BYTES - 1;  // the byte at the last place always completes its word
    localparam [31:0] TOP = WORD_BYTES - 1;
    wire [31:0] after = {{(32 - PHASE_BITS) {1'b0}}, place} + {30'd0, step_bytes};
    wire        complete = last || flush || after > TOP;

    // What the byte brings: itself, zeros before it, zeros after it.
    wire [WORD_BYTES-1:0] here = {{(WORD_BYTES - 1) {1'b0}}, 1'b1} << place;
    wire [WORD_BYTES-1:0] below = here - {{(WORD_BYTES - 1) {1'b0}}, 1'b1};
    wire [WORD_BYTES-1:0] brought = here | (below & {WORD_BYTES{first}})
                                    | (~(here | below) & {WORD_BYTES{last}});
    genvar k, r;
    generate
        for (r = 0; r < LANE_ROWS; r = r + 1) begin : g_row
            localparam [ROW_BITS-1:0] ROW = r;
            wire                    mine = store && row == ROW;
            reg  [8*KEPT-1:0]       bytes;
            reg  [KEPT-1:0]         enables;
            wire [8*WORD_BYTES-1:0] word;
            wire [WORD_BYTES-1:0]   written = brought | {1'b0, enables};
            wire                    fresh = enables == {KEPT{1'b0}};
            for (k = 0; k < WORD_BYTES; k = k + 1) begin : g_byte
                if (k < KEPT) begin : g_kept
                    assign word[8*k+:8] = here[k] ? value : fresh ? 8'd0 : bytes[8*k+:8];
                end else begin : g_last
                    assign word[8*k+:8] = here[k] ? value : 8'd0;
                end
            end
            reg                     waits, top;  // a whole word is in `bytes`; with a zero above
            wire                    busy = pending[r] && !taken[r];
            wire                    ready = mine && complete;
            wire [FEATURE_BITS-1:0] after_pending =
                pending_address[r*FEATURE_BITS+:FEATURE_BITS] + 1'b1;
            always @(posedge clk) begin
                if (mine && (!complete || busy))
                    {top, bytes, enables} <= {brought[WORD_BYTES-1], word[8*KEPT-1:0],
                                              written[KEPT-1:0]};
                if (!busy && (ready || waits)) begin
                    pending_address[r*FEATURE_BITS+:FEATURE_BITS] <= waits ? after_pending : address;
                    pending_data[r*8*WORD_BYTES+:8*WORD_BYTES] <= waits ? {8'd0, bytes} : word;
                    pending_enables[r*WORD_BYTES+:WORD_BYTES] <= waits ? {top, enables} : written;
                end
                pending[r] <= !reset && (ready || busy || waits);
                waits <= !reset && busy && (ready || waits);
                if (reset || (!busy && (ready || waits))) enables <= {KEPT{1'b0}};
            end
`ifdef SYSTOPACK_ASSERTIONS
            always @(posedge clk)
                if (!reset && mine && (waits || (complete && busy
                                                 && (here[TOP] || address != after_pending)))) begin
                    $display("ASSERTION: %m: a row's next word is complete before one is taken");
                    $stop;
                    $finish;
                end
`endif
        end
    endgenerate
endmodule
