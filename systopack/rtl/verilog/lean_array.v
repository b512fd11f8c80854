// An array of lean cells: COLUMNS_PER_REGISTER columns add to a sum in one cycle.
//
// Columns of one stage (COLUMNS_PER_REGISTER neighbours) work in step; stage s runs s cycles behind
// stage 0, and row r runs r / ROWS_PER_REGISTER cycles behind row 0. Inputs enter together, sums
// enter and leave with the rows' delays.
// Latency: (COLUMNS - 1) / COLUMNS_PER_REGISTER + 1 cycles, and the row's delay. No reset.
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
module lean_array #(
    parameter ROWS = 32,
    parameter COLUMNS = 32,
    parameter ALPHA = 8,
    parameter INDEX_BITS = 3,
    parameter LANES = 4,
    parameter WEIGHT_BITS = 8,
    parameter ROWS_PER_REGISTER = ROWS,
    parameter COLUMNS_PER_REGISTER = 1
) (
    input  wire                        clk,
    input  wire [ALPHA*COLUMNS-1:0]    x,           // channel a of column c: c * ALPHA + a
    input  wire                        word_start,  // with bit 0 of every word
    input  wire                        take,        // the cycle before a tile's first one
    input  wire [ROWS*LANES-1:0]       sum_in,      // lane p of row r: p * ROWS + r
    output wire [ROWS*LANES-1:0]       sum_out,
    input  wire [COLUMNS-1:0]          load,        // columns and rows whose next weight is written
    input  wire [ROWS-1:0]             load_rows,
    input  wire [WEIGHT_BITS*ROWS-1:0] load_weight, // bit j of row r: j * ROWS + r
    input  wire [INDEX_BITS*ROWS-1:0]  load_index
);
    localparam STAGES = (COLUMNS - 1) / COLUMNS_PER_REGISTER + 1;
    localparam GROUPS = (ROWS - 1) / ROWS_PER_REGISTER + 1;
    localparam WIDTH = ALPHA * COLUMNS_PER_REGISTER;

    // Markers: what came s cycles ago serves stage s of the lowest rows.
    wire [STAGES+GROUPS+6:0] start;
    wire [STAGES+GROUPS-1:0] taken;
    reg  [STAGES+GROUPS+5:0] start_line;
    reg  [STAGES+GROUPS-2:0] take_line;
    assign start = {start_line, word_start};
    assign taken = {take_line, take};
    always @(posedge clk) begin
        start_line <= start[STAGES+GROUPS+5:0];
        take_line <= taken[STAGES+GROUPS-2:0];
    end

    wire [STAGES*WIDTH-1:0] padded = {{(STAGES * WIDTH - ALPHA * COLUMNS) {1'b0}}, x};
    wire [STAGES*WIDTH-1:0] skewed;
    skew #(.PLACES(STAGES), .WIDTH(WIDTH)) columns (.clk(clk), .in(padded), .out(skewed));

    genvar c, g, k, p, r;
    generate
        for (g = 0; g < GROUPS; g = g + 1) begin : g_group
            wire [STAGES*WIDTH-1:0] words;
            if (g == 0) begin : g_bottom
                assign words = skewed;
            end else begin : g_held
                reg [STAGES*WIDTH-1:0] held;
                always @(posedge clk) held <= g_group[g-1].words;
                assign words = held;
            end
        end
        for (r = 0; r < ROWS; r = r + 1) begin : g_row
            localparam GROUP = r / ROWS_PER_REGISTER;
            wire [WEIGHT_BITS-1:0] new_weight;
            wire [INDEX_BITS-1:0]  new_index;
            for (k = 0; k < WEIGHT_BITS; k = k + 1) begin : g_weight
                assign new_weight[k] = load_weight[k*ROWS+r];
            end
            for (k = 0; k < INDEX_BITS; k = k + 1) begin : g_index
                assign new_index[k] = load_index[k*ROWS+r];
            end
            for (c = 0; c < COLUMNS; c = c + 1) begin : g_column
                localparam STAGE = c / COLUMNS_PER_REGISTER;
                localparam ENDS = c == COLUMNS - 1
                    || c % COLUMNS_PER_REGISTER == COLUMNS_PER_REGISTER - 1;
                wire [LANES-1:0] from, to;
                for (p = 0; p < LANES; p = p + 1) begin : g_lane
                    if (c == 0) begin : g_edge
                        assign from[p] = sum_in[p*ROWS+r];
                    end else begin : g_inner
                        assign from[p] = g_row[r].g_column[c-1].to[p];
                    end
                    if (c == COLUMNS - 1) begin : g_out
                        assign sum_out[p*ROWS+r] = to[p];
                    end
                end
                lean_cell #(
                    .ALPHA(ALPHA), .INDEX_BITS(INDEX_BITS), .LANES(LANES),
                    .WEIGHT_BITS(WEIGHT_BITS), .REGISTERED(ENDS ? 1 : 0)
                ) one (
                    .clk(clk), .x(g_group[GROUP].words[c*ALPHA+:ALPHA]),
                    .phase(start[STAGE+GROUP+:8]), .take(taken[STAGE+GROUP]),
                    .load(load[c] & load_rows[r]), .load_weight(new_weight),
                    .load_index(new_index), .sum_in(from), .sum_out(to)
                );
            end
        end
    endgenerate
endmodule
