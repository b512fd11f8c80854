// SPDX-License-Identifier: Apache-2.0
// The weights of all tiles, or a ring of some, and their way into the array: LOADS words one after
// another.
//
// WAIT cycles after `start` the first address is given, `base` as it was with `start`. Where cells
// hold two weights, a load of the next tile follows the wave in which the array takes the present
// one; else it goes with the wave. With a RING the loads and what is written are `weight_ring`'s.
// Reset: synchronous, active high.
/* verilator lint_off UNUSEDSIGNAL */  // without a ring no stream is looked at, with one no host
module tile_weights #(
    parameter LOADS = 32,
    parameter COLUMN_BITS = 5,
    parameter WAIT = 10,
    parameter ADDRESS_BITS = 10,
    parameter WORDS = 1 << ADDRESS_BITS,
    parameter WIDTH = 352,
    parameter WEIGHT_BUFFERS = 2,
    parameter RING = 0,           // tiles of the ring, 0: none
    parameter BEAT_BITS = 32
) (
    input  wire                    clk,
    input  wire                    reset,
    input  wire                    write,        // before a run
    input  wire [ADDRESS_BITS-1:0] write_address,
    input  wire [WIDTH-1:0]        write_data,
    input  wire                    start,
    input  wire [ADDRESS_BITS-1:0] base,
    // Of a ring.
    input  wire                    busy, slot_end, begins, leaves, again,
    input  wire [ADDRESS_BITS-1:0] next_base,
    input  wire                    unfed,
    output wire                    there, load_begins, wrong,
    input  wire                    weights_valid, weights_last,
    output wire                    weights_ready,
    input  wire [BEAT_BITS-1:0]  weights_data,
    output reg                     load,         // a cycle after the address, as the data
    output reg  [COLUMN_BITS-1:0]  load_column,
    output wire [WIDTH-1:0]        load_data
);
    wire                    begin_now, start_now, write_now;
    wire [ADDRESS_BITS-1:0] base_now, write_address_now;
    wire [WIDTH-1:0]        write_data_now;
    reg                     running;
    reg  [COLUMN_BITS-1:0]  column;
    // Loads of one word may start a cycle before the load before them gives its address.
    reg  [ADDRESS_BITS-1:0] next_address, held, earlier;
    wire step = begin_now || running;
    wire [COLUMN_BITS-1:0] column_now = begin_now ? {COLUMN_BITS{1'b0}} : column;
    wire column_ends = {{(32 - COLUMN_BITS) {1'b0}}, column_now} == LOADS - 1;
    wire [ADDRESS_BITS-1:0] address = !begin_now ? next_address : WAIT == 0 ? base_now : LOADS == 1 ? earlier : held;
    generate
        if (RING == 0) begin : g_all
            assign {there, load_begins, wrong, weights_ready} = {1'b1, begins, 2'b00};
            assign {start_now, base_now} = {start, base};
            assign {write_now, write_address_now, write_data_now} = {write, write_address, write_data};
        end else begin : g_ring
            wire [ADDRESS_BITS-1:0] load_address;
            weight_ring #(
                .LOADS(LOADS), .TILES(RING), .WIDTH(WIDTH), .BEAT_BITS(BEAT_BITS),
                .ADDRESS_BITS(ADDRESS_BITS), .WEIGHT_BUFFERS(WEIGHT_BUFFERS)
            ) ring (
                .clk(clk), .reset(reset), .busy(busy), .slot_end(slot_end), .begins(begins),
                .leaves(leaves), .again(again), .next_address(next_base), .there(there),
                .load_begins(load_begins), .load(start_now), .load_address(load_address),
                .unfed(unfed), .wrong(wrong), .weights_valid(weights_valid),
                .weights_ready(weights_ready), .weights_last(weights_last),
                .weights_data(weights_data), .write(write_now),
                .write_address(write_address_now), .write_data(write_data_now)
            );
            assign base_now = WEIGHT_BUFFERS == 1 ? base : load_address;
`ifdef SYSTOPACK_ASSERTIONS
            weight_rules #(.WORDS(WORDS), .ADDRESS_BITS(ADDRESS_BITS)) rules (
                .clk(clk), .busy(busy), .write(write_now), .write_address(write_address_now),
                .load(step), .load_address(address)
            );
            stream_rules #(.WIDTH(BEAT_BITS), .DRIVEN(0)) beat_rules (
                .clk(clk), .reset(reset), .valid(weights_valid), .ready(weights_ready),
                .data(weights_data), .last(weights_last)
            );
`endif
        end
    endgenerate
    valid_line #(.CYCLES(WAIT)) wait_line (
        .clk(clk), .reset(reset), .in(start_now), .out(begin_now)
    );
    memory #(.WIDTH(WIDTH), .ADDRESS_BITS(ADDRESS_BITS), .WORDS(WORDS)) weights (
        .clk(clk), .write(write_now), .write_address(write_address_now),
        .write_data(write_data_now),
        .read(step), .read_address(address), .read_data(load_data)
    );
    always @(posedge clk) begin
        if (start_now) held <= base_now;
        earlier <= held;
        load <= step && !reset;
        load_column <= column_now;
        if (step) begin
            next_address <= address + 1'b1;
            column <= column_ends ? {COLUMN_BITS{1'b0}} : column_now + 1'b1;
            running <= !column_ends;
        end
        if (reset) running <= 1'b0;
    end
endmodule
