// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
// The feature memory: banks with one port each, their jobs, and whose turn it is.
//
// In slots the banks read what some stream wants; in all other cycles they belong to results: row r
// writes into bank r modulo BANKS, in every cycle the lowest row of a bank whose word waits.
// Timing, from a slot's cycle: `wants` (a user takes a word of bank `want_banks`) 1, `bank_words` 3
// cycles later. Reset: of jobs under way, synchronous, active high.
module feature_memory #(
    parameter BANKS = 16,
    parameter BANK_BITS = 4,
    parameter WORD_BYTES = 4,
    parameter PHASE_BITS = 2,
    parameter WORDS = 1024,           // of a bank
    parameter FEATURE_BITS = 10,
    parameter SLOT_BITS = 6,
    parameter OFFSET_BITS = 12,
    parameter JOB_ADDRESS_BITS = 8,
    parameter JOB_WORDS = 1 << JOB_ADDRESS_BITS,
    parameter GROUPS = 2,             // rows that write into one bank
    parameter USERS = 36              // array columns and lanes
) (
    input  wire                        clk,
    input  wire                        reset,
    input  wire                        write_job,
    input  wire [7:0]                  job_bank,
    input  wire [JOB_ADDRESS_BITS-1:0] table_address,
    input  wire [1+SLOT_BITS+PHASE_BITS+FEATURE_BITS+OFFSET_BITS-1:0] table_data,
    input  wire                        rewind,
    input  wire [JOB_ADDRESS_BITS-1:0] list,
    input  wire [SLOT_BITS-1:0]        slot,
    input  wire                        slot_valid,
    input  wire [FEATURE_BITS+PHASE_BITS:0] base,
    input  wire [FEATURE_BITS+PHASE_BITS:0] residual_base,
    input  wire [FEATURE_BITS+PHASE_BITS:0] limit,
    input  wire [USERS-1:0]            wants,
    input  wire [USERS*BANK_BITS-1:0]  want_banks,
    output wire [BANKS*8*WORD_BYTES-1:0] bank_words,
    output wire [BANKS-1:0]            bank_zeros,   // for FPGAs: the next word is zero, whatever is read
    input  wire                        image_write,
    input  wire [BANK_BITS-1:0]        image_bank,
    input  wire [FEATURE_BITS-1:0]     image_address,
    input  wire [8*WORD_BYTES-1:0]     image_data,
    input  wire [GROUPS*BANKS-1:0]     pending,
    input  wire [GROUPS*BANKS*FEATURE_BITS-1:0] pending_address,
    input  wire [GROUPS*BANKS*8*WORD_BYTES-1:0] pending_data,
    input  wire [GROUPS*BANKS*WORD_BYTES-1:0]   pending_enables,
    output wire [GROUPS*BANKS-1:0]     taken,
    // Words that are written, by bank; for observation.
    output wire [BANKS-1:0]              written,
    output wire [BANKS*FEATURE_BITS-1:0] written_address,
    output wire [BANKS*WORD_BYTES-1:0]   written_enables,
    output wire [BANKS*8*WORD_BYTES-1:0] written_data
);
    localparam BITS = 8 * WORD_BYTES;
    wire                   busy_slot_2;
    valid_line #(.CYCLES(2)) slot_delay (
        .clk(clk), .reset(reset), .in(slot_valid), .out(busy_slot_2)
    );
    wire results_own = !busy_slot_2;
    reg  [BANKS-1:0]      wanted;
    integer q, k;
    reg  [BANKS-1:0]      wanted_now;
    always @* begin
        wanted_now = {BANKS{1'b0}};
        for (q = 0; q < USERS; q = q + 1)
            for (k = 0; k < BANKS; k = k + 1)
                if (wants[q] && {{(32 - BANK_BITS) {1'b0}}, want_banks[q*BANK_BITS+:BANK_BITS]} == k)
                    wanted_now[k] = 1'b1;
    end
    always @(posedge clk) wanted <= wanted_now;
    genvar b, i;
    generate
        for (b = 0; b < BANKS; b = b + 1) begin : g_bank
            wire                    read, zero;
            wire [FEATURE_BITS-1:0] address;
            fetch_bank #(
                .SLOT_BITS(SLOT_BITS), .PHASE_BITS(PHASE_BITS), .FEATURE_BITS(FEATURE_BITS),
                .OFFSET_BITS(OFFSET_BITS), .JOB_ADDRESS_BITS(JOB_ADDRESS_BITS),
                .JOB_WORDS(JOB_WORDS)
            ) jobs (
                .clk(clk), .reset(reset),
                .write_job(write_job && {24'd0, job_bank} == b),
                .table_address(table_address),
                .table_data(table_data), .rewind(rewind),
                .list(list), .slot(slot),
                .slot_valid(slot_valid), .base(base),
                .residual_base(residual_base),
                .limit(limit), .read(read), .zero(zero),
                .address(address)
            );
            // The lowest row of the bank whose word waits.
            wire [GROUPS:0] earlier;
            reg  [31:0]     source;
            integer         g;
            assign earlier[0] = 1'b0;
            always @* begin
                source = b;
                for (g = GROUPS - 1; g >= 0; g = g - 1)
                    if (pending[g*BANKS+b]) source = g * BANKS + b;
            end
            wire from_image = image_write && {{(32 - BANK_BITS) {1'b0}}, image_bank} == b;
            wire from_rows = results_own && earlier[GROUPS];
            wire [FEATURE_BITS-1:0] row_address = pending_address[source*FEATURE_BITS+:FEATURE_BITS];
            wire [BITS-1:0]         row_data = pending_data[source*BITS+:BITS];
            wire [WORD_BYTES-1:0]   row_enables = pending_enables[source*WORD_BYTES+:WORD_BYTES];
            assign written[b] = from_image || from_rows;
            assign written_address[b*FEATURE_BITS+:FEATURE_BITS] =
                from_image ? image_address : row_address;
            assign written_enables[b*WORD_BYTES+:WORD_BYTES] =
                from_image ? {WORD_BYTES{1'b1}} : row_enables;
            assign written_data[b*BITS+:BITS] = from_image ? image_data : row_data;
            for (i = 0; i < GROUPS; i = i + 1) begin : g_group
                assign earlier[i+1] = earlier[i] || pending[i*BANKS+b];
                assign taken[i*BANKS+b] = results_own && pending[i*BANKS+b] && !earlier[i];
            end
            reg  zero_3;
            always @(posedge clk) zero_3 <= zero;
            wire [BITS-1:0] word;
            feature_bank #(
                .WORD_BYTES(WORD_BYTES), .ADDRESS_BITS(FEATURE_BITS), .WORDS(WORDS)
            ) features (
                .clk(clk), .access(written[b] || (read && wanted[b] && !zero)),
                .enables(written[b] ? written_enables[b*WORD_BYTES+:WORD_BYTES]
                                    : {WORD_BYTES{1'b0}}),
                .address(written[b] ? written_address[b*FEATURE_BITS+:FEATURE_BITS] : address),
                .write_data(written_data[b*BITS+:BITS]), .read_data(word)
            );
`ifdef SYSTOPACK_FPGA
            assign bank_words[b*BITS+:BITS] = word;
            assign bank_zeros[b] = zero;
`else
            assign bank_words[b*BITS+:BITS] = zero_3 ? {BITS{1'b0}} : word;
            assign bank_zeros[b] = 1'b0;
`endif
        end
    endgenerate
endmodule
