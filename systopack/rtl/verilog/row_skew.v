// SPDX-License-Identifier: Apache-2.0
// Skew of the rows' sums. Row r runs D(r) = r % TILE_ROWS / INPUT_FANOUT cycles behind row 0.
//
// Sums that enter together (LEAVING 0) are delayed by D(r). Sums that leave (LEAVING 1) wait for the
// last row, which makes them come together again. No reset.
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
/* verilator lint_off WIDTHCONCAT */  // masks over all sums of an array with many rows
module row_skew #(
    parameter ROWS = 4,
    parameter TILE_ROWS = ROWS,
    parameter INPUT_FANOUT = 1,
    parameter WIDTH = 1,    // adjacent wires of a row
    parameter COPIES = 1,   // times that all rows follow each other
    parameter LEAVING = 0
) (
    input  wire                         clk,
    input  wire [COPIES*ROWS*WIDTH-1:0] in,  // wire w of row r of copy k: (k * ROWS + r) * WIDTH + w
    output wire [COPIES*ROWS*WIDTH-1:0] out
);
    localparam HIGHEST = ROWS < TILE_ROWS ? ROWS : TILE_ROWS;
    localparam LAST = (HIGHEST - 1) / INPUT_FANOUT;  // D of the last row
    localparam BITS = COPIES * ROWS * WIDTH;
    localparam TILES = (ROWS + TILE_ROWS - 1) / TILE_ROWS;
    localparam UNIT = HIGHEST < INPUT_FANOUT ? HIGHEST : INPUT_FANOUT;
    genvar s;
    generate
        for (s = 0; s <= LAST; s = s + 1) begin : g_stage
            // The rows with D(r) = s.
            localparam [TILE_ROWS*WIDTH-1:0] BOTTOM =
                ~({TILE_ROWS * WIDTH{1'b1}} << (UNIT * WIDTH));
            localparam [TILE_ROWS*WIDTH-1:0] TILE = BOTTOM << (s * UNIT * WIDTH);
            localparam [TILES*TILE_ROWS*WIDTH-1:0] COLUMN = {TILES{TILE}};
            localparam [BITS-1:0] MINE = {COPIES{COLUMN[ROWS*WIDTH-1:0]}};
            wire [BITS-1:0] here, gone;
            if (s == 0) begin : g_first
                assign here = LEAVING != 0 ? in & MINE : in;
                assign gone = here & MINE;
            end else begin : g_later
                reg [BITS-1:0] line;
                always @(posedge clk) line <= g_stage[s-1].here;
                assign here = LEAVING != 0 ? line | (in & MINE) : line;
                assign gone = g_stage[s-1].gone | (here & MINE);
            end
        end
    endgenerate
    assign out = LEAVING != 0 ? g_stage[LAST].here : g_stage[LAST].gone;
endmodule
