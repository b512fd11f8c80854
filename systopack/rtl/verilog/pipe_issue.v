// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
// Decides when a unit of the layer-pipelined accelerator takes its next output position.
//
// A position is taken at the first `slot` (first cycle of a word time) at which every input word
// it can reach has arrived, INTERVAL word times after the one before at the earliest. `arrived`
// and `residual_arrived` count one word of all channels each; a word counts from the next cycle on.
// Latency: none, `issue` answers in the cycle of `slot`. Reset: synchronous, active high.
module pipe_issue #(
    parameter IN_HEIGHT = 8,
    parameter IN_WIDTH = 8,
    parameter OUT_HEIGHT = 8,
    parameter OUT_WIDTH = 8,
    parameter STRIDE_Y = 1,
    parameter STRIDE_X = 1,
    parameter REACH_Y = 1,          // largest dy and dx that are read, may be negative
    parameter REACH_X = 1,
    parameter INTERVAL = 1,
    parameter RESIDUAL = 0,         // 1: a residual operand must be there too
    parameter RESIDUAL_HEIGHT = 8,
    parameter RESIDUAL_WIDTH = 8,
    parameter RESIDUAL_STRIDE_Y = 1,
    parameter RESIDUAL_STRIDE_X = 1,
    parameter PLACE_BITS = 5,       // holds -1..every place, signed
    parameter COUNT_BITS = 10       // holds arrived words, signed
) (
    input  wire                  clk,
    input  wire                  reset,
    input  wire                  slot,
    input  wire                  arrived,
    input  wire                  residual_arrived,
    output wire                  issue,
    output wire                  last_x,            // the present position ends its row
    output wire                  last,              // the present position ends the image
    output reg  [PLACE_BITS-1:0] place_y,           // y * STRIDE_Y
    output reg  [PLACE_BITS-1:0] place_x
);
    localparam signed [31:0] LAST_Y = (OUT_HEIGHT - 1) * STRIDE_Y;
    localparam signed [31:0] LAST_X = (OUT_WIDTH - 1) * STRIDE_X;

    // Parameters that contradict each other stop elaboration with the module's name as the message.
    generate
        if (IN_HEIGHT < 1 || IN_WIDTH < 1 || OUT_HEIGHT < 1 || OUT_WIDTH < 1 || STRIDE_Y < 1
            || STRIDE_X < 1) begin : g_wrong_0
            wrong_parameters_sides_and_strides_must_be_1_or_more stop ();
        end
        if (RESIDUAL != 0 && (RESIDUAL_HEIGHT < 1 || RESIDUAL_WIDTH < 1 || RESIDUAL_STRIDE_Y < 1
                              || RESIDUAL_STRIDE_X < 1)) begin : g_wrong_1
            wrong_parameters_sides_and_strides_of_the_residual_must_be_1_or_more stop ();
        end
        if (INTERVAL < 1 || INTERVAL > 65536) begin : g_wrong_2
            wrong_parameters_INTERVAL_must_be_1_to_65536 stop ();
        end
        if ((1 << PLACE_BITS) <= LAST_Y || (1 << PLACE_BITS) <= LAST_X) begin : g_wrong_3
            wrong_parameters_PLACE_BITS_is_too_small_for_the_last_place stop ();
        end
        if ((1 << (COUNT_BITS - 1)) <= IN_HEIGHT * IN_WIDTH
            || (RESIDUAL != 0 && (1 << (COUNT_BITS - 1)) <= RESIDUAL_HEIGHT * RESIDUAL_WIDTH)) begin : g_wrong_4
            wrong_parameters_COUNT_BITS_is_too_small_for_the_words_of_an_image stop ();
        end
    endgenerate

    wire signed [31:0] y = {{(32 - PLACE_BITS) {1'b0}}, place_y};
    wire signed [31:0] x = {{(32 - PLACE_BITS) {1'b0}}, place_x};
    assign last_x = x == LAST_X;
    assign last = last_x && y == LAST_Y;

    // Words of this image that must be there: at least one, or an image would start by itself.
    wire signed [31:0] row = y + REACH_Y < IN_HEIGHT ? y + REACH_Y : IN_HEIGHT - 1;
    wire signed [31:0] reach = x + REACH_X < 0 ? 0
                             : x + REACH_X < IN_WIDTH ? x + REACH_X : IN_WIDTH - 1;
    wire signed [31:0] need = row < 0 ? 1 : row * IN_WIDTH + reach + 1;
    reg  signed [COUNT_BITS-1:0] count;
    wire signed [31:0] count_now = {{(32 - COUNT_BITS) {count[COUNT_BITS-1]}}, count};

    wire residual_there;
    generate
        if (RESIDUAL == 0) begin : g_none
            assign residual_there = 1'b1;
        end else begin : g_residual
            reg signed [COUNT_BITS-1:0] held;
            reg        [COUNT_BITS-1:0] row_need, column_need;
            wire signed [31:0] held_now = {{(32 - COUNT_BITS) {held[COUNT_BITS-1]}}, held};
            wire signed [31:0] residual_need =
                {{(32 - COUNT_BITS) {1'b0}}, row_need} + {{(32 - COUNT_BITS) {1'b0}}, column_need};
            wire signed [31:0] held_next = held_now + {31'd0, residual_arrived}
                                         - (issue && last ? RESIDUAL_HEIGHT * RESIDUAL_WIDTH : 0);
            localparam [31:0] ROW_STEP = RESIDUAL_STRIDE_Y * RESIDUAL_WIDTH;
            localparam [31:0] COLUMN_STEP = RESIDUAL_STRIDE_X;
            assign residual_there = held_now > residual_need;
            always @(posedge clk) begin
                held <= held_next[COUNT_BITS-1:0];
                if (issue) begin
                    column_need <= last_x ? {COUNT_BITS{1'b0}}
                                          : column_need + COLUMN_STEP[COUNT_BITS-1:0];
                    if (last) row_need <= {COUNT_BITS{1'b0}};
                    else if (last_x) row_need <= row_need + ROW_STEP[COUNT_BITS-1:0];
                end
                if (reset) begin
                    held <= {COUNT_BITS{1'b0}};
                    row_need <= {COUNT_BITS{1'b0}};
                    column_need <= {COUNT_BITS{1'b0}};
                end
            end
        end
    endgenerate

    // Word times until the next position may be taken.
    localparam WAIT_BITS = INTERVAL > 256 ? 16 : 8;
    reg [WAIT_BITS-1:0] waiting;
    assign issue = slot && !reset && waiting == {WAIT_BITS{1'b0}} && count_now >= need && residual_there;

    localparam [31:0] STEP_Y = STRIDE_Y;
    localparam [31:0] STEP_X = STRIDE_X;
    localparam [31:0] PAUSE = INTERVAL - 1;
    wire signed [31:0] count_next = count_now + {31'd0, arrived}
                                  - (issue && last ? IN_HEIGHT * IN_WIDTH : 0);
    always @(posedge clk) begin
        count <= count_next[COUNT_BITS-1:0];
        if (issue) begin
            waiting <= PAUSE[WAIT_BITS-1:0];
            place_x <= last_x ? {PLACE_BITS{1'b0}} : place_x + STEP_X[PLACE_BITS-1:0];
            if (last) place_y <= {PLACE_BITS{1'b0}};
            else if (last_x) place_y <= place_y + STEP_Y[PLACE_BITS-1:0];
        end else if (slot && waiting != {WAIT_BITS{1'b0}}) begin
            waiting <= waiting - 1'b1;
        end
        if (reset) begin
            count <= {COUNT_BITS{1'b0}};
            waiting <= {WAIT_BITS{1'b0}};
            place_y <= {PLACE_BITS{1'b0}};
            place_x <= {PLACE_BITS{1'b0}};
        end
    end
endmodule
