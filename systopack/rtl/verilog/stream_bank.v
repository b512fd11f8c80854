// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
// A memory of int8 activations and the READS streams that it feeds, with shift, stride, padding.
//
// A descriptor (channel base, dy, dx) turns an output position into an address; outside the image
// the word is 0. In every word time the bank reads one word for each of its streams and sends them
// serially to the array. In pooling it reads a word a cycle and reduces windows in place.
// The memory is made of SUB_BANKS, each with a write port and routes of its own; the highest bits of an
// address say which part. All together have one read port.
//
// Timing, from the cycle in which `descriptor_address` is given: descriptor 1, address 2,
// word 3 cycles later. `place_*` belongs to the descriptor one cycle later, `hold_*` and
// `window_*` to the word three cycles later. A pooled byte is written 7 cycles later.
// Reset: of the writes, synchronous, active high.
module stream_bank #(
    parameter READS = 8,          // streams of this bank, at most a word time's cycles
    parameter READ_BITS = 3,
    parameter WORD_BITS = 1,      // wires of a stream: 1 serial, 8 bit-parallel
    parameter TRANSPOSED = 0,     // 1: READS 8, WORD_BITS 1, a word time of 8 cycles
    parameter ADDRESS_BITS = 10,
    parameter SUB_BANKS = 1,          // a power of two
    parameter SUB_BANK_BITS = 0,      // of an address: log2(SUB_BANKS)
    parameter SUB_BANK_WORDS = 1 << (ADDRESS_BITS - SUB_BANK_BITS),
    parameter AVERAGES = 1,       // 0: windows are only reduced to their maximum
    parameter DESCRIPTOR_BITS = 8,
    parameter DISPLACEMENT_BITS = 12,
    parameter ROUTE_BITS = 8,
    parameter TABLE_BITS = 35,    // the wider of a descriptor and a route
    parameter SOURCES = 32,       // rows whose bytes can be written here
    parameter SOURCE_BITS = 5
) (
    input  wire                                clk,
    input  wire                                reset,
    // Tables, written before a run: {used, dy, dx, base} and {used, row, place in the part}.
    input  wire                                write_descriptor,
    input  wire [SUB_BANKS-1:0]                    write_route,
    input  wire [DESCRIPTOR_BITS-1:0]          table_descriptor_address,
    input  wire [ROUTE_BITS-1:0]               table_route_address,
    input  wire [TABLE_BITS-1:0]               table_data,
    // Reading.
    input  wire [DESCRIPTOR_BITS-1:0]          descriptor_address,
    input  wire [ADDRESS_BITS-1:0]             place_linear,
    input  wire [11:0]                         place_y,
    input  wire [11:0]                         place_x,
    input  wire [11:0]                         height,
    input  wire [11:0]                         width,
    output wire [7:0]                          word,
    input  wire                                hold,
    input  wire [READ_BITS-1:0]                hold_index,
    input  wire                                transfer,
    input  wire                                down,  // TRANSPOSED: changes after `transfer`
    output wire [READS*WORD_BITS-1:0]          stream,
    // Pooling: `pooling` belongs to a word as window_first does; without it nothing is reduced.
    input  wire                                pooling,
    input  wire                                window_first,
    input  wire                                maximum,
    input  wire [14:0]                         multiplier,
    input  wire [4:0]                          pool_shift,
    // Writing: the route entry arrives one cycle after route_address, with store_*.
    input  wire [ROUTE_BITS-1:0]               route_address,
    input  wire                                store,
    input  wire [ADDRESS_BITS-SUB_BANK_BITS-1:0]   store_offset,
    input  wire                                store_pooled,
    input  wire                                store_image,
    input  wire [7:0]                          image_byte,
    input  wire [8*SOURCES-1:0]                row_bytes,
    output reg  [SUB_BANKS-1:0]                    written,
    output reg  [SUB_BANKS*(ADDRESS_BITS-SUB_BANK_BITS)-1:0] written_address,
    output reg  [8*SUB_BANKS-1:0]                  written_byte
);
    localparam PLACE_BITS = ADDRESS_BITS - SUB_BANK_BITS;
    localparam MOVE = DISPLACEMENT_BITS;
    wire                    used;
    wire [MOVE-1:0]         dy, dx;
    wire [ADDRESS_BITS-1:0] base;
    memory #(.WIDTH(1 + 2 * MOVE + ADDRESS_BITS), .ADDRESS_BITS(DESCRIPTOR_BITS)) descriptors (
        .clk(clk), .write(write_descriptor), .write_address(table_descriptor_address),
        .write_data(table_data[2*MOVE+ADDRESS_BITS:0]), .read_address(descriptor_address),
        .read_data({used, dy, dx, base})
    );

    // Rows and columns outside the image wrap to large unsigned numbers.
    wire [12:0] y = {1'b0, place_y} + {{(13 - MOVE) {dy[MOVE-1]}}, dy};
    wire [12:0] x = {1'b0, place_x} + {{(13 - MOVE) {dx[MOVE-1]}}, dx};
    reg  [ADDRESS_BITS-1:0] address;
    reg                     in_image, in_image_late;
    wire [8*SUB_BANKS-1:0]      stored_parts;
    wire [7:0]              stored;
    always @(posedge clk) begin
        address     <= base + place_linear;
        in_image      <= used && y < {1'b0, height} && x < {1'b0, width};
        in_image_late <= in_image;
    end
    genvar p;
    generate
        for (p = 0; p < SUB_BANKS; p = p + 1) begin : g_memory
            memory #(.WIDTH(8), .ADDRESS_BITS(PLACE_BITS), .WORDS(SUB_BANK_WORDS)) activations (
                .clk(clk), .write(written[p]),
                .write_address(written_address[p*PLACE_BITS+:PLACE_BITS]),
                .write_data(written_byte[8*p+:8]), .read_address(address[PLACE_BITS-1:0]),
                .read_data(stored_parts[8*p+:8])
            );
        end
        if (SUB_BANKS > 1) begin : g_choice
            reg [SUB_BANK_BITS-1:0] part;
            always @(posedge clk) part <= address[ADDRESS_BITS-1:PLACE_BITS];
            assign stored = stored_parts[8*part+:8];
        end else begin : g_whole
            assign stored = stored_parts;
        end
    endgenerate
    assign word = in_image_late ? stored : 8'd0;

    // The words of one word time wait until all have been read, then leave together.
    genvar a;
    generate
        if (TRANSPOSED != 0) begin : g_transposed
            reg [7:0] waiting;
            always @(posedge clk) waiting <= hold ? word : 8'd0;
            transposer streams (.clk(clk), .down(down), .in(waiting), .out(stream));
        end else begin : g_held
            for (a = 0; a < READS; a = a + 1) begin : g_stream
                localparam [READ_BITS-1:0] INDEX = a;
                reg [7:0] held, leaving;
                always @(posedge clk) begin
                    if (hold && hold_index == INDEX) held <= word;
                    // Arithmetic shift: a BL word goes on with its sign.
                    if (transfer) leaving <= held;
                    else leaving <= {leaving[7], leaving[7:1]};
                end
                assign stream[a*WORD_BITS+:WORD_BITS] = leaving[WORD_BITS-1:0];
            end
        end
    endgenerate

    // Windows: maximum or sum, then (sum * multiplier) >> shift.
    reg [7:0] pooled;
    generate
        if (AVERAGES != 0) begin : g_scale
            reg  signed [23:0] reduced;
            reg  signed [39:0] scaled;
            wire        [7:0]  rounded;
            wire signed [23:0] member =
                in_image_late ? {{16{stored[7]}}, stored} : maximum ? -24'sd128 : 24'sd0;
            requantize #(.WIDTH(40)) round (.value(scaled), .shift(pool_shift), .result(rounded));
            // The multiplier stands still while words stream.
            reg scaling, rounding;
            always @(posedge clk) begin
                scaling <= pooling && !reset;
                rounding <= scaling && !reset;
                if (pooling) begin
                    if (window_first) reduced <= member;
                    else if (!maximum) reduced <= reduced + member;
                    else if (member > reduced) reduced <= member;
                end
                if (scaling) scaled <= reduced * $signed({1'b0, multiplier});
                if (rounding) pooled <= rounded;
            end
        end else begin : g_maximum
            reg  signed [7:0] largest, waiting;
            wire signed [7:0] pixel = in_image_late ? stored : 8'h80;
            always @(posedge clk) begin
                if (window_first || pixel > largest) largest <= pixel;
                waiting <= largest;
                pooled <= waiting;
            end
        end
    endgenerate

    generate
        for (p = 0; p < SUB_BANKS; p = p + 1) begin : g_write
            wire                   route_used;
            wire [SOURCE_BITS-1:0] route_row;
            wire [PLACE_BITS-1:0]  route_place;
            memory #(.WIDTH(1 + SOURCE_BITS + PLACE_BITS), .ADDRESS_BITS(ROUTE_BITS)) routes (
                .clk(clk), .write(write_route[p]), .write_address(table_route_address),
                .write_data(table_data[SOURCE_BITS+PLACE_BITS:0]), .read_address(route_address),
                .read_data({route_used, route_row, route_place})
            );
            always @(posedge clk) begin
                written[p] <= store && route_used && !reset;
                written_address[p*PLACE_BITS+:PLACE_BITS] <= route_place + store_offset;
                written_byte[8*p+:8] <= store_pooled ? pooled
                                      : store_image ? image_byte : row_bytes[8*route_row+:8];
            end
        end
    endgenerate
endmodule
