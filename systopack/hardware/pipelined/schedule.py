"""When each word passes: the exact schedule of the layer-pipelined accelerator, in word times.

A unit takes an output position as soon as every input word it can reach has arrived, and the
position's word arrives at its readers a fixed number of word times later. So all times follow from
those of the image's words by maxima and sums. `slots` counts word times from the one in which the
first word of the first image is let in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.pipelined.units import LayerUnit, PoolUnit, Window
from systopack.network.network import PackedNetwork

Times = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Schedule:
    """The schedule of several images.

    Args:
        entered: shape (images, words), int64: slot in which each word of an image is let in.
        taken: by unit, shape (images, positions), int64: slot in which a position is taken.
        arrived: by tensor, shape (images, words), int64: first slot in which a word can be used.
    """

    entered: Times
    taken: Mapping[str, Times]
    arrived: Mapping[str, Times]


def reach(window: Sequence[Window]) -> tuple[int, int]:
    """Largest dy and dx that are read."""
    displacements = [place for item in window for place in item.displacements]
    return max(dy for dy, _ in displacements), max(dx for _, dx in displacements)


def words_needed(network: PackedNetwork, unit: LayerUnit | PoolUnit) -> Times:
    """Input words that must have arrived before each position is taken: shape (positions,).

    Everything up to the furthest row and the furthest column that a displacement reaches inside the
    image; at least one word, so that no image starts by itself.
    """
    _, height, width = network.shapes[unit.source]
    down, right = reach(unit.windows)
    y, x = _places(network, unit)
    row = np.minimum(y * unit.windows[0].stride[0] + down, height - 1)
    column = np.clip(x * unit.windows[0].stride[1] + right, 0, width - 1)
    return np.where(row < 0, 1, row * width + column + 1)


def residual_words_needed(network: PackedNetwork, unit: LayerUnit) -> Times:
    """Words of the residual operand that must have arrived: shape (positions,)."""
    assert unit.residual is not None
    width = network.shapes[unit.residual.source][2]
    y, x = _places(network, unit)
    return y * unit.residual.stride[0] * width + x * unit.residual.stride[1] + 1


def image_period(network: PackedNetwork, units: Sequence[LayerUnit | PoolUnit]) -> int:
    """Word times between the first words of two images: the slowest unit sets the pace, or the
    host, which takes one result word in a cycle.
    """
    words = [_words(network, network.input.name)]
    words += [_words(network, unit.name) * unit.interval for unit in units]
    results = int(np.prod(network.shapes[network.output.name]))
    return max(*words, -(-results // units[-1].word_cycles))


def schedule(
    network: PackedNetwork,
    units: Sequence[LayerUnit | PoolUnit],
    *,
    images: int = 1,
    word_interval: int = 1,
    period: int | None = None,
) -> Schedule:
    """The schedule of images that follow each other as closely as they can.

    Args:
        images: at least 1.
        word_interval: word times between two words of an image, 1 for a host that never waits.
        period: word times between two images, None: `image_period`, or more where the words of
            an image take longer.
    """
    count = _words(network, network.input.name)
    period = max(period or image_period(network, units), count * word_interval)
    entered = (
        period * np.arange(images, dtype=np.int64)[:, None]
        + word_interval * np.arange(count, dtype=np.int64)[None]
    )
    arrived: dict[str, Times] = {network.input.name: entered + 1}
    taken: dict[str, Times] = {}
    for unit in units:
        ready = arrived[unit.source][:, words_needed(network, unit) - 1]
        if isinstance(unit, LayerUnit) and unit.residual is not None:
            needed = residual_words_needed(network, unit) - 1
            ready = np.maximum(ready, arrived[unit.residual.source][:, needed])
        # A position follows the one before, of the image before too, after `interval` at least.
        steps = unit.interval * np.arange(ready.size, dtype=np.int64)
        times = np.maximum.accumulate(ready.ravel() - steps) + steps
        taken[unit.name] = times.reshape(ready.shape)
        arrived[unit.name] = taken[unit.name] + unit.latency_words
    return Schedule(entered=entered, taken=taken, arrived=arrived)


def window_depths(
    network: PackedNetwork, units: Sequence[LayerUnit | PoolUnit]
) -> Mapping[str, tuple[int, ...]]:
    """Words that each window of each unit must hold, the residual's window last.

    A word may be overwritten when the last position that reads it has been read. The depth is the
    larger one of two extremes: images without any gap, where words arrive as fast as they can
    while others are under way, and words so far apart that all is still between them, where a
    unit waits for words that have not been sent yet.
    """
    slow = 2 + sum(unit.latency_words + unit.interval for unit in units)
    # More images than can be under way at once.
    alone = schedule(network, units)
    latency = int(alone.arrived[units[-1].name][0, -1]) + units[-1].latency_words
    runs = (
        schedule(network, units, images=3 + 2 * latency // image_period(network, units)),
        schedule(network, units, images=2, word_interval=slow),
    )
    depths: dict[str, tuple[int, ...]] = {}
    for unit in units:
        windows = list(unit.windows)
        residual = unit.residual if isinstance(unit, LayerUnit) else None
        if residual is not None:
            windows.append(residual)
        found = []
        for window in windows:
            until = window.reads + 1
            if window is residual:
                assert isinstance(unit, LayerUnit)
                until = unit.residual_cycles + 2
            gap = 1 + -(-until // unit.word_cycles)
            found.append(max(_depth(network, unit, window, run, gap) for run in runs))
        depths[unit.name] = tuple(found)
    return depths


def _depth(
    network: PackedNetwork, unit: LayerUnit | PoolUnit, window: Window, run: Schedule, gap: int
) -> int:
    """Words that arrive from each word until `gap` word times after it is last read."""
    _, height, width = network.shapes[window.source]
    arrived = run.arrived[window.source]
    last_read = arrived.copy()
    y, x = _places(network, unit)
    for dy, dx in window.displacements:
        row, column = y * window.stride[0] + dy, x * window.stride[1] + dx
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        word = row[inside] * width + column[inside]
        times = run.taken[unit.name][:, inside]
        # Positions that read the same word at this displacement do not exist: strides are >= 1.
        last_read[:, word] = np.maximum(last_read[:, word], times + gap)
    flat = arrived.ravel()
    # The first word that may take the place of each: one that arrives late enough.
    successor = np.searchsorted(flat, last_read.ravel(), side="left")
    distance = successor - np.arange(flat.size)
    # The last words have no successor that is late enough.
    return int(max(1, distance[successor < flat.size].max()))


def _places(network: PackedNetwork, unit: LayerUnit | PoolUnit) -> tuple[Times, Times]:
    """Row and column of each output position, in order."""
    _, height, width = network.shapes[unit.name]
    position = np.arange(height * width, dtype=np.int64)
    return position // width, position % width


def _words(network: PackedNetwork, name: str) -> int:
    _, height, width = network.shapes[name]
    return height * width
