// Word times for all units, and the start: `go` makes the loaded weights the present ones.
//
// After `go` the arrays are clocked for PREPARE word times while `take` travels through them;
// then `running` lets images in. A rising `go` waits until no
// image is under way; the source lets none in meanwhile.
// Reset: synchronous, active high; the word times go on through it.
module pipe_control #(
    parameter WORD_CYCLES = 8,
    parameter PHASE_BITS = 3,
    parameter PREPARE = 16,
    parameter PREPARE_BITS = 5
) (
    input  wire                  clk,
    input  wire                  reset,
    input  wire                  go,
    input  wire                  busy,
    output reg  [PHASE_BITS-1:0] phase,
    output wire                  slot,
    output wire                  slot_end,
    output reg                   take,
    output reg                   running
);
    localparam [31:0] END = WORD_CYCLES - 1;
    localparam [31:0] LAST = PREPARE - 1;
    reg                    preparing, went;
    reg [PREPARE_BITS-1:0] prepared;
    assign slot = phase == {PHASE_BITS{1'b0}};
    assign slot_end = phase == END[PHASE_BITS-1:0];
    always @(posedge clk) begin
        phase <= slot_end || reset ? {PHASE_BITS{1'b0}} : phase + 1'b1;
        if (slot_end) begin
            take <= 1'b0;
            went <= go && (went || !busy);
            if (go && !went && !busy) begin
                running <= 1'b0;
                preparing <= 1'b1;
                prepared <= {PREPARE_BITS{1'b0}};
            end else if (preparing) begin
                take <= prepared == {PREPARE_BITS{1'b0}};
                prepared <= prepared + 1'b1;
                if (prepared == LAST[PREPARE_BITS-1:0]) begin
                    preparing <= 1'b0;
                    running <= 1'b1;
                end
            end
        end
        if (reset) begin
            take <= 1'b0;
            went <= 1'b0;
            running <= 1'b0;
            preparing <= 1'b0;
        end
    end
endmodule
