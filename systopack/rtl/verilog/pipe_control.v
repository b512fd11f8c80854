// SPDX-License-Identifier: Apache-2.0
// Word times for all units, and the start: `go` makes the loaded weights the present ones.
//
// `go` is obeyed (`started`) at the end of a word time in which no image is under way; the source
// lets no first word in while `go` waits. Then the arrays are clocked for PREPARE word times while
// `take` travels through them, and `running` lets images in.
// Reset: synchronous, active high; the word times begin anew.
module pipe_control #(
    parameter WORD_CYCLES = 8,
    parameter PHASE_BITS = WORD_CYCLES > 2 ? $clog2(WORD_CYCLES) : 1,
    parameter PREPARE = 16,
    parameter PREPARE_BITS = PREPARE > 1 ? $clog2(PREPARE + 1) : 1) (
    input  wire                  clk,
    input  wire                  reset,
    input  wire                  go,
    input  wire                  busy,
    output reg  [PHASE_BITS-1:0] phase,
    output wire                  slot,
    output wire                  slot_end,
    output wire                  started,
    output reg                   preparing,
    output reg                   take,
    output reg                   running
);
    localparam [31:0] END = WORD_CYCLES - 1;
    localparam [31:0] LAST = PREPARE - 1;

    // Parameters that contradict each other stop elaboration with the module's name as the message.
    generate
        if (WORD_CYCLES < 1 || PREPARE < 1) begin : g_wrong_0
            wrong_parameters_WORD_CYCLES_and_PREPARE_must_be_1_or_more stop ();
        end
        if ((1 << PHASE_BITS) < WORD_CYCLES || (1 << PREPARE_BITS) < PREPARE) begin : g_wrong_1
            wrong_parameters_PHASE_BITS_or_PREPARE_BITS_is_too_small_for_what_it_counts stop ();
        end
    endgenerate

    reg [PREPARE_BITS-1:0] prepared;
    assign slot = phase == {PHASE_BITS{1'b0}};
    assign slot_end = phase == END[PHASE_BITS-1:0];
    assign started = go && slot_end && !busy && !preparing;
    always @(posedge clk) begin
        phase <= slot_end || reset ? {PHASE_BITS{1'b0}} : phase + 1'b1;
        if (slot_end) begin
            take <= preparing && prepared == {PREPARE_BITS{1'b0}};
            if (started) begin
                running <= 1'b0;
                preparing <= 1'b1;
                prepared <= {PREPARE_BITS{1'b0}};
            end else if (preparing) begin
                prepared <= prepared + 1'b1;
                if (prepared == LAST[PREPARE_BITS-1:0]) begin
                    preparing <= 1'b0;
                    running <= 1'b1;
                end
            end
        end
        if (reset) begin
            take <= 1'b0;
            running <= 1'b0;
            preparing <= 1'b0;
        end
    end
endmodule
