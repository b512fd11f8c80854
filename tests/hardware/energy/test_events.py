"""Events counted one by one on small networks, and energy worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array
from systopack.hardware.energy.activity import full_activity, measure_activity
from systopack.hardware.energy.macros import macro_cost
from systopack.hardware.energy.model import energy_of
from systopack.hardware.energy.pipelined_events import pipelined_events
from systopack.hardware.energy.technology import load_technology
from systopack.hardware.pipelined.cycles import count_pipelined
from systopack.hardware.tiled.cycles import count_tiled
from systopack.network.reference import column_words, run
from systopack.rtl.tiled_events import tiled_events
from tests.hardware.energy.test_coefficients import ONES, point, table
from tests.networks import random_images, random_network
from tests.report.contents import hand_made

seeds = st.integers(0, 2**32)


def small_array(rng: np.random.Generator) -> Array:
    return Array(rows=int(rng.integers(1, 6)), columns=int(rng.integers(1, 6)), input_fanout=1)


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_cell_words_are_those_of_every_cell_of_every_tile(seed):
    rng = np.random.default_rng(seed)
    network, array = random_network(rng), small_array(rng)
    images = random_images(rng, network, 2) * (rng.random((2, *network.input.shape)) < 0.5)
    events = tiled_events(
        network, array=array, activity=measure_activity(network, images.astype(np.int8))
    )
    steps = {step.name: step for step in events.steps if step.kind == "layer"}
    tensors = run(network, images.astype(np.int8), keep=[node.name for node in network.nodes])
    for layer in network.layers:
        words = column_words(layer, tensors[layer.source])  # (B, M, T)
        active = zero_input = zero_weight = tiles = 0
        hops = 0.0
        for band in layer.matrix.bands:
            columns = max(1, -(-len(band.groups) // array.columns)) * array.columns
            rows = -(-band.rows // array.rows) * array.rows
            tiles += rows * columns
            values = np.zeros((rows, columns))
            values[: band.rows, : len(band.groups)] = band.values
            for row, group in np.ndindex(values.shape):
                if values[row, group] == 0:
                    zero_weight += layer.positions
                    continue
                column = band.groups[group][band.channels[row, group]]
                count = np.count_nonzero(words[:, column]) / len(images)
                active += count
                zero_input += layer.positions - count
            for group, members in enumerate(band.groups):
                for index, column in enumerate(members):
                    if ((band.values[:, group] != 0) & (band.channels[:, group] == index)).any():
                        hops += rows * np.count_nonzero(words[:, column]) / len(images)
        step = steps[layer.name]
        assert step.active == pytest.approx(active)
        assert step.zero_input == pytest.approx(zero_input)
        assert step.zero_weight == pytest.approx(zero_weight)
        assert step.loads % tiles == 0  # once for every block of positions
        assert step.hops == pytest.approx(hops)
        words = step.accesses["weights"].reads * array.rows
        assert words == step.loads


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_cycles_are_those_of_the_cycle_model(seed):
    rng = np.random.default_rng(seed)
    network, array = random_network(rng), small_array(rng)
    events = tiled_events(network, array=array)
    count = count_tiled(network, array=array)
    assert events.cycles == count.cycles
    assert sum(step.cell_words for step in events.steps) == (
        count.entered_words * array.rows * array.columns
    )
    for step in events.steps:
        assert 0 <= step.running_cell_cycles <= step.cell_cycles
        assert step.running_cell_cycles >= step.cell_words * array.word_cycles - 1e-6


@given(seeds)
@settings(max_examples=15, deadline=None)
def test_the_layer_pipelined_accelerator_does_the_same_products(seed):
    rng = np.random.default_rng(seed)
    network, array = random_network(rng), small_array(rng)
    activity = measure_activity(network, random_images(rng, network, 1))
    tiled = tiled_events(network, array=array, activity=activity)
    pipelined = pipelined_events(network, array=array, activity=activity)
    for kind in ("active", "zero_input"):
        assert sum(getattr(s, kind) for s in pipelined.steps) == pytest.approx(
            sum(getattr(s, kind) for s in tiled.steps)
        )
    count = count_pipelined(network, array=array)
    assert pipelined.cycles == count.period_cycles and pipelined.cells == count.cells
    assert not any(step.loads for step in pipelined.steps)


def test_the_energy_of_a_step_by_hand():
    network = hand_made().networks["packed"]
    array = Array(rows=2, columns=2, alpha=8)
    events = tiled_events(network, array=array)
    measured = table(point(2))
    energy = energy_of(events, coefficients=measured, gating="clock")
    layer = next(step for step in events.steps if step.kind == "layer")
    found = next(step for step in energy.steps if step.kind == "layer")
    assert found.compute_pj == pytest.approx(
        4 * layer.active
        + 2 * layer.zero_input
        + 1 * layer.zero_weight
        + 0.5 * layer.running_cell_cycles
        + 0.125 * (layer.cell_cycles - layer.running_cell_cycles)
        + 8 * layer.loads
        + 0.25 * layer.hops
    )
    weights = events.memories["weights"]
    cost = macro_cost(
        width_bits=weights.width_bits,
        words=weights.words,
        node=load_technology().node("45-hp"),
        voltage_v=measured.voltage_v,
    )
    assert found.memory_pj["weights"] == pytest.approx(
        layer.accesses["weights"].reads * cost.read_pj
    )
    assert energy.total_pj == pytest.approx(energy.compute_pj + energy.memory_pj)
    assert 0 < energy.memory_share < 1 and energy.off_chip_pj == 0
    assert energy.origin == ONES.origin


def test_without_gating_every_cell_has_its_clock_in_every_cycle():
    network = hand_made().networks["packed"]
    array = Array(rows=2, columns=2, alpha=8)
    events = tiled_events(network, array=array)
    from dataclasses import replace

    ungated = table(replace(point(2), gating="none"))
    energy = energy_of(events, coefficients=ungated, gating="none")
    clock = sum(step.parts_pj["clock"] for step in energy.steps)
    assert clock == pytest.approx(0.5 * 4 * events.cycles)
    assert sum(step.parts_pj["stopped"] for step in energy.steps) == 0


def test_the_link_to_the_host_counts_image_and_results():
    network = hand_made().networks["packed"]
    events = tiled_events(network, array=Array(rows=2, columns=2, alpha=8))
    energy = energy_of(events, coefficients=table(point(2)), off_chip_pj_per_bit=1.0)
    image = int(np.prod(network.input.shape))
    results = int(np.prod(network.shapes[network.output.name]))
    assert energy.off_chip_pj == 8 * image + 32 * results


def test_full_activity_is_the_upper_bound():
    rng = np.random.default_rng(5)
    network = random_network(rng)
    full = full_activity(network)
    real = measure_activity(network, random_images(rng, network, 2))
    for layer in network.layers:
        assert (real.nonzero_words[layer.name] <= full.nonzero_words[layer.name]).all()
        assert 0 <= real.density(layer) <= 1


def test_no_images_are_refused():
    network = random_network(np.random.default_rng(0))
    with pytest.raises(InvalidOptionError, match="at least one image"):
        measure_activity(network, np.zeros((0, *network.input.shape), np.int8))
