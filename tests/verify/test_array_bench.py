"""The RTL of the array against plain integer sums, at the latency the array states."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from systopack.hardware.array import Array
from systopack.rtl.parameters import VERILOG
from systopack.verification.array_bench import (
    ArrayTile,
    array_bench,
    start_times,
    stimulus,
    sums_at,
)

ARRAYS = [
    Array(rows=5, columns=3, alpha=8),
    Array(rows=4, columns=6, alpha=5, accumulator_bits=16, input_fanout=3),
    Array(rows=3, columns=4, alpha=1, cell="bit-serial", accumulator_bits=16),
    Array(rows=1, columns=1, alpha=16),
    Array(rows=1, columns=7, alpha=2),
    Array(rows=6, columns=1, alpha=3),
    Array(rows=4, columns=3, alpha=1, cell="balanced"),
    Array(rows=3, columns=5, alpha=4, cell="balanced", accumulator_bits=16),
    Array(rows=4, columns=3, alpha=1, cell="bit-parallel"),
    Array(rows=3, columns=5, alpha=8, cell="bit-parallel", input_fanout=2),
    Array(rows=1, columns=1, alpha=1, cell="bit-parallel", accumulator_bits=16),
    Array(rows=3, columns=4, alpha=8, weight_bits=2),
    Array(rows=2, columns=3, alpha=16, weight_bits=3, accumulator_bits=16),
    Array(rows=3, columns=4, alpha=1, cell="bit-serial", weight_bits=4, accumulator_bits=16),
    Array(rows=4, columns=2, alpha=3, weight_bits=5),
    Array(rows=2, columns=2, alpha=2, weight_bits=6),
    Array(rows=2, columns=3, alpha=1, weight_bits=7, cell="bit-serial"),
    Array(rows=3, columns=2, alpha=2, weight_bits=2, cell="balanced"),
    Array(rows=2, columns=3, alpha=1, weight_bits=5, cell="balanced", accumulator_bits=16),
    Array(rows=3, columns=2, alpha=4, weight_bits=3, cell="bit-parallel", accumulator_bits=16),
    Array(rows=70, columns=2, alpha=4, input_fanout=7),
    Array(rows=5, columns=7, alpha=8, cell="bit-serial-compact", cells_per_stage=3, input_fanout=2),
    Array(rows=1, columns=1, alpha=1, cell="bit-serial-compact", accumulator_bits=16),
    Array(
        rows=4, columns=4, alpha=16, cell="bit-serial-compact", cells_per_stage=2, input_fanout=4
    ),
    Array(rows=3, columns=5, alpha=5, cell="bit-serial-compact", cells_per_stage=5),
    Array(
        rows=2, columns=3, alpha=1, cell="bit-serial-compact", weight_bits=2, accumulator_bits=16
    ),
    Array(rows=3, columns=3, alpha=2, cell="bit-serial-compact", weight_bits=5, input_fanout=3),
    Array(rows=5, columns=4, alpha=8, input_fanout=2, weight_buffers=1),
    Array(rows=3, columns=6, alpha=1, cell="bit-serial", accumulator_bits=16, weight_buffers=1),
    Array(rows=5, columns=3, alpha=4, cell="balanced", input_fanout=2, weight_buffers=1),
    Array(rows=4, columns=5, alpha=3, cell="bit-parallel", weight_buffers=1),
    Array(rows=3, columns=4, alpha=1, cell="bit-parallel", weight_bits=4, weight_buffers=1),
    Array(
        rows=5,
        columns=7,
        alpha=8,
        cell="bit-serial-compact",
        input_fanout=2,
        weight_buffers=1,
        cells_per_stage=4,
    ),
    Array(
        rows=3,
        columns=4,
        alpha=1,
        cell="bit-serial-compact",
        accumulator_bits=16,
        cells_per_stage=2,
    ),
    Array(
        rows=2,
        columns=5,
        alpha=5,
        cell="bit-serial-compact",
        weight_bits=3,
        weight_buffers=1,
        cells_per_stage=2,
    ),
    Array(
        rows=4, columns=9, alpha=2, cell="bit-serial-compact", cells_per_stage=3, weight_buffers=1
    ),
    Array(
        rows=2,
        columns=5,
        alpha=8,
        cell="bit-serial-compact",
        input_fanout=2,
        cells_per_stage=4,
    ),
    # The dense baseline of the ratios: no multiplexer, one input register for all rows.
    Array(rows=4, columns=4, alpha=1, cell="bit-serial-compact", input_fanout=4),
    Array(rows=4, columns=4, alpha=1, cell="bit-serial-compact", input_fanout=4, cells_per_stage=2),
    Array(
        rows=4,
        columns=5,
        alpha=1,
        cell="bit-serial-compact",
        input_fanout=4,
        cells_per_stage=4,
        weight_buffers=1,
    ),
    Array(rows=5, columns=3, alpha=1, cell="bit-serial-compact", input_fanout=2),
    Array(
        rows=5,
        columns=7,
        alpha=8,
        cell="bit-parallel-compact",
        input_fanout=2,
        cells_per_stage=3,
        weight_buffers=1,
    ),
    Array(
        rows=3, columns=5, alpha=3, cell="bit-parallel-compact", cells_per_stage=5, weight_bits=3
    ),
    Array(
        rows=4, columns=8, alpha=1, cell="bit-parallel-compact", cells_per_stage=4, input_fanout=4
    ),
    Array(rows=1, columns=1, alpha=2, cell="bit-parallel-compact", accumulator_bits=16),
    Array(
        rows=2,
        columns=9,
        alpha=16,
        cell="bit-parallel-compact",
        accumulator_bits=16,
        cells_per_stage=8,
        weight_buffers=1,
    ),
    Array(rows=3, columns=4, alpha=5, cell="bit-parallel-compact", weight_buffers=1),
    Array(
        rows=5,
        columns=7,
        alpha=8,
        cell="power-of-two",
        input_fanout=2,
        cells_per_stage=4,
        weight_buffers=1,
    ),
    Array(rows=1, columns=1, alpha=1, cell="power-of-two", accumulator_bits=16),
    Array(rows=3, columns=5, alpha=5, cell="power-of-two", weight_bits=4, cells_per_stage=5),
    Array(rows=3, columns=4, alpha=2, cell="power-of-two", weight_bits=2, weight_buffers=1),
    Array(rows=2, columns=20, alpha=16, cell="power-of-two", cells_per_stage=9, input_fanout=2),
]

FAST = (1, 7, 10, 13, 21, 27, 32, 38, 43, 49)  # each is built from Verilog, which takes seconds


def random_tile(rng: np.random.Generator, array: Array, positions: int) -> ArrayTile:
    def values(*shape, bits=8):
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        extreme = rng.choice([low, -1, 0, 1, high], shape)
        return np.where(rng.random(shape) < 0.5, extreme, rng.integers(low, high + 1, shape))

    half = 1 << (array.accumulator_bits - 1)
    weights = values(array.rows, array.columns, bits=array.weight_bits)
    if array.cell_kind.weights == "powers of two":
        weights = powers_of_two(array.weight_bits)[weights]
    return ArrayTile(
        weights=weights,
        index=rng.integers(0, array.alpha, (array.rows, array.columns)),
        words=values(positions, array.alpha, array.columns),
        sums=rng.integers(-half, half, (positions, array.rows)),
    )


def powers_of_two(bits: int) -> np.ndarray:
    """The weights of a cell without a multiplier, in the places of all weights."""
    powers = 1 << np.arange(bits - 1)
    allowed = np.concatenate([[0], powers, -powers, [-(1 << (bits - 1))]])
    return allowed[np.arange(1 << bits) % len(allowed)]


@pytest.mark.parametrize(
    "array",
    [
        pytest.param(
            array,
            id=f"{array.label} {array.weight_bits}",
            marks=() if number in FAST else pytest.mark.slow,
        )
        for number, array in enumerate(ARRAYS)
    ],
)
def test_every_sum_leaves_at_the_stated_cycle_with_the_right_bits(array):
    assert not list(wrong_sums(array, VERILOG))


def wrong_sums(array: Array, verilog: Path) -> Iterator[tuple[list[int], int]]:
    """Lengths of tiles that follow each other, and the position whose sums are wrong."""
    rng = np.random.default_rng(7)
    bench = array_bench(array, verilog=verilog)
    for lengths in ([9, 1, 2, 30, 1, 1, 12], [1], [3, 40]):
        tiles = [random_tile(rng, array, length) for length in lengths]
        out = bench.run(stimulus(array, tiles, rng))["sum_out"]
        for start, tile in zip(start_times(array, tiles), tiles, strict=True):
            expected = tile.expected(array.accumulator_bits)
            for t, sums in enumerate(expected):
                at = start + t * array.word_cycles + array.latency_cycles
                if not np.array_equal(sums_at(out, array, at), sums):
                    yield lengths, t


# Faults that the accelerators cannot show: they feed no sums, and tiles follow after a pause.
MUTANTS = [
    ("a sum's skew register missing", ARRAYS[0], "row_skew.v", "gone = g_stage[s-1].gone | (here & MINE)", "gone = g_stage[s-1].gone | (g_stage[s-1].here & MINE)"),
    ("weights taken over a cycle early", ARRAYS[0], "multiplexer_row.v", "take_weight = take_late[BLOCKS*PATTERN-1:ROWS*OFFSET]", "take_weight = taken"),
    ("the next weight taken a cycle too early", ARRAYS[21], "compact_array.v", "take_now = taken[STAGE+GROUP]", "take_now = taken[STAGE+GROUP-(c==3)]"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant[0])
def test_every_mutant_of_an_array_is_killed(tmp_path, mutant):
    _, array, name, old, new = mutant
    folder = tmp_path / "verilog"
    shutil.copytree(VERILOG, folder)
    text = (folder / name).read_text()
    assert text.count(old) == 1
    (folder / name).write_text(text.replace(old, new))
    assert list(wrong_sums(array, folder))
