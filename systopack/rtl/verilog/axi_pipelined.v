// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // upper bits of bank and address
// The layer-pipelined accelerator behind AXI: AXI4-Lite registers (see `axi_registers`),
// AXI4-Stream for images and results.
//
// A beat of the image stream has all channels of one position, channel 0 lowest; the last one of an
// image has TLAST. CONTROL starts once all weights are written; from then on images may follow each
// other without a gap. A start while images are under way waits for their results, and the first
// beat of the next image waits for it. CYCLES counts from the first beat of an image to its last
// result, or on through images that overlap. `aresetn`: synchronous to `clk`, active low.
module axi_pipelined #(
    parameter GATED = 0,  // 1: the clocks of idle cells stop
    parameter BANK_BITS = 8,
    parameter CONFIG_BITS = 352,
    parameter IMAGE_BITS = 8,
    parameter WEIGHT_BANKS = 1,  // row bands
    parameter WEIGHT_WORDS = 1,  // columns of the widest one
    parameter LANE_BANKS = 1,
    parameter LANE_WORDS = 1,    // rows of the largest lane
    parameter [31:0] BUILD = 32'd0  // digest of what the core was written for
) (
    input  wire        clk,
    input  wire        aresetn,
    input  wire [7:0]  s_axi_awaddr,
    input  wire [2:0]  s_axi_awprot,
    input  wire        s_axi_awvalid,
    output wire        s_axi_awready,
    input  wire [31:0] s_axi_wdata,
    input  wire [3:0]  s_axi_wstrb,
    input  wire        s_axi_wvalid,
    output wire        s_axi_wready,
    output wire [1:0]  s_axi_bresp,
    output wire        s_axi_bvalid,
    input  wire        s_axi_bready,
    input  wire [7:0]  s_axi_araddr,
    input  wire [2:0]  s_axi_arprot,
    input  wire        s_axi_arvalid,
    output wire        s_axi_arready,
    output wire [31:0] s_axi_rdata,
    output wire [1:0]  s_axi_rresp,
    output wire        s_axi_rvalid,
    input  wire        s_axi_rready,
    input  wire [IMAGE_BITS-1:0] s_axis_image_tdata,
    input  wire        s_axis_image_tvalid,
    input  wire        s_axis_image_tlast,
    output wire        s_axis_image_tready,
    output wire [31:0] m_axis_result_tdata,
    output wire        m_axis_result_tvalid,
    input  wire        m_axis_result_tready,
    output wire        m_axis_result_tlast,
    // With GATED: keeps all clocks running in a scan test.
    input  wire        test_enable
);
    wire                   reset = !aresetn;
    wire                   go, started, aborting, cut, closing, commit, busy, dropped;
    wire                   image_valid, image_ready, result_valid, result_ready, result_last;
    wire [31:0]            result_word;
    wire [31:0]            memory, address, cycles;
    wire [CONFIG_BITS-1:0] data;
    // The core was written for one network, so it has no parameters that could contradict these.
    generate
        if (WEIGHT_BANKS < 1 || WEIGHT_WORDS < 1 || LANE_BANKS < 1 || LANE_WORDS < 1) begin : g_wrong
            wrong_parameters_every_memory_has_a_word_at_least stop ();
        end
        if (BANK_BITS < 1 || BANK_BITS > 24 || (1 << BANK_BITS) < WEIGHT_BANKS
            || (1 << BANK_BITS) < LANE_BANKS) begin : g_wrong_banks
            wrong_parameters_BANK_BITS_does_not_number_the_banks stop ();
        end
    endgenerate

    // The words that a host may write; what a smaller band or lane lacks of them goes nowhere.
    wire [31:0] bank = {8'd0, memory[31:8]};
    wire exists = memory[7:0] == 8'd2 ? bank < WEIGHT_BANKS && address < WEIGHT_WORDS
                : memory[7:0] == 8'd6 && bank < LANE_BANKS && address < LANE_WORDS;
    axi_registers #(
        .CONFIG_BITS(CONFIG_BITS), .IDENTITY(32'h53590002), .BUILD(BUILD)
    ) registers (
        .clk(clk), .reset(reset), .s_axi_awaddr(s_axi_awaddr), .s_axi_awprot(s_axi_awprot),
        .s_axi_awvalid(s_axi_awvalid), .s_axi_awready(s_axi_awready), .s_axi_wdata(s_axi_wdata),
        .s_axi_wstrb(s_axi_wstrb), .s_axi_wvalid(s_axi_wvalid), .s_axi_wready(s_axi_wready),
        .s_axi_bresp(s_axi_bresp), .s_axi_bvalid(s_axi_bvalid), .s_axi_bready(s_axi_bready),
        .s_axi_araddr(s_axi_araddr), .s_axi_arprot(s_axi_arprot), .s_axi_arvalid(s_axi_arvalid),
        .s_axi_arready(s_axi_arready), .s_axi_rdata(s_axi_rdata), .s_axi_rresp(s_axi_rresp),
        .s_axi_rvalid(s_axi_rvalid), .s_axi_rready(s_axi_rready), .go(go), .started(started),
        .refuse(1'b0), .aborting(aborting), .aborted(cut), .busy(busy || closing), .dropped(dropped), .weights_wrong(1'b0),
        .cycles(cycles), .entered(32'd0), .stalled(32'd0), .commit(commit),
        .memory(memory), .address(address), .exists(exists), .data(data)
    );
    axi_streams streams (
        .clk(clk), .reset(reset), .aborting(aborting), .cut(cut), .closing(closing),
        .s_axis_image_tvalid(s_axis_image_tvalid), .s_axis_image_tlast(s_axis_image_tlast),
        .s_axis_image_tready(s_axis_image_tready), .m_axis_result_tdata(m_axis_result_tdata),
        .m_axis_result_tvalid(m_axis_result_tvalid), .m_axis_result_tready(m_axis_result_tready),
        .m_axis_result_tlast(m_axis_result_tlast), .image_valid(image_valid),
        .image_ready(image_ready), .result_word(result_word), .result_valid(result_valid),
        .result_last(result_last), .result_ready(result_ready)
    );
    /* verilator lint_off PINCONNECTEMPTY */
    pipelined_accelerator #(.GATED(GATED)) core (
        .clk(clk), .reset(reset || cut), .go(go && !aborting), .started(started), .busy(busy),
        .cycles(cycles), .test_enable(test_enable),
        .config_write(commit), .config_memory(memory[2:0]), .config_bank(memory[8+:BANK_BITS]),
        .config_address(address[19:0]), .config_data(data), .image_valid(image_valid),
        .image_last(s_axis_image_tlast), .image_ready(image_ready),
        .image_word(s_axis_image_tdata), .image_dropped(dropped), .result_valid(result_valid),
        .result_ready(result_ready), .result_word(result_word), .result_last(result_last),
        .observed(),
        .observed_words()
    );
endmodule
