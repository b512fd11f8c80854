// Self-checking test bench: fills the memories through AXI4-Lite, streams one image in and
// compares every result word and the cycle counter. Prints PASS or FAIL and stops.
`timescale 1ns / 1ps
module testbench;
    parameter WRITES = 1;        // lines of configuration.hex: register (8 bits), value (32 bits)
    parameter IMAGE_BITS = 8;    // of a beat of the image stream
    parameter BEATS = 1;         // lines of image.hex
    parameter RESULTS = 1;       // lines of results.hex
    parameter CYCLES = 1;        // expected cycles of the run
    reg         clk = 0, aresetn = 0;
    reg  [39:0] writes[0:WRITES-1];
    reg  [IMAGE_BITS-1:0] image[0:BEATS-1];
    reg  [31:0] expected[0:RESULTS-1];
    reg  [7:0]  awaddr = 0;
    reg  [31:0] wdata = 0;
    reg         awvalid = 0, wvalid = 0, arvalid = 0, asking = 0, writing = 0;
    wire        awready, wready, bvalid, arready, rvalid, tready, result_valid, result_last;
    wire [1:0]  bresp, rresp;
    wire [31:0] rdata, result;
    integer     next = 0, sent = 0, got = 0, wrong = 0, waited = 0;
    initial begin
        $readmemh("configuration.hex", writes);
        $readmemh("image.hex", image);
        $readmemh("results.hex", expected);
    end
    always #5 clk = !clk;
    accelerator subject (
        .clk(clk), .aresetn(aresetn),
        .s_axi_awaddr(awaddr), .s_axi_awprot(3'd0), .s_axi_awvalid(awvalid),
        .s_axi_awready(awready), .s_axi_wdata(wdata), .s_axi_wstrb(4'hf), .s_axi_wvalid(wvalid),
        .s_axi_wready(wready),
        .s_axi_bresp(bresp), .s_axi_bvalid(bvalid), .s_axi_bready(1'b1),
        .s_axi_araddr(8'h04), .s_axi_arprot(3'd0), .s_axi_arvalid(arvalid), .s_axi_arready(arready),
        .s_axi_rdata(rdata), .s_axi_rresp(rresp), .s_axi_rvalid(rvalid), .s_axi_rready(1'b1),
        .s_axis_image_tdata(image[sent < BEATS ? sent : 0]),
        .s_axis_image_tvalid(sent < BEATS && next == WRITES),
        .s_axis_image_tlast(sent == BEATS - 1),
        .s_axis_image_tready(tready), .m_axis_result_tdata(result),
        .m_axis_result_tvalid(result_valid), .m_axis_result_tready(1'b1),
        .m_axis_result_tlast(result_last)
    );
    always @(posedge clk) begin
        waited <= waited + 1;
        if (waited == 4) aresetn <= 1;
        if (waited > 8) begin
            if (!writing && next < WRITES) begin
                {awaddr, wdata} <= writes[next];
                {awvalid, wvalid, writing} <= 3'b111;
            end
            if (awvalid && awready) awvalid <= 0;
            if (wvalid && wready) wvalid <= 0;
            if (bvalid) begin
                writing <= 0;
                next <= next + 1;
            end
            if (bvalid && bresp != 2'b00) begin
                $display("register %h: write refused", awaddr);
                wrong <= wrong + 1;
            end
        end
        if (tready && sent < BEATS && next == WRITES) sent <= sent + 1;
        if (result_valid) begin
            if (result !== expected[got]) begin
                $display("result %0d: expected %h, got %h", got, expected[got], result);
                wrong <= wrong + 1;
            end
            if (result_last !== (got == RESULTS - 1)) wrong <= wrong + 1;
            got <= got + 1;
        end
        // A while after the last result the run is over.
        if (got == RESULTS) begin
            asking <= !rvalid;
            if (!asking) arvalid <= 1;
            else if (arready) arvalid <= 0;
            if (rvalid && waited > 64 && rdata == CYCLES) begin
                $display("%s", wrong == 0 ? "PASS" : "FAIL");
                $finish;
            end else if (rvalid && rdata > CYCLES) begin
                $display("FAIL: %0d cycles instead of %0d", rdata, CYCLES);
                $finish;
            end
        end
        if (waited > 8 * WRITES + 4 * BEATS + 4 * CYCLES + 1000) begin
            $display("FAIL: no end");
            $finish;
        end
    end
endmodule
