// SPDX-License-Identifier: Apache-2.0
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
// The partial sums of a lane, LANE_ROWS for each position.
//
// With an even number of rows a word holds two of them and the memory has one port: it reads in the
// cycle of an even row's turn and writes in that of an odd one's value. So all first rows' turns
// are an even number of cycles apart, and a value comes an even number of cycles after its turn.
// Else there is one port for reading, one for writing. No reset.
module lane_sums #(
    parameter LANE_ROWS = 8,
    parameter ROW_BITS = 3,
    parameter ACCUMULATOR_BITS = 32,
    parameter SUM_POSITION_BITS = 6
) (
    input  wire                         clk,
    input  wire                         read,           // for a row's turn
    input  wire [SUM_POSITION_BITS-1:0] read_position,
    input  wire [ROW_BITS-1:0]          read_row,
    output wire [ACCUMULATOR_BITS-1:0]  stored,         // a cycle later
    input  wire                         write,
    input  wire [SUM_POSITION_BITS-1:0] write_position,
    input  wire [ROW_BITS-1:0]          write_row,
    input  wire [ACCUMULATOR_BITS-1:0]  write_value,
    input  wire                         send_read,      // instead of `read`, for any row
    input  wire [SUM_POSITION_BITS-1:0] send_position,
    input  wire [ROW_BITS-1:0]          send_row,
    output wire [ACCUMULATOR_BITS-1:0]  kept            // a cycle later
);
    localparam ACC = ACCUMULATOR_BITS;
    localparam PAIRED = LANE_ROWS % 2 == 0;
    localparam WHOLE_BITS = SUM_POSITION_BITS + ROW_BITS;
    localparam DROPPED = PAIRED || LANE_ROWS == 1 ? 1 : 0;  // bits of the row not in an address
    localparam ADDRESS_BITS = WHOLE_BITS - DROPPED;
    wire [WHOLE_BITS-1:0] from = send_read ? {send_position, send_row} : {read_position, read_row};
    wire [WHOLE_BITS-1:0] to = {write_position, write_row};
    generate
        if (PAIRED) begin : g_pairs
            wire             reads = send_read || (read && !read_row[0]);
            wire             writes = write && write_row[0];
            wire [2*ACC-1:0] pair;
            reg  [ACC-1:0]   even;  // the even row's value waits for the odd one's
            reg              odd_next, odd_sent;
            single_memory #(.WIDTH(2 * ACC), .ADDRESS_BITS(ADDRESS_BITS)) pairs (
                .clk(clk), .read(reads), .write(writes),
                .address(writes ? to[WHOLE_BITS-1:DROPPED] : from[WHOLE_BITS-1:DROPPED]),
                .write_data({write_value, even}), .read_data(pair)
            );
            always @(posedge clk) begin
                if (write && !write_row[0]) even <= write_value;
                odd_next <= read_row[0];
                odd_sent <= send_row[0];
            end
            // What was read for an even row stays there for the odd one.
            assign stored = odd_next ? pair[ACC+:ACC] : pair[ACC-1:0];
            assign kept = odd_sent ? pair[ACC+:ACC] : pair[ACC-1:0];
`ifdef SYSTOPACK_ASSERTIONS
            always @(posedge clk)
                if (reads && writes) begin
                    $display("ASSERTION: %m: partial sums are read and written in one cycle");
                    $stop;
                    $finish;
                end
`endif
        end else begin : g_ports
            memory #(.WIDTH(ACC), .ADDRESS_BITS(ADDRESS_BITS)) sums (
                .clk(clk), .write(write), .write_address(to[WHOLE_BITS-1:DROPPED]),
                .write_data(write_value), .read(read || send_read),
                .read_address(from[WHOLE_BITS-1:DROPPED]), .read_data(stored)
            );
            assign kept = stored;
        end
    endgenerate
endmodule
