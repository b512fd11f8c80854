// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // AxPROT, the low address bits, upper data bits
// The AXI4-Lite registers of an accelerator.
//
// Registers (32 bits, byte addresses; the two lowest address bits are ignored):
//   0x00 CONTROL  write bit 0: start, bit 1: abort, 0 in both: nothing;  read bit 0: busy
//   0x04 CYCLES   cycles of this or the last run, read only
//   0x08 MEMORY   bits 7..0: memory, bits 31..8: bank that COMMIT writes
//   0x0c ADDRESS  word that COMMIT writes; COMMIT moves on to the next
//   0x10 DATA     the next 32 bits of a memory word, least significant first; its highest byte ends
//                 them. Reads 0
//   0x14 COMMIT   write of byte 0: the collected word goes to its memory. Reads 0
//   0x18 IDENTITY which accelerator this is, read only
//   0x1c ENTERED  word times of this or the last run in which words entered the array, read only
//   0x20 STALLED  word times in which only weights or returning sums were waited for, read only
//   0x24 STATUS   bit 0: busy, bit 1: an image of the wrong length was dropped, bit 2: a stream of
//                 weights of the wrong length came (write 1: clear)
//   0x28 DROPPED  images of the wrong length since the last reset, read only
//   0x2c BUILD    digest of the parameters that this accelerator was built with, read only
// Bytes whose WSTRB is 0 keep what they were. The answer is SLVERR, and nothing changes, for other
// addresses, for writes of what is read only, for writes of 0x08 to 0x14 while the accelerator is
// busy, for DATA beyond a word, for COMMIT of a word that no memory has (`exists`), and for a start
// that cannot be kept (`refuse`). An abort is obeyed before a start that comes with it. A write of
// MEMORY or ADDRESS and an abort forget the bits of a word that was begun.
// All outputs come from registers. A write takes 2 cycles at least, a read too. Reset:
// synchronous, active high.
module axi_registers #(
    parameter CONFIG_BITS = 352,
    parameter WEIGHTS = 0,        // 1: weights come as a stream
    parameter [31:0] IDENTITY = 32'h53590001,
    parameter [31:0] BUILD = 32'd0
) (
    input  wire        clk,
    input  wire        reset,
    input  wire [7:0]  s_axi_awaddr,
    input  wire [2:0]  s_axi_awprot,
    input  wire        s_axi_awvalid,
    output reg         s_axi_awready,
    input  wire [31:0] s_axi_wdata,
    input  wire [3:0]  s_axi_wstrb,
    input  wire        s_axi_wvalid,
    output reg         s_axi_wready,
    output reg  [1:0]  s_axi_bresp,
    output reg         s_axi_bvalid,
    input  wire        s_axi_bready,
    input  wire [7:0]  s_axi_araddr,
    input  wire [2:0]  s_axi_arprot,
    input  wire        s_axi_arvalid,
    output reg         s_axi_arready,
    output reg  [31:0] s_axi_rdata,
    output reg  [1:0]  s_axi_rresp,
    output reg         s_axi_rvalid,
    input  wire        s_axi_rready,
    output reg         go,        // until `started`
    input  wire        started,
    input  wire        refuse,    // no start can be kept now
    output reg         aborting,  // until `aborted`
    input  wire        aborted,
    input  wire        busy,
    input  wire        dropped,   // an image of the wrong length
    input  wire        weights_wrong,
    input  wire [31:0] cycles,
    input  wire [31:0] entered,
    input  wire [31:0] stalled,
    output reg         commit,
    output reg  [31:0] memory,
    output reg  [31:0] address,
    input  wire        exists,    // there is such a word
    output wire [CONFIG_BITS-1:0] data
);
    localparam CHUNKS = (CONFIG_BITS + 31) / 32;
    localparam [1:0] OKAY = 2'b00, SLVERR = 2'b10;
    localparam [5:0] CONTROL = 6'd0, CYCLES = 6'd1, MEMORY = 6'd2, ADDRESS = 6'd3, DATA = 6'd4,
                     COMMIT = 6'd5, WHICH = 6'd6, ENTERED = 6'd7, STALLED = 6'd8, STATUS = 6'd9,
                     DROPPED = 6'd10, BUILT = 6'd11;
    reg  [15:0]          chunk;
    reg  [32*CHUNKS-1:0] collected;
    reg  [31:0]          drops;
    reg                  wrong_length, wrong_weights;
    wire                 active = busy || go || aborting;

    // What has come of a request waits here, so that READY is a register.
    reg         address_waits, data_waits, read_waits;
    reg  [5:0]  write_index, read_index;
    reg  [31:0] write_data;
    reg  [3:0]  strobe;
    wire write = address_waits && data_waits && (!s_axi_bvalid || s_axi_bready);
    wire read = read_waits && (!s_axi_rvalid || s_axi_rready);
    wire address_next = s_axi_awvalid && s_axi_awready || address_waits && !write;
    wire data_next = s_axi_wvalid && s_axi_wready || data_waits && !write;
    wire read_next = s_axi_arvalid && s_axi_arready || read_waits && !read;
    always @(posedge clk) begin
        if (s_axi_awvalid && s_axi_awready) write_index <= s_axi_awaddr[7:2];
        if (s_axi_wvalid && s_axi_wready) {write_data, strobe} <= {s_axi_wdata, s_axi_wstrb};
        if (s_axi_arvalid && s_axi_arready) read_index <= s_axi_araddr[7:2];
        {address_waits, s_axi_awready} <= {address_next, !address_next};
        {data_waits, s_axi_wready} <= {data_next, !data_next};
        {read_waits, s_axi_arready} <= {read_next, !read_next};
        if (reset) begin
            {address_waits, s_axi_awready} <= 2'b00;
            {data_waits, s_axi_wready} <= 2'b00;
            {read_waits, s_axi_arready} <= 2'b00;
        end
    end

    wire begins = strobe[0] && write_data[0], aborts = strobe[0] && write_data[1];
    wire full = {16'd0, chunk} == CHUNKS;
    reg  writable;
    always @*
        case (write_index)
            CONTROL: writable = !(begins && !aborts && refuse);
            MEMORY, ADDRESS: writable = !active;
            COMMIT: writable = !active && (exists || !strobe[0]);
            DATA: writable = !active && !full;
            STATUS: writable = 1'b1;
            default: writable = 1'b0;
        endcase
    wire [31:0] mask = {{8{strobe[3]}}, {8{strobe[2]}}, {8{strobe[1]}}, {8{strobe[0]}}};
    integer i;
    always @(posedge clk) begin
        commit <= 1'b0;
        if (commit) address <= address + 32'd1;
        if (started) go <= 1'b0;
        if (aborted) aborting <= 1'b0;
        if (write && writable)
            case (write_index)
                CONTROL: begin
                    if (aborts) {aborting, chunk} <= {1'b1, 16'd0};
                    if (aborts || begins) go <= begins;
                end
                MEMORY: begin
                    memory <= (memory & ~mask) | (write_data & mask);
                    if (strobe != 4'd0) chunk <= 16'd0;
                end
                ADDRESS: begin
                    address <= (address & ~mask) | (write_data & mask);
                    if (strobe != 4'd0) chunk <= 16'd0;
                end
                DATA: begin
                    for (i = 0; i < CHUNKS; i = i + 1)
                        if ({16'd0, chunk} == i)
                            collected[32*i+:32] <= (collected[32*i+:32] & ~mask)
                                                 | (write_data & mask);
                    if (strobe[3]) chunk <= chunk + 16'd1;
                end
                COMMIT:
                    if (strobe[0]) begin
                        commit <= 1'b1;
                        chunk <= 16'd0;
                    end
                STATUS: if (aborts) wrong_length <= 1'b0;
                default: ;
            endcase
        wrong_weights <= WEIGHTS != 0 && !reset && (weights_wrong || (wrong_weights
                         && !(write && writable && write_index == STATUS && strobe[0] && write_data[2])));
        if (dropped) begin
            drops <= drops + 32'd1;
            wrong_length <= 1'b1;
        end
        s_axi_bvalid <= write || (s_axi_bvalid && !s_axi_bready);
        if (write) s_axi_bresp <= writable ? OKAY : SLVERR;
        if (read) begin
            s_axi_rresp <= OKAY;
            case (read_index)
                CONTROL: s_axi_rdata <= {31'd0, active};
                CYCLES: s_axi_rdata <= cycles;
                MEMORY: s_axi_rdata <= memory;
                ADDRESS: s_axi_rdata <= address;
                DATA, COMMIT: s_axi_rdata <= 32'd0;
                WHICH: s_axi_rdata <= IDENTITY;
                ENTERED: s_axi_rdata <= entered;
                STALLED: s_axi_rdata <= stalled;
                STATUS: s_axi_rdata <= {29'd0, wrong_weights, wrong_length, active};
                DROPPED: s_axi_rdata <= drops;
                BUILT: s_axi_rdata <= BUILD;
                default: begin
                    s_axi_rdata <= 32'd0;
                    s_axi_rresp <= SLVERR;
                end
            endcase
        end
        s_axi_rvalid <= read || (s_axi_rvalid && !s_axi_rready);
        if (reset) begin
            go <= 1'b0;
            aborting <= 1'b0;
            commit <= 1'b0;
            chunk <= 16'd0;
            memory <= 32'd0;
            address <= 32'd0;
            drops <= 32'd0;
            wrong_length <= 1'b0;
            s_axi_bvalid <= 1'b0;
            s_axi_rvalid <= 1'b0;
        end
    end
    assign data = collected[CONFIG_BITS-1:0];
`ifdef SYSTOPACK_ASSERTIONS
    stream_rules #(.WIDTH(2)) answer_rules (
        .clk(clk), .reset(reset), .valid(s_axi_bvalid), .ready(s_axi_bready), .data(s_axi_bresp),
        .last(1'b0)
    );
    stream_rules #(.WIDTH(34)) read_rules (
        .clk(clk), .reset(reset), .valid(s_axi_rvalid), .ready(s_axi_rready),
        .data({s_axi_rresp, s_axi_rdata}), .last(1'b0)
    );
`endif
endmodule
