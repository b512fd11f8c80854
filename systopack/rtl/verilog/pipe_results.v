// Keeps finished positions of the network's output and sends them as 32-bit words, row by row,
// position after position, sign-extended.
//
// `arrived` comes with all rows of a position; its first word is offered 2 cycles later. ENTRIES
// positions fit, as many as all images under way have. Reset: synchronous, active high.
module pipe_results #(
    parameter ROWS = 10,
    parameter ROW_BITS = 4,
    parameter WORD_BITS = 32,      // of a row, at most 32
    parameter POSITIONS = 1,       // of an image
    parameter ENTRIES = 4,
    parameter ENTRY_BITS = 2,      // 2**ENTRY_BITS >= ENTRIES
    parameter COUNT_BITS = 3       // 2**COUNT_BITS > ENTRIES and POSITIONS
) (
    input  wire                      clk,
    input  wire                      reset,
    input  wire                      arrived,
    input  wire [ROWS*WORD_BITS-1:0] words,
    output reg                       result_valid,
    input  wire                      result_ready,
    output wire [31:0]               result_word,
    output wire                      result_last,  // the last word of an image
    output wire                      finished      // it is being sent
);
    localparam [31:0] END = ENTRIES - 1;
    localparam [31:0] LAST_ROW = ROWS - 1;
    localparam [31:0] LAST_POSITION = POSITIONS - 1;
    reg  [ROWS*WORD_BITS-1:0] kept[0:ENTRIES-1];
    reg  [ROWS*WORD_BITS-1:0] sending;
    reg  [ENTRY_BITS-1:0]     write_entry, read_entry;
    reg  [COUNT_BITS-1:0]     held, position;
    reg  [ROW_BITS-1:0]       row;
    wire last_row = row == LAST_ROW[ROW_BITS-1:0];
    wire sent = result_valid && result_ready;
    wire fetch = held != {COUNT_BITS{1'b0}} && (!result_valid || (sent && last_row));
    wire [WORD_BITS-1:0] word = sending[WORD_BITS*row+:WORD_BITS];
    assign result_word = {{(33 - WORD_BITS) {word[WORD_BITS-1]}}, word[WORD_BITS-2:0]};
    assign result_last = last_row && position == LAST_POSITION[COUNT_BITS-1:0];
    assign finished = sent && result_last;
    always @(posedge clk) begin
        if (arrived) begin
            kept[write_entry] <= words;
            write_entry <= write_entry == END[ENTRY_BITS-1:0] ? {ENTRY_BITS{1'b0}}
                                                              : write_entry + 1'b1;
        end
        if (fetch) begin
            sending <= kept[read_entry];
            read_entry <= read_entry == END[ENTRY_BITS-1:0] ? {ENTRY_BITS{1'b0}}
                                                            : read_entry + 1'b1;
        end
        if (arrived && !fetch) held <= held + 1'b1;
        if (!arrived && fetch) held <= held - 1'b1;
        result_valid <= fetch || (result_valid && !(sent && last_row));
        if (sent) begin
            row <= last_row ? {ROW_BITS{1'b0}} : row + 1'b1;
            if (last_row)
                position <= result_last ? {COUNT_BITS{1'b0}} : position + 1'b1;
        end
        if (reset) begin
            write_entry <= {ENTRY_BITS{1'b0}};
            read_entry <= {ENTRY_BITS{1'b0}};
            held <= {COUNT_BITS{1'b0}};
            position <= {COUNT_BITS{1'b0}};
            row <= {ROW_BITS{1'b0}};
            result_valid <= 1'b0;
        end
    end
endmodule
