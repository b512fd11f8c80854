"""Parameters that contradict each other stop elaboration, in three tools, with a message."""

import os
import shutil
import subprocess

import numpy as np
import pytest

from systopack.errors import InvalidFileError
from systopack.hardware.array import Array
from systopack.rtl.parameters import (
    AXI_TILED_SOURCES,
    PIPELINED_SOURCES,
    TILED_SOURCES,
    sources,
)
from systopack.rtl.program import compile_tiled
from systopack.synthesis.yosys import run_yosys
from systopack.verification.verilator import find_tools
from tests.networks import random_network

TOP = "tiled_accelerator"
WRONG = [
    ({"ALPHA": 0}, "ROWS_COLUMNS_and_ALPHA"),
    ({"CELL": 6}, "CELL_must_be_0_to_5"),
    ({"ACCUMULATOR_BITS": 20}, "ACCUMULATOR_BITS_whole_bytes"),
    ({"INPUT_FANOUT": 0}, "INPUT_FANOUT_or_CELLS_PER_STAGE"),
    ({"INPUT_FANOUT": 4}, "INPUT_FANOUT_or_CELLS_PER_STAGE"),
    ({"CELLS_PER_STAGE": 2}, "INPUT_FANOUT_or_CELLS_PER_STAGE"),
    ({"WEIGHT_BUFFERS": 0}, "WEIGHT_BUFFERS_1_or_2"),
    ({"WEIGHT_BUFFERS": 3}, "WEIGHT_BUFFERS_1_or_2"),
    ({"CELL_WEIGHT_BITS": 1}, "WEIGHT_BUFFERS_1_or_2"),
    ({"CELL_WEIGHT_BITS": 9}, "WEIGHT_BUFFERS_1_or_2"),
    ({"BANKS": 12}, "BANKS_must_be_a_power_of_two"),
    ({"BANKS": 512}, "BANKS_must_be_a_power_of_two"),
    ({"PHASE_BITS": 3}, "WORD_BYTES_must_be_4_or_8"),
    ({"WORD_BYTES": 2, "PHASE_BITS": 1}, "WORD_BYTES_must_be_4_or_8"),
    ({"BANK_DEPTH": 70_000}, "more_words_than_its_address"),
    ({"FEATURE_BITS": 17}, "more_words_than_its_address"),
    ({"PROGRAM_BITS": 21}, "more_words_than_its_address"),
    ({"JOB_ADDRESS_BITS": 17}, "more_words_than_its_address"),
    ({"SLOT_BITS": 11}, "a_number_of_bits"),
    ({"PARAMETER_BITS": 2}, "a_number_of_bits"),
    ({"CONFIG_BITS": 500}, "CONFIG_BITS_is_less"),
    ({"DX_BITS": 6}, "CONFIG_BITS_is_less"),
    ({"PROGRAM_WORDS": 1 << 19}, "more_words_than_its_address"),
    ({"OUTPUT_WORDS": 1 << 19}, "more_words_than_its_address"),
    ({"STREAM_WORDS": 1 << 16}, "more_words_than_its_address"),
    ({"JOB_WORDS": 1 << 16}, "more_words_than_its_address"),
    ({"PARAMETER_WORDS": 1 << 16}, "more_words_than_its_address"),
    ({"RING": 1}, "RING_must_be_0_or_2_tiles"),
    ({"RING": 2, "WEIGHT_WORDS": 1}, "RING_must_be_0_or_2_tiles"),
    ({"BEAT_BITS": 48}, "in_beats_of_32_64_or_128"),
    ({"RESIDUALS": 2}, "RESIDUALS_CLIPS_and_SPLIT"),
    ({"CLIPS": 2}, "RESIDUALS_CLIPS_and_SPLIT"),
    ({"POOLS": 3}, "RESIDUALS_CLIPS_and_SPLIT"),
    ({"GATED": 2, "WEIGHT_BUFFERS": 1}, "GATED_must_be"),
    ({"SPLIT": 1}, "SPLIT_needs_whole_lanes"),
    ({"PARALLEL": 1}, "a_derived_parameter_was_set"),
    ({"WORD_CYCLES": 16}, "a_derived_parameter_was_set"),
    ({"LANE_ROWS": 2}, "a_derived_parameter_was_set"),
    ({"LANES": 3}, "a_derived_parameter_was_set"),
]

PARALLEL = {"CELL": 2, "WORD_CYCLES": 1, "WORD_BITS": 8, "SUM_BITS": 32}
# Blocks of the layer-pipelined accelerator, changed from their defaults.
WRONG_BLOCKS = [
    ("pipe_control", {"PREPARE": 0}, "WORD_CYCLES_and_PREPARE"),
    ("pipe_control", {"PHASE_BITS": 2}, "PHASE_BITS_or_PREPARE_BITS"),
    ("pipe_control", {"PREPARE_BITS": 3}, "PHASE_BITS_or_PREPARE_BITS"),
    ("pipe_source", {"IMAGE_WORDS": 0}, "IMAGE_WORDS_PERIOD_and_CREDITS"),
    ("pipe_source", {"PERIOD": 2048}, "COUNT_BITS_or_CREDIT_BITS"),
    ("pipe_source", {"CREDITS": 8}, "COUNT_BITS_or_CREDIT_BITS"),
    ("pipe_results", {"POSITIONS": 0}, "ROWS_POSITIONS_ENTRIES_and_CREDITS"),
    ("pipe_results", {"WORD_BITS": 33}, "WORD_BITS_must_be_2_to_32"),
    ("pipe_results", {"ROWS": 17}, "a_number_of_bits"),
    ("pipe_results", {"ENTRIES": 5}, "a_number_of_bits"),
    ("pipe_results", {"POSITIONS": 8}, "a_number_of_bits"),
    ("pipe_host", {"ENTRIES": 3}, "ENTRIES_is_less_than_CREDITS"),
    ("pipe_host", {"COUNT_BITS": 9}, "COUNT_BITS_or_CREDIT_BITS"),
    ("pipe_issue", {"STRIDE_X": 0}, "sides_and_strides_must"),
    ("pipe_issue", {"RESIDUAL": 1, "RESIDUAL_WIDTH": 0}, "sides_and_strides_of_the_residual"),
    ("pipe_issue", {"INTERVAL": 0}, "INTERVAL_must_be"),
    ("pipe_issue", {"PLACE_BITS": 2}, "PLACE_BITS_is_too_small"),
    ("pipe_issue", {"COUNT_BITS": 7}, "COUNT_BITS_is_too_small"),
    ("pipe_window", {"READS": 0}, "CHANNELS_DEPTH_and_READS"),
    ("pipe_window", {"ADDRESS_BITS": 4}, "ADDRESS_BITS_or_READ_BITS"),
    ("pipe_window", {"READ_BITS": 2}, "ADDRESS_BITS_or_READ_BITS"),
    ("pipe_window", {"STEP_Y": 20}, "a_step_is_not_below_DEPTH"),
    ("pipe_window", {"FILL": 256}, "FILL_must_be"),
    ("pipe_window", {"OFFSETS": 20 << 16}, "an_entry_of_OFFSETS"),
    ("pipe_streams", {"STREAMS": 0}, "STREAMS_and_CHANNELS"),
    ("pipe_streams", {"WORD_BITS": 4}, "WORD_BITS_must_be_1_or_8"),
    ("pipe_streams", {"CHANNEL": 4}, "an_entry_of_CHANNEL_or_TURN"),
    ("pipe_streams", {"TURN": 8 << 16}, "an_entry_of_CHANNEL_or_TURN"),
    ("pipe_array", {"TILE_ROWS": 0}, "ROWS_COLUMNS_ALPHA_and_TILE_ROWS"),
    ("pipe_array", {"BLOCKS": 2}, "BLOCKS_and_OFFSET"),
    ("pipe_array", {"LEVELS": 1}, "LEVELS_does_not_follow"),
    ("pipe_array", {"WORD_CYCLES": 16}, "CELL_does_not_fit"),
    ("pipe_array", PARALLEL | {"TILE_ROWS": 2}, "only_CELL_0"),
    ("pipe_array", PARALLEL | {"CELLS_PER_STAGE": 2}, "CELL_does_not_fit"),
    ("pipe_array", {"INDEX_BITS": 2}, "a_number_of_bits"),
    ("pipe_array", {"FIRST": 8}, "FIRST_or_EXTRA"),
    ("pipe_array", {"SLOTS": 5}, "an_entry_of_SLOTS"),
    ("pipe_lane", {"ROW_BITS": 2}, "ROW_BITS_does_not_fit"),
    ("pipe_lane", {"OUTPUT_BITS": 16}, "OUTPUT_BITS_must_be"),
    ("pipe_pool", {"READS": 0}, "CHANNELS_READS_and_LANE_CHANNELS"),
    ("pipe_pool", {"READ_BITS": 1}, "READ_BITS_or_LANE_BITS"),
    ("pipe_pool", {"MULTIPLIER": 32768}, "MAXIMUM_MULTIPLIER_or_SHIFT"),
    ("array_clock", {"GATED": 2}, "GATED_must_be"),
]
BLOCKS = sorted({top for top, _, _ in WRONG_BLOCKS})


@pytest.fixture(scope="module")
def right():
    network = random_network(np.random.default_rng(42), layers=3)
    return compile_tiled(network, array=Array(rows=3, columns=2)).parameters


def icarus(parameters, folder, top=TOP, names=TILED_SOURCES):
    if shutil.which("iverilog") is None:
        pytest.skip("needs iverilog")
    settings = [f"-P{top}.{name}={value}" for name, value in parameters.items()]
    command = ["iverilog", "-g2005", "-s", top, "-o", str(folder / "out"), *settings]
    return subprocess.run(
        [*command, *map(str, sources(names))], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("changes", "words"), WRONG, ids=str)
def test_icarus_stops_with_the_message(right, tmp_path, changes, words):
    found = icarus(right | changes, tmp_path)
    assert found.returncode != 0
    assert f"wrong_parameters_{words}" in found.stderr or words in found.stderr


TOPS = [
    *((top, AXI_TILED_SOURCES) for top in (TOP, "axi_tiled", "tiled_rules", "systolic_array")),
    *((top, AXI_TILED_SOURCES) for top in ("visit_control", "output_walk", "sum_lane")),
    *((top, AXI_TILED_SOURCES) for top in ("array_core", "stream_table", "tile_weights")),
    *((top, AXI_TILED_SOURCES) for top in ("weight_ring", "visit_waits", "axi_weights")),
    *((top, AXI_TILED_SOURCES) for top in ("fetch_bank", "feature_bank", "word_streams")),
]


@pytest.mark.parametrize(
    ("top", "names"), TOPS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_top_is_elaborated_with_its_own_defaults(tmp_path, top, names):
    """As yosys does before it gives a top module the parameters it was asked for."""
    found = icarus({}, tmp_path, top, names)
    assert found.returncode == 0, found.stderr


def test_right_parameters_are_elaborated(right, tmp_path):
    assert icarus(right, tmp_path).returncode == 0


@pytest.mark.parametrize(("top", "changes", "words"), WRONG_BLOCKS, ids=str)
def test_a_pipelined_block_stops_with_the_message(tmp_path, top, changes, words):
    found = icarus(changes, tmp_path, top, PIPELINED_SOURCES)
    assert found.returncode != 0 and f"wrong_parameters_{words}" in found.stderr, found.stderr


@pytest.mark.parametrize("top", BLOCKS)
def test_a_pipelined_block_of_right_parameters_is_elaborated(tmp_path, top):
    found = icarus({}, tmp_path, top, PIPELINED_SOURCES)
    assert found.returncode == 0, found.stderr


def test_every_block_of_the_pipelined_accelerator_checks_its_parameters():
    named = {name.removesuffix(".v") for name in PIPELINED_SOURCES if name.startswith("pipe_")}
    assert named | {"array_clock"} == set(BLOCKS)


@pytest.mark.parametrize(
    ("changes", "words"), [({"RESULTS": 0}, "RESULTS_must_be"), ({"ROWS": 2050}, "more_lanes_than")]
)
def test_the_ports_stop_with_the_message(right, tmp_path, changes, words):
    found = icarus(right | {"RESULTS": 4} | changes, tmp_path, "axi_tiled", AXI_TILED_SOURCES)
    assert found.returncode != 0 and f"wrong_parameters_{words}" in found.stderr, found.stderr


@pytest.mark.slow
def test_verilator_and_yosys_stop_with_the_message(right):
    wrong = right | {"LANES": 3}
    tools = find_tools()
    command = [tools.verilator, "--lint-only", "-Wno-fatal", "--top-module", TOP]
    found = subprocess.run(
        [*command, *(f"-G{n}={v}" for n, v in wrong.items()), *map(str, sources(TILED_SOURCES))],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "VERILATOR_ROOT": str(tools.root)},
    )
    assert found.returncode != 0 and "a_derived_parameter_was_set" in found.stderr
    with pytest.raises(InvalidFileError, match="a_derived_parameter_was_set"):
        run_yosys(top=TOP, sources=sources(TILED_SOURCES), parameters=wrong, commands=[])
