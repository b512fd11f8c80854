// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // upper bits of bank and address
// The tiled accelerator behind AXI: AXI4-Lite registers, AXI4-Stream for images, results and, with a
// RING, weights.
//
// Registers: see `axi_registers`. A start begins one run, of one image, which ends with TLAST. It is
// refused while another one waits, and during a run until its last result has been taken. The stream
// of weights comes once a run, and ends with TLAST.
// `aresetn`: synchronous to `clk`, active low.
module axi_tiled #(
    parameter RESULTS = 10,  // result words of an image; the last one has TLAST
    parameter [31:0] BUILD = 32'd0,  // digest of the other parameters
    parameter ROWS = 32,
    parameter COLUMNS = 32,
    parameter ALPHA = 8,
    parameter ACCUMULATOR_BITS = 32,
    parameter CELL = 0,
    parameter INPUT_FANOUT = 1,
    parameter CELL_WEIGHT_BITS = 8,
    parameter CELLS_PER_STAGE = 1,
    parameter WEIGHT_BUFFERS = 2,
    parameter BANKS = 16,
    parameter WORD_BYTES = 4,
    parameter PHASE_BITS = 2,
    parameter BANK_DEPTH = 1024,
    parameter FEATURE_BITS = 10,
    parameter SLOT_BITS = 6,
    parameter OFFSET_BITS = 12,
    parameter DX_BITS = 2,
    parameter STREAM_ADDRESS_BITS = 8,
    parameter STREAM_WORDS = 1 << STREAM_ADDRESS_BITS,
    parameter JOB_ADDRESS_BITS = 8,
    parameter JOB_WORDS = 1 << JOB_ADDRESS_BITS,
    parameter DISPLACEMENT_ADDRESS_BITS = 5,
    parameter PARAMETER_BITS = 8,
    parameter PARAMETER_WORDS = 1 << PARAMETER_BITS,
    parameter SUM_POSITION_BITS = 6,
    parameter POOL_BITS = 4,
    parameter PROGRAM_BITS = 8,
    parameter PROGRAM_WORDS = 1 << PROGRAM_BITS,
    parameter OUTPUT_WORDS = 1 << PROGRAM_BITS,
    parameter WEIGHT_BITS = 10,
    parameter WEIGHT_WORDS = 1 << WEIGHT_BITS,
    parameter RING = 0,
    parameter BEAT_BITS = 32,
    parameter RESIDUALS = 1,
    parameter POOLS = 2,
    parameter CLIPS = 1,
    parameter GATED = 0,
    parameter SPLIT = 0,
    parameter CONFIG_BITS = 1024
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
    input  wire [BEAT_BITS-1:0] s_axis_weights_tdata,
    input  wire        s_axis_weights_tvalid,
    input  wire        s_axis_weights_tlast,
    output wire        s_axis_weights_tready,
    input  wire [7:0]  s_axis_image_tdata,
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
    wire                   image_valid, image_ready, result_valid, result_ready;
    wire                   weights_valid, weights_ready, weights_wrong;
    wire [31:0]            result_word;
    wire [31:0]            memory, address, cycles, entered, stalled;
    wire [CONFIG_BITS-1:0] data;
    reg  [31:0]            results;
    reg                    complete;  // the last result of this run has been taken
    wire                   result_last = results == RESULTS - 1;
    wire                   given = result_valid && result_ready;
    localparam WORD_CYCLES = CELL == 2 || CELL == 4 ? 1 : CELL == 1 ? ACCUMULATOR_BITS : 8;
    localparam LANES = ROWS < WORD_CYCLES ? 1 : (ROWS - 1) / WORD_CYCLES + 1;
    // What only this module knows; the core has more such rules.
    generate
        if (RESULTS < 1) begin : g_wrong_results
            wrong_parameters_RESULTS_must_be_1_or_more stop ();
        end
        if (LANES > 256) begin : g_wrong_lanes
            wrong_parameters_more_lanes_than_a_bank_number_of_8_bits_reaches stop ();
        end
    endgenerate

    // The words that a host may write.
    reg [31:0] banks, words;
    always @* begin
        banks = 32'd1;
        case (memory[7:0])
            8'd0, 8'd1: words = 32'd1 << PROGRAM_BITS;
            8'd2: words = RING != 0 ? 32'd0 : WEIGHT_WORDS;
            8'd3: words = 32'd1 << STREAM_ADDRESS_BITS;
            8'd4: begin
                banks = BANKS;
                words = 32'd1 << JOB_ADDRESS_BITS;
            end
            8'd5: words = 32'd1 << DISPLACEMENT_ADDRESS_BITS;
            8'd6: begin
                banks = LANES;
                words = 32'd1 << PARAMETER_BITS;
            end
            default: {banks, words} = 64'd0;
        endcase
    end
    wire exists = {8'd0, memory[31:8]} < banks && address < words;
    axi_registers #(
        .CONFIG_BITS(CONFIG_BITS), .WEIGHTS(RING), .IDENTITY(32'h53590003), .BUILD(BUILD)
    ) registers (
        .clk(clk), .reset(reset), .s_axi_awaddr(s_axi_awaddr), .s_axi_awprot(s_axi_awprot),
        .s_axi_awvalid(s_axi_awvalid), .s_axi_awready(s_axi_awready), .s_axi_wdata(s_axi_wdata),
        .s_axi_wstrb(s_axi_wstrb), .s_axi_wvalid(s_axi_wvalid), .s_axi_wready(s_axi_wready),
        .s_axi_bresp(s_axi_bresp), .s_axi_bvalid(s_axi_bvalid), .s_axi_bready(s_axi_bready),
        .s_axi_araddr(s_axi_araddr), .s_axi_arprot(s_axi_arprot), .s_axi_arvalid(s_axi_arvalid),
        .s_axi_arready(s_axi_arready), .s_axi_rdata(s_axi_rdata), .s_axi_rresp(s_axi_rresp),
        .s_axi_rvalid(s_axi_rvalid), .s_axi_rready(s_axi_rready), .go(go), .started(started),
        .refuse(go || (busy && !complete)), .aborting(aborting), .aborted(cut),
        .busy(busy || closing), .dropped(dropped), .weights_wrong(weights_wrong), .cycles(cycles), .entered(entered),
        .stalled(stalled), .commit(commit), .memory(memory), .address(address), .exists(exists),
        .data(data)
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
    generate
        if (RING != 0) begin : g_weights
            axi_weights weights (
                .clk(clk), .reset(reset), .cut(cut), .busy(busy),
                .s_axis_weights_tvalid(s_axis_weights_tvalid),
                .s_axis_weights_tlast(s_axis_weights_tlast),
                .s_axis_weights_tready(s_axis_weights_tready), .weights_valid(weights_valid),
                .weights_ready(weights_ready)
            );
        end else begin : g_no_weights
            assign {weights_valid, s_axis_weights_tready} = 2'b00;
        end
    endgenerate
    always @(posedge clk) begin
        if (given) results <= result_last ? 32'd0 : results + 32'd1;
        if (given && result_last) complete <= 1'b1;
        if (started) complete <= 1'b0;
        if (reset || cut) {results, complete} <= 33'd0;
    end

    /* verilator lint_off PINCONNECTEMPTY */
    tiled_accelerator #(
        .ROWS(ROWS), .COLUMNS(COLUMNS), .ALPHA(ALPHA), .ACCUMULATOR_BITS(ACCUMULATOR_BITS),
        .CELL(CELL), .INPUT_FANOUT(INPUT_FANOUT), .CELL_WEIGHT_BITS(CELL_WEIGHT_BITS),
        .CELLS_PER_STAGE(CELLS_PER_STAGE), .WEIGHT_BUFFERS(WEIGHT_BUFFERS), .BANKS(BANKS),
        .WORD_BYTES(WORD_BYTES), .PHASE_BITS(PHASE_BITS), .BANK_DEPTH(BANK_DEPTH),
        .FEATURE_BITS(FEATURE_BITS), .SLOT_BITS(SLOT_BITS), .OFFSET_BITS(OFFSET_BITS),
        .DX_BITS(DX_BITS), .STREAM_ADDRESS_BITS(STREAM_ADDRESS_BITS),
        .JOB_ADDRESS_BITS(JOB_ADDRESS_BITS), .DISPLACEMENT_ADDRESS_BITS(DISPLACEMENT_ADDRESS_BITS),
        .PARAMETER_BITS(PARAMETER_BITS), .SUM_POSITION_BITS(SUM_POSITION_BITS),
        .POOL_BITS(POOL_BITS), .PROGRAM_BITS(PROGRAM_BITS), .WEIGHT_BITS(WEIGHT_BITS),
        .WEIGHT_WORDS(WEIGHT_WORDS), .RING(RING), .BEAT_BITS(BEAT_BITS), .RESIDUALS(RESIDUALS), .POOLS(POOLS), .CLIPS(CLIPS),
        .PROGRAM_WORDS(PROGRAM_WORDS), .OUTPUT_WORDS(OUTPUT_WORDS), .STREAM_WORDS(STREAM_WORDS),
        .JOB_WORDS(JOB_WORDS), .PARAMETER_WORDS(PARAMETER_WORDS), .GATED(GATED),
        .SPLIT(SPLIT),
        .CONFIG_BITS(CONFIG_BITS)
    ) core (
        .clk(clk), .test_enable(test_enable), .reset(reset || cut), .go(go && !aborting),
        .started(started), .busy(busy),
        .cycles(cycles), .entered(entered), .stalled(stalled), .config_write(commit),
        .config_memory(memory[2:0]), .config_bank(memory[15:8]),
        .config_address(address[19:0]), .config_data(data),
        .weights_valid(weights_valid), .weights_last(s_axis_weights_tlast),
        .weights_ready(weights_ready), .weights_data(s_axis_weights_tdata),
        .weights_wrong(weights_wrong),
        .image_valid(image_valid), .image_last(s_axis_image_tlast), .image_ready(image_ready),
        .image_byte(s_axis_image_tdata), .image_dropped(dropped), .result_valid(result_valid),
        .result_ready(result_ready), .result_word(result_word), .op_start(),
        .op_number(), .written(), .written_address(), .written_enables(), .written_data()
    );
endmodule
