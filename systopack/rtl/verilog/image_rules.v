// SPDX-License-Identifier: Apache-2.0
// Assertions for the way of images into an accelerator, in simulations that define
// SYSTOPACK_ASSERTIONS: no word is lost, and none is made up.
//
// A word that is taken and belongs to the first `length` ones of its image is `written` (LATE
// cycles later), and an image of another length is `dropped` once, before the next one begins.
// A violation prints a line that begins with "ASSERTION" and ends the simulation.
`ifdef SYSTOPACK_ASSERTIONS
module image_rules #(
    parameter LATE = 0  // cycles from a word's transfer to `written`: 0 or 1
) (
    input wire        clk,
    input wire        reset,
    input wire        taken,    // VALID and READY
    input wire        last,
    input wire        written,
    input wire        dropped,
    input wire [31:0] length    // words of an image
);
    reg [31:0] seen;  // words taken of this image; stays where it is beyond its end
    reg        owed;  // an image of the wrong length has not been dropped yet
    reg        taken_1, wanted_1;
    initial {seen, owed, taken_1, wanted_1} = 35'd0;
    wire wanted = taken && seen < length;
    wire wrong = wanted && (seen + 32'd1 == length) != last;  // it has become so
    always @(posedge clk) begin
        taken_1 <= taken && !reset;
        wanted_1 <= wanted && !reset;
        if (taken) seen <= last ? 32'd0 : seen < length ? seen + 32'd1 : seen;
        if (wrong || dropped) owed <= wrong;
        if (reset) {seen, owed} <= 33'd0;
        if (!reset && (LATE != 0 ? wanted_1 : wanted) && written !== 1'b1) begin
            $display("ASSERTION: %m: a word that was taken was not written");
            $stop;
            $finish;
        end
        if (!reset && written && !(LATE != 0 ? taken_1 : taken) && !owed) begin
            $display("ASSERTION: %m: a word was written that was not taken");
            $stop;
            $finish;
        end
        if (!reset && dropped && !owed) begin
            $display("ASSERTION: %m: an image of the right length was counted as dropped");
            $stop;
            $finish;
        end
        if (!reset && taken && seen == 32'd0 && owed && !dropped) begin
            $display("ASSERTION: %m: an image of the wrong length was not counted as dropped");
            $stop;
            $finish;
        end
    end
endmodule
`endif
