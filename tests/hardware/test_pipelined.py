"""The layer-pipelined accelerator's schedule, against a simulation of it word by word."""

from pathlib import Path

import numpy as np
import pytest

from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array
from systopack.hardware.pipelined.cycles import count_pipelined
from systopack.hardware.pipelined.routing import routing
from systopack.hardware.pipelined.schedule import (
    image_period,
    schedule,
    window_depths,
    words_needed,
)
from systopack.hardware.pipelined.units import LayerUnit, build_units
from systopack.network.file import load
from systopack.network.packaged import network_file, packaged_names
from systopack.rtl.write import write_rtl
from tests.networks import random_network

ARRAY = Array(rows=4, columns=3, alpha=16)


def drawn(seed: int):
    network = random_network(np.random.default_rng(seed))
    return network, build_units(network, ARRAY)


@pytest.mark.parametrize("seed", range(20))
def test_no_position_is_taken_before_its_words_are_there(seed):
    network, units = drawn(seed)
    run = schedule(network, units, images=3)
    for unit in units:
        taken = run.taken[unit.name]
        needed = words_needed(network, unit)
        assert (taken >= run.arrived[unit.source][:, needed - 1]).all()
        assert (np.diff(taken.ravel()) >= unit.interval).all()


@pytest.mark.parametrize("seed", range(20))
def test_every_displacement_inside_the_image_is_among_the_needed_words(seed):
    network, units = drawn(seed)
    for unit in units:
        _, height, width = network.shapes[unit.source]
        _, rows, columns = network.shapes[unit.name]
        needed = words_needed(network, unit).reshape(rows, columns)
        for window in unit.windows:
            for dy, dx in window.displacements:
                for y in range(rows):
                    for x in range(columns):
                        row, column = y * window.stride[0] + dy, x * window.stride[1] + dx
                        if 0 <= row < height and 0 <= column < width:
                            assert row * width + column < needed[y, x]


@pytest.mark.parametrize("pattern", ["no gap", "random", "bursts"])
@pytest.mark.parametrize("seed", range(12))
def test_no_word_is_overwritten_before_its_last_use(seed, pattern):
    """The depths hold for images that come in any pattern, not only for the two they are from."""
    network, units = drawn(seed)
    depths = window_depths(network, units)
    rng = np.random.default_rng(seed)
    words = network.input.shape[1] * network.input.shape[2]
    gaps = {
        "no gap": np.ones((4, words), int),
        "random": rng.integers(1, 40, (4, words)),
        "bursts": np.where(rng.random((4, words)) < 0.1, 300, 1),
    }[pattern]
    run = _replay(network, units, np.cumsum(gaps.ravel()).reshape(4, words))
    for unit in units:
        windows = [*unit.windows]
        if isinstance(unit, LayerUnit) and unit.residual is not None:
            windows.append(unit.residual)
        for window, depth in zip(windows, depths[unit.name], strict=True):
            arrived = run[window.source].ravel()
            _, height, width = network.shapes[window.source]
            _, rows, columns = network.shapes[unit.name]
            position = np.arange(rows * columns)
            for dy, dx in window.displacements:
                row = position // columns * window.stride[0] + dy
                column = position % columns * window.stride[1] + dx
                inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
                word = (row * width + column)[inside]
                for image in range(3):
                    number = image * height * width + word
                    number = number[number + depth < arrived.size]
                    taken = run[unit.name, "taken"][image][inside][: len(number)]
                    assert (arrived[number + depth] > taken).all()


def _replay(network, units, entered):
    """The rule of a unit, one position after another, for any times of the images' words."""
    period = image_period(network, units)
    entered = entered + period * np.arange(len(entered))[:, None]
    found = {network.input.name: entered + 1}
    for unit in units:
        needed = words_needed(network, unit)
        source = found[unit.source]
        residual = None
        if isinstance(unit, LayerUnit) and unit.residual is not None:
            _, _, width = network.shapes[unit.residual.source]
            _, rows, columns = network.shapes[unit.name]
            position = np.arange(rows * columns)
            residual = (position // columns * unit.residual.stride[0] * width) + (
                position % columns * unit.residual.stride[1]
            )
        taken = np.zeros((len(entered), len(needed)), dtype=np.int64)
        before = -(1 << 40)
        for image in range(len(entered)):
            for place, need in enumerate(needed):
                now = max(before + unit.interval, source[image, need - 1])
                if residual is not None:
                    now = max(now, found[unit.residual.source][image, residual[place]])
                taken[image, place] = before = now
        found[unit.name, "taken"] = taken
        found[unit.name] = taken + unit.latency_words
    return found


@pytest.mark.parametrize("seed", range(12))
def test_latency_stays_within_the_slowest_stream_and_all_first_data_delays(seed):
    network, _ = drawn(seed)
    cycles = count_pipelined(network, array=ARRAY)
    assert cycles.latency_cycles <= 1.1 * cycles.bound_cycles
    assert cycles.latency_cycles <= cycles.sequential_cycles + ARRAY.word_cycles


@pytest.mark.parametrize("name", packaged_names())
def test_latency_of_the_packaged_networks(name):
    network = load(network_file(Path(f"zoo:{name}")))
    bands = [band for layer in network.layers for band in layer.matrix.bands]
    alpha = max(len(group) for band in bands for group in band.groups)
    array = Array(alpha=alpha, accumulator_bits=network.accumulator_bits)
    cycles = count_pipelined(network, array=array)
    assert cycles.latency_cycles <= cycles.bound_cycles
    assert cycles.sequential_cycles > 2 * cycles.latency_cycles


def test_a_column_costs_no_more_streams_than_its_cells_select():
    _, units = drawn(3)
    for unit in units:
        if isinstance(unit, LayerUnit):
            used = {int(slot) for band in unit.bands for slot in band.slots.ravel() if slot >= 0}
            assert used <= set(range(len(unit.streams)))
            columns = {
                int(column)
                for band in unit.layer.matrix.bands
                for column in band.columns_of_cells()[1]
            }
            assert {stream.column for stream in unit.streams} == columns or not columns


def test_routing_is_never_worse_after_the_row_permutation():
    for seed in range(10):
        network, _ = drawn(seed)
        before, after = routing(network)
        assert sum(b.out_of_place for b in after) <= sum(b.out_of_place for b in before)


def test_a_group_larger_than_alpha_is_refused_before_a_file_is_written(tmp_path):
    for seed in range(40):
        network, _ = drawn(seed)
        if max(band.largest_group for la in network.layers for band in la.matrix.bands) > 2:
            break
    with pytest.raises(InvalidOptionError, match="alpha=2"):
        write_rtl(network, array=Array(alpha=2), out=tmp_path / "out", organisation="pipelined")
    assert not (tmp_path / "out").exists()
