// SPDX-License-Identifier: Apache-2.0
// Walk over output positions, row by row, and over the window of each (1 x 1 unless pooling).
//
// Registered outputs stand for the present step; `step` moves on, `start` returns to the first.
// place_y, place_x: input coordinates before displacement; linear = origin + place_y * pitch + place_x.
module position_walker (
    input  wire        clk,
    input  wire        start,
    input  wire        step,
    input  wire [11:0] out_width,
    input  wire [7:0]  stride_y,
    input  wire [7:0]  stride_x,
    input  wire [11:0] pitch,         // input width
    input  wire [19:0] stride_pitch,  // stride_y * pitch
    input  wire [23:0] origin,        // of linear
    input  wire [11:0] window_height,
    input  wire [11:0] window_width,
    output wire [11:0] place_y,
    output wire [11:0] place_x,
    output wire [23:0] linear,
    output wire        window_first,
    output wire        window_last
);
    reg [11:0] column, y, x, inner_y, inner_x;
    reg [23:0] row_linear, inner_linear;
    wire row_of_window_ends = inner_x == window_width - 12'd1;
    assign window_first = inner_x == 12'd0 && inner_y == 12'd0;
    assign window_last = row_of_window_ends && inner_y == window_height - 12'd1;
    assign place_y = y + inner_y;
    assign place_x = x + inner_x;
    assign linear = row_linear + {12'd0, x} + inner_linear + {12'd0, inner_x};
    always @(posedge clk) begin
        if (start) begin
            {column, y, x, inner_y, inner_x} <= 60'd0;
            row_linear <= origin;
            inner_linear <= 24'd0;
        end else if (step) begin
            if (!row_of_window_ends) begin
                inner_x <= inner_x + 12'd1;
            end else begin
                inner_x <= 12'd0;
                if (!window_last) begin
                    inner_y <= inner_y + 12'd1;
                    inner_linear <= inner_linear + {12'd0, pitch};
                end else begin
                    inner_y <= 12'd0;
                    inner_linear <= 24'd0;
                    if (column == out_width - 12'd1) begin
                        column <= 12'd0;
                        x <= 12'd0;
                        y <= y + {4'd0, stride_y};
                        row_linear <= row_linear + {4'd0, stride_pitch};
                    end else begin
                        column <= column + 12'd1;
                        x <= x + {4'd0, stride_x};
                    end
                end
            end
        end
    end
endmodule
