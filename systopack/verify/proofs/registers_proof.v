// The AXI4-Lite registers, for any host, from the first reset on: every write and every read is
// answered once, an answer stays until it is taken, and what is read, committed or asked for by
// `go` is what was written, as a naive list of registers says.
//
// `holds` must stay 1. `chunk` and `collected` are wires to the registers of the block.
module registers_proof #(
    parameter CONFIG_BITS = 70
) (
    input  wire        clk,
    input  wire [7:0]  s_axi_awaddr,
    input  wire        s_axi_awvalid,
    input  wire [31:0] s_axi_wdata,
    input  wire        s_axi_wvalid,
    input  wire        s_axi_bready,
    input  wire [7:0]  s_axi_araddr,
    input  wire        s_axi_arvalid,
    input  wire        s_axi_rready,
    input  wire        started,
    input  wire        busy,
    input  wire [31:0] cycles,
    input  wire [31:0] entered,
    input  wire [31:0] stalled,
    output wire        holds
);
    localparam CHUNKS = (CONFIG_BITS + 31) / 32;
    reg                    reset = 1;
    wire                   s_axi_awready, s_axi_wready, s_axi_bvalid, s_axi_arready, s_axi_rvalid;
    wire [1:0]             s_axi_bresp, s_axi_rresp;
    wire [31:0]            s_axi_rdata, memory, address;
    wire                   go, commit;
    wire [CONFIG_BITS-1:0] data;
    wire [15:0]            chunk;
    wire [32*CHUNKS-1:0]   collected;
    axi_registers #(.CONFIG_BITS(CONFIG_BITS), .IDENTITY(32'h12345678)) subject (.*);

    wire wrote = s_axi_awvalid && s_axi_awready, asked = s_axi_arvalid && s_axi_arready;
    reg         b_owed = 0, r_owed = 0, r_waits = 0;
    reg  [31:0] answer, waited_for;
    // The registers as the host sees them; a register is known from its first write on.
    reg         goes = 0, commits = 0, memory_known = 0, address_known = 0;
    reg  [31:0] memory_seen, address_seen;
    reg  [31:0] words[0:CHUNKS-1];
    reg  [15:0] count = 0;
    integer i;
    always @(posedge clk) begin
        reset <= 0;
        b_owed <= !reset && (wrote || b_owed && !s_axi_bready);
        r_owed <= !reset && (asked || r_owed && !s_axi_rready);
        r_waits <= !reset && s_axi_rvalid && !s_axi_rready;
        waited_for <= s_axi_rdata;
        if (asked)
            answer <= s_axi_araddr == 8'h00 ? {31'd0, busy || goes}
                    : s_axi_araddr == 8'h04 ? cycles
                    : s_axi_araddr == 8'h08 ? (memory_known ? memory_seen : memory)
                    : s_axi_araddr == 8'h0c ? (address_known ? address_seen : address)
                    : s_axi_araddr == 8'h18 ? 32'h12345678
                    : s_axi_araddr == 8'h1c ? entered
                    : s_axi_araddr == 8'h20 ? stalled : 32'd0;
        commits <= !reset && wrote && s_axi_awaddr == 8'h14;
        goes <= !reset && (wrote && s_axi_awaddr == 8'h00 ? s_axi_wdata[0] : goes && !started);
        if (wrote && s_axi_awaddr == 8'h08) {memory_known, memory_seen} <= {1'b1, s_axi_wdata};
        if (wrote && s_axi_awaddr == 8'h0c) {address_known, address_seen} <= {1'b1, s_axi_wdata};
        else if (commits) address_seen <= address_seen + 32'd1;
        if (wrote && s_axi_awaddr == 8'h10) begin
            for (i = 0; i < CHUNKS; i = i + 1) if (count == i) words[i] <= s_axi_wdata;
            count <= count + 16'd1;
        end
        if (reset || wrote && s_axi_awaddr == 8'h14) count <= 0;
        if (reset) {memory_known, address_known} <= 0;
    end

    reg ok;
    integer k;
    always @* begin
        ok = 1;
        if (s_axi_awready != s_axi_wready || s_axi_awready && !(s_axi_awvalid && s_axi_wvalid)) ok = 0;
        if (s_axi_bresp != 0 || s_axi_rresp != 0) ok = 0;
        if (!reset) begin
            if (s_axi_bvalid != b_owed || s_axi_rvalid != r_owed) ok = 0;
            if (wrote && b_owed && !s_axi_bready || asked && r_owed && !s_axi_rready) ok = 0;
            if (r_owed && s_axi_rdata != answer || r_waits && s_axi_rdata != waited_for) ok = 0;
            if (go != goes || commit != commits || chunk != count) ok = 0;
            if (memory_known && memory != memory_seen) ok = 0;
            if (address_known && address != address_seen) ok = 0;
            for (k = 0; k < CHUNKS; k = k + 1)
                if (count > k && collected[32*k+:32] != words[k]) ok = 0;
            if (data != collected[CONFIG_BITS-1:0]) ok = 0;
        end
    end
    assign holds = ok;
endmodule
