// SPDX-License-Identifier: Apache-2.0
// The ECP5's block memory for simulation; yosys declares its ports and parameters and no more.
//
// 2,048 units of 9 bits, two ports, each 1, 2, 4, 9, 18 or 36 bits wide. A port reads what was
// there before this clock edge; wide words are written byte by byte, as the lowest address bits
// say; a word of 36 bits uses the data pins of both ports. It starts with zeros. Other modes are
// refused.
module DP16KD #(
    parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18,
    parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG",
    parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL",
    parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000",
    parameter CLKAMUX = "CLKA", CLKBMUX = "CLKB",
    parameter RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC", GSR = "ENABLED",
    parameter [319:0]
        INITVAL_00 = 0, INITVAL_01 = 0, INITVAL_02 = 0, INITVAL_03 = 0, INITVAL_04 = 0,
        INITVAL_05 = 0, INITVAL_06 = 0, INITVAL_07 = 0, INITVAL_08 = 0, INITVAL_09 = 0,
        INITVAL_0A = 0, INITVAL_0B = 0, INITVAL_0C = 0, INITVAL_0D = 0, INITVAL_0E = 0,
        INITVAL_0F = 0, INITVAL_10 = 0, INITVAL_11 = 0, INITVAL_12 = 0, INITVAL_13 = 0,
        INITVAL_14 = 0, INITVAL_15 = 0, INITVAL_16 = 0, INITVAL_17 = 0, INITVAL_18 = 0,
        INITVAL_19 = 0, INITVAL_1A = 0, INITVAL_1B = 0, INITVAL_1C = 0, INITVAL_1D = 0,
        INITVAL_1E = 0, INITVAL_1F = 0, INITVAL_20 = 0, INITVAL_21 = 0, INITVAL_22 = 0,
        INITVAL_23 = 0, INITVAL_24 = 0, INITVAL_25 = 0, INITVAL_26 = 0, INITVAL_27 = 0,
        INITVAL_28 = 0, INITVAL_29 = 0, INITVAL_2A = 0, INITVAL_2B = 0, INITVAL_2C = 0,
        INITVAL_2D = 0, INITVAL_2E = 0, INITVAL_2F = 0, INITVAL_30 = 0, INITVAL_31 = 0,
        INITVAL_32 = 0, INITVAL_33 = 0, INITVAL_34 = 0, INITVAL_35 = 0, INITVAL_36 = 0,
        INITVAL_37 = 0, INITVAL_38 = 0, INITVAL_39 = 0, INITVAL_3A = 0, INITVAL_3B = 0,
        INITVAL_3C = 0, INITVAL_3D = 0, INITVAL_3E = 0, INITVAL_3F = 0
) (
    input  CLKA, CEA, OCEA, WEA, RSTA, CSA2, CSA1, CSA0,
    input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1,
    ADA0,
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5,
    DIA4, DIA3, DIA2, DIA1, DIA0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
    DOA4, DOA3, DOA2, DOA1, DOA0,
    input  CLKB, CEB, OCEB, WEB, RSTB, CSB2, CSB1, CSB0,
    input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1,
    ADB0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5,
    DIB4, DIB3, DIB2, DIB1, DIB0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
    DOB4, DOB3, DOB2, DOB1, DOB0
);
    generate
        if (CLKAMUX != "CLKA" || CLKBMUX != "CLKB" || REGMODE_A != "NOREG" || REGMODE_B != "NOREG"
            || WRITEMODE_A == "WRITETHROUGH" || WRITEMODE_B == "WRITETHROUGH"
            || (INITVAL_00 | INITVAL_01 | INITVAL_02 | INITVAL_03 | INITVAL_04 | INITVAL_05 |
            INITVAL_06 | INITVAL_07 | INITVAL_08 | INITVAL_09 | INITVAL_0A | INITVAL_0B |
            INITVAL_0C | INITVAL_0D | INITVAL_0E | INITVAL_0F | INITVAL_10 | INITVAL_11 |
            INITVAL_12 | INITVAL_13 | INITVAL_14 | INITVAL_15 | INITVAL_16 | INITVAL_17 |
            INITVAL_18 | INITVAL_19 | INITVAL_1A | INITVAL_1B | INITVAL_1C | INITVAL_1D |
            INITVAL_1E | INITVAL_1F | INITVAL_20 | INITVAL_21 | INITVAL_22 | INITVAL_23 |
            INITVAL_24 | INITVAL_25 | INITVAL_26 | INITVAL_27 | INITVAL_28 | INITVAL_29 |
            INITVAL_2A | INITVAL_2B | INITVAL_2C | INITVAL_2D | INITVAL_2E | INITVAL_2F |
            INITVAL_30 | INITVAL_31 | INITVAL_32 | INITVAL_33 | INITVAL_34 | INITVAL_35 |
            INITVAL_36 | INITVAL_37 | INITVAL_38 | INITVAL_39 | INITVAL_3A | INITVAL_3B |
            INITVAL_3C | INITVAL_3D | INITVAL_3E | INITVAL_3F) != 0)
            block_memory_in_a_mode_without_model refused ();
    endgenerate

    wire [13:0] address_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4,
    ADA3, ADA2, ADA1, ADA0};
    wire [17:0] pins_a = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8,
    DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
    wire [13:0] address_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4,
    ADB3, ADB2, ADB1, ADB0};
    wire [17:0] pins_b = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8,
    DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
    wire [35:0] in_a = DATA_WIDTH_A == 36 ? {pins_b, pins_a} : {18'd0, pins_a};
    wire [35:0] in_b = DATA_WIDTH_B == 36 ? {pins_b, pins_a} : {18'd0, pins_b};
    wire [35:0] out_a, out_b;
    assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6,
    DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} = DATA_WIDTH_B == 36 ? out_b[17:0] : out_a[17:0];
    assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6,
    DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} = DATA_WIDTH_B == 36 ? out_b[35:18] : out_b[17:0];

    reg [8:0] units[0:2047];
    integer n;
    initial for (n = 0; n < 2048; n = n + 1) units[n] = 9'd0;
    genvar p;
    generate
        for (p = 0; p < (DATA_WIDTH_A >= 9 ? DATA_WIDTH_A / 9 : 1); p = p + 1) begin : g_a
            localparam BITS = DATA_WIDTH_A >= 9 ? 9 : DATA_WIDTH_A;
            wire [10:0] unit = address_a[13:3] / (DATA_WIDTH_A >= 9 ? DATA_WIDTH_A / 9 : 1)
                * (DATA_WIDTH_A >= 9 ? DATA_WIDTH_A / 9 : 1) + p;
            wire [2:0] first = BITS == 9 ? 3'd0 : address_a[2:0] / BITS * BITS;
            wire [8:0] mask = {BITS{1'b1}} << first;
            wire [8:0] given = in_a[9 * p +: 9] << first;
            reg [8:0] kept = 9'd0;
            assign out_a[9 * p +: 9] = kept;
            always @(posedge CLKA) if (CEA) begin
                if (!WEA || WRITEMODE_A != "NORMAL") kept <= units[unit] >> first;
                if (WEA && (DATA_WIDTH_A < 18 || address_a[p]))
                    units[unit] <= (units[unit] & ~mask) | (given & mask);
            end
        end
        for (p = 0; p < (DATA_WIDTH_B >= 9 ? DATA_WIDTH_B / 9 : 1); p = p + 1) begin : g_b
            localparam BITS = DATA_WIDTH_B >= 9 ? 9 : DATA_WIDTH_B;
            wire [10:0] unit = address_b[13:3] / (DATA_WIDTH_B >= 9 ? DATA_WIDTH_B / 9 : 1)
                * (DATA_WIDTH_B >= 9 ? DATA_WIDTH_B / 9 : 1) + p;
            wire [2:0] first = BITS == 9 ? 3'd0 : address_b[2:0] / BITS * BITS;
            wire [8:0] mask = {BITS{1'b1}} << first;
            wire [8:0] given = in_b[9 * p +: 9] << first;
            reg [8:0] kept = 9'd0;
            assign out_b[9 * p +: 9] = kept;
            always @(posedge CLKB) if (CEB) begin
                if (!WEB || WRITEMODE_B != "NORMAL") kept <= units[unit] >> first;
                if (WEB && (DATA_WIDTH_B < 18 || address_b[p]))
                    units[unit] <= (units[unit] & ~mask) | (given & mask);
            end
        end
    endgenerate
endmodule
