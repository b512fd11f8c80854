// SPDX-License-Identifier: Apache-2.0
// Weights that do not fit on chip: a ring of tiles, filled by a stream in the order of visits.
//
// A word of weights comes as BEATS beats, least significant first; bits beyond it are not looked at.
// Words of a tile go one after another into the next place of the ring; a place is free again when
// the visit that has its tile for the last time has begun (`leaves`), FREE cycles later, so that the
// array reads ahead of the stream. A tile is loaded for the first time only when all of it is there
// (`fresh` counts such tiles), and always with a word time. Where cells hold two weights, `begins`
// asks for the tile of the visit after this one, which loads then or as soon as it is there; else a
// visit loads its own, and waits for it. The stream of a run ends with `weights_last`; nothing is
// taken before a run or after that. Between runs everything is as after a reset.
module weight_ring #(
    parameter LOADS = 32,
    parameter TILES = 2,          // places
    parameter WIDTH = 352,        // of a word of weights
    parameter BEAT_BITS = 64,   // of a beat
    parameter ADDRESS_BITS = 6,
    parameter WEIGHT_BUFFERS = 2,
    parameter FREE = 3            // 3 or more: until the array has begun to read the tile
) (
    input  wire                    clk,
    input  wire                    reset,
    input  wire                    busy,           // a run goes on
    input  wire                    slot_end,
    input  wire                    begins,         // with `slot_end`: a visit begins
    input  wire                    leaves,
    input  wire                    again,          // the tile that is asked for was loaded before
    input  wire [ADDRESS_BITS-1:0] next_address,   // of the tile after that of this visit
    output wire                    there,          // the next visit may load, or its load has begun
    output wire                    load_begins,    // with `slot_end`
    output reg                     load,           // first cycle of the next word time
    output reg  [ADDRESS_BITS-1:0] load_address,   // with two weights a cell
    input  wire                    unfed,          // a visit waits for weights
    output wire                    wrong,          // the stream of this run is too short or too long
    input  wire                    weights_valid,
    output wire                    weights_ready,
    input  wire                    weights_last,
    input  wire [BEAT_BITS-1:0]  weights_data,
    output reg                     write,
    output reg  [ADDRESS_BITS-1:0] write_address,
    output wire [WIDTH-1:0]        write_data
);
    localparam BEATS = (WIDTH - 1) / BEAT_BITS + 1;
    localparam COUNT_BITS = BEATS > 2 ? $clog2(BEATS) : 1;
    localparam WORD_BITS = LOADS > 2 ? $clog2(LOADS) : 1;
    localparam TILE_BITS = $clog2(TILES + 1);
    localparam [31:0] ALL = TILES;
    reg  [BEATS*BEAT_BITS-1:0] collected;
    reg  [COUNT_BITS-1:0]         beat;
    reg  [WORD_BITS-1:0]         word;
    reg  [TILE_BITS-1:0]         room, fresh;
    reg                          whole, asked, over, unfinished;
    wire freed;

    // The stream.
    assign weights_ready = busy && !over && room != {TILE_BITS{1'b0}};
    wire took = weights_valid && weights_ready;
    wire word_ends = took && {{(32 - COUNT_BITS) {1'b0}}, beat} == BEATS - 1;
    wire tile_ends = word_ends && {{(32 - WORD_BITS) {1'b0}}, word} == LOADS - 1;
    /* verilator lint_off UNUSEDSIGNAL */  // the lowest beat falls out
    wire [BEAT_BITS*(BEATS+1)-1:0] shifted = {weights_data, collected};
    assign write_data = collected[WIDTH-1:0];

    // Loads.
    wire found = fresh != {TILE_BITS{1'b0}};
    wire first_load = slot_end && found && (WEIGHT_BUFFERS == 1 ? begins && !again
                                            : asked || (begins && !again));
    assign load_begins = first_load || (begins && again);
    assign there = WEIGHT_BUFFERS == 1 ? again || found : !asked;
    assign wrong = (unfed && over && !found && !whole && !there) || (unfinished && !busy);
    valid_line #(.CYCLES(FREE - 1)) places (
        .clk(clk), .reset(reset || !busy), .in(begins && leaves), .out(freed)
    );
    always @(posedge clk) begin
        if (took) collected <= shifted[BEAT_BITS*(BEATS+1)-1:BEAT_BITS];
        if (took) beat <= word_ends ? {COUNT_BITS{1'b0}} : beat + 1'b1;
        if (word_ends) word <= tile_ends ? {WORD_BITS{1'b0}} : word + 1'b1;
        if (took && weights_last) over <= 1'b1;
        write <= word_ends;
        whole <= tile_ends;
        if (write) begin
            write_address <= {{(32 - ADDRESS_BITS) {1'b0}}, write_address} == TILES * LOADS - 1
                           ? {ADDRESS_BITS{1'b0}} : write_address + 1'b1;
        end
        room <= room + {{(TILE_BITS - 1) {1'b0}}, freed} - {{(TILE_BITS - 1) {1'b0}}, tile_ends};
        fresh <= fresh + {{(TILE_BITS - 1) {1'b0}}, whole} - {{(TILE_BITS - 1) {1'b0}}, first_load};
        load <= load_begins;
        if (begins) load_address <= next_address;
        unfinished <= busy && !reset && (!over || found || whole || beat != {COUNT_BITS{1'b0}}
                                         || word != {WORD_BITS{1'b0}});
        asked <= (asked || begins) && !load_begins;
        if (reset || !busy) begin
            beat <= {COUNT_BITS{1'b0}};
            word <= {WORD_BITS{1'b0}};
            {write_address, load_address} <= {2 * ADDRESS_BITS{1'b0}};
            {over, write, whole, load} <= 4'd0;
            room <= ALL[TILE_BITS-1:0];
            fresh <= {TILE_BITS{1'b0}};
            asked <= WEIGHT_BUFFERS == 2;
        end
    end
endmodule
