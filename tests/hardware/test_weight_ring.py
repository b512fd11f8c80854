"""A weight memory that does not hold all tiles: what is kept, what comes, and when."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array
from systopack.hardware.tiled.cycles import count_tiled, op_cycles
from systopack.hardware.tiled.plan import plan_tiles
from systopack.hardware.tiled.timing import TiledTiming
from systopack.hardware.tiled.weight_ring import RingTimes, WeightMemory, WeightRing
from systopack.packing.pack import dense
from systopack.rtl.program import WEIGHTS, compile_tiled, pack_plan
from systopack.rtl.write import write_rtl
from systopack.verification.verify import verify
from tests.hardware.test_cycles import one_layer, ones
from tests.networks import random_images
from tests.verify.tiled_networks import deep_network

WIDE = Array(rows=16, columns=4, alpha=1, cell="bit-parallel", input_fanout=16)
PARALLEL = Array(rows=12, columns=4, cell="bit-parallel")


def tiles(array, count, beat_bits=32):
    """A memory of so many tiles."""
    bits = TiledTiming(array=array).weight_bits * array.load_cycles
    return WeightMemory(capacity_bytes=-(-count * bits // 8), beat_bits=beat_bits)


def takes(network, array, weights):
    plan = plan_tiles(network, array=array, weights=weights)
    tiles_of = [one for one in op_cycles(plan) if one.op and one.op.kind == "tiles"]
    return [take for one in tiles_of for take in one.takes.tolist()]


def test_tiles_that_come_by_hand():
    # A word of 16 rows of 9 bits is 5 beats, a tile of 4 words 20; swap 1 and load 4.
    network = one_layer(dense(ones(16, 12)), 1, 1)
    # The first tile's last beat comes in cycle 19; 3 cycles later it loads, and so the others.
    assert takes(network, WIDE, tiles(WIDE, 2)) == [27, 47, 67]
    # Beats of 64 bits: 3 a word, 12 a tile.
    assert takes(network, WIDE, tiles(WIDE, 2, 64))[1:] == [23 + 3 + 5, 35 + 3 + 5]
    assert takes(network, WIDE, None) == takes(network, WIDE, tiles(WIDE, 3))


def test_a_full_ring_stops_the_stream():
    times = RingTimes(WeightRing(tiles=2, beat_bits=32), TiledTiming(array=WIDE))
    alone = {"first": True, "leaves": True}
    assert times.take(0, **alone) == 27  # its place takes beats again from 29 on
    assert times.take(500, **alone) == 500  # a long visit before it; its place from 502 on
    # The third tile came into the first one's place, and loads with the second visit.
    assert times.take(501, **alone) == 500 + 5
    # The fourth one's beats are 502..521, its load begins in 524.
    assert times.take(506, **alone) == 524 + 5


def test_what_stays_for_all_blocks_comes_once():
    network = deep_network(1, size=(4, 4), rows=6)
    plan = plan_tiles(network, array=PARALLEL, block=4, weights=tiles(PARALLEL, 2))
    visits = [op.visits for op in plan.ops if op.kind == "tiles"]
    many = [one for one in visits if one.blocks > 1]
    assert {plan.ring.keeps(one.column_tiles, one.blocks) for one in many} == {False, True}
    counted = count_tiled(network, array=PARALLEL, plan=plan)
    own = plan.ring.tile_bytes(plan.timing)
    for one, step in zip(visits, [s for s in counted.steps if s.kind == "layer"], strict=True):
        kept = one.blocks == 1 or one.column_tiles <= 2
        assert step.weight_bytes == own * one.column_tiles * (1 if kept else one.blocks)
    program = pack_plan(plan)
    assert program.weight_beats.nbytes == counted.weight_bytes
    assert WEIGHTS not in {image.memory for image in program.images}
    # In the order of visits: words of a tile as the memory of all tiles has them.
    whole = pack_plan(plan_tiles(network, array=PARALLEL, block=4)).images[WEIGHTS].words[0]
    beats = program.weight_beats.reshape(-1, PARALLEL.load_cycles, whole.shape[1])
    order, first = [], 0
    for one in visits:
        numbers = list(range(first, first + one.column_tiles))
        order += numbers * (plan.ring.streamed(one.column_tiles, one.blocks) // one.column_tiles)
        first += one.column_tiles
    assert np.array_equal(beats, whole.reshape(-1, PARALLEL.load_cycles, whole.shape[1])[order])


def test_a_memory_that_holds_all_is_the_one_without_a_stream():
    network = deep_network(1)
    all_tiles = plan_tiles(network, array=PARALLEL).tiles
    enough = compile_tiled(network, array=PARALLEL, weights=tiles(PARALLEL, all_tiles))
    whole = compile_tiled(network, array=PARALLEL)
    assert enough.plan.ring is None and enough.weight_beats is None
    assert enough.parameters == whole.parameters and "RING" not in whole.parameters
    less = compile_tiled(network, array=PARALLEL, weights=tiles(PARALLEL, all_tiles - 1))
    assert less.parameters["RING"] == all_tiles - 1


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 20),
    places=st.integers(2, 8),
    beat_bits=st.sampled_from([32, 64, 128]),
    alone=st.booleans(),
)
def test_no_cycle_is_won_by_a_smaller_memory(seed, places, beat_bits, alone):
    network = deep_network(seed)
    array = replace(PARALLEL, cell="bit-parallel-compact", weight_buffers=1 if alone else 2)
    weights = tiles(array, places, beat_bits)
    whole, counted = (count_tiled(network, array=array, weights=w) for w in (None, weights))
    assert counted.cycles >= whole.cycles and counted.entered_words == whole.entered_words
    assert counted.cycles - whole.cycles == counted.stall_words - whole.stall_words
    if counted.ring is not None:
        assert counted.cycles >= 8 * counted.weight_bytes // beat_bits


def test_sizes_that_cannot_be_are_refused_by_name(tmp_path):
    network = deep_network(1)
    two = tiles(PARALLEL, 2).capacity_bytes
    small = WeightMemory(capacity_bytes=two - 1)
    with pytest.raises(InvalidOptionError, match=rf"must hold two tiles .* give it {two} bytes"):
        write_rtl(network, array=PARALLEL, out=tmp_path / "rtl", weights=small)
    assert not (tmp_path / "rtl").exists()
    assert plan_tiles(network, array=PARALLEL, weights=tiles(PARALLEL, 2)).ring.tiles == 2
    for size, bits, what in ((0, 64, "0 bytes"), (True, 64, "True bytes"), (9, 48, "48 bits")):
        with pytest.raises(InvalidOptionError, match=what):
            WeightMemory(capacity_bytes=size, beat_bits=bits)
    images = random_images(np.random.default_rng(0), network, 1)
    for refused in (
        lambda: verify(network, images, array=Array(), organisation="pipelined", weights=small),
        lambda: write_rtl(
            network, array=Array(), out=tmp_path / "x", organisation="pipelined", weights=small
        ),
    ):
        with pytest.raises(InvalidOptionError, match="has no weight memory"):
            refused()
