"""Every neighbour's model against a published figure of its own paper."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from systopack.hardware.related.design import Events, Machine, costs_of, parameters
from systopack.hardware.related.s2engine import output_stationary_events, s2engine_events
from systopack.hardware.related.stationary import DENSE, GATED, TWO_OF_FOUR
from systopack.hardware.related.vdbb import vdbb_events
from systopack.hardware.related.workload import LayerWork
from systopack.packing.pack import dense, n_of_m, pack

PUBLISHED = tomllib.loads(Path(__file__).with_name("published.toml").read_text())
MACHINE = Machine()


def energy_pj(events: Events, machine: Machine = MACHINE) -> float:
    costs = costs_of(machine)
    return (
        events.products * costs.product
        + events.register_bits * costs.register_bit
        + events.read_bits * costs.buffer_read_bit
        + events.write_bits * costs.buffer_write_bit
    )


def work(matrix, words) -> LayerWork:
    return LayerWork(
        name="layer",
        matrix=matrix,
        words=words.astype(np.int8),
        bias=np.zeros(matrix.rows, np.int32),
        accumulator_bits=32,
    )


def random_words(rng, columns, positions, density=1.0):
    words = rng.integers(1, 100, (columns, positions))
    return words * (rng.random((columns, positions)) < density)


def test_dense_array_is_scale_sims_but_for_the_hidden_loads():
    rng = np.random.default_rng(0)
    positions, filters, columns = 1024, 64, 128
    weights = rng.integers(1, 100, (filters, columns)).astype(np.int8)
    cycles = DENSE.outcome(
        work(dense(weights), random_words(rng, columns, positions)), MACHINE
    ).cycles
    tile = 2 * MACHINE.columns + MACHINE.rows + positions - 2
    assert cycles == pytest.approx(2 * 4 * tile, rel=0.10)


def test_two_of_four_is_twice_as_fast():
    rng = np.random.default_rng(0)
    weights = n_of_m(rng.integers(1, 100, (64, 256)).astype(np.int8), n=2, m=4).to_dense()
    layer = work(dense(weights), random_words(rng, 256, 4096))
    ratio = DENSE.outcome(layer, MACHINE).cycles / TWO_OF_FOUR.outcome(layer, MACHINE).cycles
    assert ratio == pytest.approx(PUBLISHED["two_of_four"]["speed"], rel=0.02)


def test_zero_gating_saves_what_was_published():
    layers = PUBLISHED["vgg16"]["layers"]
    operations = np.array([layer[2] for layer in layers])
    density = float(operations @ [layer[3] for layer in layers] / operations.sum())
    rng = np.random.default_rng(0)
    weights = rng.integers(1, 100, (64, 64)).astype(np.int8)
    layer = work(dense(weights), random_words(rng, 64, 2048, density))
    energies = []
    for design in (DENSE, GATED):
        parts = design.outcome(layer, MACHINE).energy_pj
        energies.append(parts["products"] + parts["registers"])
    saved = 1 - energies[1] / energies[0]
    assert saved == pytest.approx(PUBLISHED["zero_gating"]["saved"], rel=0.15)


def test_vdbb_set_at_half_predicts_an_eighth():
    published = PUBLISHED["vdbb"]
    filters, columns, positions = 64, 1152, 1024
    dense_products = filters * columns * positions
    efficiency = []
    for bound in (4, 1):
        _, events = vdbb_events(
            machine=MACHINE,
            filters=filters,
            columns=columns,
            positions=positions,
            bound=bound,
            products=dense_products * bound / parameters()["vdbb"]["block"],
        )
        efficiency.append(2 * dense_products / energy_pj(events))
    scale = published["tops_per_w_at_half"] / efficiency[0]
    predicted = scale * efficiency[1]
    assert predicted == pytest.approx(published["tops_per_w_at_eighth"], rel=0.15)


def test_vdbb_is_busy_in_every_cycle_whatever_the_bound():
    cycles = [
        vdbb_events(
            machine=MACHINE, filters=32, columns=1024, positions=32, bound=bound, products=0.0
        )[0]
        - (MACHINE.rows + MACHINE.columns - 2)
        for bound in (1, 2, 4, 8)
    ]
    assert cycles == [128, 256, 512, 1024]


def test_s2engine_set_by_its_speed_predicts_its_energy():
    published = PUBLISHED["s2engine"]
    rng = np.random.default_rng(0)
    times, energies = np.zeros(2), np.zeros(2)
    for _, inputs, operations, words, weights in PUBLISHED["vgg16"]["layers"]:
        size = MACHINE.rows
        runs = (
            output_stationary_events(filters=size, columns=inputs, positions=size, machine=MACHINE),
            s2engine_events(
                rng.random((size, inputs)) < weights,
                rng.random((size, inputs)) < words,
                machine=MACHINE,
            ),
        )
        share = operations / inputs
        times += [share * cycles for cycles, _ in runs]
        energies += [share * energy_pj(events) for _, events in runs]
    assert times[0] / times[1] == pytest.approx(published["speed"], rel=0.03)  # set
    assert energies[0] / energies[1] == pytest.approx(published["energy"], rel=0.15)  # predicted


def test_column_combining_packs_the_papers_matrix():
    published = PUBLISHED["column_combining"]
    counts = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        shape = (published["rows"], published["columns"])
        matrix = rng.normal(size=shape) * (rng.random(shape) < published["density"])
        packed = pack(matrix, alpha=8, gamma=0.5, policy="dense-column-first")
        counts.append(len(packed.groups))
        size = {"rows": published["tile"], "columns": published["tile"]}
        assert dense(matrix).tile_count(**size) == published["tiles_before"]
        assert packed.tile_count(**size) == published["tiles_after"]
        # Groups of each row tile alone never need more tiles.
        banded = pack(
            matrix, alpha=8, gamma=0.5, policy="dense-column-first", band_rows=published["tile"]
        )
        assert banded.tile_count(**size) <= packed.tile_count(**size)
    # The paper's matrix is a trained one; columns of random ones overlap less and share more.
    assert 0.75 * published["packed_columns"] <= np.mean(counts) <= published["packed_columns"]
