"""The multipliers' use, by the counters in the RTL: no bubble where the closed form has none."""

from dataclasses import replace

import numpy as np
import pytest
from systopack.hardware.timing import TiledTiming

from systopack.hardware.array import Array
from systopack.network.network import PackedNetwork
from systopack.packing.pack import dense
from systopack.verification.verify import verify
from tests.hardware.test_cycles import one_layer
from tests.networks import random_images

# (array, rows of the filter matrix, columns, output positions)
CASES = {
    # Returning sums take 7 word times, weights 1: positions as long as that leave no bubble.
    "one position short of the return": (Array(rows=2, columns=2), 2, 6, 6),
    "exactly the return": (Array(rows=2, columns=2), 2, 6, 7),
    "longer than the return": (Array(rows=2, columns=2), 5, 5, 9),
    # The load of 48 columns takes 7 word times, the return 13.
    "a long load, one column tile": (Array(rows=4, columns=48), 16, 8, 3),
    "a load as long as the positions": (Array(rows=4, columns=48), 16, 8, 7),
    "a long load and returning sums": (Array(rows=4, columns=48), 8, 60, 2),
    "bit-parallel": (Array(rows=2, columns=3, alpha=1, cell="bit-parallel"), 4, 9, 4),
    "bit-parallel without a bubble": (Array(rows=2, columns=3, alpha=1, cell="bit-parallel"), 2, 9, 30),
}  # fmt: skip
FAST = ("one position short of the return", "exactly the return")


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=name, marks=() if name in FAST else pytest.mark.slow)
        for name, case in CASES.items()
    ],
)
def test_the_counters_of_the_rtl_are_the_closed_form(case):
    array, rows, columns, positions = case
    rng = np.random.default_rng(3)
    matrix = dense(rng.integers(-128, 128, (rows, columns)).astype(np.int8))
    network = one_layer(matrix, 1, positions)
    result = verify(network, random_images(rng, network, 2), array=array)
    assert result.passed, str(result.difference)

    timing = TiledTiming(array=array)
    row_tiles, column_tiles = -(-rows // array.rows), -(-columns // array.columns)
    assert result.entered_words == row_tiles * column_tiles * positions
    bubble = max(0, max(timing.load_words, timing.return_words) - positions)
    image_words = -(-(columns * positions + 1) // array.word_cycles)
    first = max(0, timing.load_words - 1 - image_words)  # the very first weights
    between = row_tiles * (column_tiles - 1) * bubble
    # The results of a row tile leave before the next one; weights load meanwhile.
    sent = -(-(3 * array.rows * positions + 1) // array.word_cycles)
    apart = max(0, timing.load_words - positions - timing.drain_words - sent)
    assert result.stall_words == first + between + (row_tiles - 1) * apart
    if positions >= max(timing.load_words, timing.return_words) and first == 0:
        assert result.stall_words == 0


@pytest.mark.slow
@pytest.mark.parametrize("positions", [2, 5, 6])
def test_row_tiles_inside_a_network_wait_only_for_their_weights(positions):
    array = Array(rows=4, columns=40)
    rng = np.random.default_rng(5)
    hidden = one_layer(dense(rng.integers(-128, 128, (12, 10)).astype(np.int8)), 1, positions)
    first = replace(hidden.output, shift=np.full(12, 8, np.uint8))
    last = one_layer(dense(rng.integers(-128, 128, (2, 12)).astype(np.int8)), 1, positions).output
    network = PackedNetwork(
        name="two", nodes=(hidden.input, first, replace(last, name="last", source="layer"))
    )
    result = verify(network, random_images(rng, network, 1), array=array)
    assert result.passed, str(result.difference)
    timing = TiledTiming(array=array)
    assert timing.load_words == 6
    image_words = -(-(10 * positions + 1) // array.word_cycles)
    very_first = max(0, timing.load_words - 1 - image_words)
    # Two gaps between three row tiles.
    between = 2 * max(0, timing.load_words - positions)
    assert result.stall_words == very_first + between
    assert result.entered_words == 4 * positions
