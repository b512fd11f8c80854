"""The cycle model of the tiled accelerator: what the RTL does, cycle for cycle.

Every instruction starts with a word time. A visit of a column tile to the array reads its
descriptors, fetches its first words, waits for its weights and then runs in periods; so visits
follow each other at distances that are known, and nothing loops over positions, words or cycles.
The count is of one image, from the start of the run to its end, with a host that never waits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.array import Array
from systopack.hardware.tiled.ops import TileOp, TilePlan
from systopack.hardware.tiled.plan import plan_tiles
from systopack.hardware.tiled.timing import TiledTiming
from systopack.hardware.tiled.weight_ring import RingTimes, WeightMemory, WeightRing
from systopack.network.network import PackedNetwork
from systopack.network.nodes import MatrixLayer

_SEND_CYCLES = 3  # address, memory, handshake
_TAIL = 1


@dataclass(frozen=True, kw_only=True)
class StepCycles:
    """What one node costs on the tiled accelerator, for one image.

    `cycles = stream_cycles + fetch_cycles + stall_cycles + drain_cycles`.

    Args:
        name: the node.
        kind: "image", "layer", "pool" or "send" (the results' way out).
        start_cycle: when its first instruction starts.
        cycles: until the next node may start.
        tiles: tiles run, 0 but for layers; a row tile without column groups runs one of zeros.
        positions: output positions.
        stream_cycles: word times in which a position enters the array, or a step is done.
        fetch_cycles: added since descriptors and first words come before a run, since steps wait
            for words, and since a run ends with a period.
        stall_cycles: in which only weights are waited for.
        drain_cycles: wait until the last word is written.
        weight_bytes: that come as a stream; 0 where the memory holds all weights.
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
    fetch_cycles: int
    stall_cycles: int
    drain_cycles: int
    weight_bytes: int
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
        entered_words: word times in which words enter the array: all its multipliers work.
        bank_words: words of each bank of the feature memory.
        ring: the weight memory, where it does not hold all weights.
    """

    network: str
    array: Array
    cycles: int
    steps: tuple[StepCycles, ...]
    entered_words: int
    bank_words: int
    ring: WeightRing | None

    @property
    def weight_bytes(self) -> int:
        """Bytes of weights that come as a stream."""
        return sum(step.weight_bytes for step in self.steps)

    @property
    def tiles(self) -> int:
        """Tiles of all layers."""
        return sum(step.tiles for step in self.steps)

    @property
    def stall_words(self) -> int:
        """Word times in which only weights are waited for."""
        return sum(step.stall_cycles for step in self.steps) // self.array.word_cycles

    @property
    def compute_cycles(self) -> int:
        """Cycles of layers and poolings, without the streams from and to the host."""
        return sum(step.cycles for step in self.steps if step.kind in ("layer", "pool"))


@dataclass(frozen=True, kw_only=True, eq=False)
class OpCycles:
    """When an instruction runs.

    Args:
        op: the instruction; None: the end.
        begin: cycle in which it starts.
        takes: of every visit, block by block, the cycle in which its first step starts.
        end: cycle after its last period.
        streamed: cycles in which steps enter.
        stalled: cycles in which only weights are waited for.
    """

    op: TileOp | None
    begin: int
    takes: NDArray[np.int64]
    end: int
    streamed: int
    stalled: int


def count_tiled(
    network: PackedNetwork,
    *,
    array: Array,
    plan: TilePlan | None = None,
    weights: WeightMemory | None = None,
) -> TiledCycles:
    """Count the cycles of one image on the tiled accelerator.

    Args:
        network: dense or packed.
        array: its alpha must reach the largest group, its accumulator must be the network's.
        plan: of the network on this array; None: made anew.
        weights: the memory of the weights, where `plan` is None; see `plan_tiles`.

    Raises:
        InvalidOptionError: the network does not fit the array, or two of its tiles the memory.
    """
    plan = plan or plan_tiles(network, array=array, weights=weights)
    found = list(op_cycles(plan))
    return TiledCycles(
        network=network.name,
        array=array,
        cycles=found[-1].begin,
        steps=tuple(_steps(plan, found)),
        entered_words=sum(item.streamed for item in found if item.op and item.op.kind == "tiles")
        // array.word_cycles,
        bank_words=plan.places.depth,
        ring=plan.ring,
    )


def op_cycles(plan: TilePlan) -> Iterator[OpCycles]:
    """When each instruction of the plan runs, and after them the end."""
    timing = plan.timing
    cycles = timing.array.word_cycles
    now, taken = cycles, 0  # weights of the first tile load from the start of the run
    drained = 0
    ring = None if plan.ring is None else RingTimes(plan.ring, timing)
    for op in plan.ops:
        begin = max(now, drained) if op.barrier else now
        if op.visits is None:
            send = op.kind == "send"
            each = (_SEND_CYCLES if send else 1) * op.entries * op.positions
            now = begin + _up(each + _TAIL, cycles)
            yield OpCycles(
                op=op,
                begin=begin,
                takes=np.array([begin]),
                end=now,
                streamed=now - begin,
                stalled=0,
            )
            continue
        ran = _visits(plan, op, begin=begin, taken=taken, ring=ring)
        now = ran.end
        drained = now + timing.drain_words(plan.pools) * cycles
        if op.kind == "tiles":
            taken = int(ran.takes[-1])
        yield ran
    end = max(now, drained)
    yield OpCycles(op=None, begin=end, takes=np.array([end]), end=end, streamed=0, stalled=0)


def _visits(
    plan: TilePlan, op: TileOp, *, begin: int, taken: int, ring: RingTimes | None
) -> OpCycles:
    """The visits of a row tile's column tiles, block after block."""
    visits, cycles = op.visits, plan.timing.array.word_cycles
    assert visits is not None
    head, body = _heads_and_bodies(op, plan.timing)
    if op.kind != "tiles":
        takes = begin + np.cumsum(head + body) - body
    elif plan.ring is not None and ring is not None:
        kept = plan.ring.keeps(visits.column_tiles, visits.blocks)
        found, free = [], begin
        for number, (before, long) in enumerate(zip(head.tolist(), body.tolist(), strict=True)):
            block = number // visits.column_tiles
            first, leaves = block == 0 or not kept, block == visits.blocks - 1 or not kept
            found.append(ring.take(free + before, first=first, leaves=leaves))
            free = found[-1] + long
        takes = np.array(found)
    else:
        least = plan.timing.load_words * cycles
        start = max(begin + int(head[0]), taken + least)
        takes = start + np.concatenate([[0], np.cumsum(np.maximum(body[:-1] + head[1:], least))])
    steps = (visits.blocks - 1) * visits.steps(last=False) + visits.steps(last=True)
    end = int(takes[-1] + body[-1])
    return OpCycles(
        op=op,
        begin=begin,
        takes=takes,
        end=end,
        streamed=steps * visits.column_tiles * cycles,
        stalled=end - begin - int((head + body).sum()),
    )


def _heads_and_bodies(
    op: TileOp, timing: TiledTiming
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cycles of every visit before its first step, and from it on."""
    schedule, visits = op.schedule, op.visits
    assert schedule is not None and visits is not None
    cycles, walk = timing.array.word_cycles, schedule.walk
    shape = (visits.blocks, visits.column_tiles)
    loads = np.full(shape, timing.stream_words + 1)
    loads[:, -1] += timing.residual_words if op.residual else 0
    first_words = schedule.slot_stop - schedule.slot_first + timing.write_slots
    heads = -(-(loads + first_words) // cycles) * cycles
    bodies = np.zeros(shape, dtype=np.int64)
    for last, blocks in ((False, slice(0, -1)), (True, slice(-1, None))):
        runs = visits.runs(last=last)
        periods = -(-visits.run_steps(last=last) // walk.steps) * runs
        between = 0 if walk.gather else (runs - 1) * _up(first_words, cycles)
        bodies[blocks] = periods * schedule.slots + between
    bodies[:, -1] += op.tail * schedule.slots
    return heads.ravel(), bodies.ravel()


def _steps(plan: TilePlan, found: list[OpCycles]) -> Iterator[StepCycles]:
    """A node's cycles; a copy of operands belongs to its layer, results are a step of their own."""
    first = 0
    while first < len(found) - 1:
        name = _node(found[first])
        last = first + 1
        while _node(found[last]) == name:
            last += 1
        yield from _node_steps(plan, found[first:last], found[last].begin)
        first = last


def _node(found: OpCycles) -> str | None:
    return found.op.node if found.op is not None else None


def _node_steps(plan: TilePlan, found: list[OpCycles], end: int) -> Iterator[StepCycles]:
    array, network = plan.array, plan.network
    name = str(_node(found[0]))
    node = network.by_name[name]
    own = [item for item in found if item.op is not None and item.op.kind != "send"]
    sends = [item for item in found if item.op is not None and item.op.kind == "send"]
    positions = network.shapes[name][1] * network.shapes[name][2]
    sending = sum(item.end - item.begin for item in sends)
    cycles = end - found[0].begin - sending
    stream = sum(item.streamed for item in own)
    stall = sum(item.stalled for item in own)
    fetch = sum(item.end - item.begin - item.streamed - item.stalled for item in own)
    layer = node if isinstance(node, MatrixLayer) else None
    work = layer.matrix.nonzeros * layer.positions if layer is not None else 0
    cells = cycles * array.rows * array.columns
    yield StepCycles(
        name=name,
        kind="layer" if layer is not None else own[0].op.kind if own[0].op else "",
        start_cycle=found[0].begin,
        cycles=cycles,
        tiles=sum(
            item.op.visits.column_tiles
            for item in own
            if item.op and item.op.kind == "tiles" and item.op.visits
        ),
        positions=positions,
        stream_cycles=stream,
        fetch_cycles=fetch,
        stall_cycles=stall,
        drain_cycles=cycles - stream - fetch - stall,
        weight_bytes=_streamed_bytes(plan, own),
        multiplications=work,
        utilization=work * array.word_cycles / cells if cells else 0.0,
    )
    if sends:
        yield StepCycles(
            name=name,
            kind="send",
            start_cycle=sends[0].begin,
            cycles=sending,
            tiles=0,
            positions=positions,
            stream_cycles=sending,
            fetch_cycles=0,
            stall_cycles=0,
            drain_cycles=0,
            weight_bytes=0,
            multiplications=0,
            utilization=0.0,
        )


def _streamed_bytes(plan: TilePlan, found: list[OpCycles]) -> int:
    """Bytes of the tiles that come for some instructions."""
    ring = plan.ring
    visits = [item.op.visits for item in found if item.op and item.op.kind == "tiles"]
    if ring is None:
        return 0
    tiles = sum(ring.streamed(one.column_tiles, one.blocks) for one in visits if one)
    return tiles * ring.tile_bytes(plan.timing)


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
