// SPDX-License-Identifier: Apache-2.0
// Parameters of the accelerator with one feature memory that contradict each other stop elaboration.
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
    parameter BANKS = 16,
    parameter WORD_BYTES = 4,
    parameter PHASE_BITS = 2,
    parameter BANK_DEPTH = 1024,
    parameter FEATURE_BITS = 10,
    parameter SLOT_BITS = 6,
    parameter DX_BITS = 2,
    parameter OFFSET_BITS = 12,
    parameter STREAM_ADDRESS_BITS = 8,
    parameter STREAM_WORDS = 1 << STREAM_ADDRESS_BITS,
    parameter JOB_ADDRESS_BITS = 8,
    parameter JOB_WORDS = 1 << JOB_ADDRESS_BITS,
    parameter DISPLACEMENT_ADDRESS_BITS = 5,
    parameter PARAMETER_BITS = 8,
    parameter PARAMETER_WORDS = 1 << PARAMETER_BITS,
    parameter SUM_POSITION_BITS = 6,
    parameter POOL_BITS = 4,
    parameter PROGRAM_BITS = 8,
    parameter PROGRAM_WORDS = 1 << PROGRAM_BITS,
    parameter OUTPUT_WORDS = 1 << PROGRAM_BITS,
    parameter WEIGHT_BITS = 10,
    parameter WEIGHT_WORDS = 1024,
    parameter RING = 0,
    parameter BEAT_BITS = 32,
    parameter LOADS = 32,
    parameter RESIDUALS = 1,
    parameter POOLS = 2,
    parameter CLIPS = 1,
    parameter SPLIT = 0,
    parameter CONFIG_BITS = 1024,
    parameter LOAD_BITS = 352,     // widths of memory words
    parameter STREAM_WORD = 1024,
    parameter JOB_BITS = 31,
    parameter ROW_WORD = 120,
    parameter ROW_BITS = 3,
    parameter WRITES = 2,
    parameter PARALLEL = 0,
    parameter WORD_CYCLES = 8,
    parameter LANE_ROWS = 8,
    parameter LANES = 4
) ();
    generate
        if (ROWS < 1 || COLUMNS < 1 || ALPHA < 1) begin : g_wrong_size
            wrong_parameters_ROWS_COLUMNS_and_ALPHA_must_be_1_or_more stop ();
        end
        if (CELL < 0 || CELL > 5 || ACCUMULATOR_BITS % 8 != 0) begin : g_wrong_cell
            wrong_parameters_CELL_must_be_0_to_5_and_ACCUMULATOR_BITS_whole_bytes stop ();
        end
        if (INPUT_FANOUT < 1 || INPUT_FANOUT > ROWS || CELLS_PER_STAGE < 1
            || CELLS_PER_STAGE > COLUMNS || (CELLS_PER_STAGE != 1 && CELL < 3)) begin : g_wrong_share
            wrong_parameters_INPUT_FANOUT_or_CELLS_PER_STAGE_does_not_fit_ROWS_COLUMNS_CELL stop ();
        end
        if (WEIGHT_BUFFERS < 1 || WEIGHT_BUFFERS > 2 || CELL_WEIGHT_BITS < 2 || CELL_WEIGHT_BITS > 8)
        begin : g_wrong_weights
            wrong_parameters_WEIGHT_BUFFERS_1_or_2_CELL_WEIGHT_BITS_2_to_8_do_not_hold stop ();
        end
        if (LANES > 256 || BANKS < 2 || BANKS > 256 || 1 << $clog2(BANKS) != BANKS || WRITES > 15) begin : g_wrong_banks
            wrong_parameters_BANKS_must_be_a_power_of_two_that_ROWS_can_write_to stop ();
        end
        if ((WORD_BYTES != 4 && WORD_BYTES != 8) || WORD_BYTES != 1 << PHASE_BITS) begin : g_wrong_word
            wrong_parameters_WORD_BYTES_must_be_4_or_8_and_PHASE_BITS_number_them stop ();
        end
        if (BANK_DEPTH < 1 || BANK_DEPTH > 1 << FEATURE_BITS || WEIGHT_WORDS > 1 << WEIGHT_BITS
            || FEATURE_BITS > 16 || WEIGHT_BITS > 20 || PROGRAM_BITS > 20 || PARAMETER_BITS > 20
            || STREAM_ADDRESS_BITS > 16 || JOB_ADDRESS_BITS > 16
            || STREAM_WORDS > 1 << STREAM_ADDRESS_BITS || JOB_WORDS > 1 << JOB_ADDRESS_BITS
            || PROGRAM_WORDS > 1 << PROGRAM_BITS || OUTPUT_WORDS > 1 << PROGRAM_BITS
            || PARAMETER_WORDS > 1 << PARAMETER_BITS
            || DISPLACEMENT_ADDRESS_BITS > 12) begin : g_wrong_memory
            wrong_parameters_a_memory_has_more_words_than_its_address_reaches stop ();
        end
        if (RING < 0 || RING == 1 || (RING != 0 && (RING * LOADS != WEIGHT_WORDS || WEIGHT_WORDS >= 1 << 19))
            || (BEAT_BITS != 32 && BEAT_BITS != 64 && BEAT_BITS != 128)) begin : g_wrong_ring
            wrong_parameters_RING_must_be_0_or_2_tiles_and_fill_WEIGHT_WORDS_in_beats_of_32_64_or_128 stop ();
        end
        if (SLOT_BITS < 1 || SLOT_BITS > 10 || DX_BITS < 1 || DX_BITS > 12 || OFFSET_BITS < 1
            || SUM_POSITION_BITS < 1 || SUM_POSITION_BITS > 24 || POOL_BITS < 1 || POOL_BITS > 12
            || (LANE_ROWS > 1 && PARAMETER_BITS <= ROW_BITS)) begin : g_wrong_field
            wrong_parameters_a_number_of_bits_does_not_fit_its_field stop ();
        end
        if (CONFIG_BITS < 504 || (RING == 0 && CONFIG_BITS < LOAD_BITS) || CONFIG_BITS < STREAM_WORD
            || CONFIG_BITS < JOB_BITS || CONFIG_BITS < ROW_WORD || CONFIG_BITS < 13 << DX_BITS)
        begin : g_wrong_port
            wrong_parameters_CONFIG_BITS_is_less_than_the_widest_memory_word stop ();
        end
        if (RESIDUALS < 0 || RESIDUALS > 1 || POOLS < 0 || POOLS > 2 || SPLIT < 0 || SPLIT > 1
            || CLIPS < 0 || CLIPS > 1)
        begin : g_wrong_flag
            wrong_parameters_RESIDUALS_CLIPS_and_SPLIT_must_be_0_or_1_POOLS_0_to_2 stop ();
        end
        if (SPLIT == 1 && (ROWS % 2 != 0 || ROWS / 2 % LANE_ROWS != 0)) begin : g_wrong_split
            wrong_parameters_SPLIT_needs_whole_lanes_in_each_half_of_the_rows stop ();
        end
        if (PARALLEL != (CELL == 2 || CELL == 4 ? 1 : 0)
            || WORD_CYCLES != (CELL == 2 || CELL == 4 ? 1 : CELL == 1 ? ACCUMULATOR_BITS : 8)
            || LANE_ROWS != (ROWS < WORD_CYCLES ? ROWS : WORD_CYCLES)
            || LANES != (ROWS - 1) / LANE_ROWS + 1) begin : g_wrong_derived
            wrong_parameters_a_derived_parameter_was_set stop ();
        end
    endgenerate
endmodule
