// One MX cell (IL for ALPHA = 1) with as few flip-flops as possible, for silicon.
//
// It does in every cycle what a cell of mx_row does, but for its parts: the multiplier adds with a
// ripple carry, so that what it keeps is one number and not a sum and carries; the multiplexer has
// no register; the high half of a product and its sign are held (a clock edge every 8 cycles) and
// read bit by bit, not shifted. Weights, index and held bits have enables of their own, which
// synthesis turns into clock gates.
// Latency: 1 cycle for sums where REGISTERED, else 0. No reset: what was there before a word does
// not reach its sum.
/* verilator lint_off UNUSEDSIGNAL */  // some choices of the parameters leave wires unread
module lean_cell #(
    parameter ALPHA = 8,
    parameter INDEX_BITS = 3,   // at least 1, 2**INDEX_BITS >= ALPHA
    parameter LANES = 4,        // bytes of a sum
    parameter WEIGHT_BITS = 8,  // 2..8
    parameter REGISTERED = 1    // whether sums leave through a register
) (
    input  wire                   clk,
    input  wire [ALPHA-1:0]       x,      // one bit of a word of each channel, lowest first
    input  wire [7:0]             phase,  // bit k: bit k of the word is there
    input  wire                   take,   // the next weight becomes the present one
    input  wire                   load,   // a next weight is written
    input  wire [WEIGHT_BITS-1:0] load_weight,
    input  wire [INDEX_BITS-1:0]  load_index,
    input  wire [LANES-1:0]       sum_in,
    output wire [LANES-1:0]       sum_out
);
    localparam TOP = WEIGHT_BITS - 1;
    wire first = phase[0];
    wire last = phase[7];
    genvar j, p;

    reg [TOP:0] next_weight, weight;
    always @(posedge clk) begin
        if (load) next_weight <= load_weight;
        if (take) weight <= next_weight;
    end
    wire word;
    generate
        if (ALPHA == 1) begin : g_single
            assign word = x;
        end else begin : g_choice
            reg [INDEX_BITS-1:0] next_index, index;
            wire [(1<<INDEX_BITS)-1:0] channels = {{((1 << INDEX_BITS) - ALPHA) {1'b0}}, x};
            always @(posedge clk) begin
                if (load) next_index <= load_index;
                if (take) index <= next_index;
            end
            assign word = channels[index];
        end
    endgenerate

    // Two's complement multiplier, bit by bit. The last bit of a word counts negative: where it is
    // set the weight is subtracted. The weight's highest bit counts negative too: its product is
    // inverted (Baugh and Wooley 1973), which needs two constants, 2**TOP, there at a word's start,
    // and -2**(TOP + 8), which turns the highest bit of the whole product.
    localparam [TOP:0] START = 1 << TOP;
    reg  [TOP:0] above;  // of the product so far, what lies above the bits that have left
    wire         minus = word & last;
    wire [TOP:0] product = ({WEIGHT_BITS{word}} & (weight ^ {WEIGHT_BITS{minus}}))
                       ^ START;
    wire [TOP:0] total;
    wire [TOP+1:0] carry;
    assign carry[0] = minus;
    generate
        for (j = 0; j <= TOP; j = j + 1) begin : g_bit
            assign total[j] = product[j] ^ above[j] ^ carry[j];
            assign carry[j+1] = (product[j] & above[j]) | (carry[j] & (product[j] ^ above[j]));
        end
    endgenerate
    reg  [TOP:0] high;   // the last product's high half
    wire [7:0]   spread = {{(8 - WEIGHT_BITS) {high[TOP]}}, high};
    always @(posedge clk) begin
        above <= last ? START : {carry[TOP+1], total[TOP:1]};
        if (last) high <= {~carry[TOP+1], total[TOP:1]};
    end

    // One serial adder per lane: low byte, high byte, then the sign as often as needed. A byte's
    // last carry goes on to the lane above.
    generate
        for (p = 0; p < LANES; p = p + 1) begin : g_lane
            reg  sum_carry;
            wire addend, into;
            wire sum = addend ^ sum_in[p] ^ into;
            if (p == 0) begin : g_low
                assign addend = total[0];
                assign into = sum_carry & ~first;
            end else begin : g_up
                assign into = first ? g_lane[p-1].sum_carry : sum_carry;
                if (p == 1) begin : g_high
                    assign addend = |(spread & phase);
                end else begin : g_sign
                    reg sign;
                    assign addend = sign;
                    if (p == 2) begin : g_new
                        always @(posedge clk) if (last) sign <= high[TOP];
                    end else begin : g_old
                        always @(posedge clk) if (last) sign <= g_lane[p-1].g_up.g_sign.sign;
                    end
                end
            end
            always @(posedge clk)
                sum_carry <= (addend & sum_in[p]) | (into & (addend ^ sum_in[p]));
            if (REGISTERED != 0) begin : g_register
                reg kept;
                always @(posedge clk) kept <= sum;
                assign sum_out[p] = kept;
            end else begin : g_none
                assign sum_out[p] = sum;
            end
        end
    endgenerate
endmodule
