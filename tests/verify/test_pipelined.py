"""The layer-pipelined accelerator's RTL: every word and every cycle as the models say."""

from dataclasses import replace

import numpy as np
import pytest

from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array
from systopack.network.nodes import ConcatLayer
from systopack.verification.pipelined_check import verify_pipelined
from systopack.verification.verify import verify
from tests.networks import network_of_positions, random_images, random_network

ARRAYS = (
    Array(rows=4, columns=3, alpha=16),
    Array(rows=3, columns=2, alpha=16, input_fanout=2),
    Array(rows=1, columns=1, alpha=16),
    Array(rows=64, columns=64, alpha=16),
    Array(rows=4, columns=4, alpha=16, cell="bit-parallel"),
    Array(rows=5, columns=5, alpha=16, cell="balanced"),
    Array(rows=6, columns=5, alpha=16, cell="bit-parallel-compact", cells_per_stage=4),
    Array(rows=4, columns=3, alpha=16, weight_buffers=1),
    Array(
        rows=8, columns=6, alpha=16, cell="bit-serial-compact", input_fanout=3, cells_per_stage=2
    ),
    Array(
        rows=8,
        columns=8,
        alpha=16,
        cell="bit-serial-compact",
        input_fanout=4,
        cells_per_stage=4,
        weight_buffers=1,
    ),
)


def check(seed: int, array: Array) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    images = random_images(rng, network, 4)
    result = verify(network, images, array=array, organisation="pipelined")
    assert result.passed, result.difference
    assert result.words > 0 and result.instructions > 0
    # With a host that back_pressure the words stay; without clock gates everything does.
    result = verify(network, images, array=array, organisation="pipelined", back_pressure=seed + 1)
    assert result.passed, result.difference


def test_a_random_network_word_for_word_and_cycle_for_cycle():
    check(7, ARRAYS[0])


@pytest.mark.parametrize("array", [ARRAYS[6], ARRAYS[-1]], ids=lambda array: array.cell)
def test_compact_cells(array):
    check(7, array)


@pytest.mark.parametrize(
    "cell", ["bit-serial", pytest.param("bit-parallel", marks=pytest.mark.slow)]
)
def test_results_of_several_positions_wait_until_their_image_is_whole(cell):
    network = network_of_positions()
    images = random_images(np.random.default_rng(1), network, 3)
    array = Array(rows=3, columns=2, cell=cell)
    result = verify(network, images, array=array, organisation="pipelined")
    assert result.passed, result.difference


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_random_networks(seed):
    check(100 + seed, ARRAYS[seed % len(ARRAYS)])


@pytest.mark.slow
def test_clock_gates_change_nothing():
    rng = np.random.default_rng(2)
    network = random_network(rng)
    images = random_images(rng, network, 3)
    for gated in (True, False):
        result = verify_pipelined(network, images, array=ARRAYS[0], gated=gated)
        assert result.passed, result.difference


def test_a_concatenation_is_refused_by_name():
    rng = np.random.default_rng(1)
    network = random_network(rng)
    last = network.nodes[-1]
    channels, height, width = network.shapes[last.source]
    join = ConcatLayer(
        name="join",
        sources=(last.source,),
        operands=np.zeros(channels, dtype=np.int32),
        channels=np.arange(channels, dtype=np.int32),
        output_size=(height, width),
        exponent=network.by_name[last.source].exponent,
    )
    joined = replace(network, nodes=(*network.nodes[:-1], join, replace(last, source="join")))
    with pytest.raises(InvalidOptionError, match="'join' is a concatenation"):
        verify(joined, random_images(rng, joined, 1), array=ARRAYS[0], organisation="pipelined")
