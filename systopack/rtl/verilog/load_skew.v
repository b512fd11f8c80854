// SPDX-License-Identifier: Apache-2.0
// Brings weights to their rows in step with the wave in which cells take them.
//
// Row r, which works r / INPUT_FANOUT cycles behind row 0, gets its bits so much later; the
// weights come LATE cycles after the indices, of all rows. Registers hold still where nothing is
// on its way. Latency: 0 for the indices of the lowest rows. No reset.
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
module load_skew #(
    parameter ROWS = 32,
    parameter INPUT_FANOUT = ROWS,
    parameter BITS = 11,        // of all a row gets
    parameter WEIGHT_BITS = 8,  // the lowest of them, which come LATE
    parameter LATE = 0          // 0 or 1
) (
    input  wire                 clk,
    input  wire                 load,  // `in` carries something
    input  wire [BITS*ROWS-1:0] in,    // bit j of row r: j * ROWS + r
    output wire [BITS*ROWS-1:0] out
);
    localparam LAST = (ROWS - 1) / INPUT_FANOUT;
    reg  [LAST+1:0] line;
    wire [LAST+2:0] loads = {line, load};
    always @(posedge clk) line <= loads[LAST+1:0];

    wire [BITS*ROWS-1:0] skewed;
    genvar g, j, r;
    generate
        for (g = 0; g <= LAST; g = g + 1) begin : g_group
            // What has waited g cycles: the bits of these rows, which leave, and of those above.
            localparam FIRST = g * INPUT_FANOUT;
            localparam HERE = ROWS - FIRST;
            wire [BITS*HERE-1:0] bits;
            if (g == 0) begin : g_now
                assign bits = in;
            end else begin : g_later
                localparam BEFORE = HERE + INPUT_FANOUT;
                reg  [BITS*HERE-1:0] held;
                wire [BITS*HERE-1:0] upper;
                for (j = 0; j < BITS; j = j + 1) begin : g_bit
                    assign upper[j*HERE+:HERE] =
                        g_group[g-1].bits[j*BEFORE+INPUT_FANOUT+:HERE];
                end
                always @(posedge clk) if (loads[g-1]) held <= upper;
                assign bits = held;
            end
            for (r = FIRST; r < ROWS && r < FIRST + INPUT_FANOUT; r = r + 1) begin : g_row
                for (j = 0; j < BITS; j = j + 1) begin : g_bit
                    assign skewed[j*ROWS+r] = bits[j*HERE+r-FIRST];
                end
            end
        end
        if (LATE == 0) begin : g_same
            assign out = skewed;
        end else begin : g_late
            assign out[BITS*ROWS-1:WEIGHT_BITS*ROWS] = skewed[BITS*ROWS-1:WEIGHT_BITS*ROWS];
            for (g = 0; g <= LAST; g = g + 1) begin : g_part
                localparam FIRST = g * INPUT_FANOUT;
                localparam PART = ROWS - FIRST < INPUT_FANOUT ? ROWS - FIRST : INPUT_FANOUT;
                for (j = 0; j < WEIGHT_BITS; j = j + 1) begin : g_bit
                    reg [PART-1:0] held;
                    always @(posedge clk) if (loads[g]) held <= skewed[j*ROWS+FIRST+:PART];
                    assign out[j*ROWS+FIRST+:PART] = held;
                end
            end
        end
    endgenerate
endmodule
