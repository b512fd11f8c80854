// SPDX-License-Identifier: Apache-2.0
// Turns 8 words, which enter one a cycle with all their bits, into 8 streams of bits.
//
// 8 x 8 registers that shift every cycle, down or to the right; `down` changes after every 8 words.
// With `down` words enter at the top, while those before them, which came from the left, leave at
// the bottom, lowest bit first; without it they enter at the left, and those from the top leave at
// the right. Stream k is word k of the 8.
// Latency: 8 cycles from a word 0 to the first bits of all 8. Throughput: a word a cycle. No reset.
module transposer (
    input  wire       clk,
    input  wire       down,
    input  wire [7:0] in,
    output wire [7:0] out
);
    reg  [63:0] kept;  // row i, column j: 8 * i + j
    wire [7:0]  entering;  // highest bit first
    genvar i;
    generate
        for (i = 0; i < 8; i = i + 1) begin : g_row
            assign entering[i] = in[7-i];
            assign out[i] = down ? kept[8*7+7-i] : kept[8*(7-i)+7];
            always @(posedge clk)
                if (down) kept[8*i+:8] <= i == 0 ? entering : kept[8*(i==0?0:i-1)+:8];
                else kept[8*i+:8] <= {kept[8*i+:7], entering[i]};
        end
    endgenerate
endmodule
