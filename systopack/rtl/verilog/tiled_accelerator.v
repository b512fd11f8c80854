// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
// The tiled accelerator: one array that runs all tiles of all layers of a packed network.
//
// Images enter as bytes, channel by channel, through `image_*`; results leave as 32-bit words
// through `result_*` (ready/valid, AXI4-Stream rules). `config_*` fills the memories before a run.
// Every other signal is for observation. The word time is the unit of control: instructions and
// positions start with it, and everything behind follows by fixed delays, given here in cycles
// after the first cycle of a position's word time:
//   FEED + 1 words and partial sums enter the array, OUT sums complete, OUT + 1 first row's turn.
module tiled_accelerator #(
    parameter ROWS = 32,
    parameter COLUMNS = 32,
    parameter ALPHA = 8,
    parameter ACCUMULATOR_BITS = 32,
    parameter CELL = 0,               // number of a row of hardware/cells.py
    parameter INPUT_FANOUT = 1,
    parameter CELL_WEIGHT_BITS = 8,
    parameter CELLS_PER_STAGE = 1,
    parameter WEIGHT_BUFFERS = 2,
    parameter RESIDUALS = 1,          // 1: the network has residual additions
    parameter ADDRESS_BITS = 12,      // words of a bank
    parameter SUB_BANKS = 1,          // of a bank, each with a write port
    parameter SUB_BANK_WORDS = (1 << ADDRESS_BITS) / SUB_BANKS,
    parameter AVERAGES = 1,           // 0: the network pools by maximum alone
    parameter DESCRIPTOR_BITS = 8,
    parameter DISPLACEMENT_BITS = 12, // of dy and dx, two's complement
    parameter ROUTE_BITS = 8,
    parameter PARAMETER_BITS = 8,     // row tiles times rows of a lane
    parameter SUM_ADDRESS_BITS = 10,  // positions times rows of a lane
    parameter WEIGHT_BITS = 10,       // tiles times loads of a tile
    parameter WEIGHT_WORDS = 1 << WEIGHT_BITS,
    parameter PROGRAM_BITS = 8,
    parameter BANK_BITS = 8,
    parameter CONFIG_BITS = 352,      // the widest memory word
    // These follow from the ones above; leave them alone.
    parameter PARALLEL = CELL == 2 || CELL == 4,  // all bits of a word in a cycle
    parameter WORD_CYCLES = PARALLEL ? 1 : CELL == 1 ? ACCUMULATOR_BITS : 8,
    parameter READS = ALPHA < WORD_CYCLES ? ALPHA : WORD_CYCLES,  // streams of a bank
    parameter BANKS_PER_COLUMN = (ALPHA - 1) / READS + 1,
    parameter LANE_ROWS = ROWS < WORD_CYCLES ? ROWS : WORD_CYCLES,  // rows of an output lane
    parameter LANES = (ROWS - 1) / LANE_ROWS + 1,
    parameter SUB_BANK_BITS = $clog2(SUB_BANKS)
) (
    input  wire                    clk,
    input  wire                    reset,
    input  wire                    go,
    output wire                    started,  // `go` has been obeyed
    output wire                    busy,
    output wire [31:0]             cycles,
    output wire [31:0]             entered,  // word times in which words entered the array
    output wire [31:0]             stalled,  // word times lost to weights or partial sums
    // 0 program, 1 output program, 2 weights, 3 descriptors, 4 routes, 5 biases, 6 parameters.
    input  wire                    config_write,
    input  wire [2:0]              config_memory,
    input  wire [BANK_BITS-1:0]    config_bank,
    input  wire [19:0]             config_address,
    input  wire [CONFIG_BITS-1:0]  config_data,
    input  wire                    image_valid,
    input  wire                    image_last,     // with the last byte of an image
    output wire                    image_ready,
    input  wire [7:0]              image_byte,
    output wire                    image_dropped,  // an image of the wrong length has ended
    output wire                    result_valid,
    input  wire                    result_ready,
    output reg  [31:0]             result_word,
    output wire                    op_start,
    output wire [PROGRAM_BITS-1:0] op_number,
    output wire                    words_captured,
    output wire [8*LANES*LANE_ROWS-1:0] words,
    // By bank and part.
    output wire [(COLUMNS*BANKS_PER_COLUMN+RESIDUALS*LANES)*SUB_BANKS-1:0] written,
    output wire [(COLUMNS*BANKS_PER_COLUMN+RESIDUALS*LANES)*SUB_BANKS*(ADDRESS_BITS-SUB_BANK_BITS)-1:0]
                                   written_address,
    output wire [(COLUMNS*BANKS_PER_COLUMN+RESIDUALS*LANES)*SUB_BANKS*8-1:0] written_byte
);
    localparam BANKS = COLUMNS * BANKS_PER_COLUMN;
    localparam SOURCES = LANES * LANE_ROWS;
    localparam SOURCE_BITS = SOURCES > 2 ? $clog2(SOURCES) : 1;
    localparam ACC = ACCUMULATOR_BITS;
    localparam PLACE_BITS = ADDRESS_BITS - SUB_BANK_BITS;
    localparam TABLE_BITS = 1 + ADDRESS_BITS
                          + (2 * DISPLACEMENT_BITS > SOURCE_BITS ? 2 * DISPLACEMENT_BITS : SOURCE_BITS);
    localparam INDEX_BITS = ALPHA > 2 ? $clog2(ALPHA) : 1;
    localparam PHASE_BITS = WORD_CYCLES > 2 ? $clog2(WORD_CYCLES) : 1;
    localparam READ_BITS = READS > 2 ? $clog2(READS) : 1;
    localparam ROW_BITS = LANE_ROWS > 2 ? $clog2(LANE_ROWS) : 1;
    localparam WORD_BITS = PARALLEL ? 8 : 1;
    localparam SUM_BITS = PARALLEL ? ACC : CELL == 1 ? 1 : ACC / 8;
    localparam LOAD_COLUMNS = WEIGHT_BUFFERS == 1 ? CELLS_PER_STAGE : 1;
    localparam LOAD_BITS = LOAD_COLUMNS * ROWS * (CELL_WEIGHT_BITS + INDEX_BITS);
    localparam LOADS = (COLUMNS - 1) / LOAD_COLUMNS + 1;
    localparam COLUMN_BITS = COLUMNS > 2 ? $clog2(COLUMNS) : 1;

    // Delays in cycles, waits in word times (docs/hardware/tiled.md).
    localparam MULTIPLEXER = ALPHA > 1 && CELL < 3 ? 1 : 0;
    localparam PRODUCTS = CELL == 4 ? 1 : 0;
    localparam TOP_DELAY = (ROWS - 1) / INPUT_FANOUT;
    localparam LATENCY = (COLUMNS - 1) / CELLS_PER_STAGE + 1 + TOP_DELAY + MULTIPLEXER + PRODUCTS;
    localparam FEED = (READS > LANE_ROWS ? READS : LANE_ROWS) + 3;
    localparam OUT = FEED + 1 + LATENCY + (PARALLEL ? 0 : ACC);
    localparam SWAP = WEIGHT_BUFFERS == 1 ? 0 : 1 + MULTIPLEXER + TOP_DELAY;
    localparam LOAD_WAIT = FEED + SWAP - 1;
    localparam MIN_LOAD = (SWAP + LOADS - 1) / WORD_CYCLES + 1;
    localparam MIN_RETURN = (OUT + 5) / WORD_CYCLES + 1;
    localparam MIN_DRAIN = (OUT + LANE_ROWS + 6) / WORD_CYCLES + 1;

    tiled_rules #(
        .ROWS(ROWS), .COLUMNS(COLUMNS), .ALPHA(ALPHA), .ACCUMULATOR_BITS(ACCUMULATOR_BITS),
        .CELL(CELL), .INPUT_FANOUT(INPUT_FANOUT), .CELL_WEIGHT_BITS(CELL_WEIGHT_BITS),
        .CELLS_PER_STAGE(CELLS_PER_STAGE), .WEIGHT_BUFFERS(WEIGHT_BUFFERS), .RESIDUALS(RESIDUALS),
        .ADDRESS_BITS(ADDRESS_BITS), .SUB_BANKS(SUB_BANKS), .SUB_BANK_WORDS(SUB_BANK_WORDS),
        .AVERAGES(AVERAGES), .DESCRIPTOR_BITS(DESCRIPTOR_BITS), .ROUTE_BITS(ROUTE_BITS),
        .PARAMETER_BITS(PARAMETER_BITS), .WEIGHT_BITS(WEIGHT_BITS), .WEIGHT_WORDS(WEIGHT_WORDS),
        .PROGRAM_BITS(PROGRAM_BITS), .CONFIG_BITS(CONFIG_BITS), .LOAD_BITS(LOAD_BITS),
        .TABLE_BITS(TABLE_BITS), .WORD_CYCLES(WORD_CYCLES), .READS(READS),
        .BANKS_PER_COLUMN(BANKS_PER_COLUMN), .LANE_ROWS(LANE_ROWS), .LANES(LANES)
    ) rules ();

    wire [PHASE_BITS-1:0]   phase;
    wire                    run_start, is_tile, is_pool, is_image, is_send, first, maximum;
    wire                    issue, stepping, window_first, window_last;
    wire [11:0]             height, width, place_y, place_x;
    wire [15:0]             descriptor, route, row_tile, position, entry, send_lane, send_row;
    wire [14:0]             multiplier;
    wire [4:0]              pool_shift;
    wire [23:0]             linear;
    wire [1:0]              send_step;
    wire [PROGRAM_BITS-1:0] program_address, output_address;
    wire [213:0]            program_word;
    wire [118:0]            output_word;

    memory #(.WIDTH(214), .ADDRESS_BITS(PROGRAM_BITS)) instructions (
        .clk(clk), .write(config_write && config_memory == 3'd0),
        .write_address(config_address[PROGRAM_BITS-1:0]), .write_data(config_data[213:0]),
        .read_address(program_address), .read_data(program_word)
    );
    controller #(
        .WORD_CYCLES(WORD_CYCLES), .PHASE_BITS(PHASE_BITS), .PROGRAM_BITS(PROGRAM_BITS),
        .LANE_ROWS(LANE_ROWS), .MIN_LOAD(MIN_LOAD), .MIN_RETURN(MIN_RETURN), .MIN_DRAIN(MIN_DRAIN)
    ) control (
        .clk(clk), .reset(reset), .go(go), .busy(busy), .cycles(cycles),
        .entered(entered), .stalled(stalled), .program_address(program_address), .program_word(program_word), .phase(phase),
        .run_start(run_start), .op_start(op_start), .op_number(op_number), .is_tile(is_tile),
        .is_pool(is_pool), .is_image(is_image), .is_send(is_send), .first(first),
        .height(height), .width(width), .descriptor(descriptor), .route(route),
        .row_tile(row_tile), .maximum(maximum), .multiplier(multiplier), .pool_shift(pool_shift),
        .issue(issue), .position(position), .entry(entry), .stepping(stepping),
        .window_first(window_first), .window_last(window_last), .place_y(place_y),
        .place_x(place_x), .linear(linear), .image_valid(image_valid), .image_last(image_last),
        .image_ready(image_ready), .image_dropped(image_dropped),
        .send_step(send_step), .result_valid(result_valid), .send_lane(send_lane), .send_row(send_row),
        .result_ready(result_ready)
    );

    assign started = run_start;

    // Markers: the first cycle of a word time, and what is due then.
    wire slot = phase == {PHASE_BITS{1'b0}};
    wire transfer = {{(32 - PHASE_BITS) {1'b0}}, phase} == FEED % WORD_CYCLES;
    wire word_start = {{(32 - PHASE_BITS) {1'b0}}, phase} == (FEED + 1) % WORD_CYCLES;
    wire complete = {{(32 - PHASE_BITS) {1'b0}}, phase} == OUT % WORD_CYCLES;
    localparam TRANSPOSED = READS == 8 && WORD_CYCLES == 8 && WORD_BITS == 1 ? 1 : 0;
    reg  down;
    always @(posedge clk) if (run_start || transfer) down <= !run_start && !down;
    wire take, word_out;
    valid_line #(.CYCLES(FEED)) to_array (
        .clk(clk), .reset(reset), .in(op_start && is_tile), .out(take)
    );
    valid_line #(.CYCLES(OUT)) to_output (
        .clk(clk), .reset(reset), .in(issue && slot && busy), .out(word_out)
    );

    // Weights.
    wire [WEIGHT_BITS-1:0] weight_address;
    wire                   load;
    wire [COLUMN_BITS-1:0] load_column;
    wire [LOAD_BITS-1:0]   load_data;
    weight_loader #(
        .COLUMNS(LOADS), .COLUMN_BITS(COLUMN_BITS), .WAIT(LOAD_WAIT), .ADDRESS_BITS(WEIGHT_BITS)
    ) loader (
        .clk(clk), .reset(reset), .run_start(run_start), .start((WEIGHT_BUFFERS == 2 && run_start) || (op_start && is_tile)),
        .address(weight_address), .load(load), .load_column(load_column)
    );
    memory #(
        .WIDTH(LOAD_BITS), .ADDRESS_BITS(WEIGHT_BITS), .WORDS(WEIGHT_WORDS)
    ) weights (
        .clk(clk), .write(config_write && config_memory == 3'd2),
        .write_address(config_address[WEIGHT_BITS-1:0]), .write_data(config_data[LOAD_BITS-1:0]),
        .read_address(weight_address), .read_data(load_data)
    );

    // Positions and steps, as late as the banks' stages need them.
    wire [15:0] read_address = descriptor + (is_pool ? entry : {{(16 - PHASE_BITS) {1'b0}}, phase});
    wire [47:0] place_1;
    wire        hold_3, pooling_3, window_first_3, pooled_6;
    wire [PHASE_BITS-1:0] hold_index_3;
    wire [15:0] position_2, row_tile_2, pool_position_6, pool_entry_5;
    wire [PHASE_BITS-1:0] phase_2, phase_3;
    wire        first_3, feed_3;
    step_delays #(
        .READS(READS), .LANE_ROWS(LANE_ROWS), .PHASE_BITS(PHASE_BITS)
    ) delays (
        .clk(clk), .reset(reset), .phase(phase), .is_tile(is_tile), .is_pool(is_pool),
        .first(first), .stepping(stepping), .window_first(window_first),
        .window_last(window_last), .place({place_y, place_x, linear}), .position(position),
        .row_tile(row_tile), .pool_entry(route + entry), .place_1(place_1),
        .position_2(position_2), .row_tile_2(row_tile_2), .phase_2(phase_2), .phase_3(phase_3),
        .hold_3(hold_3), .hold_index_3(hold_index_3), .window_first_3(window_first_3),
        .pooling_3(pooling_3), .feed_3(feed_3), .first_3(first_3), .pool_entry_5(pool_entry_5),
        .pooled_6(pooled_6), .pool_position_6(pool_position_6)
    );

    // The words behind the array.
    wire                turn, last, keep, requantized, capture, store_rows;
    wire [ROW_BITS-1:0] turn_row;
    wire [15:0]         out_row_tile, out_residual, out_position, row_route, row_offset;
    wire [23:0]         residual_linear;
    wire [PROGRAM_BITS-1:0] out_tile;
    memory #(.WIDTH(119), .ADDRESS_BITS(PROGRAM_BITS)) output_instructions (
        .clk(clk), .write(config_write && config_memory == 3'd1),
        .write_address(config_address[PROGRAM_BITS-1:0]), .write_data(config_data[118:0]),
        .read_address(output_address), .read_data(output_word)
    );
    output_sequencer #(
        .LANE_ROWS(LANE_ROWS), .ROW_BITS(ROW_BITS), .PROGRAM_BITS(PROGRAM_BITS)
    ) sequencer (
        .clk(clk), .reset(reset), .run_start(run_start), .word(word_out), .program_address(output_address),
        .program_word(output_word), .turn(turn), .turn_row(turn_row), .last(last), .keep(keep),
        .requantized(requantized), .row_tile(out_row_tile), .residual(out_residual),
        .residual_linear(residual_linear), .position(out_position), .capture(capture),
        .route_address(row_route), .store(store_rows), .store_offset(row_offset), .tile(out_tile)
    );

    // Who writes to the banks: the image, pooling or the rows; never two at a time.
    reg         image_1;
    reg  [15:0] image_offset_1;
    reg  [7:0]  image_byte_1;
    always @(posedge clk) begin
        image_1 <= image_valid && image_ready && !reset;
        image_offset_1 <= position;
        image_byte_1 <= image_byte;
    end
    wire [15:0] route_now = is_image ? route + entry : is_pool ? pool_entry_5 : row_route;
    wire        store = image_1 || pooled_6 || store_rows;
    wire [19:0] store_offset = {4'd0, image_1 ? image_offset_1 : pooled_6 ? pool_position_6 : row_offset};

    reg  [8*SOURCES-1:0] row_bytes;
    wire [8*SOURCES-1:0] bytes;
    always @(posedge clk) if (capture) row_bytes <= bytes;
    reg captured;
    always @(posedge clk) captured <= capture && !reset;
    assign words_captured = captured;
    assign words = row_bytes;

    // The routes of every part; they count on through all banks.
    wire [(BANKS+RESIDUALS*LANES)*SUB_BANKS-1:0] route_writes;
    genvar q;
    generate
        for (q = 0; q < (BANKS + RESIDUALS * LANES) * SUB_BANKS; q = q + 1) begin : g_route
            assign route_writes[q] = config_write && config_memory == 3'd4
                                   && {{(32 - BANK_BITS) {1'b0}}, config_bank} == q;
        end
    endgenerate

    // Column banks and the array.
    wire [ALPHA*COLUMNS*WORD_BITS-1:0] x;
    genvar c, i, a, u, r;
    generate
        for (c = 0; c < COLUMNS; c = c + 1) begin : g_column
            for (i = 0; i < BANKS_PER_COLUMN; i = i + 1) begin : g_bank
                localparam BANK = c * BANKS_PER_COLUMN + i;
                wire [READS*WORD_BITS-1:0] stream;
                wire [7:0]                 word;
                wire mine = {{(32 - BANK_BITS) {1'b0}}, config_bank} == BANK;
                stream_bank #(
                    .READS(READS), .READ_BITS(READ_BITS), .WORD_BITS(WORD_BITS),
                    .TRANSPOSED(TRANSPOSED), .ADDRESS_BITS(ADDRESS_BITS), .SUB_BANKS(SUB_BANKS), .SUB_BANK_BITS(SUB_BANK_BITS),
                    .SUB_BANK_WORDS(SUB_BANK_WORDS), .AVERAGES(AVERAGES), .TABLE_BITS(TABLE_BITS),
                    .DESCRIPTOR_BITS(DESCRIPTOR_BITS), .DISPLACEMENT_BITS(DISPLACEMENT_BITS),
                    .ROUTE_BITS(ROUTE_BITS), .SOURCES(SOURCES), .SOURCE_BITS(SOURCE_BITS)
                ) bank (
                    .clk(clk), .reset(reset),
                    .write_descriptor(config_write && config_memory == 3'd3 && mine),
                    .write_route(route_writes[BANK*SUB_BANKS+:SUB_BANKS]),
                    .table_descriptor_address(config_address[DESCRIPTOR_BITS-1:0]),
                    .table_route_address(config_address[ROUTE_BITS-1:0]),
                    .table_data(config_data[TABLE_BITS-1:0]),
                    .descriptor_address(read_address[DESCRIPTOR_BITS-1:0]),
                    .place_linear(place_1[ADDRESS_BITS-1:0]), .place_y(place_1[47:36]),
                    .place_x(place_1[35:24]), .height(height), .width(width), .word(word),
                    .hold(hold_3), .hold_index(hold_index_3[READ_BITS-1:0]), .transfer(transfer),
                    .down(down), .stream(stream), .pooling(pooling_3), .window_first(window_first_3),
                    .maximum(maximum),
                    .multiplier(multiplier), .pool_shift(pool_shift),
                    .route_address(route_now[ROUTE_BITS-1:0]), .store(store),
                    .store_offset(store_offset[PLACE_BITS-1:0]), .store_pooled(pooled_6),
                    .store_image(image_1), .image_byte(image_byte_1), .row_bytes(row_bytes),
                    .written(written[BANK*SUB_BANKS+:SUB_BANKS]),
                    .written_address(written_address[BANK*SUB_BANKS*PLACE_BITS+:SUB_BANKS*PLACE_BITS]),
                    .written_byte(written_byte[8*BANK*SUB_BANKS+:8*SUB_BANKS])
                );
                for (a = 0; a < READS; a = a + 1) begin : g_channel
                    if (i * READS + a < ALPHA) begin : g_used
                        assign x[(c*ALPHA+i*READS+a)*WORD_BITS+:WORD_BITS] =
                            stream[a*WORD_BITS+:WORD_BITS];
                    end
                end
            end
        end
    endgenerate

    localparam LANE_BITS = PARALLEL ? ACC : 1;
    localparam SUM_LANES = SUM_BITS / LANE_BITS;
    wire [ROWS*SUM_BITS-1:0] sum_in, sum_out;
    systolic_array #(
        .ROWS(ROWS), .COLUMNS(COLUMNS), .ALPHA(ALPHA), .ACCUMULATOR_BITS(ACC), .CELL(CELL),
        .INPUT_FANOUT(INPUT_FANOUT), .CELL_WEIGHT_BITS(CELL_WEIGHT_BITS),
        .CELLS_PER_STAGE(CELLS_PER_STAGE), .WEIGHT_BUFFERS(WEIGHT_BUFFERS)
    ) array (
        .clk(clk), .word_start(word_start), .take(take), .x(x), .sum_in(sum_in),
        .sum_out(sum_out), .load(load), .load_column(load_column),
        .load_data(load_data)
    );

    // Output lanes, each with the residual bank of its rows.
    wire [15:0] sending_2 = is_send ? position : position_2;
    wire [PARAMETER_BITS-1:0] turn_parameter = {out_row_tile[PARAMETER_BITS-ROW_BITS-1:0], turn_row};
    wire [PARAMETER_BITS-1:0] parameter_2;
    delay_line #(.WIDTH(PARAMETER_BITS), .CYCLES(2)) parameter_delay (
        .clk(clk), .in(turn_parameter), .out(parameter_2)
    );
    wire [ACC*LANES-1:0] kept;
    wire [15:0] residual_address = is_pool ? read_address
                                 : out_residual + {{(16 - ROW_BITS) {1'b0}}, turn_row};
    reg  [23:0] residual_linear_1;
    always @(posedge clk) residual_linear_1 <= residual_linear;
    generate
        for (u = 0; u < LANES; u = u + 1) begin : g_lane
            wire [LANE_ROWS*ACC-1:0] feed, sums;
            wire [7:0]               residual;
            wire mine = {{(32 - BANK_BITS) {1'b0}}, config_bank} == u;
            output_lane #(
                .LANE_ROWS(LANE_ROWS), .ROW_BITS(ROW_BITS), .ACCUMULATOR_BITS(ACC),
                .RESIDUALS(RESIDUALS),
                .SUM_ADDRESS_BITS(SUM_ADDRESS_BITS), .PARAMETER_BITS(PARAMETER_BITS)
            ) lane (
                .clk(clk), .reset(reset), .write_bias(config_write && config_memory == 3'd5 && mine),
                .write_parameter(config_write && config_memory == 3'd6 && mine),
                .table_address(config_address[PARAMETER_BITS-1:0]),
                .table_data(config_data[10+2*ACC:0]),
                .feed_address({sending_2[SUM_ADDRESS_BITS-ROW_BITS-1:0],
                               is_send ? send_row[ROW_BITS-1:0] : phase_2[ROW_BITS-1:0]}),
                .feed_bias_address({row_tile_2[PARAMETER_BITS-ROW_BITS-1:0], phase_2[ROW_BITS-1:0]}),
                .feed_from_bias(first_3), .feed_store(feed_3), .feed_row(phase_3[ROW_BITS-1:0]),
                .feed(feed), .kept(kept[u*ACC+:ACC]), .sums(sums), .turn(turn),
                .turn_row(turn_row), .parameter_address(parameter_2), .residual(residual),
                .last(last), .keep(keep), .requantized(requantized),
                .keep_address({out_position[SUM_ADDRESS_BITS-ROW_BITS-1:0], turn_row}),
                .bytes(bytes[8*LANE_ROWS*u+:8*LANE_ROWS])
            );
            for (r = 0; r < LANE_ROWS; r = r + 1) begin : g_row
                localparam ROW = u * LANE_ROWS + r;
                if (ROW < ROWS) begin : g_used
                    wire [ACC-1:0] word;
                    reg  [ACC-1:0] finished;
                    wire [SUM_BITS-1:0] entering, leaving;
                    for (i = 0; i < SUM_LANES; i = i + 1) begin : g_sum
                        localparam WIRE = (i * ROWS + ROW) * LANE_BITS;
                        assign sum_in[WIRE+:LANE_BITS] = entering[i*LANE_BITS+:LANE_BITS];
                        assign leaving[i*LANE_BITS+:LANE_BITS] = sum_out[WIRE+:LANE_BITS];
                    end
                    sum_serializer #(
                        .CELL(CELL), .ACCUMULATOR_BITS(ACC), .SUM_BITS(SUM_BITS)
                    ) serializer (
                        .clk(clk), .transfer(transfer), .word(feed[r*ACC+:ACC]),
                        .sum(entering)
                    );
                    sum_deserializer #(
                        .CELL(CELL), .ACCUMULATOR_BITS(ACC), .SUM_BITS(SUM_BITS)
                    ) deserializer (
                        .clk(clk), .complete(complete), .sum(leaving), .word(word)
                    );
                    always @(posedge clk) if (complete) finished <= word;
                    assign sums[r*ACC+:ACC] = finished;
                end else begin : g_none
                    assign sums[r*ACC+:ACC] = {ACC{1'b0}};
                end
            end
            if (RESIDUALS != 0) begin : g_residual
                localparam BANK = BANKS + u;
                wire mine_too = {{(32 - BANK_BITS) {1'b0}}, config_bank} == BANK;
                wire [WORD_BITS-1:0] stream;
                stream_bank #(
                    .READS(1), .READ_BITS(1), .WORD_BITS(WORD_BITS),
                    .ADDRESS_BITS(ADDRESS_BITS), .SUB_BANKS(SUB_BANKS), .SUB_BANK_BITS(SUB_BANK_BITS),
                    .SUB_BANK_WORDS(SUB_BANK_WORDS), .AVERAGES(AVERAGES), .TABLE_BITS(TABLE_BITS),
                    .DESCRIPTOR_BITS(DESCRIPTOR_BITS), .DISPLACEMENT_BITS(DISPLACEMENT_BITS),
                    .ROUTE_BITS(ROUTE_BITS), .SOURCES(SOURCES), .SOURCE_BITS(SOURCE_BITS)
                ) bank (
                    .clk(clk), .reset(reset),
                    .write_descriptor(config_write && config_memory == 3'd3 && mine_too),
                    .write_route(route_writes[BANK*SUB_BANKS+:SUB_BANKS]),
                    .table_descriptor_address(config_address[DESCRIPTOR_BITS-1:0]),
                    .table_route_address(config_address[ROUTE_BITS-1:0]),
                    .table_data(config_data[TABLE_BITS-1:0]),
                    .descriptor_address(residual_address[DESCRIPTOR_BITS-1:0]),
                    .place_linear(is_pool ? place_1[ADDRESS_BITS-1:0]
                                          : residual_linear_1[ADDRESS_BITS-1:0]),
                    .place_y(is_pool ? place_1[47:36] : 12'd0),
                    .place_x(is_pool ? place_1[35:24] : 12'd0),
                    .height(is_pool ? height : 12'd1), .width(is_pool ? width : 12'd1),
                    .word(residual), .hold(1'b0), .hold_index(1'b0), .transfer(1'b0),
                    .down(1'b0), .stream(stream), .pooling(pooling_3), .window_first(window_first_3),
                    .maximum(maximum),
                    .multiplier(multiplier), .pool_shift(pool_shift),
                    .route_address(route_now[ROUTE_BITS-1:0]), .store(store),
                    .store_offset(store_offset[PLACE_BITS-1:0]), .store_pooled(pooled_6),
                    .store_image(image_1), .image_byte(image_byte_1), .row_bytes(row_bytes),
                    .written(written[BANK*SUB_BANKS+:SUB_BANKS]),
                    .written_address(written_address[BANK*SUB_BANKS*PLACE_BITS+:SUB_BANKS*PLACE_BITS]),
                    .written_byte(written_byte[8*BANK*SUB_BANKS+:8*SUB_BANKS])
                );
            end else begin : g_no_residual
                assign residual = 8'd0;
            end
        end
    endgenerate

    // Results.
    wire signed [ACC-1:0] sent = kept[send_lane*ACC+:ACC];
    always @(posedge clk) begin
        if (send_step == 2'd1) result_word <= {{(32 - ACC) {sent[ACC-1]}}, sent};
    end
`ifdef SYSTOPACK_ASSERTIONS
    stream_rules #(.WIDTH(32)) result_rules (
        .clk(clk), .reset(reset), .valid(result_valid), .ready(result_ready), .data(result_word),
        .last(1'b0)
    );
    image_rules #(.LATE(1)) image_rules (
        .clk(clk), .reset(reset), .taken(image_valid && image_ready), .last(image_last),
        .written(image_1 && store), .dropped(image_dropped),
        .length({16'd0, control.positions} * {16'd0, control.entries})
    );
`endif
endmodule
