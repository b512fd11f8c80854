// SPDX-License-Identifier: Apache-2.0
// A clock gate: put your library's integrated clock-gating cell in its place.
//
// `gated` follows `clk` in the cycles after an edge at which `enable` was high, and always while
// `test_enable` is high, so that a scan chain behind it can be shifted. The enable changes while
// the clock is low.
module clock_gate (
    input  wire clk,
    input  wire enable,
    input  wire test_enable,
    output wire gated
);
    reg enable_low;
    always @(negedge clk) enable_low <= enable || test_enable;
    assign gated = clk & enable_low;
endmodule
