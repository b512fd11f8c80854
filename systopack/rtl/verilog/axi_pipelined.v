/* verilator lint_off UNUSEDSIGNAL */  // upper bits of bank and address
// The layer-pipelined accelerator behind AXI: AXI4-Lite registers (see `axi_registers`),
// AXI4-Stream for images and results.
//
// A beat of the image stream has all channels of one position, channel 0 lowest. CONTROL starts once
// all weights are written; from then on images may follow each other without a gap. CYCLES counts
// from the first beat of an image to its last result, or on through images that overlap.
module axi_pipelined #(
    parameter GATED = 1,
    parameter BANK_BITS = 8,
    parameter CONFIG_BITS = 352,
    parameter IMAGE_BITS = 8
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
    output wire        s_axi_bvalid,
    input  wire        s_axi_bready,
    input  wire [7:0]  s_axi_araddr,
    input  wire        s_axi_arvalid,
    output wire        s_axi_arready,
    output wire [31:0] s_axi_rdata,
    output wire [1:0]  s_axi_rresp,
    output wire        s_axi_rvalid,
    input  wire        s_axi_rready,
    input  wire [IMAGE_BITS-1:0] s_axis_image_tdata,
    input  wire        s_axis_image_tvalid,
    output wire        s_axis_image_tready,
    output wire [31:0] m_axis_result_tdata,
    output wire        m_axis_result_tvalid,
    input  wire        m_axis_result_tready,
    output wire        m_axis_result_tlast
);
    wire                   go, commit, busy, running;
    wire [31:0]            memory, address, cycles;
    wire [CONFIG_BITS-1:0] data;
    reg                    ran;
    always @(posedge clk) ran <= running;
    axi_registers #(.CONFIG_BITS(CONFIG_BITS), .IDENTITY(32'h53590002)) registers (
        .clk(clk), .reset(reset), .s_axi_awaddr(s_axi_awaddr), .s_axi_awvalid(s_axi_awvalid),
        .s_axi_awready(s_axi_awready), .s_axi_wdata(s_axi_wdata), .s_axi_wvalid(s_axi_wvalid),
        .s_axi_wready(s_axi_wready), .s_axi_bresp(s_axi_bresp), .s_axi_bvalid(s_axi_bvalid),
        .s_axi_bready(s_axi_bready), .s_axi_araddr(s_axi_araddr), .s_axi_arvalid(s_axi_arvalid),
        .s_axi_arready(s_axi_arready), .s_axi_rdata(s_axi_rdata), .s_axi_rresp(s_axi_rresp),
        .s_axi_rvalid(s_axi_rvalid), .s_axi_rready(s_axi_rready), .go(go), .started(running && !ran),
        .busy(busy), .cycles(cycles), .entered(32'd0), .stalled(32'd0), .commit(commit),
        .memory(memory), .address(address), .data(data)
    );
    /* verilator lint_off PINCONNECTEMPTY */
    pipelined_accelerator #(.GATED(GATED)) core (
        .clk(clk), .reset(reset), .go(go), .busy(busy), .running(running), .cycles(cycles),
        .config_write(commit), .config_memory(memory[2:0]), .config_bank(memory[8+:BANK_BITS]),
        .config_address(address[19:0]), .config_data(data), .image_valid(s_axis_image_tvalid),
        .image_ready(s_axis_image_tready), .image_word(s_axis_image_tdata),
        .result_valid(m_axis_result_tvalid), .result_ready(m_axis_result_tready),
        .result_word(m_axis_result_tdata), .result_last(m_axis_result_tlast), .observed(),
        .observed_words()
    );
endmodule
