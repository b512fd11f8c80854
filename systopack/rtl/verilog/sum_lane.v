// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
// What LANE_ROWS rows of the array share behind it: from their sums to words of their planes.
//
// A token is what the array gives at one step: a sum for each row. Its rows take turns in LANE_ROWS
// successive cycles; tokens come every LANE_ROWS cycles or less often. What belongs to a token is
// constant over its turns:
//   first, last      the sum starts from the bias; it is finished
//   position         where unfinished (or kept) sums stand
//   pool_first, pool_last, pool_index, masked   its place in a window, and which of the windows under
//                    way that is; a masked member lies outside the image
//   store            its bytes go to the feature memory (in pooling only those of pool_last)
//   index, ends      place of the byte in its plane; it is the plane's last
//   flush            no byte of the row follows in this visit
// What belongs to a layer stands still from its first turn until its last word is pending:
//   keep             finished results stay in the memory of sums, for sending
//   requantized      results are int8
//   bypass           a pooling of its own: the residual byte is the result, whatever the sums
//   pool, multiplier, pool_shift    0 none, 1 maximum, 2 average
//   step_bytes       bytes from one stored byte of a row to its next one, 1 or 2
//
// Rows' parameters, msb first: {used, plane, phase, residual used, residual shift, rectified, shift,
// bias} and with CLIPS {highest, lowest}: what a finished sum is held between. Cycles from a row's turn: parameter_address and sums 0, residual RESIDUAL_STAGE,
// its byte 10 (`made_*`), in a pending word BYTE_STAGE + 1: so BYTE_STAGE + LANE_ROWS from a token's
// first turn to the last row's word, where BYTE_STAGE is 10, with pooling 12, with averages 19. A
// position's sums are read again 6 cycles after their last turn or later; kept results are there 12
// cycles after. With an even LANE_ROWS all first turns are an even number of cycles apart. `kept`
// comes a cycle after send_read, which takes the place of turns.
// Reset: of turns and words, synchronous, active high.
module sum_lane #(
    parameter LANE_ROWS = 8,
    parameter ROW_BITS = LANE_ROWS > 2 ? $clog2(LANE_ROWS) : 1,
    parameter ACCUMULATOR_BITS = 32,
    parameter RESIDUAL_STAGE = 1,  // 1 or 2
    parameter RESIDUALS = 1,  // 0: no residual is ever added, no pooling is a step of its own
    parameter POOLS = 2,      // 0: none, 1: maximum only, 2: averages too
    parameter CLIPS = 1,      // 0: no finished sum is held between two limits, but above 0
    parameter SUM_POSITION_BITS = 6,
    parameter PARAMETER_BITS = 8,
    parameter PARAMETER_WORDS = 1 << PARAMETER_BITS,
    parameter POOL_BITS = 4,
    parameter FEATURE_BITS = 10,
    parameter WORD_BYTES = 4,
    parameter PHASE_BITS = 2,
    parameter INDEX_BITS = 12
) (
    input  wire                              clk,
    input  wire                              reset,
    input  wire                              write_parameter,
    input  wire [PARAMETER_BITS-1:0]         table_address,
    input  wire [12+FEATURE_BITS+PHASE_BITS+(CLIPS!=0?3:1)*ACCUMULATOR_BITS:0] table_data,
    // The array's side.
    input  wire [LANE_ROWS*ACCUMULATOR_BITS-1:0] sums,
    input  wire                              turn,
    input  wire [ROW_BITS-1:0]               turn_row,
    input  wire [PARAMETER_BITS-1:0]         parameter_address,
    input  wire [7:0]                        residual,
    input  wire                              first,
    input  wire                              last,
    input  wire                              keep,
    input  wire                              requantized,
    input  wire                              bypass,
    input  wire [SUM_POSITION_BITS-1:0]      position,
    input  wire [1:0]                        pool,
    input  wire                              pool_first,
    input  wire                              pool_last,
    input  wire [POOL_BITS-1:0]              pool_index,
    input  wire                              masked,
    input  wire [14:0]                       multiplier,
    input  wire [4:0]                        pool_shift,
    input  wire [INDEX_BITS-1:0]             index,
    input  wire                              ends,
    input  wire                              flush,
    input  wire [1:0]                        step_bytes,
    input  wire                              store,
    // The memory's side.
    output wire [LANE_ROWS-1:0]              pending,
    output wire [LANE_ROWS*FEATURE_BITS-1:0] pending_address,
    output wire [LANE_ROWS*8*WORD_BYTES-1:0] pending_data,
    output wire [LANE_ROWS*WORD_BYTES-1:0]   pending_enables,
    input  wire [LANE_ROWS-1:0]              taken,
    // Sending.
    input  wire                              send_read,
    input  wire [SUM_POSITION_BITS-1:0]      send_position,
    input  wire [ROW_BITS-1:0]               send_row,
    output wire [ACCUMULATOR_BITS-1:0]       kept,
    // Observation.
    output wire                              made_valid,
    output wire [ROW_BITS-1:0]               made_row,
    output wire [7:0]                        made_byte
);
    /* verilator no_inline_module */  // one copy of its code for all instances
    localparam ACC = ACCUMULATOR_BITS;
    localparam BYTE_STAGE = POOLS == 0 ? 10 : POOLS == 1 ? 12 : 19;
    localparam END = BYTE_STAGE;

    // Parameters that contradict each other stop elaboration with the module's name as the message.
    generate
        if (LANE_ROWS < 1 || (1 << ROW_BITS) < LANE_ROWS || PARAMETER_BITS < ROW_BITS) begin : g_wrong_0
            wrong_parameters_ROW_BITS_or_PARAMETER_BITS_does_not_fit_LANE_ROWS stop ();
        end
        if (POOLS < 0 || POOLS > 2 || POOL_BITS < 1 || RESIDUALS < 0 || RESIDUALS > 1
            || RESIDUAL_STAGE < 1 || RESIDUAL_STAGE > 2) begin : g_wrong_1
            wrong_parameters_POOLS_POOL_BITS_RESIDUALS_or_RESIDUAL_STAGE_is_out_of_its_range stop ();
        end
        if (WORD_BYTES < 2 || WORD_BYTES != 1 << PHASE_BITS
            || INDEX_BITS > FEATURE_BITS + PHASE_BITS) begin : g_wrong_2
            wrong_parameters_WORD_BYTES_PHASE_BITS_INDEX_BITS_and_FEATURE_BITS_do_not_fit stop ();
        end
    endgenerate

    // Turns on their way; the number in a name is the stage.
    reg  [END:1]                  turning_later, starting_later;
    reg  [ROW_BITS*END-1:0]       rows_later;
    wire [END:0]                  turning = {turning_later, turn};
    wire [END:0]                  starting = {starting_later, turn && turn_row == {ROW_BITS{1'b0}}};
    wire [ROW_BITS*(END+1)-1:0]   rows = {rows_later, turn_row};
    always @(posedge clk) begin
        turning_later  <= reset ? {END{1'b0}} : turning[END-1:0];
        starting_later <= starting[END-1:0];
        rows_later     <= rows[ROW_BITS*END-1:0];
    end
    wire pass = RESIDUALS != 0 && bypass;
    wire finished = last || pass;
    wire first_1, finished_4, finished_8, finished_10;
    wire [SUM_POSITION_BITS-1:0] position_4, position_8, position_10;
    token_line #(.WIDTH(1), .CYCLES(1), .LANE_ROWS(LANE_ROWS)) to_1 (
        .clk(clk), .starts(starting[0]), .in(first), .out(first_1)
    );
    token_line #(.WIDTH(1 + SUM_POSITION_BITS), .CYCLES(4), .LANE_ROWS(LANE_ROWS)) to_4 (
        .clk(clk), .starts(starting[3:0]), .in({finished, position}), .out({finished_4, position_4})
    );
    token_line #(.WIDTH(1 + SUM_POSITION_BITS), .CYCLES(4), .LANE_ROWS(LANE_ROWS)) to_8 (
        .clk(clk), .starts(starting[7:4]), .in({finished_4, position_4}),
        .out({finished_8, position_8})
    );
    token_line #(.WIDTH(1 + SUM_POSITION_BITS), .CYCLES(2), .LANE_ROWS(LANE_ROWS)) to_10 (
        .clk(clk), .starts(starting[9:8]), .in({finished_8, position_8}),
        .out({finished_10, position_10})
    );

    // Parameters, each when it is wanted; an address is its row tile's and its row's.
    wire [PARAMETER_BITS-1:0] token_0 =
        parameter_address ^ {{(PARAMETER_BITS - ROW_BITS) {1'b0}}, turn_row};
    wire [PARAMETER_BITS-1:0] token_3, token_places, address_3, address_places;
    token_line #(.WIDTH(PARAMETER_BITS), .CYCLES(3), .LANE_ROWS(LANE_ROWS)) address_to_3 (
        .clk(clk), .starts(starting[2:0]), .in(token_0), .out(token_3)
    );
    token_line #(.WIDTH(PARAMETER_BITS), .CYCLES(END - 6), .LANE_ROWS(LANE_ROWS)) address_to_places (
        .clk(clk), .starts(starting[END-4:3]), .in(token_3), .out(token_places)
    );
    assign address_3 = token_3 | {{(PARAMETER_BITS - ROW_BITS) {1'b0}}, rows[3*ROW_BITS+:ROW_BITS]};
    assign address_places =
        token_places | {{(PARAMETER_BITS - ROW_BITS) {1'b0}}, rows[(END-3)*ROW_BITS+:ROW_BITS]};
    localparam LIMITS = CLIPS != 0 ? 2 * ACC : 0;
    localparam STARTS = ACC + 12;
    localparam PLACE_BITS = FEATURE_BITS + PHASE_BITS;
    wire                  used, residual_used, rectified;
    wire [PLACE_BITS-1:0] plane;  // {plane, phase}: the address of its first byte
    wire [4:0]            residual_shift, shift;
    wire [ACC-1:0]        bias, highest, lowest;
    wire                  stores_places;
    memory #(.WIDTH(STARTS), .ADDRESS_BITS(PARAMETER_BITS), .WORDS(PARAMETER_WORDS)) starts (
        .clk(clk), .write(write_parameter), .write_address(table_address),
        .write_data(table_data[LIMITS+:STARTS]), .read(turn && (first || finished)),
        .read_address(parameter_address),
        .read_data({residual_used, residual_shift, rectified, shift, bias})
    );
    memory #(
        .WIDTH(1 + PLACE_BITS), .ADDRESS_BITS(PARAMETER_BITS), .WORDS(PARAMETER_WORDS)
    ) places (
        .clk(clk), .write(write_parameter), .write_address(table_address),
        .write_data(table_data[LIMITS+STARTS+:1+PLACE_BITS]),
        .read(turning[END-3] && stores_places), .read_address(address_places),
        .read_data({used, plane})
    );
    generate
        if (CLIPS != 0) begin : g_limits
            memory #(
                .WIDTH(LIMITS), .ADDRESS_BITS(PARAMETER_BITS), .WORDS(PARAMETER_WORDS)
            ) limits (
                .clk(clk), .write(write_parameter), .write_address(table_address),
                .write_data(table_data[LIMITS-1:0]), .read(turning[3]),
                .read_address(address_3), .read_data({highest, lowest})
            );
        end else begin : g_no_limits
            assign {highest, lowest} = {2 * ACC{1'b0}};
        end
    endgenerate

    // From a sum to a result.
    wire [ACC-1:0]        partial_1;
    wire [7:0]            residual_2;
    reg  signed [ACC-1:0] word_1, word_2, base_2, sum_3, sum_4, operand_4, acc_5, acc_6, clipped_7;
    reg         [7:5]     ready;        // a finished sum's turn
    reg  signed [ACC-1:0] highest_5, lowest_5, highest_6, lowest_6;
    reg  signed [7:0]     residual_3;
    reg         [4:0]     residual_shift_2, residual_shift_3, shift_7;
    reg         [24:0]    shifts;       // stages 6 to 2
    reg         [3:0]     rectifies;    // stages 5 to 2
    reg                   used_2, add_3, above_6, below_6;
    wire signed [ACC-1:0] extended_3 = {{(ACC - 8) {residual_3[7]}}, residual_3};
    wire                  raw = pass || (keep && !requantized);
    delay_line #(.WIDTH(8), .CYCLES(2 - RESIDUAL_STAGE)) residual_line (
        .clk(clk), .in(residual), .out(residual_2)
    );
    always @(posedge clk) begin
        if (turn) word_1 <= sums[turn_row*ACC+:ACC];
        if (turning[1]) begin
            word_2 <= pass ? {ACC{1'b0}} : word_1;
            base_2 <= pass ? {ACC{1'b0}} : first_1 ? bias : partial_1;
        end
        if (turning[2]) sum_3 <= base_2 + word_2;
        if (turning[3]) sum_4 <= sum_3;
        if (RESIDUALS != 0) begin
            if (turning[1]) {used_2, residual_shift_2} <= {residual_used, residual_shift};
            if (turning[2]) begin
                residual_3       <= residual_2;
                residual_shift_3 <= pass ? 5'd0 : residual_shift_2;
                add_3            <= pass || used_2;  // counts in finished sums only
            end
            if (turning[3])
                operand_4 <= add_3 ? extended_3 << residual_shift_3 : {ACC{1'b0}};
            if (turning[4] && finished_4) acc_5 <= sum_4 + operand_4;
        end else if (turning[4] && finished_4) begin
            acc_5 <= sum_4;
        end
        if (|turning[5:1]) shifts <= {shifts[19:0], shift};
        ready <= {ready[6:5], turning[4] && finished_4};
        if (ready[5]) acc_6 <= acc_5;
        if (CLIPS != 0) begin
            {highest_5, lowest_5} <= {highest, lowest};
            {highest_6, lowest_6} <= {highest_5, lowest_5};
            above_6   <= !pass && acc_5 > highest_5;
            below_6   <= !pass && acc_5 < lowest_5;
            if (ready[6]) clipped_7 <= above_6 ? highest_6 : below_6 ? lowest_6 : acc_6;
        end else begin
            rectifies <= {rectifies[2:0], rectified};
            below_6   <= !pass && rectifies[3] && acc_5[ACC-1];
            if (ready[6]) clipped_7 <= below_6 ? {ACC{1'b0}} : acc_6;
        end
        shift_7 <= raw ? 5'd0 : shifts[24:20];
    end
    wire signed [ACC-1:0] result_8;  // without a shift: what was clipped
    wire        [7:0]     byte_10;
    requantize_stages #(.WIDTH(ACC)) round (
        .clk(clk), .valid(ready[7]), .value(clipped_7), .shift(shift_7), .shifted(result_8),
        .result(byte_10)
    );
    assign made_valid = turning[10] && finished_10;
    assign made_row = rows[10*ROW_BITS+:ROW_BITS];
    assign made_byte = byte_10;

    // Into the memory of sums: what is unfinished, and what is kept; all after an even number of
    // stages.
    wire kept_8 = turning[8] && finished_8 && keep && !requantized;
    wire kept_10 = made_valid && keep && requantized;
    lane_sums #(
        .LANE_ROWS(LANE_ROWS), .ROW_BITS(ROW_BITS), .ACCUMULATOR_BITS(ACC),
        .SUM_POSITION_BITS(SUM_POSITION_BITS)
    ) partial_sums (
        .clk(clk), .read(turn && !first && !pass), .read_position(position), .read_row(turn_row),
        .stored(partial_1), .write((turning[4] && !finished_4) || kept_8 || kept_10),
        .write_position(kept_8 ? position_8 : kept_10 ? position_10 : position_4),
        .write_row(kept_8 ? rows[8*ROW_BITS+:ROW_BITS] : kept_10 ? made_row
                   : rows[4*ROW_BITS+:ROW_BITS]),
        .write_value(kept_8 ? result_8 : kept_10 ? {{(ACC - 8) {byte_10[7]}}, byte_10} : sum_4),
        .send_read(send_read), .send_position(send_position), .send_row(send_row), .kept(kept)
    );

    // Pooling.
    wire       pools = POOLS != 0 && pool != 2'd0;
    wire       stores = finished && store && (!pools || pool_last);
    wire       stores_end;
    wire [7:0] byte_end;
    token_line #(.WIDTH(1), .CYCLES(END - 3), .LANE_ROWS(LANE_ROWS)) stores_line (
        .clk(clk), .starts(starting[END-4:0]), .in(stores), .out(stores_places)
    );
    generate
        if (POOLS == 0) begin : g_bytes
            assign byte_end = byte_10;
            token_line #(.WIDTH(1), .CYCLES(END), .LANE_ROWS(LANE_ROWS)) store_line (
                .clk(clk), .starts(starting[END-1:0]), .in(stores), .out(stores_end)
            );
        end else begin : g_pool
            localparam WINDOW_BITS = LANE_ROWS == 1 ? POOL_BITS : POOL_BITS + ROW_BITS;
            wire [POOL_BITS-1:0] index_9, index_12;
            reg                  made_11;
            always @(posedge clk) made_11 <= made_valid && !reset;
            wire                 masked_9, first_9, stores_9, masked_10, first_11, stores_12;
            token_line #(.WIDTH(POOL_BITS + 3), .CYCLES(9), .LANE_ROWS(LANE_ROWS)) to_9 (
                .clk(clk), .starts(starting[8:0]), .in({pool_index, masked, pool_first, stores}),
                .out({index_9, masked_9, first_9, stores_9})
            );
            token_line #(.WIDTH(1), .CYCLES(1), .LANE_ROWS(LANE_ROWS)) masked_to_10 (
                .clk(clk), .starts(starting[9]), .in(masked_9), .out(masked_10)
            );
            token_line #(.WIDTH(1), .CYCLES(2), .LANE_ROWS(LANE_ROWS)) first_to_11 (
                .clk(clk), .starts(starting[10:9]), .in(first_9), .out(first_11)
            );
            token_line #(.WIDTH(POOL_BITS + 1), .CYCLES(3), .LANE_ROWS(LANE_ROWS)) to_12 (
                .clk(clk), .starts(starting[11:9]), .in({index_9, stores_9}),
                .out({index_12, stores_12})
            );
            if (POOLS == 1) begin : g_maximum
                assign stores_end = stores_12;
            end else begin : g_average
                token_line #(.WIDTH(1), .CYCLES(7), .LANE_ROWS(LANE_ROWS)) store_line (
                    .clk(clk), .starts(starting[18:12]), .in(stores_12), .out(stores_end)
                );
            end
            wire [POOL_BITS+ROW_BITS-1:0] read_9 = {index_9, rows[9*ROW_BITS+:ROW_BITS]};
            wire [POOL_BITS+ROW_BITS-1:0] write_12 = {index_12, rows[12*ROW_BITS+:ROW_BITS]};
            lane_pool #(
                .LANE_ROWS(LANE_ROWS), .POOLS(POOLS), .ADDRESS_BITS(WINDOW_BITS)
            ) windows (
                .clk(clk), .pool(pool), .multiplier(multiplier), .shift(pool_shift),
                .read(turning[9] && pools),
                .read_address(read_9[POOL_BITS+ROW_BITS-1-:WINDOW_BITS]), .comes(made_valid),
                .value(byte_10), .masked(masked_10), .first(first_11), .came(made_11),
                .write_address(write_12[POOL_BITS+ROW_BITS-1-:WINDOW_BITS]),
                .leaves(turning[12] && stores_12), .pooled(byte_end)
            );
        end
    endgenerate

    // Words of the planes.
    wire [INDEX_BITS-1:0] index_places;
    wire                  ends_end, flush_end;
    reg                   used_places, used_end, leads_end;
    reg  [PLACE_BITS-1:0] plane_places, place_end;
    token_line #(.WIDTH(INDEX_BITS), .CYCLES(END - 1), .LANE_ROWS(LANE_ROWS)) index_line (
        .clk(clk), .starts(starting[END-2:0]), .in(index), .out(index_places)
    );
    token_line #(.WIDTH(2), .CYCLES(END), .LANE_ROWS(LANE_ROWS)) end_line (
        .clk(clk), .starts(starting[END-1:0]), .in({ends, flush}), .out({ends_end, flush_end})
    );
    always @(posedge clk) begin
        {used_places, plane_places} <= {used, plane};
        place_end <= plane_places + {{(PLACE_BITS - INDEX_BITS) {1'b0}}, index_places};
        leads_end <= index_places == {INDEX_BITS{1'b0}};
        used_end  <= used_places;
    end
    lane_words #(
        .LANE_ROWS(LANE_ROWS), .ROW_BITS(ROW_BITS), .FEATURE_BITS(FEATURE_BITS),
        .WORD_BYTES(WORD_BYTES), .PHASE_BITS(PHASE_BITS)
    ) words (
        .clk(clk), .reset(reset), .store(turning[END] && stores_end && used_end),
        .row(rows[END*ROW_BITS+:ROW_BITS]), .value(byte_end),
        .address(place_end[PHASE_BITS+:FEATURE_BITS]), .place(place_end[PHASE_BITS-1:0]),
        .first(leads_end), .last(ends_end), .flush(flush_end), .step_bytes(step_bytes),
        .taken(taken), .pending(pending), .pending_address(pending_address),
        .pending_data(pending_data), .pending_enables(pending_enables)
    );
endmodule
