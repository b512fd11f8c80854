"""The multipliers' use, by the counters in the RTL: bubbles where weights are late, and no others."""

import numpy as np
import pytest

from systopack.hardware.array import Array
from systopack.hardware.tiled.timing import TiledTiming
from systopack.packing.pack import dense
from systopack.verification.verify import verify
from tests.hardware.test_cycles import one_layer
from tests.networks import random_images

WIDE = Array(rows=4, columns=48)  # its weights take 7 word times
PARALLEL = Array(rows=2, columns=30, alpha=1, cell="bit-parallel")  # 32 cycles
# (array, rows of the filter matrix, columns, output positions, word times that are lost)
CASES = {
    # The image takes 4 word times, descriptors and first words 1: the very first weights are 1 late.
    "a long load": (WIDE, 16, 8, 3, 1),
    # Two positions and 10 cycles before them are 4 word times; 2 row tiles with 2 bubbles each.
    "a long load, column tiles": (WIDE, 8, 100, 2, 2 * 2 * (7 - 4)),
    "a load as long as a visit": (WIDE, 8, 100, 6, 0),
    "a short load": (Array(rows=2, columns=2), 5, 5, 9, 0),
    # A period of 8 cycles, and 13 before it: 30 columns take their first words from 16 banks.
    "bit-parallel": (PARALLEL, 4, 90, 4, 2 * 2 * (32 - 21)),
    "bit-parallel without a bubble": (PARALLEL, 2, 90, 30, 0),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_counters_of_the_rtl_are_the_closed_form(case):
    array, rows, columns, positions, lost = case
    rng = np.random.default_rng(3)
    matrix = dense(rng.integers(-128, 128, (rows, columns)).astype(np.int8))
    network = one_layer(matrix, 1, positions)
    result = verify(network, random_images(rng, network, 2), array=array)
    assert result.passed, str(result.difference)
    row_tiles, column_tiles = -(-rows // array.rows), -(-columns // array.columns)
    assert result.entered_words == row_tiles * column_tiles * positions
    assert result.stall_words == lost


def test_the_loads_that_cases_speak_of():
    assert TiledTiming(array=WIDE).load_words == 7
    assert TiledTiming(array=PARALLEL).load_words == 32
