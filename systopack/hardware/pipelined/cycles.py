"""The cycle model of the layer-pipelined accelerator: exact, for one image and for many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.array import Array, check_fits
from systopack.hardware.pipelined.schedule import Schedule, image_period, schedule
from systopack.hardware.pipelined.units import LayerUnit, PoolUnit, build_units
from systopack.network.network import PackedNetwork

_RESULT_CYCLES = 2  # from a finished position, its image all in, to its first result word


@dataclass(frozen=True, kw_only=True)
class UnitCycles:
    """When one unit works on an image; in cycle 0 the image's first word is let in.

    Args:
        name: the node.
        kind: "layer" or "pool".
        cells: cells of its own, 0 for a pooling.
        tiles: tiles that its cells are cut into.
        positions: words it gives.
        first_input_cycle: its first input word can be used.
        start_cycle: it takes its first position.
        first_word_cycle: its first word can be used by the next unit, or be sent.
        end_cycle: its last word can be used by the next unit, or be sent.
        stream_cycles: word times it needs when nothing makes it wait.
        alone_cycles: from its first position to its last word, all of its input being there.
        utilization: word times with a position, of the word times between two images, 0..1.
    """

    name: str
    kind: str
    cells: int
    tiles: int
    positions: int
    first_input_cycle: int
    start_cycle: int
    first_word_cycle: int
    end_cycle: int
    stream_cycles: int
    alone_cycles: int
    utilization: float

    @property
    def first_data_delay_cycles(self) -> int:
        """From its first input word to its first output word."""
        return self.first_word_cycle - self.first_input_cycle


@dataclass(frozen=True, kw_only=True)
class PipelinedCycles:
    """What an image costs on the layer-pipelined accelerator.

    Args:
        network: its name.
        array: tile size and cell.
        latency_cycles: from the cycle in which an image's first word is let in to the one in which
            its last result word is sent, both included, nothing else under way.
        period_cycles: between two images that follow each other without a gap.
        image_cycles: until all words of an image have come in.
        units: in the order of the network.
    """

    network: str
    array: Array
    latency_cycles: int
    period_cycles: int
    image_cycles: int
    units: tuple[UnitCycles, ...]

    @property
    def cells(self) -> int:
        """Cells of all layers."""
        return sum(unit.cells for unit in self.units)

    @property
    def send_cycles(self) -> int:
        """From the last unit's last word until all results are sent."""
        return self.latency_cycles - self.units[-1].end_cycle

    @property
    def sequential_cycles(self) -> int:
        """Latency of the same units one after another, each waiting for all of its input."""
        alone = sum(unit.alone_cycles for unit in self.units)
        return self.image_cycles + alone + self.send_cycles

    @property
    def slowest_stream_cycles(self) -> int:
        """Streaming time of the slowest unit."""
        return max(unit.stream_cycles for unit in self.units)

    @property
    def bound_cycles(self) -> int:
        """Streaming time of the slowest unit and every unit's first-data delay."""
        return self.slowest_stream_cycles + sum(u.first_data_delay_cycles for u in self.units)


def count_pipelined(network: PackedNetwork, *, array: Array) -> PipelinedCycles:
    """Count the cycles of one image on the layer-pipelined accelerator.

    Args:
        network: dense or packed.
        array: tile size and cell; its alpha must reach the largest group.

    Raises:
        InvalidOptionError: the network does not fit the array.
    """
    check_fits(network, array)
    units = build_units(network, array)
    run = schedule(network, units)
    word = array.word_cycles
    period = image_period(network, units)
    last_words = last_result_cycles(network, units, run)
    return PipelinedCycles(
        network=network.name,
        array=array,
        latency_cycles=int(last_words[0, -1]) - (word - 1) + 1,
        period_cycles=period * word,
        image_cycles=(positions(network, network.input.name) - 1) * word + 1,
        units=tuple(_unit_cycles(network, unit, run, word, period) for unit in units),
    )


def last_result_cycles(
    network: PackedNetwork, units: Sequence[LayerUnit | PoolUnit], run: Schedule
) -> NDArray[np.int64]:
    """The cycle in which the last result word of each output position is sent.

    A host that takes a word every cycle is assumed. No result leaves before the last word of its
    image is in, which shows that the image has the right length. Cycle 0 is the first one of the
    slot in which the first image's first word is let in. Shape (images, positions), int64.
    """
    last = units[-1]
    word = last.word_cycles
    rows = network.shapes[network.output.name][0]
    all_in = (run.entered[:, -1:] + 1) * word - 1  # in the last cycle of its word time
    finished = run.taken[last.name] * word + last.valid_cycles
    offered = np.maximum(finished, all_in) + _RESULT_CYCLES
    flat = offered.ravel()
    steps = rows * np.arange(flat.size, dtype=np.int64)
    first = np.maximum.accumulate(flat - steps) + steps
    sent: NDArray[np.int64] = (first + rows - 1).reshape(offered.shape)
    return sent


def positions(network: PackedNetwork, name: str) -> int:
    """Words of a tensor."""
    return network.shapes[name][1] * network.shapes[name][2]


def _unit_cycles(
    network: PackedNetwork, unit: LayerUnit | PoolUnit, run: Schedule, word: int, period: int
) -> UnitCycles:
    words = positions(network, unit.name)
    is_layer = isinstance(unit, LayerUnit)
    # Results are sent at once, other words are used from the next word time on.
    is_last = unit.name == network.output.name
    delay = unit.valid_cycles if is_last else unit.latency_words * word
    let_in = word - 1  # in the last cycle of its word time
    taken = run.taken[unit.name][0] * word - let_in
    return UnitCycles(
        name=unit.name,
        kind="layer" if is_layer else "pool",
        cells=unit.cells if isinstance(unit, LayerUnit) else 0,
        tiles=unit.tiles if isinstance(unit, LayerUnit) else 0,
        positions=words,
        first_input_cycle=int(run.arrived[unit.source][0, 0]) * word - let_in,
        start_cycle=int(taken[0]),
        first_word_cycle=int(taken[0]) + delay,
        end_cycle=int(taken[-1]) + delay,
        stream_cycles=words * unit.interval * word,
        alone_cycles=(words - 1) * unit.interval * word + delay,
        utilization=words / period,
    )
