"""The tiled accelerator's compiler: its images, executed in numpy, against the reference."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array
from systopack.hardware.named_arrays import array_from
from systopack.hardware.tiled.cycles import count_tiled, op_cycles
from systopack.hardware.tiled.jobs import Need, Walk, fetches
from systopack.hardware.tiled.plan import plan_tiles
from systopack.hardware.tiled.slots import find_schedule
from systopack.hardware.tiled.timing import TiledTiming
from systopack.hardware.tiled.walks import tile_streams
from systopack.network.file import load
from systopack.network.packaged import network_file
from systopack.network.reference import column_words, run
from systopack.packing.pack import dense
from systopack.rtl.program import pack_plan
from tests.hardware.test_cycles import one_layer
from tests.hardware.tiled_machine import Machine
from tests.networks import concatenated_networks, networks, random_images

arrays = st.builds(
    lambda rows, columns, cell: Array(rows=rows, columns=columns, alpha=8, cell=cell),
    st.integers(1, 9),
    st.integers(1, 6),
    st.sampled_from(["bit-serial", "balanced", "bit-parallel"]),
)


def check(network, array, image, block=64):
    """Every stream's bytes, every stored tensor and the results are the reference's."""
    program = pack_plan(plan_tiles(network, array=array, block=block))
    tensors = run(network, image[None], keep=list(network.shapes))
    plan = program.plan
    machine = Machine(program=program)

    def after(number):
        op = plan.ops[number]
        if op.kind == "send":
            return
        name = op.pool.name if op.pool is not None else op.node
        last = number + 1 == len(plan.ops) or plan.ops[number + 1].node != op.node
        if last and op.target is not None and name in tensors:
            place = plan.places.tensors[name]
            for channel, plane in enumerate(tensors[name][0]):
                start = place.planes[channel] * machine.size + place.phases[channel]
                flat = machine.memory[place.banks[channel]].reshape(-1)
                assert (flat[start : start + plane.size] == plane.ravel()).all(), (name, channel)
        if op.kind == "tiles":
            layer = network.by_name[op.node]
            check_streams(
                layer, op, array, column_words(layer, tensors[layer.source])[0], machine, number
            )

    results = machine.run(image, after)
    assert (results == tensors[network.output.name][0].reshape(results.shape)).all()
    return program


def check_streams(layer, op, array, words, machine, number):
    streams = tile_streams(layer, op.tile.band, array)
    for visit in [v for v in machine.visits if v.op == number]:
        wanted = streams[visit.column_tile]
        assert set(np.flatnonzero(visit.used)) == set(wanted)
        first = visit.block * op.visits.block_rows * op.visits.width
        for stream, column in wanted.items():
            expected = words[column, first : first + visit.words.shape[1]]
            assert (visit.words[stream] == expected).all(), (layer.name, stream, column)


arrays_of_32 = st.builds(
    lambda columns, fanout: Array(
        rows=32, columns=columns, alpha=8, input_fanout=fanout, cell="bit-serial-compact"
    ),
    st.integers(1, 6),
    st.sampled_from([8, 16]),
)


@settings(max_examples=60, deadline=None)
@given(networks | concatenated_networks, arrays, st.sampled_from([1, 8, 64]))
def test_random_networks_run_as_the_reference(network, array, block):
    check(network, array, random_images(np.random.default_rng(3), network, 1)[0], block)


@settings(max_examples=30, deadline=None)
@given(networks, arrays_of_32)
def test_random_networks_on_split_rows_run_as_the_reference(network, array):
    check(network, array, random_images(np.random.default_rng(3), network, 1)[0])


@pytest.mark.parametrize("array", ["tiny-8x8", "compact-32x32", "paper-32x32", "parallel-32x32"])
def test_lenet_runs_as_the_reference(array):
    check_zoo("lenet5-mnist", array)


@pytest.mark.parametrize("array", ["compact-32x32", "parallel-32x32"])
def test_resnet_runs_as_the_reference(array):
    check_zoo("resnet20-cifar10", array)


def test_rows_split_in_two_run_as_the_reference():
    program = check_zoo("resnet20-cifar10", "compact-32x32", ["input_fanout=16"])
    assert any(op.schedule and op.schedule.walk.parts == 2 for op in program.plan.ops)


def check_zoo(name, array, changes=()):
    network = load(f"systopack/zoo_data/{name}.spk")
    array = array_from(array, changes, accumulator_bits=network.accumulator_bits)
    image = random_images(np.random.default_rng(1), network, 1)[0]
    return check(network, array, image)


def need(place, dx, *, bank=0, user=(0, 0)):
    return Need(bank=bank, plane=0, phase=0, place=place, dx=dx, users=(user,))


def test_the_columns_of_a_window_share_a_word_where_its_phase_allows():
    walk = Walk(gather=False, stride=1, parts=1, out_width=8, width=8, word_bytes=4)
    found = {}
    for phase in range(4):
        words = fetches([need(phase + dx, dx) for dx in (-1, 0, 1)], walk)
        found[phase] = [(len(w.needs), w.word, w.low, w.high) for w in words]
    # Phase 0: the left column begins in the word before, where it is masked; from the second step
    # on it reads this one. Phase 3: bytes 2, 3 and 4, so two words.
    assert found == {
        0: [(3, 0, 1, 3)],
        1: [(3, 0, 0, 2)],
        2: [(3, 0, 0, 1)],
        3: [(2, 0, 0, 1), (1, 1, 0, 4)],
    }


def test_a_column_that_is_not_masked_does_not_begin_in_the_word_before():
    walk = Walk(gather=False, stride=1, parts=1, out_width=4, width=8, word_bytes=4)
    words = fetches([need(3, 3), need(4, 4)], walk)
    assert [(w.word, w.low, w.high) for w in words] == [(0, 0, 1), (1, 0, 4)]


def test_steps_are_longer_where_words_do_not_come_in_time():
    timing = TiledTiming(array=Array(rows=8, columns=8, alpha=8))
    walk = Walk(gather=True, stride=1, parts=1, out_width=8, width=8, word_bytes=4)
    for words, cycles in ((1, 8), (6, 8), (7, 16), (15, 24)):
        needs = [[need(4 * i, 0, user=(0, i)) for i in range(words)]]
        schedule = find_schedule(needs, [], walk, timing, where="A layer")
        assert schedule.step_cycles == cycles
        assert (schedule.slot_first, schedule.slot_stop) == (0, words)


def test_more_words_than_slots_are_refused():
    timing = TiledTiming(array=Array(rows=8, columns=8, alpha=8))
    walk = Walk(gather=True, stride=1, parts=1, out_width=8, width=8, word_bytes=4)
    needs = [[need(4 * i, 0, user=(i % 64, i // 64)) for i in range(1030)]]
    with pytest.raises(InvalidOptionError, match="A layer reads more words at a step than 1023"):
        find_schedule([needs[0]] * 64, [], walk, timing, where="A layer")


def test_a_word_in_the_wrong_slot_is_noticed():
    network = load("systopack/zoo_data/lenet5-mnist.spk")
    array = array_from("compact-32x32", accumulator_bits=network.accumulator_bits)
    plan = plan_tiles(network, array=array)
    image = random_images(np.random.default_rng(1), network, 1)[0]
    wanted = run(network, image[None])[network.output.name][0].reshape(-1, 1)
    assert (Machine(program=pack_plan(plan)).run(image) == wanted).all()
    number = next(i for i, op in enumerate(plan.ops) if op.schedule and not op.schedule.walk.gather)
    late = moved(plan.ops[number].schedule, by=plan.ops[number].schedule.step_cycles * 2)
    ops = list(plan.ops)
    ops[number] = replace(ops[number], schedule=late)
    assert (Machine(program=pack_plan(replace(plan, ops=tuple(ops)))).run(image) != wanted).any()


def moved(schedule, *, by):
    """The same words, some slots later."""
    return replace(
        schedule,
        slot_first=schedule.slot_first + by,
        slot_stop=schedule.slot_stop + by,
        tables=tuple(
            tuple(replace(job, slot=job.slot + by) for job in table) for table in schedule.tables
        ),
        tags=tuple(
            {stream: replace(tag, slot=tag.slot + by) for stream, tag in tags.items()}
            for tags in schedule.tags
        ),
    )


def test_planes_of_a_tensor_begin_at_different_bytes_and_sums_replace_their_operands():
    network = load("systopack/zoo_data/resnet20-cifar10.spk")
    array = array_from(
        "compact-32x32", ["input-fanout=32"], accumulator_bits=network.accumulator_bits
    )
    places = plan_tiles(network, array=array).places
    first = places.tensors["conv1"]
    assert first.banks.tolist() == list(range(16)) and set(first.phases.tolist()) == {1}
    wide = places.tensors["layer2.0.conv1"]  # 32 channels of 16 x 16: two in each bank
    assert wide.banks.tolist() == [*range(16)] * 2
    assert wide.phases.tolist() == [1] * 16 + [0] * 16
    assert (wide.planes[16:] - wide.planes[:16] == 65).all()
    assert (places.tensors["layer1.0.conv2"].planes == first.planes).all()  # in place
    assert set(places.scratch) == {"layer2.0.conv2", "layer3.0.conv2"}
    assert set(places.fused) == {"layer3.2.conv2"}


def test_one_tile_by_hand():
    # 2 x 2 bit-serial cells, alpha 8: sums are whole 3 + 1 + (2 + 1 + 1) + 32 cycles after a step's
    # slot. Descriptors take 2 words and a cycle, the first words a slot, writes 2 slots: 8 cycles.
    timing = TiledTiming(array=Array(rows=2, columns=2))
    assert (timing.out_cycles, timing.stream_words, timing.write_slots) == (40, 2, 2)
    assert timing.drain_words(0) == (40 + 11 + 2 + 2 + 4) // 8 + 1 == 8
    # Word times: 1, 1 for the image (6 bytes and 1 cycle), 1 before the first step, 3 positions (a
    # gathered step each, or one period of 4), 8 to drain, 3 for 6 results of 3 cycles and 1.
    network = one_layer(dense(np.ones((2, 2), np.int8)), 1, 3)
    counted = count_tiled(network, array=Array(rows=2, columns=2))
    image, layer, send = counted.steps
    assert (image.cycles, send.cycles) == (8, 24)
    assert (layer.stream_cycles, layer.stall_cycles, layer.drain_cycles) == (24, 0, 64)
    assert counted.cycles == 8 * (1 + 1 + 3 + 8 + 3) + layer.fetch_cycles


@settings(max_examples=60, deadline=None)
@given(networks | concatenated_networks, arrays)
def test_the_steps_add_up_to_the_run(network, array):
    plan = plan_tiles(network, array=array)
    counted = count_tiled(network, array=array, plan=plan)
    now = array.word_cycles
    for step in counted.steps:
        # Results leave between the row tiles of the last layer, everything else in turn.
        assert step.start_cycle == now or step.kind == "send"
        now += step.cycles
        parts = step.stream_cycles + step.fetch_cycles + step.stall_cycles + step.drain_cycles
        assert parts == step.cycles
        assert min(step.fetch_cycles, step.stall_cycles, step.drain_cycles) >= 0
    assert now == counted.cycles
    for found in op_cycles(plan):
        assert (found.takes % array.word_cycles == 0).all() and (np.diff(found.takes) > 0).all()


def test_more_lanes_than_a_host_can_number_are_refused():
    network = load(network_file(Path("zoo:lenet5-mnist")))
    array = Array(
        rows=300, columns=4, cell="bit-parallel", accumulator_bits=network.accumulator_bits
    )
    with pytest.raises(InvalidOptionError, match="300 rows with a lane of their own"):
        pack_plan(plan_tiles(network, array=array))
