"""Parameters that contradict each other stop elaboration, in three tools, with a message."""

import os
import shutil
import subprocess

import numpy as np
import pytest

from systopack.errors import InvalidFileError
from systopack.hardware.array import Array
from systopack.rtl.parameters import TILED_SOURCES, sources
from systopack.rtl.program import compile_tiled
from systopack.synthesis.yosys import run_yosys
from systopack.verify.verilator import find_tools
from tests.networks import random_network

TOP = "tiled_accelerator"
WRONG = [
    ({"ALPHA": 0}, "ROWS_COLUMNS_ALPHA"),
    ({"CELL": 2}, "CELL_does_not_fit"),
    ({"CELL": 3}, "CELL_does_not_fit"),
    ({"WORD_CYCLES": 16}, "CELL_does_not_fit"),
    ({"SUM_BITS": 2}, "CELL_does_not_fit"),
    ({"READS": 1}, "READS_and_BANKS"),
    ({"LANE_ROWS": 2}, "LANE_ROWS_and_LANES"),
    ({"LANES": 3}, "LANE_ROWS_and_LANES"),
    ({"BLOCKS": 2}, "BLOCKS_does_not_follow"),
    ({"INDEX_BITS": 1}, "too_small_for_what_it_counts"),
    ({"PARTS": 2}, "more_words_than_its_address"),
    ({"PROGRAM_BITS": 21}, "more_words_than_its_address"),
    ({"CONFIG_BITS": 100}, "CONFIG_BITS_is_less"),
    ({"FEED": 5}, "FEED_or_OUT"),
    ({"COLUMNS_PER_REGISTER": 2}, "share_a_register"),
    ({"LOAD_COLUMNS": 2}, "LOAD_COLUMNS_does_not_follow"),
]


@pytest.fixture(scope="module")
def right():
    network = random_network(np.random.default_rng(42), layers=3)
    return compile_tiled(network, array=Array(rows=3, columns=2)).parameters


def icarus(parameters, folder):
    if shutil.which("iverilog") is None:
        pytest.skip("needs iverilog")
    settings = [f"-P{TOP}.{name}={value}" for name, value in parameters.items()]
    command = ["iverilog", "-g2005", "-s", TOP, "-o", str(folder / "out"), *settings]
    return subprocess.run(
        [*command, *map(str, sources(TILED_SOURCES))], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("changes", "words"), WRONG, ids=str)
def test_icarus_stops_with_the_message(right, tmp_path, changes, words):
    found = icarus(right | changes, tmp_path)
    assert found.returncode != 0
    assert f"wrong_parameters_{words}" in found.stderr or words in found.stderr


def test_right_parameters_are_elaborated(right, tmp_path):
    assert icarus(right, tmp_path).returncode == 0


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
    assert found.returncode != 0 and "LANE_ROWS_and_LANES_do_not_follow" in found.stderr
    with pytest.raises(InvalidFileError, match="LANE_ROWS_and_LANES_do_not_follow"):
        run_yosys(top=TOP, sources=sources(TILED_SOURCES), parameters=wrong, commands=[])
