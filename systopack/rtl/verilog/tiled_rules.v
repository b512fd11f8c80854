// SPDX-License-Identifier: Apache-2.0
// Parameters of the tiled accelerator that contradict each other stop elaboration.
//
// The module that is asked for then is not there, and its name is the message.
module tiled_rules #(
    parameter ROWS = 32,
    parameter COLUMNS = 32,
    parameter ALPHA = 8,
    parameter ACCUMULATOR_BITS = 32,
    parameter CELL = 0,
    parameter INPUT_FANOUT = 1,
    parameter CELL_WEIGHT_BITS = 8,
    parameter CELLS_PER_STAGE = 1,
    parameter WEIGHT_BUFFERS = 2,
    parameter RESIDUALS = 1,
    parameter ADDRESS_BITS = 12,
    parameter SUB_BANKS = 1,
    parameter SUB_BANK_WORDS = 4096,
    parameter AVERAGES = 1,
    parameter DESCRIPTOR_BITS = 8,
    parameter ROUTE_BITS = 8,
    parameter PARAMETER_BITS = 8,
    parameter WEIGHT_BITS = 10,
    parameter WEIGHT_WORDS = 1024,
    parameter PROGRAM_BITS = 8,
    parameter CONFIG_BITS = 352,
    parameter LOAD_BITS = 352,
    parameter TABLE_BITS = 37,
    parameter WORD_CYCLES = 8,
    parameter READS = 8,
    parameter BANKS_PER_COLUMN = 1,
    parameter LANE_ROWS = 8,
    parameter LANES = 4
) ();
    generate
        if (ROWS < 1 || COLUMNS < 1 || ALPHA < 1) begin : g_wrong_size
            wrong_parameters_ROWS_COLUMNS_and_ALPHA_must_be_1_or_more stop ();
        end
        if (CELL < 0 || CELL > 4 || ACCUMULATOR_BITS % 8 != 0) begin : g_wrong_cell
            wrong_parameters_CELL_must_be_0_to_4_and_ACCUMULATOR_BITS_whole_bytes stop ();
        end
        if (1 << $clog2(SUB_BANKS) != SUB_BANKS || ADDRESS_BITS <= $clog2(SUB_BANKS)
            || SUB_BANK_WORDS > 1 << (ADDRESS_BITS - $clog2(SUB_BANKS)) || WEIGHT_WORDS > 1 << WEIGHT_BITS
            || (ADDRESS_BITS - $clog2(SUB_BANKS)) > 20 || WEIGHT_BITS > 20 || PROGRAM_BITS > 20 || PARAMETER_BITS > 20
            || DESCRIPTOR_BITS > 16 || ROUTE_BITS > 16) begin : g_wrong_memory
            wrong_parameters_a_memory_has_more_words_than_its_address_reaches stop ();
        end
        if (CONFIG_BITS < 214 || CONFIG_BITS < LOAD_BITS || CONFIG_BITS < TABLE_BITS
            || CONFIG_BITS < 11 + 2 * ACCUMULATOR_BITS) begin : g_wrong_port
            wrong_parameters_CONFIG_BITS_is_less_than_the_widest_memory_word stop ();
        end
        if (INPUT_FANOUT < 1 || INPUT_FANOUT > ROWS || CELLS_PER_STAGE < 1
            || CELLS_PER_STAGE > COLUMNS || (CELLS_PER_STAGE != 1 && CELL < 3)) begin : g_wrong_share
            wrong_parameters_INPUT_FANOUT_or_CELLS_PER_STAGE_does_not_fit_ROWS_COLUMNS_CELL stop ();
        end
        if (WEIGHT_BUFFERS < 1 || WEIGHT_BUFFERS > 2 || CELL_WEIGHT_BITS < 2 || CELL_WEIGHT_BITS > 8)
        begin : g_wrong_weights
            wrong_parameters_WEIGHT_BUFFERS_1_or_2_CELL_WEIGHT_BITS_2_to_8_do_not_hold stop ();
        end
        if (RESIDUALS < 0 || RESIDUALS > 1 || AVERAGES < 0 || AVERAGES > 1) begin : g_wrong_flag
            wrong_parameters_RESIDUALS_and_AVERAGES_must_be_0_or_1 stop ();
        end
        if (WORD_CYCLES != (CELL == 2 || CELL == 4 ? 1 : CELL == 1 ? ACCUMULATOR_BITS : 8)
            || READS != (ALPHA < WORD_CYCLES ? ALPHA : WORD_CYCLES)
            || BANKS_PER_COLUMN != (ALPHA - 1) / READS + 1
            || LANE_ROWS != (ROWS < WORD_CYCLES ? ROWS : WORD_CYCLES)
            || LANES != (ROWS - 1) / LANE_ROWS + 1) begin : g_wrong_derived
            wrong_parameters_a_derived_parameter_was_set stop ();
        end
    endgenerate
endmodule
