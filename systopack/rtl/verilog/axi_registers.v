/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
// The AXI4-Lite registers of an accelerator.
//
// Registers (32 bits, byte addresses):
//   0x00 CONTROL  write bit 0: start;  read bit 0: busy
//   0x04 CYCLES   cycles of this or the last run, read only
//   0x08 MEMORY   bits 2..0: memory, bits 31..8: bank that COMMIT writes
//   0x0c ADDRESS  word that COMMIT writes; COMMIT moves on to the next
//   0x10 DATA     the next 32 bits of a memory word, least significant first
//   0x14 COMMIT   write: the collected word goes to its memory
//   0x18 IDENTITY which accelerator this is, read only
//   0x1c ENTERED  word times of this or the last run in which words entered the array, read only
//   0x20 STALLED  word times in which only weights or returning sums were waited for, read only
// Every write is answered OKAY; unknown addresses read 0. Reset: synchronous, active high.
module axi_registers #(
    parameter CONFIG_BITS = 352,
    parameter [31:0] IDENTITY = 32'h53590001
) (
    input  wire        clk,
    input  wire        reset,
    input  wire [7:0]  s_axi_awaddr,
    input  wire        s_axi_awvalid,
    output wire        s_axi_awready,
    input  wire [31:0] s_axi_wdata,
    input  wire        s_axi_wvalid,
    output wire        s_axi_wready,
    output wire [1:0]  s_axi_bresp,
    output reg         s_axi_bvalid,
    input  wire        s_axi_bready,
    input  wire [7:0]  s_axi_araddr,
    input  wire        s_axi_arvalid,
    output wire        s_axi_arready,
    output reg  [31:0] s_axi_rdata,
    output wire [1:0]  s_axi_rresp,
    output reg         s_axi_rvalid,
    input  wire        s_axi_rready,
    output reg         go,                          // until `started`
    input  wire        started,
    input  wire        busy,
    input  wire [31:0] cycles,
    input  wire [31:0] entered,
    input  wire [31:0] stalled,
    output reg         commit,
    output reg  [31:0] memory,
    output reg  [31:0] address,
    output wire [CONFIG_BITS-1:0] data
);
    localparam CHUNKS = (CONFIG_BITS + 31) / 32;
    reg  [15:0]          chunk;
    reg  [32*CHUNKS-1:0] collected;

    // A write is taken when address and data are both there and its answer can follow.
    wire write = s_axi_awvalid && s_axi_wvalid && (!s_axi_bvalid || s_axi_bready);
    wire read = s_axi_arvalid && (!s_axi_rvalid || s_axi_rready);
    assign s_axi_awready = write;
    assign s_axi_wready = write;
    assign s_axi_arready = read;
    assign s_axi_bresp = 2'b00;
    assign s_axi_rresp = 2'b00;
    integer i;
    always @(posedge clk) begin
        commit <= 1'b0;
        if (commit) address <= address + 32'd1;
        if (started) go <= 1'b0;
        if (write) begin
            case (s_axi_awaddr)
                8'h00: go <= s_axi_wdata[0];
                8'h08: memory <= s_axi_wdata;
                8'h0c: address <= s_axi_wdata;
                8'h10: begin
                    for (i = 0; i < CHUNKS; i = i + 1)
                        if ({16'd0, chunk} == i) collected[32*i+:32] <= s_axi_wdata;
                    chunk <= chunk + 16'd1;
                end
                8'h14: begin
                    commit <= 1'b1;
                    chunk <= 16'd0;
                end
                default: ;
            endcase
        end
        s_axi_bvalid <= write || (s_axi_bvalid && !s_axi_bready);
        if (read)
            case (s_axi_araddr)
                8'h00: s_axi_rdata <= {31'd0, busy || go};
                8'h04: s_axi_rdata <= cycles;
                8'h08: s_axi_rdata <= memory;
                8'h0c: s_axi_rdata <= address;
                8'h18: s_axi_rdata <= IDENTITY;
                8'h1c: s_axi_rdata <= entered;
                8'h20: s_axi_rdata <= stalled;
                default: s_axi_rdata <= 32'd0;
            endcase
        s_axi_rvalid <= read || (s_axi_rvalid && !s_axi_rready);
        if (reset) begin
            go <= 1'b0;
            commit <= 1'b0;
            chunk <= 16'd0;
            s_axi_bvalid <= 1'b0;
            s_axi_rvalid <= 1'b0;
        end
    end
    assign data = collected[CONFIG_BITS-1:0];
endmodule
