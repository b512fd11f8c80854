// The ECP5's block memory for simulation: both ports, widths 1 to 36, no output registers.
//
// Pins, widths and addresses as yosys' map to this cell uses them: 2,048 units of nine bits; a width
// below nine uses eight of them. Widths 18 and 36 take enables of their nine-bit parts from the
// lowest address bits; width 36 writes through port A and reads through port B, its upper half on
// the pins of port B. A port that writes keeps its output. Chip selects are 0 and clocks rise.
/* verilator lint_off UNUSEDSIGNAL */
/* verilator lint_off UNUSEDPARAM */
/* verilator lint_off WIDTHEXPAND */
/* verilator lint_off WIDTHTRUNC */
/* verilator lint_off MULTIDRIVEN */
/* verilator lint_off DECLFILENAME */
module DP16KD #(
    parameter DATA_WIDTH_A = 18,
    parameter DATA_WIDTH_B = 18,
    parameter REGMODE_A = "",
    parameter REGMODE_B = "",
    parameter RESETMODE = "",
    parameter ASYNC_RESET_RELEASE = "",
    parameter CSDECODE_A = "",
    parameter CSDECODE_B = "",
    parameter CLKAMUX = "",
    parameter CLKBMUX = "",
    parameter WRITEMODE_A = "",
    parameter WRITEMODE_B = "",
    parameter GSR = "",
    parameter INITVAL_00 = 320'd0, INITVAL_01 = 320'd0, INITVAL_02 = 320'd0, INITVAL_03 = 320'd0,
    parameter INITVAL_04 = 320'd0, INITVAL_05 = 320'd0, INITVAL_06 = 320'd0, INITVAL_07 = 320'd0,
    parameter INITVAL_08 = 320'd0, INITVAL_09 = 320'd0, INITVAL_0A = 320'd0, INITVAL_0B = 320'd0,
    parameter INITVAL_0C = 320'd0, INITVAL_0D = 320'd0, INITVAL_0E = 320'd0, INITVAL_0F = 320'd0,
    parameter INITVAL_10 = 320'd0, INITVAL_11 = 320'd0, INITVAL_12 = 320'd0, INITVAL_13 = 320'd0,
    parameter INITVAL_14 = 320'd0, INITVAL_15 = 320'd0, INITVAL_16 = 320'd0, INITVAL_17 = 320'd0,
    parameter INITVAL_18 = 320'd0, INITVAL_19 = 320'd0, INITVAL_1A = 320'd0, INITVAL_1B = 320'd0,
    parameter INITVAL_1C = 320'd0, INITVAL_1D = 320'd0, INITVAL_1E = 320'd0, INITVAL_1F = 320'd0,
    parameter INITVAL_20 = 320'd0, INITVAL_21 = 320'd0, INITVAL_22 = 320'd0, INITVAL_23 = 320'd0,
    parameter INITVAL_24 = 320'd0, INITVAL_25 = 320'd0, INITVAL_26 = 320'd0, INITVAL_27 = 320'd0,
    parameter INITVAL_28 = 320'd0, INITVAL_29 = 320'd0, INITVAL_2A = 320'd0, INITVAL_2B = 320'd0,
    parameter INITVAL_2C = 320'd0, INITVAL_2D = 320'd0, INITVAL_2E = 320'd0, INITVAL_2F = 320'd0,
    parameter INITVAL_30 = 320'd0, INITVAL_31 = 320'd0, INITVAL_32 = 320'd0, INITVAL_33 = 320'd0,
    parameter INITVAL_34 = 320'd0, INITVAL_35 = 320'd0, INITVAL_36 = 320'd0, INITVAL_37 = 320'd0,
    parameter INITVAL_38 = 320'd0, INITVAL_39 = 320'd0, INITVAL_3A = 320'd0, INITVAL_3B = 320'd0,
    parameter INITVAL_3C = 320'd0, INITVAL_3D = 320'd0, INITVAL_3E = 320'd0, INITVAL_3F = 320'd0
) (
    input  wire CLKA, CEA, OCEA, WEA, RSTA, CSA0, CSA1, CSA2,
    input  wire CLKB, CEB, OCEB, WEB, RSTB, CSB0, CSB1, CSB2,
    input  wire DIA0, DIA1, DIA2, DIA3, DIA4, DIA5, DIA6, DIA7, DIA8, DIA9,
        DIA10, DIA11, DIA12, DIA13, DIA14, DIA15, DIA16, DIA17,
    input  wire ADA0, ADA1, ADA2, ADA3, ADA4, ADA5, ADA6,
        ADA7, ADA8, ADA9, ADA10, ADA11, ADA12, ADA13,
    output wire DOA0, DOA1, DOA2, DOA3, DOA4, DOA5, DOA6, DOA7, DOA8, DOA9,
        DOA10, DOA11, DOA12, DOA13, DOA14, DOA15, DOA16, DOA17,
    input  wire DIB0, DIB1, DIB2, DIB3, DIB4, DIB5, DIB6, DIB7, DIB8, DIB9,
        DIB10, DIB11, DIB12, DIB13, DIB14, DIB15, DIB16, DIB17,
    input  wire ADB0, ADB1, ADB2, ADB3, ADB4, ADB5, ADB6,
        ADB7, ADB8, ADB9, ADB10, ADB11, ADB12, ADB13,
    output wire DOB0, DOB1, DOB2, DOB3, DOB4, DOB5, DOB6, DOB7, DOB8, DOB9,
        DOB10, DOB11, DOB12, DOB13, DOB14, DOB15, DOB16, DOB17
);
    reg [8:0] units[0:2047];
    wire [13:0] address_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3,
                             ADA2, ADA1, ADA0};
    wire [13:0] address_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3,
                             ADB2, ADB1, ADB0};
    wire [35:0] in_a = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7,
                        DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0, DIA17, DIA16, DIA15, DIA14, DIA13,
                        DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1,
                        DIA0};
    wire [35:0] in_b = {18'd0, in_a[35:18]};
    reg  [35:0] read_a, read_b;

    // The units of an address, and a word as the parts of it that are written.
    function [35:0] units_at(input [13:0] address, input integer width);
        case (width)
            36: units_at = {units[{address[13:5], 2'd3}], units[{address[13:5], 2'd2}],
                            units[{address[13:5], 2'd1}], units[{address[13:5], 2'd0}]};
            18: units_at = {18'd0, units[{address[13:4], 1'd1}], units[{address[13:4], 1'd0}]};
            9: units_at = {27'd0, units[address[13:3]]};
            4: units_at = {32'd0, units[address[13:3]][{address[2], 2'd0}+:4]};
            2: units_at = {34'd0, units[address[13:3]][{address[2:1], 1'd0}+:2]};
            default: units_at = {35'd0, units[address[13:3]][address[2:0]]};
        endcase
    endfunction

    always @(posedge CLKA) begin
        if (CEA && !WEA) read_a <= units_at(address_a, DATA_WIDTH_A);
        if (RSTA) read_a <= 36'd0;
    end
    always @(posedge CLKB) begin
        if (CEB && !WEB) read_b <= units_at(address_b, DATA_WIDTH_B);
        if (RSTB) read_b <= 36'd0;
    end
    always @(posedge CLKA) if (CEA && WEA) begin
        case (DATA_WIDTH_A)
            36: begin
                if (ADA0) units[{address_a[13:5], 2'd0}] <= in_a[8:0];
                if (ADA1) units[{address_a[13:5], 2'd1}] <= in_a[17:9];
                if (ADA2) units[{address_a[13:5], 2'd2}] <= in_a[26:18];
                if (ADA3) units[{address_a[13:5], 2'd3}] <= in_a[35:27];
            end
            18: begin
                if (ADA0) units[{address_a[13:4], 1'd0}] <= in_a[8:0];
                if (ADA1) units[{address_a[13:4], 1'd1}] <= in_a[17:9];
            end
            9: units[address_a[13:3]] <= in_a[8:0];
            4: units[address_a[13:3]][{address_a[2], 2'd0}+:4] <= in_a[3:0];
            2: units[address_a[13:3]][{address_a[2:1], 1'd0}+:2] <= in_a[1:0];
            default: units[address_a[13:3]][address_a[2:0]] <= in_a[0];
        endcase
    end
    always @(posedge CLKB) if (CEB && WEB) begin
        case (DATA_WIDTH_B)
            18: begin
                if (ADB0) units[{address_b[13:4], 1'd0}] <= in_b[8:0];
                if (ADB1) units[{address_b[13:4], 1'd1}] <= in_b[17:9];
            end
            9: units[address_b[13:3]] <= in_b[8:0];
            4: units[address_b[13:3]][{address_b[2], 2'd0}+:4] <= in_b[3:0];
            2: units[address_b[13:3]][{address_b[2:1], 1'd0}+:2] <= in_b[1:0];
            default: units[address_b[13:3]][address_b[2:0]] <= in_b[0];
        endcase
    end
    // The halves of a word of 36 bits come out on both ports' pins.
    wire wide = DATA_WIDTH_B == 36;
    assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9,
            DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} =
        wide ? read_b[17:0] : read_a[17:0];
    assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9,
            DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} =
        wide ? read_b[35:18] : read_b[17:0];
endmodule
