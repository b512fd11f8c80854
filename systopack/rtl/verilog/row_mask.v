// SPDX-License-Identifier: Apache-2.0
// Which displacements of a tile lead to a pixel of the image's row, for a step's two positions.
//
// `window` names the tile's table. Latency: 2 cycles from `place`. No reset.
module row_mask #(
    parameter DX = 4,            // displacements of a tile
    parameter ADDRESS_BITS = 5
) (
    input  wire                    clk,
    input  wire                    write,
    input  wire [ADDRESS_BITS-1:0] table_address,
    input  wire [13*DX-1:0]        table_data,     // two's complement, the first one lowest
    input  wire                    start,          // of a visit: the table is read
    input  wire [ADDRESS_BITS-1:0] window,
    input  wire [11:0]             place,          // of the first position, in the source's row
    input  wire [11:0]             upper,          // from the first to the second position
    input  wire [11:0]             width,
    output reg  [DX-1:0]           in_row,
    output reg  [DX-1:0]           upper_in_row
);
    wire [13*DX-1:0] displacements;
    memory #(.WIDTH(13 * DX), .ADDRESS_BITS(ADDRESS_BITS)) windows (
        .clk(clk), .write(write), .write_address(table_address), .write_data(table_data),
        .read(start), .read_address(window), .read_data(displacements)
    );
    reg  [12:0] place_1, upper_1, width_1;
    always @(posedge clk) begin
        place_1 <= {1'b0, place};
        upper_1 <= {1'b0, place} + {1'b0, upper};
        width_1 <= {1'b0, width};
    end
    genvar d;
    generate
        for (d = 0; d < DX; d = d + 1) begin : g_displacement
            wire [12:0] moved = place_1 + displacements[13*d+:13];
            wire [12:0] upper_moved = upper_1 + displacements[13*d+:13];
            always @(posedge clk) begin
                in_row[d] <= moved < width_1;
                upper_in_row[d] <= upper_moved < width_1;
            end
        end
    endgenerate
endmodule
