// SPDX-License-Identifier: Apache-2.0
// Self-checking test bench: fills the memories through AXI4-Lite, streams IMAGES images in and
// compares every result word, and the cycles of the first image, whose host never waits. All others
// come and go with random back-pressure on all streams. With WEIGHTS defined the weights of every
// image come as a stream. A file with lines that are not used is a FAIL too.
// Prints PASS and finishes, or FAIL and stops: `vvp -N` then ends with status 1.
/* verilator lint_off INITIALDLY */  // an initial block that waits for clock edges
module testbench;
    parameter WRITES = 1;        // lines of configuration.hex: register (8 bits), value (32 bits)
    parameter IMAGE_BITS = 8;    // of a beat of the image stream
    parameter BEATS = 1;         // of an image
    parameter RESULTS = 1;       // words of an image
    parameter IMAGES = 1;        // in image.hex and results.hex, one after another
    parameter CYCLES = 1;        // expected cycles of an image
    parameter STARTS = 0;        // 1: every image wants a start of its own
    localparam [7:0] CONTROL = 8'h00, CYCLES_REGISTER = 8'h04;
    reg         clk = 0, aresetn = 0;
    reg  [39:0] writes[0:WRITES-1];
    reg  [IMAGE_BITS-1:0] image[0:BEATS*IMAGES-1];
    reg  [31:0] expected[0:RESULTS*IMAGES-1];
    reg  [7:0]  awaddr = 0, araddr = 0;
    reg  [31:0] wdata = 0, answer = 0;
    reg         awvalid = 0, wvalid = 0, arvalid = 0;
    wire        awready, wready, bvalid, arready, rvalid, tready, result_valid, result_last;
    wire [1:0]  bresp, rresp;
    wire [31:0] rdata, result;
    integer     next, number, sent = 0, got = 0, wrong = 0, unused = 0, quiet = 0, allowed = 0;
    reg         back_pressure = 0, in_back_pressure = 0, out_back_pressure = 0, refused = 0;
    reg  [31:0] noise = 32'h2545f491, refused_word = 0;
`ifdef WEIGHTS
    parameter WEIGHT_BEATS = 1;  // lines of weights.hex, for every image
    parameter BEAT_BITS = 32;    // of a line
    reg  [BEAT_BITS-1:0] weights[0:WEIGHT_BEATS-1];
    wire        weights_ready;
    reg         weights_back_pressure = 0;
    integer     fed = 0;
    wire        weights_valid = fed < allowed * WEIGHT_BEATS && !weights_back_pressure;
`endif
    // All lines of a file have to be used.
    integer     file, letter, last_letter, lines;
    task count_lines(input integer used);
        begin
            lines = 0;
            last_letter = 10;
            letter = $fgetc(file);
            while (letter >= 0) begin
                if (last_letter == 10) lines = lines + 1;
                last_letter = letter;
                letter = $fgetc(file);
            end
            $fclose(file);
            if (lines != used) begin
                $display("a file has %0d lines instead of %0d", lines, used);
                unused = unused + 1;
            end
        end
    endtask
    initial begin
        file = $fopen("configuration.hex", "r");
        count_lines(WRITES);
        file = $fopen("image.hex", "r");
        count_lines(BEATS * IMAGES);
        file = $fopen("results.hex", "r");
        count_lines(RESULTS * IMAGES);
`ifdef WEIGHTS
        file = $fopen("weights.hex", "r");
        count_lines(WEIGHT_BEATS);
        $readmemh("weights.hex", weights);
`endif
        $readmemh("configuration.hex", writes);
        $readmemh("image.hex", image);
        $readmemh("results.hex", expected);
    end
    always #5 clk = !clk;

    // A word that is offered stays; whether the other side takes one may change at any time.
    wire tvalid = sent < allowed * BEATS && !in_back_pressure;
    wire result_ready = !out_back_pressure;
    accelerator subject (
        .test_enable(1'b0),
`ifdef WEIGHTS
        .s_axis_weights_tdata(weights[fed % WEIGHT_BEATS]), .s_axis_weights_tvalid(weights_valid),
        .s_axis_weights_tlast(fed % WEIGHT_BEATS == WEIGHT_BEATS - 1),
        .s_axis_weights_tready(weights_ready),
`endif
        .clk(clk), .aresetn(aresetn),
        .s_axi_awaddr(awaddr), .s_axi_awprot(3'd0), .s_axi_awvalid(awvalid),
        .s_axi_awready(awready), .s_axi_wdata(wdata), .s_axi_wstrb(4'hf), .s_axi_wvalid(wvalid),
        .s_axi_wready(wready),
        .s_axi_bresp(bresp), .s_axi_bvalid(bvalid), .s_axi_bready(1'b1),
        .s_axi_araddr(araddr), .s_axi_arprot(3'd0), .s_axi_arvalid(arvalid),
        .s_axi_arready(arready),
        .s_axi_rdata(rdata), .s_axi_rresp(rresp), .s_axi_rvalid(rvalid), .s_axi_rready(1'b1),
        .s_axis_image_tdata(image[sent < BEATS * IMAGES ? sent : 0]),
        .s_axis_image_tvalid(tvalid),
        .s_axis_image_tlast(sent % BEATS == BEATS - 1),
        .s_axis_image_tready(tready), .m_axis_result_tdata(result),
        .m_axis_result_tvalid(result_valid), .m_axis_result_tready(result_ready),
        .m_axis_result_tlast(result_last)
    );

    always @(posedge clk) begin
        noise <= {noise[30:0], noise[31] ^ noise[21] ^ noise[1] ^ noise[0]};
        if (!tvalid || tready) in_back_pressure <= back_pressure && noise[1:0] == 2'd0;
        out_back_pressure <= back_pressure && noise[4:3] != 2'd3;
        if (tvalid && tready) sent <= sent + 1;
`ifdef WEIGHTS
        if (!weights_valid || weights_ready)
            weights_back_pressure <= back_pressure && noise[6:5] == 2'd0;
        if (weights_valid && weights_ready) fed <= fed + 1;
`endif
        if (result_valid && result_ready) begin
            if (got >= RESULTS * IMAGES || result !== expected[got]) begin
                $display("result %0d: expected %h, got %h", got, expected[got], result);
                wrong = wrong + 1;
            end
            if (result_last !== (got % RESULTS == RESULTS - 1)) begin
                $display("result %0d: TLAST is %b", got, result_last);
                wrong = wrong + 1;
            end
            got <= got + 1;
        end
        refused <= result_valid && !result_ready;
        refused_word <= result;
        if (aresetn && refused && (!result_valid || result !== refused_word)) begin
            $display("result %0d: an offered word did not stay", got);
            wrong = wrong + 1;
        end
        quiet <= bvalid || tvalid && tready || result_valid && result_ready ? 0 : quiet + 1;
        if (quiet > 4 * CYCLES + 1000) begin
            $display("FAIL: no end");
            $stop;    // status 1 under `vvp -N`
            $finish;  // where a simulator goes on behind a stop
        end
    end

    task write_register(input [7:0] register, input [31:0] value);
        begin
            {awaddr, wdata, awvalid, wvalid} <= {register, value, 2'b11};
            @(posedge clk);
            while (!bvalid) begin
                if (awvalid && awready) awvalid <= 0;
                if (wvalid && wready) wvalid <= 0;
                @(posedge clk);
            end
            if (bresp !== 2'b00) begin
                $display("register %h: write refused", register);
                wrong = wrong + 1;
            end
        end
    endtask

    task read_register(input [7:0] register);
        begin
            {araddr, arvalid} <= {register, 1'b1};
            @(posedge clk);
            while (!rvalid) begin
                if (arvalid && arready) arvalid <= 0;
                @(posedge clk);
            end
            answer = rdata;
            @(posedge clk);
        end
    endtask

    // Until so many images have come out and nothing goes on any more.
    task finish_images(input integer count);
        begin
            while (got < count * RESULTS) @(posedge clk);
            answer = 1;
            while (answer[0]) read_register(CONTROL);
        end
    endtask

    initial begin
        repeat (4) @(posedge clk);
        aresetn <= 1;
        repeat (4) @(posedge clk);
        for (next = 0; next < WRITES; next = next + 1)
            write_register(writes[next][39:32], writes[next][31:0]);
        allowed = 1;
        finish_images(1);
        read_register(CYCLES_REGISTER);
        if (answer !== CYCLES) begin
            $display("%0d cycles instead of %0d", answer, CYCLES);
            wrong = wrong + 1;
        end
        back_pressure <= 1;
        if (STARTS == 0) allowed = IMAGES;
        for (number = 1; number < IMAGES; number = number + 1) begin
            if (STARTS != 0) begin
                write_register(CONTROL, 32'd1);
                allowed = number + 1;
            end
            finish_images(number + 1);
        end
        repeat (100) @(posedge clk);  // words that nobody expects would come now
        if (wrong + unused == 0) begin
            $display("PASS");
            $finish;
        end else begin
            $display("FAIL");
            $stop;    // status 1 under `vvp -N`
            $finish;  // where a simulator goes on behind a stop
        end
    end
endmodule
