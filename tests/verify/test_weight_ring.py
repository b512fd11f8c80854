"""Weights that come as a stream, in the RTL: every byte, every cycle, and what pauses may change."""

from dataclasses import replace

import numpy as np
import pytest

from systopack.errors import InvalidNetworkError
from systopack.hardware.array import Array
from systopack.hardware.named_arrays import NAMED_ARRAYS
from systopack.hardware.tiled.cycles import count_tiled
from systopack.hardware.tiled.plan import plan_tiles
from systopack.hardware.tiled.timing import TiledTiming
from systopack.hardware.tiled.weight_ring import WeightMemory
from systopack.network.file import load
from systopack.network.reference import run
from systopack.rtl.accesses import merged, tiled_accesses
from systopack.rtl.host import COMMIT, DATA
from systopack.rtl.parameters import VERILOG
from systopack.rtl.program import WEIGHTS, compile_tiled, pack_plan
from systopack.verification.tiled import run_tiled
from systopack.verification.tiled_check import compare_run, verify_tiled
from tests.networks import random_images, random_network
from tests.verify.axi_host import OKAY, SLVERR, SimulatedBoard
from tests.verify.test_accesses import counted_in_verilog
from tests.verify.test_axi import idle, memory_of
from tests.verify.test_tiled import ODD, ZOO
from tests.verify.tiled_networks import deep_network, pooled_network

AHEAD = Array(rows=12, columns=4, cell="bit-parallel")
ALONE = Array(
    rows=12, columns=3, cell="bit-parallel-compact", cells_per_stage=2, weight_buffers=1
)  # fmt: skip


def memory(array, tiles, beat_bits=32):
    """A memory of so many tiles."""
    bits = TiledTiming(array=array).weight_bits * array.load_cycles
    return WeightMemory(capacity_bytes=-(-tiles * bits // 8), beat_bits=beat_bits)


def check(network, array, tiles, *, beat_bits=32, block=64, images=2):
    """Equal with a stream that never pauses, and in every byte with one that does."""
    array = replace(array, accumulator_bits=network.accumulator_bits)
    plan = plan_tiles(network, array=array, block=block, weights=memory(array, tiles, beat_bits))
    pixels = random_images(np.random.default_rng(0), network, images)
    for pressure in (0, 5):
        found = verify_tiled(network, pixels, array=array, plan=plan, back_pressure=pressure)
        assert found.passed, f"{array} {pressure}: {found.reason}"
    return plan, count_tiled(network, array=array, plan=plan)


class Ring:
    """A network on an accelerator whose weight memory holds two tiles of it."""

    def __init__(self, array):
        self.network = deep_network(1, size=(4, 4), rows=6)
        self.plan = plan_tiles(self.network, array=array, block=4, weights=memory(array, 2))
        self.program = pack_plan(self.plan)
        self.counted = count_tiled(self.network, array=array, plan=self.plan)
        self.images = random_images(np.random.default_rng(1), self.network, 3)

    def run(self, *, cycles=True, **options):
        limit = 10 * self.counted.cycles
        found = run_tiled(self.program, self.images, cycle_limit=limit, **options)
        assert found.assertion is None
        words, difference = compare_run(self.program, found, self.images, cycles=cycles)
        assert words and difference is None, difference
        return found


@pytest.fixture(
    scope="module",
    params=[AHEAD, pytest.param(ALONE, marks=pytest.mark.slow)],
    ids=["ahead", "alone"],
)
def ring(request):
    return Ring(request.param)


def test_a_stream_that_never_pauses_is_equal_in_every_byte_and_cycle(ring):
    without = count_tiled(ring.network, array=ring.plan.array, plan=replace(ring.plan, ring=None))
    assert ring.counted.stall_words > without.stall_words + 30
    visits = [op.visits for op in ring.plan.ops if op.kind == "tiles"]
    many = [one for one in visits if one.blocks > 1]
    assert {ring.plan.ring.keeps(one.column_tiles, one.blocks) for one in many} == {False, True}
    assert (ring.run().stalled == ring.counted.stall_words).all()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_stream_that_pauses_changes_no_byte(ring, seed):
    found = ring.run(cycles=False, back_pressure=seed)
    assert (found.cycles > ring.counted.cycles).all()


def test_a_run_after_a_reset_at_any_time_is_right_to_the_cycle(ring):
    for cycle in np.random.default_rng(4).integers(1, ring.counted.cycles, 25).tolist():
        ring.run(reset_after=cycle)


@pytest.mark.parametrize("beats", [-1, -40, 1, 300])
def test_a_stream_of_another_length_is_not_taken_for_right(ring, beats):
    own = ring.program.weight_beats
    wrong = replace(ring.program, weight_beats=np.resize(own, (len(own) + beats, own.shape[1])))
    with pytest.raises(InvalidNetworkError, match="did not finish image 0"):
        run_tiled(wrong, ring.images, cycle_limit=4 * ring.counted.cycles)


@pytest.mark.slow
def test_the_accesses_of_its_memory_are_counted(ring, tmp_path):
    counted = merged(*tiled_accesses(ring.program))["weights"]
    found = counted_in_verilog(ring.program, ring.images, tmp_path / "probe", VERILOG)["weights"]
    assert [counted.reads, counted.writes] == found


@pytest.fixture(scope="module")
def ready():
    """A configured board, four images and what each gives."""
    network = deep_network(2)
    program = compile_tiled(network, array=AHEAD, weights=memory(AHEAD, 2, 64))
    images = random_images(np.random.default_rng(6), network, 4)
    expected = run(network, images)[network.output.name].reshape(4, -1)
    return program, SimulatedBoard(program, back_pressure=3), images, expected


@pytest.fixture
def board(ready):
    program, board, _, _ = ready
    board.reset()
    board.host.configure(program)
    return board


def test_the_axi_port_takes_a_stream_for_every_image(ready, board):
    program, _, images, expected = ready
    memory_of(board, WEIGHTS)  # which no host can write
    assert board.write(DATA, 1) == OKAY and board.write(COMMIT, 0) == SLVERR
    board.send_weights()  # of the next image: it waits for its start
    for image, wanted in zip(images, expected, strict=True):
        board.host.start()
        board.send(image)
        board.send_weights()
        assert np.array_equal(board.results(cycle_limit=100_000), wanted)
        idle(board)
    assert board.waiting_weights == len(program.weight_beats)
    assert not board.host.wrong_weights() and board.violations() == 0


def test_a_host_that_never_waits_sees_the_cycles_of_the_model(ready):
    program, _, images, expected = ready
    board = SimulatedBoard(program)
    board.host.configure(program)
    for image, wanted in zip(images, expected, strict=True):
        board.send_weights()
        board.send(image)
        board.host.start()
        assert np.array_equal(board.results(cycle_limit=100_000), wanted)
        idle(board)
        counted = count_tiled(program.network, array=program.array, plan=program.plan)
        assert board.host.cycles() == counted.cycles
        assert board.host.stall_words() == counted.stall_words
    assert board.violations() == 0


def test_an_abort_throws_the_rest_of_the_stream_away(ready, board):
    _, _, images, expected = ready
    for cycles in range(60, 1200, 171):
        board.host.start()
        board.send(images[0])
        board.send_weights()
        board.advance(cycles)
        board.host.abort()
        board.advance(20_000)
        board.received()
        assert board.waiting_weights == 0
        board.host.start()
        board.send(images[0], beats=2, last=False)
        board.send_weights(beats=9, last=False)  # of a stream that is cut off
        board.advance(200)
        board.host.abort()
        board.send(images[0], beats=1)
        board.send_weights(beats=1)  # its rest, up to TLAST
        idle(board)
        assert np.array_equal(board.run(images[1]), expected[1]), cycles
        idle(board)
        assert board.waiting_weights == 0 and board.violations() == 0


def test_a_stream_that_is_too_short_is_told_and_the_run_waits(ready, board):
    _, _, images, expected = ready
    board.host.start()
    board.send(images[0])
    board.send_weights(beats=30)
    board.advance(20_000)
    assert board.host.busy() and board.host.wrong_weights()
    board.host.abort()
    idle(board)
    board.host.wrong_weights()
    assert np.array_equal(board.run(images[1]), expected[1])
    idle(board)
    assert not board.host.wrong_weights()


def test_a_stream_that_is_too_long_is_told_and_thrown_away(ready, board):
    program, _, images, expected = ready
    board.host.start()
    board.send(images[0])
    board.send_weights(beats=len(program.weight_beats) + 100)
    assert np.array_equal(board.results(cycle_limit=100_000), expected[0])
    idle(board)
    assert board.host.wrong_weights() and not board.host.wrong_weights()
    assert np.array_equal(board.run(images[2]), expected[2])
    idle(board)
    assert not board.host.wrong_weights()


@pytest.mark.slow
@pytest.mark.parametrize("name", ODD)
def test_random_networks_on_odd_arrays(name):
    array, seed = ODD[name]
    network = random_network(np.random.default_rng(seed), layers=4, concatenations=bool(seed % 2))
    plan, _ = check(network, array, 2 + seed % 3, beat_bits=(32, 64, 128)[seed % 3])
    assert plan.ring is not None


SLOW_STREAMS = {
    "bit-serial": (Array(rows=18, columns=6), 2),
    "balanced": (Array(rows=24, columns=4, cell="balanced"), 2),
    "two buffers of compact cells": (Array(rows=24, columns=5, cell="bit-serial-compact"), 3),
    "compact": (
        Array(rows=20, columns=6, cell="bit-serial-compact", cells_per_stage=3, weight_buffers=1),
        2,
    ),
    "one column": (Array(rows=9, columns=1, cell="bit-parallel"), 4),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW_STREAMS)
def test_tiles_that_are_waited_for(name):
    array, tiles = SLOW_STREAMS[name]
    check(deep_network(3, size=(4, 4), rows=8), array, tiles, block=4)


@pytest.mark.slow
def test_residuals_and_poolings_between_tiles_that_come():
    check(pooled_network(3), Array(rows=4, columns=2), 2, block=16)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size", "tiles"),
    [
        ("lenet5-mnist", "tiny-8x8", 3),
        ("lenet5-mnist", "compact-32x32", 21),
        ("resnet20-cifar10-tenth", "compact-32x32", 6),
    ],
)
def test_a_trained_network(name, size, tiles):
    check(load(ZOO / f"{name}.spk"), NAMED_ARRAYS[size].array, tiles, images=1, beat_bits=64)
