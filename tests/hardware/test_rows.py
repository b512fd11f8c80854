"""The tiled accelerator's compiler: its images, executed in numpy, against the reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systopack.hardware.array import Array
from systopack.hardware.named_arrays import array_from
from systopack.hardware.rows.plan import plan_rows
from systopack.hardware.rows.walks import tile_streams
from systopack.network.file import load
from systopack.network.reference import column_words, run
from systopack.rtl.rows_program import pack_plan
from tests.hardware.rows_machine import Machine
from tests.networks import concatenated_networks, networks, random_images

arrays = st.builds(
    lambda rows, columns, cell: Array(rows=rows, columns=columns, alpha=8, cell=cell),
    st.integers(1, 9),
    st.integers(1, 6),
    st.sampled_from(["bit-serial", "balanced", "bit-parallel"]),
)


def check(network, array, image, block=64, *, split=False):
    """Every stream's bytes, every stored tensor and the results are the reference's."""
    program = pack_plan(plan_rows(network, array=array, block=block, split=split))
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


@settings(max_examples=60, deadline=None)
@given(networks | concatenated_networks, arrays, st.sampled_from([1, 8, 64]))
def test_random_networks_run_as_the_reference(network, array, block):
    check(network, array, random_images(np.random.default_rng(3), network, 1)[0], block)


@pytest.mark.parametrize("array", ["tiny-8x8", "compact-32x32", "paper-32x32", "parallel-32x32"])
@pytest.mark.parametrize("name", ["lenet5-mnist", "resnet20-cifar10"])
def test_zoo_networks_run_as_the_reference(name, array):
    network = load(f"systopack/zoo_data/{name}.spk")
    check(
        network,
        array_from(array, accumulator_bits=network.accumulator_bits),
        random_images(np.random.default_rng(1), network, 1)[0],
    )


def test_rows_split_in_two_run_as_the_reference():
    network = load("systopack/zoo_data/resnet20-cifar10.spk")
    array = array_from(
        "compact-32x32", ["input_fanout=16"], accumulator_bits=network.accumulator_bits
    )
    image = random_images(np.random.default_rng(1), network, 1)[0]
    program = check(network, array, image, split=True)
    assert any(op.schedule and op.schedule.walk.parts == 2 for op in program.plan.ops)
