"""The cycle model of the tiled accelerator: what the RTL does, cycle for cycle.

Everything starts with a word time. A row tile's column tiles follow each other at fixed
distances, so a layer costs a closed form for each row tile; nothing loops over positions, words
or cycles. The count is of one image, from the start of the run to its end, with a host that
never waits. `docs/cycle-model.md` derives it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.array import Array
from systopack.hardware.plan import Step, TilePlan, plan_tiles
from systopack.hardware.timing import TiledTiming
from systopack.network.network import PackedNetwork
from systopack.network.nodes import MatrixLayer

_SEND_CYCLES = 3  # address, memory, handshake
_POOL_TAIL = 6
_STREAM_TAIL = 1


@dataclass(frozen=True, kw_only=True)
class StepCycles:
    """What one node costs on the tiled accelerator, for one image.

    `cycles = stream_cycles + write_cycles + stall_cycles + drain_cycles`.

    Args:
        name: the node.
        kind: "image", "layer", "pool" or "send" (the results' way out).
        start_cycle: when its first instruction starts.
        cycles: until the next node may start.
        tiles: tiles run, 0 but for layers; a row tile without column groups runs one of zeros.
        positions: output positions.
        stream_cycles: word times in which a position enters the array, or a step is done.
        write_cycles: word times added where a position's bytes take longer to write than to
            stream.
        stall_cycles: word times in which only weights or returning partial sums are waited for,
            up to the start of the next node; the RTL counts the same.
        drain_cycles: wait until the last word is written.
        multiplications: by weights that are not zero.
        utilization: multiplications per array cell and word time, 0..1.
    """

    name: str
    kind: str
    start_cycle: int
    cycles: int
    tiles: int
    positions: int
    stream_cycles: int
    write_cycles: int
    stall_cycles: int
    drain_cycles: int
    multiplications: int
    utilization: float


@dataclass(frozen=True, kw_only=True)
class TiledCycles:
    """What a network costs on the tiled accelerator, for one image.

    Args:
        network: its name.
        array: the array.
        cycles: from the start of the run to its end.
        steps: node by node, in order.
        bank_words: words of memory in each part of a bank.
    """

    network: str
    array: Array
    cycles: int
    steps: tuple[StepCycles, ...]
    bank_words: int

    @property
    def tiles(self) -> int:
        """Tiles of all layers."""
        return sum(step.tiles for step in self.steps)

    @property
    def entered_words(self) -> int:
        """Word times in which words enter the array: all its multipliers work."""
        streamed = sum(step.stream_cycles for step in self.steps if step.kind == "layer")
        return streamed // self.array.word_cycles

    @property
    def stall_words(self) -> int:
        """Word times in which only weights or returning partial sums are waited for."""
        return sum(step.stall_cycles for step in self.steps) // self.array.word_cycles

    @property
    def compute_cycles(self) -> int:
        """Cycles of layers and poolings, without the streams from and to the host."""
        return sum(step.cycles for step in self.steps if step.kind in ("layer", "pool"))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Event:
    """An instruction or a row of tiles: where it starts and where it is over."""

    name: str
    kind: str
    starts: NDArray[np.int64]  # word times
    waited: int  # word times before the first start in which only weights were waited for
    stalled: int  # word times between its tiles
    issued: int  # word time after its last one
    streamed: int
    written: int


def count_tiled(
    network: PackedNetwork, *, array: Array, plan: TilePlan | None = None
) -> TiledCycles:
    """Count the cycles of one image on the tiled accelerator.

    Args:
        network: dense or packed.
        array: its alpha must reach the largest group, its accumulator must be the network's.
        plan: of the network on this array; None: made anew.

    Raises:
        InvalidOptionError: the network does not fit the array.
    """
    plan = plan or plan_tiles(network, array=array)
    events = list(_schedule(plan))
    steps: list[StepCycles] = []
    first = 0
    while first < len(events) - 1:
        last = first
        while events[last + 1].name == events[first].name:
            last += 1
        steps += _steps(network, array, events[first : last + 1], events[last + 1])
        first = last + 1
    return TiledCycles(
        network=network.name,
        array=array,
        cycles=int(events[-1].starts[0]) * array.word_cycles,
        steps=tuple(steps),
        bank_words=plan.placement.depth,
    )


def operation_starts(plan: TilePlan) -> NDArray[np.int64]:
    """The cycle in which each instruction starts: shape (instructions + 1,), the end last."""
    starts = np.concatenate([event.starts for event in _schedule(plan)])
    return starts * plan.array.word_cycles


def _schedule(plan: TilePlan) -> Iterator[_Event]:
    """When each step of the plan runs, and after them the end."""
    timing = plan.timing
    now = 1  # the word time after the start of the run
    last_tile = 0  # weights of the first tile load from the start of the run
    pending = False  # words of a tile are still on their way
    for step in plan.steps:
        free = now + (timing.drain_words if pending and step.waits else 0)
        if step.kind == "tiles":
            start = max(free, last_tile + timing.load_words)
            event = _row_tile(step, timing, free=free, start=start)
            last_tile, pending = int(event.starts[-1]), True
        else:
            event = _single(step, timing, start=free)
            pending = False
        now = event.issued
        yield event
    end = now + (timing.drain_words if pending else 0)
    yield _event("", "end", start=end, words=0)


def _single(step: Step, timing: TiledTiming, *, start: int) -> _Event:
    """An instruction that is no tile."""
    each, tail = {
        "image": (1, _STREAM_TAIL),
        "pool": (step.window, _POOL_TAIL),
        "send": (_SEND_CYCLES, _STREAM_TAIL),
    }[step.kind]
    cycles = each * step.entries * step.positions + tail
    words = -(-cycles // timing.array.word_cycles)
    return _event(step.node, step.kind, start=start, words=words)


def _event(name: str, kind: str, *, start: int, words: int) -> _Event:
    return _Event(
        name=name,
        kind=kind,
        starts=np.array([start]),
        waited=0,
        stalled=0,
        issued=start + words,
        streamed=words,
        written=0,
    )


def _row_tile(step: Step, timing: TiledTiming, *, free: int, start: int) -> _Event:
    """The column tiles of a row tile: all but the last return their partial sums."""
    positions, tiles = step.positions, step.column_tiles
    distance = max(positions, timing.load_words, timing.return_words)
    spacing = step.spacing(timing.array)
    starts = start + distance * np.arange(tiles, dtype=np.int64)
    return _Event(
        name=step.node,
        kind="layer",
        starts=starts,
        waited=start - free,
        stalled=(distance - positions) * (tiles - 1),
        issued=int(starts[-1]) + positions * spacing,
        streamed=positions * tiles,
        written=positions * (spacing - 1),
    )


def _steps(
    network: PackedNetwork, array: Array, events: list[_Event], after: _Event
) -> Iterator[StepCycles]:
    """A node's cycles; the results' way out is a step of its own."""
    name, word = events[0].name, array.word_cycles
    begin, end = int(events[0].starts[0]), int(after.starts[0])
    node = network.by_name[name]
    own = [event for event in events if event.kind != "send"]
    sending = sum(event.issued - int(event.starts[0]) for event in events if event.kind == "send")
    cycles = (end - begin - sending) * word
    layer = node if isinstance(node, MatrixLayer) else None
    stream = sum(event.streamed for event in own) * word
    written = sum(event.written for event in own) * word
    # The wait before the first tile belongs to the node before, the one after the last to this.
    waits = [event.waited for event in [*own[1:], after]]
    stall = (sum(waits) + sum(event.stalled for event in own)) * word
    work = layer.matrix.nonzeros * layer.positions if layer is not None else 0
    yield StepCycles(
        name=name,
        kind=own[0].kind,
        start_cycle=begin * word,
        cycles=cycles,
        tiles=sum(len(event.starts) for event in own) if layer is not None else 0,
        positions=network.shapes[name][1] * network.shapes[name][2],
        stream_cycles=stream,
        write_cycles=written,
        stall_cycles=stall,
        drain_cycles=cycles - stream - written - stall,
        multiplications=work,
        utilization=work * word / (cycles * array.rows * array.columns) if cycles else 0.0,
    )
    if sending:
        yield StepCycles(
            name=name,
            kind="send",
            start_cycle=next(int(e.starts[0]) for e in events if e.kind == "send") * word,
            cycles=sending * word,
            tiles=0,
            positions=network.shapes[name][1] * network.shapes[name][2],
            stream_cycles=sending * word,
            write_cycles=0,
            stall_cycles=0,
            drain_cycles=0,
            multiplications=0,
            utilization=0.0,
        )
