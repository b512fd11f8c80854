/* verilator lint_off UNUSEDSIGNAL */  // upper bits of bank and address
// The tiled accelerator behind AXI: AXI4-Lite registers, AXI4-Stream for images and results.
//
// Registers (32 bits, byte addresses):
//   0x00 CONTROL  write bit 0: start a run;  read bit 0: busy
//   0x04 CYCLES   cycles of this or the last run, read only
//   0x08 MEMORY   bits 2..0: memory, bits 31..8: bank that COMMIT writes
//   0x0c ADDRESS  word that COMMIT writes; COMMIT moves on to the next
//   0x10 DATA     the next 32 bits of a memory word, least significant first
//   0x14 COMMIT   write: the collected word goes to its memory
//   0x18 IDENTITY 0x53590001, read only
//   0x1c ENTERED  word times of this or the last run in which words entered the array, read only
//   0x20 STALLED  word times in which only weights or returning sums were waited for, read only
// Every write is answered OKAY; unknown addresses read 0. reset is synchronous, active high.
module axi_tiled #(
    parameter RESULTS = 10,  // result words of an image; the last one has TLAST
    parameter ROWS = 32,
    parameter COLUMNS = 32,
    parameter ALPHA = 8,
    parameter INDEX_BITS = 3,
    parameter ACCUMULATOR_BITS = 32,
    parameter CELL = 0,
    parameter ROWS_PER_REGISTER = 1,
    parameter LOAD_ROWS = 32,
    parameter COLUMN_BITS = 5,
    parameter BLOCK_BITS = 1,
    parameter WORD_BITS = 1,
    parameter SUM_BITS = 4,
    parameter WORD_CYCLES = 8,
    parameter PHASE_BITS = 3,
    parameter READS = 8,
    parameter READ_BITS = 3,
    parameter BANKS_PER_COLUMN = 1,
    parameter LANE_ROWS = 8,
    parameter ROW_BITS = 3,
    parameter LANES = 4,
    parameter SOURCE_BITS = 5,
    parameter RESIDUALS = 1,
    parameter BLOCKS = 1,
    parameter FEED = 11,
    parameter OUT = 100,
    parameter LOAD_WAIT = 40,
    parameter MIN_LOAD = 9,
    parameter MIN_RETURN = 14,
    parameter MIN_DRAIN = 15,
    parameter ADDRESS_BITS = 12,
    parameter DESCRIPTOR_BITS = 8,
    parameter ROUTE_BITS = 8,
    parameter PARAMETER_BITS = 8,
    parameter SUM_ADDRESS_BITS = 10,
    parameter WEIGHT_BITS = 10,
    parameter CELL_WEIGHT_BITS = 8,
    parameter PROGRAM_BITS = 8,
    parameter BANK_BITS = 8,
    parameter CONFIG_BITS = 352
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
    input  wire [7:0]  s_axis_image_tdata,
    input  wire        s_axis_image_tvalid,
    output wire        s_axis_image_tready,
    output wire [31:0] m_axis_result_tdata,
    output wire        m_axis_result_tvalid,
    input  wire        m_axis_result_tready,
    output wire        m_axis_result_tlast
);
    localparam CHUNKS = (CONFIG_BITS + 31) / 32;
    reg                  go, commit;
    reg  [31:0]          memory, address;
    reg  [7:0]           chunk;
    reg  [32*CHUNKS-1:0] collected;
    reg  [31:0]          results;
    wire                 busy;
    wire [31:0]          cycles, entered, stalled;

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
        if (busy) go <= 1'b0;
        if (write) begin
            case (s_axi_awaddr)
                8'h00: go <= s_axi_wdata[0];
                8'h08: memory <= s_axi_wdata;
                8'h0c: address <= s_axi_wdata;
                8'h10: begin
                    for (i = 0; i < CHUNKS; i = i + 1)
                        if ({24'd0, chunk} == i) collected[32*i+:32] <= s_axi_wdata;
                    chunk <= chunk + 8'd1;
                end
                8'h14: begin
                    commit <= 1'b1;
                    chunk <= 8'd0;
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
                8'h18: s_axi_rdata <= 32'h53590001;
                8'h1c: s_axi_rdata <= entered;
                8'h20: s_axi_rdata <= stalled;
                default: s_axi_rdata <= 32'd0;
            endcase
        s_axi_rvalid <= read || (s_axi_rvalid && !s_axi_rready);
        if (m_axis_result_tvalid && m_axis_result_tready)
            results <= m_axis_result_tlast ? 32'd0 : results + 32'd1;
        if (reset) begin
            go <= 1'b0;
            commit <= 1'b0;
            chunk <= 8'd0;
            results <= 32'd0;
            s_axi_bvalid <= 1'b0;
            s_axi_rvalid <= 1'b0;
        end
    end
    assign m_axis_result_tlast = results == RESULTS - 1;

    /* verilator lint_off PINCONNECTEMPTY */
    tiled_accelerator #(
        .ROWS(ROWS), .COLUMNS(COLUMNS), .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS),
        .ACCUMULATOR_BITS(ACCUMULATOR_BITS), .CELL(CELL), .ROWS_PER_REGISTER(ROWS_PER_REGISTER),
        .LOAD_ROWS(LOAD_ROWS), .COLUMN_BITS(COLUMN_BITS), .BLOCK_BITS(BLOCK_BITS),
        .WORD_BITS(WORD_BITS), .SUM_BITS(SUM_BITS), .WORD_CYCLES(WORD_CYCLES),
        .PHASE_BITS(PHASE_BITS), .READS(READS), .READ_BITS(READ_BITS),
        .BANKS_PER_COLUMN(BANKS_PER_COLUMN), .LANE_ROWS(LANE_ROWS), .ROW_BITS(ROW_BITS),
        .LANES(LANES), .SOURCE_BITS(SOURCE_BITS), .RESIDUALS(RESIDUALS), .BLOCKS(BLOCKS),
        .FEED(FEED), .OUT(OUT), .LOAD_WAIT(LOAD_WAIT), .MIN_LOAD(MIN_LOAD),
        .MIN_RETURN(MIN_RETURN), .MIN_DRAIN(MIN_DRAIN), .ADDRESS_BITS(ADDRESS_BITS),
        .DESCRIPTOR_BITS(DESCRIPTOR_BITS), .ROUTE_BITS(ROUTE_BITS),
        .PARAMETER_BITS(PARAMETER_BITS), .SUM_ADDRESS_BITS(SUM_ADDRESS_BITS),
        .WEIGHT_BITS(WEIGHT_BITS), .CELL_WEIGHT_BITS(CELL_WEIGHT_BITS), .PROGRAM_BITS(PROGRAM_BITS), .BANK_BITS(BANK_BITS),
        .CONFIG_BITS(CONFIG_BITS)
    ) core (
        .clk(clk), .reset(reset), .go(go), .busy(busy), .cycles(cycles),
        .entered(entered), .stalled(stalled), .config_write(commit),
        .config_memory(memory[2:0]), .config_bank(memory[8+:BANK_BITS]),
        .config_address(address[19:0]), .config_data(collected[CONFIG_BITS-1:0]),
        .image_valid(s_axis_image_tvalid), .image_ready(s_axis_image_tready),
        .image_byte(s_axis_image_tdata), .result_valid(m_axis_result_tvalid),
        .result_ready(m_axis_result_tready), .result_word(m_axis_result_tdata), .op_start(),
        .op_number(), .words_captured(), .words(), .written(), .written_address(),
        .written_byte()
    );
endmodule
