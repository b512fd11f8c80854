"""Whole networks through the RTL of the tiled accelerator: every byte, every cycle."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import systopack
from systopack.errors import InvalidNetworkError
from systopack.hardware.array import Array
from systopack.hardware.named_arrays import NAMED_ARRAYS
from systopack.hardware.tiled.cycles import count_tiled
from systopack.hardware.tiled.plan import plan_tiles
from systopack.network.file import load
from systopack.network.reference import run
from systopack.rtl.program import compile_tiled, pack_plan
from systopack.verification.tiled import TiledRun, run_tiled
from systopack.verification.tiled_check import compare_run, compare_words, verify_tiled
from tests.networks import random_images, random_network
from tests.verify.test_accumulators import small_network
from tests.verify.tiled_networks import deep_network, pooled_network

ZOO = Path(systopack.__file__).parent / "zoo_data"
COMPACT = Array(
    rows=16,
    columns=8,
    cell="bit-serial-compact",
    input_fanout=8,
    cells_per_stage=4,
    weight_buffers=1,
)
HALVES = Array(
    rows=32,
    columns=2,
    cell="bit-serial-compact",
    input_fanout=16,
    cells_per_stage=2,
    weight_buffers=1,
)
SERIAL = Array(rows=8, columns=8)
PARALLEL = Array(rows=8, columns=8, cell="bit-parallel")


def planned(network, array, *, split=False, block=64):
    array = replace(array, accumulator_bits=network.accumulator_bits)
    return plan_tiles(network, array=array, split=split, block=block)


def check(network, array, *, images=2, seed=0, back_pressure=0, **options):
    plan = planned(network, array, **options)
    pixels = random_images(np.random.default_rng(seed), network, images)
    result = verify_tiled(network, pixels, array=plan.array, plan=plan, back_pressure=back_pressure)
    assert result.passed, f"{array}: {result.reason}"
    assert result.words > 0
    return result


def check_random(seed, array, *, layers=4, **options):
    rng = np.random.default_rng(seed)
    network = random_network(rng, layers=layers, concatenations=bool(seed % 2))
    return check(network, array, **options)


@pytest.mark.parametrize(
    ("array", "seed"),
    [
        pytest.param(SERIAL, 7, marks=pytest.mark.slow),
        pytest.param(PARALLEL, 16, marks=pytest.mark.slow),
        (COMPACT, 117),
    ],
    ids=str,
)
def test_a_random_network_is_equal_in_every_byte_and_cycle(array, seed):
    check_random(seed, array)


class Pooled:
    """A network with residuals, poolings and blocks on one small accelerator, and its images."""

    def __init__(self):
        self.network = pooled_network(3)
        self.plan = planned(self.network, Array(rows=4, columns=2), block=16)
        self.program = pack_plan(self.plan)
        self.cycles = count_tiled(self.network, array=self.plan.array, plan=self.plan).cycles
        self.images = random_images(np.random.default_rng(1), self.network, 3)
        self.tensors = run(self.network, self.images, keep=self.network.by_name)

    def run(self, **options) -> TiledRun:
        found = run_tiled(self.program, self.images, cycle_limit=10 * self.cycles, **options)
        assert found.assertion is None
        for image in range(len(self.images)):
            own = {name: tensor[image] for name, tensor in self.tensors.items()}
            words, difference = compare_words(self.program, found, own, image)
            assert difference is None, difference
            assert words > 600
        return found


@pytest.fixture(scope="module")
def pooled():
    return Pooled()


def test_blocks_poolings_and_sums_in_place(pooled):
    visits = [op.visits for op in pooled.plan.ops if op.kind == "tiles"]
    assert max(one.blocks for one in visits) > 1
    assert len(pooled.plan.places.fused) == 2
    assert (pooled.run().cycles == pooled.cycles).all()
    check(pooled.network, Array(rows=4, columns=2), block=16)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_host_that_waits_changes_no_byte(pooled, seed):
    assert (pooled.run(back_pressure=seed).cycles > pooled.cycles).all()


def test_a_run_after_a_reset_at_any_time_is_right_to_the_cycle(pooled):
    for cycle in np.random.default_rng(4).integers(1, pooled.cycles, 40).tolist():
        assert (pooled.run(reset_after=cycle).cycles == pooled.cycles).all(), cycle


@pytest.mark.parametrize("wrong_bytes", [1, 103, 104, 105, 311, 313, 700])
def test_an_image_of_another_length_is_dropped(pooled, wrong_bytes):
    extra = pooled.run(wrong_bytes=wrong_bytes).cycles - pooled.cycles
    assert (extra >= wrong_bytes // 8 * 8).all()
    assert (extra <= wrong_bytes + 8).all()


def test_a_run_that_does_not_end_says_so(pooled):
    with pytest.raises(InvalidNetworkError, match=r"not finish image 0 of .* within 100 cycles"):
        run_tiled(pooled.program, pooled.images, cycle_limit=100)


def test_a_changed_byte_is_found_and_named(pooled):
    tensors = {name: tensor[0].copy() for name, tensor in pooled.tensors.items()}
    found = pooled.run()
    tensors["second"][2, 1, 3] ^= 1
    difference = compare_words(pooled.program, found, tensors, 0)[1]
    assert (difference.layer, difference.where) == ("second", "row 2, position (1, 3)")
    tensors = {name: tensor[0].copy() for name, tensor in pooled.tensors.items()}
    tensors["logits"][4] += 1
    difference = compare_words(pooled.program, found, tensors, 0)[1]
    assert (difference.layer, difference.where) == ("logits", "row 4, position (0, 0)")


def test_a_word_that_is_written_to_another_place_is_found(pooled):
    found = pooled.run()
    stray = found.writes[0][-1:].copy()
    stray[0, 2] ^= 1 << (pooled.program.parameters["FEATURE_BITS"] - 1)
    changed = replace(found, writes=(np.concatenate([found.writes[0], stray]),))
    own = {name: tensor[0] for name, tensor in pooled.tensors.items()}
    difference = compare_words(pooled.program, changed, own, 0)[1]
    assert difference.layer == "third pool"
    assert difference.where.startswith("byte ")


ODD = {
    "one row": (Array(rows=1, columns=4), 11),
    "one column": (Array(rows=5, columns=1), 12),
    "33 parallel rows": (Array(rows=33, columns=2, cell="bit-parallel"), 13),
    "compact pairs": (
        Array(
            rows=5, columns=3, cell="bit-serial-compact", input_fanout=2, cells_per_stage=2,
            weight_buffers=1,
        ),
        14,
    ),
    "balanced": (Array(rows=3, columns=2, cell="balanced"), 15),
    "17 rows": (Array(rows=17, columns=3, input_fanout=4), 16),
    "products of 4 cells": (
        Array(
            rows=8, columns=8, cell="bit-parallel-compact", input_fanout=8, cells_per_stage=4,
            weight_buffers=1,
        ),
        17,
    ),
    "one parallel row": (Array(rows=1, columns=3, cell="bit-parallel"), 18),
    "40 rows": (Array(rows=40, columns=3, input_fanout=4), 19),
    "two buffers of compact cells": (Array(rows=6, columns=4, cell="bit-serial-compact"), 21),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", ODD)
def test_an_odd_array(name):
    array, seed = ODD[name]
    check_random(seed, array, back_pressure=seed)
    check_random(seed, array)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [9, 117])
def test_two_positions_at_once_in_both_halves_of_the_rows(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, layers=6, concatenations=bool(seed % 2))
    parts = [
        op.schedule.walk.parts for op in planned(network, HALVES, split=True).ops if op.schedule
    ]
    assert max(parts) == 2
    check(network, HALVES, split=True)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["bit-serial", "balanced", "bit-parallel"])
def test_one_weight_a_cell(cell):
    check(pooled_network(5, alpha=1), Array(rows=8, columns=5, alpha=1, cell=cell), block=16)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["bit-serial", "balanced", "bit-parallel"])
def test_sums_of_16_bits(cell):
    network = small_network(np.random.default_rng(8), bits=16, alpha=4)
    check(network, Array(rows=3, columns=4, alpha=4, cell=cell))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size"),
    [("lenet5-mnist", "tiny-8x8"), ("lenet5-mnist", "compact-32x32"), ("resnet20-cifar10-tenth", "compact-32x32")],
)  # fmt: skip
def test_a_trained_network(name, size):
    network = load(ZOO / f"{name}.spk")
    result = check(network, NAMED_ARRAYS[size].array, images=1)
    assert result.words > 10_000


@pytest.mark.slow
def test_weights_of_one_column_follow_each_other_in_every_load():
    check(deep_network(3, size=(2, 2), rows=4), Array(rows=9, columns=1, cell="bit-parallel"))


@pytest.mark.slow
@pytest.mark.parametrize("columns", [8, 4])
def test_operands_that_come_just_after_another_column_tile(columns):
    check(pooled_network(3), Array(rows=8, columns=columns, cell="bit-parallel"))


@pytest.mark.slow
def test_a_plane_whose_last_word_follows_soon():
    check(pooled_network(3), Array(rows=4, columns=2))  # pooled, with a row left over


@pytest.mark.slow
def test_an_idle_array_without_a_clock_gives_the_same_words():
    rng = np.random.default_rng(3)
    network = pooled_network(3)
    array = Array(
        rows=16,
        columns=4,
        alpha=8,
        cell="bit-serial-compact",
        input_fanout=8,
        weight_buffers=1,
        accumulator_bits=network.accumulator_bits,
    )
    program = compile_tiled(network, array=array)
    gated = replace(program, parameters={**program.parameters, "GATED": 1})
    images = random_images(rng, network, 2)
    words, difference = compare_run(gated, run_tiled(gated, images), images)
    assert words and difference is None
