"""A lane behind the array against the integer reference: sums, bytes, poolings, words of planes."""

import shutil

import numpy as np
import pytest

from systopack.rtl.parameters import VERILOG
from tests.verify.lane_run import FILES, Lane, Layer, Run, add_layer, difference

SERIAL = Lane()
PARALLEL = Lane(rows=1, word_bytes=8)
LANES = {
    "bit-serial": SERIAL,
    "bit-parallel": PARALLEL,
    "balanced": Lane(rows=32, pools=1, feature_bits=13, parameter_bits=10),
    "two rows, 16 bits": Lane(rows=2, accumulator_bits=16),
    "three rows": Lane(rows=3, pools=1, residuals=0, word_bytes=8),
    "six rows, 24 bits, no pooling": Lane(rows=6, pools=0, accumulator_bits=24),
    "one row, few windows": Lane(rows=1, pools=1, pool_bits=2, accumulator_bits=16),
}


def layers(lane: Lane):
    """Layers that this lane can have."""
    yield Layer(size=(3, 5), blocks=(1, 2))
    yield Layer(size=(4, 5), blocks=(1, 2, 1), row_tiles=2, column_tiles=3, residual=True)
    yield Layer(size=(1, 1), blocks=(1,), column_tiles=3)
    yield Layer(size=(2, 3), blocks=(2,), row_tiles=2, column_tiles=2, keep=True, requantized=False)
    yield Layer(size=(1, 4), blocks=(1,), keep=True)
    yield Layer(size=(5, 5), blocks=(1, 2, 2), column_tiles=2, parts=2)
    yield Layer(size=(2, 4), blocks=(2,), row_tiles=2, parts=2)
    yield Layer(size=(1, 2), blocks=(1,))
    for pool in range(1, lane.pools + 1):
        yield Layer(size=(5, 7), blocks=(2, 2, 1), pool=pool, window=(2, 2), column_tiles=2)
        yield Layer(size=(4, 6), blocks=(4,), pool=pool, window=(2, 3), row_tiles=2)
        yield Layer(size=(2, 3), blocks=(2,), pool=pool, window=(2, 3))
        if lane.residuals:
            yield Layer(size=(3, 3), blocks=(1, 2), pool=pool, window=(3, 2), alone=True)
            yield Layer(size=(2, 3), blocks=(2,), pool=pool, alone=True, row_tiles=2)
    yield Layer(size=(3, 3), blocks=(3,), column_tiles=2)


def difference_of(lane: Lane, seed: int, verilog=VERILOG):
    random = np.random.default_rng(seed)
    run = Run(lane=lane, random=random, cycle=4)
    chosen = list(layers(lane))
    for index in random.permutation(len(chosen)):
        add_layer(run, chosen[index])
    return difference(run, lane.bench(verilog))


@pytest.mark.parametrize("name", LANES)
def test_a_lane_is_the_reference(name):
    for seed in range(3):
        assert difference_of(LANES[name], seed) is None
