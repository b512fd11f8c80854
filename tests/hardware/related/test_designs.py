"""Every neighbour computes the layer's own integers, and its counts are right on small layers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from systopack.errors import InvalidNetworkError, InvalidOptionError
from systopack.hardware.related.compare import DESIGNS, compare_designs
from systopack.hardware.related.design import Design, Machine, costs_of
from systopack.hardware.related.s2engine import group_masks, selection_time
from systopack.hardware.related.stationary import DENSE, stationary_cycles
from systopack.hardware.related.vdbb import compressed_blocks, density_bound
from systopack.hardware.related.workload import network_work
from systopack.network.reference import accumulate_by_cells, run
from tests.networks import random_images, random_network

SMALL = Machine(rows=3, columns=2)


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.name)
@given(seed=st.integers(0, 2**32))
@example(seed=140804)  # bands without any weight
@example(seed=800779299)  # a layer without any weight
@settings(max_examples=8, deadline=None)
def test_outputs_are_those_of_the_integer_reference(design, seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, layers=2)
    image = random_images(rng, network, 1)[0]
    tensors = run(network, image[None], keep=[node.name for node in network.nodes])
    for work, layer in zip(network_work(network, image), network.layers, strict=True):
        expected = accumulate_by_cells(network, layer, tensors[layer.source].swapaxes(0, 1))
        outcome = design.outcome(work, SMALL)
        assert np.array_equal(outcome.outputs, expected.reshape(layer.matrix.rows, -1))
        assert outcome.cycles > 0 and outcome.total_pj > 0


def test_a_design_that_computes_something_else_is_refused():
    network = random_network(np.random.default_rng(1))
    image = random_images(np.random.default_rng(2), network, 1)[0]

    def wrong(work, machine):
        sums, cycles, events = DENSE.run(work, machine)
        return sums + 1, cycles, events

    broken = Design(name="broken", source="none", run=wrong)
    with pytest.raises(InvalidNetworkError, match="'broken' computes something else"):
        compare_designs(network, image, designs=[broken])


def test_comparison_names_every_source():
    network = random_network(np.random.default_rng(3))
    image = random_images(np.random.default_rng(4), network, 1)[0]
    found = compare_designs(network, image, machine=SMALL)
    assert [row.design for row in found] == [design.name for design in DESIGNS]
    assert all(len(row.source) > 30 and 0 <= row.utilization <= 1 for row in found)


def test_cycles_of_a_stationary_array_by_hand():
    # 4 columns load in 4 cycles; 2 tiles of 10 words; the last word leaves 4 + 3 - 2 later.
    assert stationary_cycles(Machine(rows=3, columns=4), tiles=2, positions=10) == 4 + 20 + 5
    # Tiles of 1 word wait for the weights of the next.
    assert stationary_cycles(Machine(rows=3, columns=4), tiles=2, positions=1) == 4 + 8 + 5


def test_density_bound_and_its_blocks_by_hand():
    weights = np.array([[0, 5, 0, 0, 7, 0, 0, 0], [0, 0, 0, 0, 0, 0, 3, 0]])
    assert density_bound(weights, block=4) == 1
    values, places = compressed_blocks(weights, block=4, bound=1)
    assert values[:, :, 0].tolist() == [[5, 7], [0, 3]]
    assert places[0, :, 0].tolist() == [1, 0] and places[1, 1, 0] == 2
    assert density_bound(weights, block=8) == 2
    assert density_bound(np.zeros((2, 8), int), block=8) == 1


def test_masks_of_a_stream():
    nonzero = np.array([[True, False, True, False, True]])
    assert group_masks(nonzero, group=4).tolist() == [[0b0101, 0b0001]]


def test_selection_looks_at_every_element_once():
    one = Machine(rows=1, columns=1)
    weights = np.array([[1, 1, 0, 0]], dtype=bool)
    words = np.array([[0, 1, 1, 0]], dtype=bool)
    slow = {"machine": one, "fifo_words": 1, "group": 4}
    assert selection_time(weights, words, selection_rate=1.0, **slow) == (3, 3)
    # A dense group of 4 takes the multiplier 4 cycles, however fast selection is.
    full = np.ones((1, 4), dtype=bool)
    assert selection_time(full, full, selection_rate=8.0, **slow)[0] == 4


def test_an_empty_group_is_one_step_in_each_unit():
    none = np.zeros((2, 8), dtype=bool)
    time, steps = selection_time(
        none, none, machine=SMALL, selection_rate=1.0, fifo_words=4, group=4
    )
    assert steps == 2 * 2 * 2  # 2 groups, 2 filters, 2 positions
    assert 2 <= time <= 2 + SMALL.rows + SMALL.columns


def test_an_impossible_machine_is_refused():
    with pytest.raises(InvalidOptionError, match="0 x 4 multipliers"):
        Machine(rows=0, columns=4)


def test_costs_come_from_the_table():
    costs = costs_of(Machine())
    assert costs.buffer_read_bit < costs.buffer_write_bit < costs.product
    assert costs.register_bit < 0.02
