// SPDX-License-Identifier: Apache-2.0
// The AXI4-Lite registers, for any host, from the first reset on: every write and every read is
// answered once, an answer stays until it is taken, ready never follows valid in the same cycle, and
// what is read, refused, committed or asked for is what a naive list of registers says.
//
// `holds` must stay 1. The inner wires are the registers of the block.
module registers_proof #(
    parameter CONFIG_BITS = 70
) (
    input  wire        clk,
    input  wire [7:0]  s_axi_awaddr,
    input  wire        s_axi_awvalid,
    input  wire [31:0] s_axi_wdata,
    input  wire [3:0]  s_axi_wstrb,
    input  wire        s_axi_wvalid,
    input  wire        s_axi_bready,
    input  wire [7:0]  s_axi_araddr,
    input  wire        s_axi_arvalid,
    input  wire        s_axi_rready,
    input  wire        started,
    input  wire        refuse,
    input  wire        exists,
    input  wire        aborted,
    input  wire        busy,
    input  wire        dropped,
    input  wire        weights_wrong,
    input  wire [31:0] cycles,
    input  wire [31:0] entered,
    input  wire [31:0] stalled,
    output wire        holds
);
    localparam CHUNKS = (CONFIG_BITS + 31) / 32;
    reg                    reset = 1;
    wire [2:0]             s_axi_awprot = 0, s_axi_arprot = 0;
    wire                   s_axi_awready, s_axi_wready, s_axi_bvalid, s_axi_arready, s_axi_rvalid;
    wire [1:0]             s_axi_bresp, s_axi_rresp;
    wire [31:0]            s_axi_rdata, memory, address;
    wire                   go, aborting, commit;
    wire [CONFIG_BITS-1:0] data;
    wire [15:0]            chunk;
    wire [32*CHUNKS-1:0]   collected;
    wire                   address_waits, data_waits, read_waits, wrong_length, wrong_weights;
    wire [5:0]             write_index, read_index;
    wire [31:0]            write_data, drops;
    wire [3:0]             strobe;
    axi_registers #(
        .CONFIG_BITS(CONFIG_BITS), .WEIGHTS(1), .IDENTITY(32'h12345678), .BUILD(32'h55667788)
    ) subject (.*);

    // What the host has handed over and not seen answered.
    reg         has_address = 0, has_data = 0, has_read = 0, b_owed = 0, r_owed = 0;
    reg  [7:0]  to, from;
    reg  [31:0] value;
    reg  [3:0]  bytes;
    reg  [1:0]  b_answer, r_answer;
    reg  [31:0] answer;
    wire        acts = has_address && has_data && (!b_owed || s_axi_bready);
    wire        looks = has_read && (!r_owed || s_axi_rready);
    // The registers as the host sees them.
    reg         goes = 0, aborts = 0, commits = 0, wrong = 0, wrong_stream = 0;
    reg  [31:0] memory_seen = 0, address_seen = 0, count = 0;
    reg  [31:0] words[0:CHUNKS-1];
    reg  [15:0] full = 0;  // words of 32 bits
    reg         mirrored = 0;  // `words` has what was collected before the reset
    wire        any = busy || goes || aborts;
    wire [31:0] reg_to = to & 8'hfc, reg_from = from & 8'hfc;
    reg         right;
    always @*
        case (reg_to)
            32'h00: right = !(bytes[0] && value[1:0] == 2'b01 && refuse);
            32'h08, 32'h0c: right = !any;
            32'h14: right = !any && (exists || !bytes[0]);
            32'h10: right = !any && full != CHUNKS;
            32'h24: right = 1;
            default: right = 0;
        endcase
    function [31:0] merged(input [31:0] old, input [31:0] new_value, input [3:0] which);
        merged = {which[3] ? new_value[31:24] : old[31:24], which[2] ? new_value[23:16] : old[23:16],
                  which[1] ? new_value[15:8] : old[15:8], which[0] ? new_value[7:0] : old[7:0]};
    endfunction
    integer i;
    always @(posedge clk) begin
        reset <= 0;
        if (s_axi_awvalid && s_axi_awready) to <= s_axi_awaddr;
        if (s_axi_wvalid && s_axi_wready) {value, bytes} <= {s_axi_wdata, s_axi_wstrb};
        if (s_axi_arvalid && s_axi_arready) from <= s_axi_araddr;
        has_address <= !reset && (s_axi_awvalid && s_axi_awready || has_address && !acts);
        has_data <= !reset && (s_axi_wvalid && s_axi_wready || has_data && !acts);
        has_read <= !reset && (s_axi_arvalid && s_axi_arready || has_read && !looks);
        b_owed <= !reset && (acts || b_owed && !s_axi_bready);
        r_owed <= !reset && (looks || r_owed && !s_axi_rready);
        if (acts) b_answer <= right ? 2'b00 : 2'b10;
        if (looks) begin
            r_answer <= reg_from > 32'h2c ? 2'b10 : 2'b00;
            case (reg_from)
                32'h00: answer <= any;
                32'h04: answer <= cycles;
                32'h08: answer <= memory_seen;
                32'h0c: answer <= address_seen;
                32'h18: answer <= 32'h12345678;
                32'h1c: answer <= entered;
                32'h20: answer <= stalled;
                32'h24: answer <= {wrong_stream, wrong, any};
                32'h28: answer <= count;
                32'h2c: answer <= 32'h55667788;
                default: answer <= 0;
            endcase
        end
        commits <= !reset && acts && right && reg_to == 32'h14 && bytes[0];
        if (started) goes <= 0;
        if (aborted) aborts <= 0;
        if (commits) address_seen <= address_seen + 1;
        if (dropped) count <= count + 1;
        if (acts && right) begin
            if (reg_to == 32'h00 && bytes[0] && value[1]) aborts <= 1;
            if (reg_to == 32'h00 && bytes[0] && value[1:0] != 0) goes <= value[0];
            if ((reg_to == 32'h08 || reg_to == 32'h0c) && bytes != 0) full <= 0;
            if (reg_to == 32'h00 && bytes[0] && value[1]) full <= 0;
            if (reg_to == 32'h08) memory_seen <= merged(memory_seen, value, bytes);
            if (reg_to == 32'h0c) address_seen <= merged(address_seen, value, bytes);
            if (reg_to == 32'h10) begin
                for (i = 0; i < CHUNKS; i = i + 1)
                    if (full == i) words[i] <= merged(words[i], value, bytes);
                if (bytes[3]) full <= full + 1;
            end
            if (reg_to == 32'h14 && bytes[0]) full <= 0;
            if (reg_to == 32'h24 && bytes[0] && value[1]) wrong <= 0;
            if (reg_to == 32'h24 && bytes[0] && value[2]) wrong_stream <= 0;
        end
        if (dropped) wrong <= 1;
        if (weights_wrong) wrong_stream <= 1;
        if (reset) begin
            {goes, aborts, wrong, wrong_stream, memory_seen, address_seen, full, count} <= 0;
        end
        mirrored <= !reset;
        if (!mirrored) for (i = 0; i < CHUNKS; i = i + 1) words[i] <= collected[32*i+:32];
    end

    reg ok;
    integer k;
    always @* begin
        ok = 1;
        if (!reset) begin
            if (s_axi_awready && has_address || s_axi_wready && has_data) ok = 0;
            if (s_axi_arready && has_read) ok = 0;
            if (s_axi_bvalid != b_owed || s_axi_rvalid != r_owed) ok = 0;
            if (b_owed && s_axi_bresp != b_answer) ok = 0;
            if (r_owed && (s_axi_rdata != answer || s_axi_rresp != r_answer)) ok = 0;
            if (go != goes || aborting != aborts || commit != commits || chunk != full) ok = 0;
            if (memory != memory_seen || address != address_seen) ok = 0;
            for (k = 0; k < CHUNKS; k = k + 1) 
                if (mirrored && collected[32*k+:32] != words[k]) ok = 0;
            if (data != collected[CONFIG_BITS-1:0] || full > CHUNKS) ok = 0;
            // What keeps this so.
            if (!mirrored && (has_address || has_data)) ok = 0;
            if (address_waits != has_address || data_waits != has_data || read_waits != has_read) ok = 0;
            if (has_address && write_index != to[7:2] || has_read && read_index != from[7:2]) ok = 0;
            if (has_data && (write_data != value || strobe != bytes)) ok = 0;
            if (drops != count || wrong_length != wrong || wrong_weights != wrong_stream) ok = 0;
        end
    end
    assign holds = ok;
endmodule
