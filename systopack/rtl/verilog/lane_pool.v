// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
// Pooling of a lane's bytes, one a cycle: 2**POOL_BITS windows of each row are under way at once.
//
// A member comes as `value`; its window's word is read a cycle before, and is written 2 cycles
// after it. `pooled` is there 2 cycles after the window's last member (POOLS 1) or 9 (POOLS 2: an
// average is round(sum * multiplier / 2**shift), ties to even, saturated). Without pooling a byte
// goes through in the same time. pool, multiplier and shift stand still as long as bytes are under
// way; what is not wanted stands still. No reset.
module lane_pool #(
    parameter LANE_ROWS = 8,
    parameter POOLS = 1,        // 1: maximum only, 2: averages too
    parameter ADDRESS_BITS = 6  // {window, row}
) (
    input  wire                    clk,
    input  wire [1:0]              pool,           // 0 none, 1 maximum, 2 average
    input  wire [14:0]             multiplier,
    input  wire [4:0]              shift,
    input  wire                    read,           // a cycle before `value`
    input  wire [ADDRESS_BITS-1:0] read_address,
    input  wire                    comes,          // with `value`: it is one
    input  wire [7:0]              value,
    input  wire                    masked,         // with `value`: it lies outside the image
    input  wire                    first,          // of its window; a cycle after `value`
    input  wire                    came,           // `comes`, a cycle later
    input  wire [ADDRESS_BITS-1:0] write_address,  // 2 cycles after `value`
    input  wire                    leaves,         // the byte is wanted; 2 cycles after `value`
    output wire [7:0]              pooled
);
    localparam WIDTH = POOLS == 2 ? 24 : 8;
    wire maximum = POOLS == 1 || !pool[1];
    wire counts = came && pool != 2'd0;
    reg              write;  // 2 cycles after `value`
    reg  [WIDTH-1:0] reduced, operand;
    wire [WIDTH-1:0] stored, read_now, operand_now;
    generate
        if (ADDRESS_BITS <= 3) begin : g_few
            wire [WIDTH-1:0] now;
            reg  [WIDTH-1:0] held;
            register_memory #(.WIDTH(WIDTH), .ADDRESS_BITS(ADDRESS_BITS)) windows (
                .clk(clk), .write(write), .write_address(write_address), .write_data(reduced),
                .read_address(read_address), .read_data(now)
            );
            always @(posedge clk) if (read) held <= now;
            assign stored = held;
        end else begin : g_many
            memory #(.WIDTH(WIDTH), .ADDRESS_BITS(ADDRESS_BITS)) windows (
                .clk(clk), .write(write), .write_address(write_address), .write_data(reduced),
                .read(read), .read_address(read_address), .read_data(stored)
            );
        end
    endgenerate

    // A word that was not yet written when it was read comes from where it waits.
    generate
        if (LANE_ROWS < 4) begin : g_forward
            reg  [ADDRESS_BITS-1:0] read_1, read_2, write_1;
            reg  [WIDTH-1:0]        reduced_1;
            reg                     wrote, again;
            always @(posedge clk) begin
                {read_2, read_1} <= {read_1, read_address};
                {wrote, write_1, reduced_1} <= {write, write_address, reduced};
                again <= counts && read_1 == read_2;
            end
            assign read_now = write && write_address == read_1 ? reduced
                            : wrote && write_1 == read_1 ? reduced_1 : stored;
            assign operand_now = again ? reduced : operand;
        end else begin : g_direct
            assign read_now = stored;
            assign operand_now = operand;
        end
    endgenerate

    reg signed [7:0] member;
    wire             larger = member > $signed(operand_now[7:0]);
    wire [WIDTH-1:0] extended;
    wire [WIDTH-1:0] total;
    genvar           d;
    always @(posedge clk) begin
        write   <= counts;
        if (comes) begin
            operand <= read_now;
            member  <= !masked ? value : maximum ? 8'h80 : 8'h00;
        end
        if (came)
            reduced <= pool == 2'd0 || first || (maximum && larger) ? extended
                     : maximum ? operand_now : total;
    end
    generate
        if (POOLS != 2) begin : g_maximum
            assign extended = member;
            assign total = operand_now;
            assign pooled = reduced;
        end else begin : g_average
            assign extended = {{16{member[7]}}, member};
            assign total = operand_now + extended;
            reg  signed [39:0] scaled;
            wire       scale = leaves && !maximum;
            reg  [3:0] on;       // averages on their way
            reg  [6:0] through;  // other bytes
            always @(posedge clk) on <= {on[2:0], scale};
`ifdef SYSTOPACK_FPGA
            // The multiplier of an FPGA takes the sum's low 18 bits, adders the others.
            reg         [23:0] once;
            reg         [32:0] low_0, low;
            reg  signed [21:0] high_0, high;
            wire signed [21:0] factor = {7'd0, multiplier};
            wire signed [21:0] high_now [0:5];
            for (d = 0; d < 6; d = d + 1) begin : g_high
                assign high_now[d] = once[18+d] ? factor <<< d : 22'd0;
            end
            always @(posedge clk) begin
                if (scale) once <= reduced;
                if (on[0]) begin
                    low_0  <= once[17:0] * multiplier;
                    high_0 <= high_now[0] + high_now[1] + high_now[2] + high_now[3] + high_now[4]
                              - high_now[5];
                end
                if (on[1]) {high, low} <= {high_0, low_0};
                if (on[2]) scaled <= {7'd0, low} + {high, 18'd0};
            end
`else
            // The multiplier's digits of two bits choose among 0, the sum and its multiples; digits
            // are added two by two.
            reg  signed [23:0] once;
            reg  signed [25:0] thrice;
            reg  signed [31:0] low, high;
            wire signed [25:0] wide = {{2{reduced[23]}}, reduced};
            wire        [15:0] digits = {1'b0, multiplier};
            for (d = 0; d < 4; d = d + 1) begin : g_digits
                wire signed [25:0] lower, upper;
                reg  signed [27:0] part;
                assign lower = digits[4*d+1] ? (digits[4*d] ? thrice : {once[23], once, 1'b0})
                                             : digits[4*d] ? {{2{once[23]}}, once} : 26'd0;
                assign upper = digits[4*d+3] ? (digits[4*d+2] ? thrice : {once[23], once, 1'b0})
                                             : digits[4*d+2] ? {{2{once[23]}}, once} : 26'd0;
                always @(posedge clk)
                    if (on[0]) part <= {{2{lower[25]}}, lower} + {upper, 2'd0};
            end
            always @(posedge clk) begin
                if (scale) {once, thrice} <= {reduced, wide + (wide <<< 1)};
                if (on[1]) begin
                    low  <= {{4{g_digits[0].part[27]}}, g_digits[0].part} + {g_digits[1].part, 4'd0};
                    high <= {{4{g_digits[2].part[27]}}, g_digits[2].part} + {g_digits[3].part, 4'd0};
                end
                if (on[2]) scaled <= {{8{low[31]}}, low} + {high, 8'd0};
            end
`endif
            wire        [7:0]  rounded;
            wire        [39:0] quotient;
            requantize_stages #(.WIDTH(40)) round (
                .clk(clk), .valid(on[3]), .value(scaled), .shift(shift), .shifted(quotient),
                .result(rounded)
            );
            wire [63:0] passing;
            assign passing[7:0] = reduced[7:0];
            wire [7:0] through_now = {through, leaves && maximum};
            always @(posedge clk) through <= through_now[6:0];
            for (d = 0; d < 7; d = d + 1) begin : g_pass
                reg [7:0] passed;
                always @(posedge clk) if (through_now[d]) passed <= passing[8*d+:8];
                assign passing[8*d+8+:8] = passed;
            end
            assign pooled = maximum ? passing[63:56] : rounded;
        end
    endgenerate
endmodule
