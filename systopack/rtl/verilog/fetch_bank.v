// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // lowest bits of a limit in bytes
// The jobs of one bank of the feature memory: which word it reads in which slot.
//
// A tile's jobs lie one after another in `jobs`, in the order of their slots, and a word of ones
// ends them. The bank walks this list in every period anew: a job is issued in its slot, and after
// the last one the list starts again, which takes two cycles. `rewind` starts another list.
// A job says where the plane of its channel starts, and how far from the present place of the
// tile (`base`, or `residual_base`) its word lies, in bytes. Words of the array outside the plane are
// zeros.
//
// Timing, from the slot's cycle: `read`, `zero` and `address` 2 cycles later.
// Reset: of `read`, synchronous, active high.
module fetch_bank #(
    parameter SLOT_BITS = 6,
    parameter PHASE_BITS = 2,       // of a byte in a word
    parameter FEATURE_BITS = 10,    // of a word's address
    parameter OFFSET_BITS = 10,     // of a displacement in bytes, two's complement
    parameter JOB_ADDRESS_BITS = 8,
    parameter JOB_WORDS = 1 << JOB_ADDRESS_BITS
) (
    input  wire                               clk,
    input  wire                               reset,
    input  wire                               write_job,
    input  wire [JOB_ADDRESS_BITS-1:0]        table_address,
    input  wire [1+SLOT_BITS+PHASE_BITS+FEATURE_BITS+OFFSET_BITS-1:0] table_data,
    input  wire                               rewind,
    input  wire [JOB_ADDRESS_BITS-1:0]        list,          // where the tile's jobs start
    input  wire [SLOT_BITS-1:0]               slot,
    input  wire                               slot_valid,
    input  wire [FEATURE_BITS+PHASE_BITS:0]   base,          // bytes, two's complement
    input  wire [FEATURE_BITS+PHASE_BITS:0]   residual_base,
    input  wire [FEATURE_BITS+PHASE_BITS:0]   limit,         // bytes of a plane and a word's less 1
    output reg                                read,
    output reg                                zero,
    output reg  [FEATURE_BITS-1:0]            address
);
    /* verilator no_inline_module */  // one copy of its code for all instances
    localparam ENTRY = 1 + SLOT_BITS + PHASE_BITS + FEATURE_BITS + OFFSET_BITS;
    localparam BYTES = FEATURE_BITS + PHASE_BITS + 2;  // of a place, with its sign
    localparam WIDE = BYTES > OFFSET_BITS ? BYTES : OFFSET_BITS;
    wire [ENTRY-1:0] coming;
    reg  [ENTRY-1:0] head;
    reg  [JOB_ADDRESS_BITS-1:0] place;  // of `coming`
    wire                       residual;
    wire [SLOT_BITS-1:0]       job_slot;
    wire [PHASE_BITS-1:0]      phase;
    wire [FEATURE_BITS-1:0]    plane;
    wire [OFFSET_BITS-1:0]     offset;
    assign {residual, job_slot, phase, plane, offset} = head;

    wire ended = &job_slot;
    wire issue = slot_valid && job_slot == slot && !ended;
    reg  started;  // the list's first word is coming
    reg  first, empty;  // it has come; it was the end
    wire restart = rewind || (ended && !started && !first && !empty);
    wire [JOB_ADDRESS_BITS-1:0] next_place = restart ? list
                                           : issue || started ? place + 1'b1 : place;
    memory #(.WIDTH(ENTRY), .ADDRESS_BITS(JOB_ADDRESS_BITS), .WORDS(JOB_WORDS)) jobs (
        .clk(clk), .write(write_job), .write_address(table_address), .write_data(table_data),
        .read(restart || issue || started), .read_address(next_place), .read_data(coming)
    );
    reg                  read_1, residual_1;
    reg  [WIDE-1:0]      bytes_1;
    reg  [BYTES-1:0]     limit_1;
    reg  [FEATURE_BITS-1:0] plane_1;
    wire [BYTES-2:0]     base_now = residual ? residual_base : base;
    wire [WIDE-1:0]      word_1 = {{PHASE_BITS{bytes_1[WIDE-1]}}, bytes_1[WIDE-1:PHASE_BITS]};
    wire [WIDE-1:0]      limit_word_1 = {{(WIDE - BYTES + PHASE_BITS) {1'b0}}, limit_1[BYTES-1:PHASE_BITS]};
    always @(posedge clk) begin
        place <= next_place;
        started <= restart;
        if (started || issue) head <= coming;
        first <= started;
        if (rewind) empty <= 1'b0;
        else if (first && ended && !started) empty <= 1'b1;
        read_1 <= issue && !reset;
        if (issue) begin
            residual_1 <= residual;
            bytes_1 <= {{(WIDE - BYTES + 1) {base_now[BYTES-2]}}, base_now}
                     + {{(WIDE - OFFSET_BITS) {offset[OFFSET_BITS-1]}}, offset};
            limit_1 <= {1'b0, limit} + {{(BYTES - PHASE_BITS) {1'b0}}, phase};
            plane_1 <= plane;
        end
        read <= read_1 && !reset;
        if (read_1) begin
            zero <= !residual_1 && (word_1[WIDE-1] || word_1 >= limit_word_1);
            address <= plane_1 + word_1[FEATURE_BITS-1:0];
        end
    end
endmodule
