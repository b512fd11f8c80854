"""Nothing is fitted from a netlist whose sums are wrong."""

from dataclasses import replace

import numpy as np
import pytest

from systopack.errors import InvalidFileError
from systopack.hardware.array import Array
from systopack.synthesis.asic import map_array
from systopack.synthesis.characterize import measured
from systopack.synthesis.gate_simulation import Activity, GateSimulation
from systopack.synthesis.liberty import read_library
from systopack.synthesis.workload import Workload, record_runs, simulate_workload
from systopack.verification.array_bench import start_times
from tests.verify.test_array_bench import random_tile

# The dense baseline of every ratio.
ARRAY = Array(rows=2, columns=3, alpha=1, cell="bit-serial-compact", input_fanout=2)


def work_of(tiles):
    runs = (tuple(tiles),) * 64
    return Workload(
        array=ARRAY,
        inputs=record_runs(ARRAY, runs),
        runs=runs,
        first_cycle=start_times(ARRAY, tiles)[0],
    )


def right_sums(work):
    """What an array that computes right puts on its wires, from plain integer sums."""
    tiles = work.runs[0]
    bits = ARRAY.accumulator_bits
    out = np.zeros((work.cycles, bits // 8 * ARRAY.rows), dtype=np.uint64)
    for start, tile in zip(start_times(ARRAY, tiles), tiles, strict=True):
        for position, sums in enumerate(tile.expected(bits)):
            at = start + position * ARRAY.word_cycles + ARRAY.latency_cycles
            for row, value in enumerate(sums):
                for bit in range(bits):
                    if int(value) >> bit & 1:
                        out[at + bit, bit // 8 * ARRAY.rows + row] = ~np.uint64(0)
    return out


class FixedSimulation:
    """In place of a netlist: it gives the sums it was given."""

    def __init__(self, sums):
        self.sums = sums
        self.netlist = None

    def run(self, inputs, *, warm_up):
        return Activity(
            cycles=1,
            ones=np.zeros(1, np.int64),
            toggles=np.zeros(1, np.int64),
            clocked={},
            outputs={"sum_out": self.sums},
        )


def test_right_sums_pass_and_one_wrong_bit_is_refused():
    rng = np.random.default_rng(3)
    work = work_of([random_tile(rng, ARRAY, 5), random_tile(rng, ARRAY, 5)])
    sums = right_sums(work)
    _, checked = simulate_workload(work, FixedSimulation(sums))
    assert checked == 64 * 2 * 5 * ARRAY.rows
    at = start_times(ARRAY, work.runs[0])[1] + ARRAY.latency_cycles
    sums[at, 0] ^= np.uint64(1 << 63)  # in one of the 64 runs
    with pytest.raises(InvalidFileError, match="gives wrong sums"):
        simulate_workload(work, FixedSimulation(sums))


def test_coefficients_are_not_fitted_from_wrong_sums():
    rng = np.random.default_rng(3)
    tile = random_tile(rng, ARRAY, 4)
    wrong = work_of([replace(tile, sums=tile.sums ^ 1)])
    simulation = FixedSimulation(right_sums(work_of([tile])))
    with pytest.raises(InvalidFileError, match="gives wrong sums"):
        measured(wrong, "layer", simulation, None, 1.0)


@pytest.mark.slow
def test_parallel_cells_of_the_librarys_full_adders_give_the_right_sums():
    array = Array(
        rows=2,
        columns=3,
        alpha=2,
        cell="bit-parallel-compact",
        input_fanout=2,
        cells_per_stage=2,
        weight_bits=4,
        weight_buffers=1,
    )
    rng = np.random.default_rng(3)
    runs = tuple(tuple(random_tile(rng, array, 6) for _ in range(2)) for _ in range(64))
    work = Workload(
        array=array,
        inputs=record_runs(array, runs),
        runs=runs,
        first_cycle=start_times(array, runs[0])[0],
    )
    netlist = map_array(array, library=read_library())
    _, checked = simulate_workload(work, GateSimulation(netlist))
    assert checked == 64 * 2 * 6 * array.rows
    # One for every three bits that become two: of 2 and 1 products of 4 x 8 bits, in 2 rows.
    adders = sum(len(item) for name, item in netlist.instances.items() if "__fa" in name)
    assert adders >= 2 * (64 - 2 * 13 + 32 - 2 * 12)
