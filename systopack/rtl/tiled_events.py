"""Events of the tiled accelerator, from its cycle model and its program."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.array import Array
from systopack.hardware.energy.activity import Activity, active_products, full_activity
from systopack.hardware.energy.events import Memory, NetworkEvents, StepEvents
from systopack.hardware.tiled.cycles import OpCycles, op_cycles
from systopack.hardware.tiled.timing import TiledTiming
from systopack.network.network import PackedNetwork
from systopack.network.nodes import MatrixLayer
from systopack.rtl.accesses import Counts, merged, tiled_accesses
from systopack.rtl.memories import REGISTER_MEMORY, tiled_memories
from systopack.rtl.program import TiledProgram, compile_tiled

_RESULT_BITS = 32


def tiled_events(
    network: PackedNetwork, *, array: Array, activity: Activity | None = None
) -> NetworkEvents:
    """Count the events of one image on the tiled accelerator.

    Where weights come with the words the array's clock stops while there are none (`array_core.v`
    with GATED), else it never does. Weights of all cells are loaded for every visit of a tile,
    zeros included.

    Args:
        network: dense or packed.
        array: its array.
        activity: real activations; None: every word counts as not zero.

    Raises:
        InvalidOptionError: the network does not fit the array.
    """
    return program_events(compile_tiled(network, array=array), activity=activity)


def program_events(program: TiledProgram, *, activity: Activity | None = None) -> NetworkEvents:
    """The same, of a compiled network."""
    network, array = program.network, program.array
    activity = activity or full_activity(network)
    ran = list(op_cycles(program.plan))
    ends = [after.begin for after in ran[1:]]
    # Row tiles of the output are sent one by one; together they are a step.
    groups: defaultdict[tuple[str, bool], list[tuple[OpCycles, int, Counts]]] = defaultdict(list)
    for item, end, counts in zip(ran[:-1], ends, tiled_accesses(program), strict=True):
        assert item.op is not None
        groups[item.op.node, item.op.kind == "send"].append((item, end, counts))
    steps = [
        _step(program, name, sends, group, activity) for (name, sends), group in groups.items()
    ]
    lead = ran[0].begin  # from the start of the run to its first instruction
    if lead:
        steps.insert(0, _idle("start", "image", lead, array, {}))
    return NetworkEvents(
        network=network.name,
        array=array,
        organisation="tiled",
        cells=array.rows * array.columns,
        memories=_memories(program),
        steps=tuple(steps),
        images=activity.images,
    )


def weight_bits(array: Array) -> int:
    """Bits of a cell's weight and index."""
    return array.weight_bits + max(0, (array.alpha - 1).bit_length())


def _memories(program: TiledProgram) -> Mapping[str, Memory]:
    return {
        memory.name: Memory(
            width_bits=memory.width,
            words=memory.depth,
            instances=memory.count,
            ports=memory.ports,
        )
        for memory in tiled_memories(program)
        if memory.module != REGISTER_MEMORY
    }


def _step(
    program: TiledProgram,
    name: str,
    sends: bool,
    group: list[tuple[OpCycles, int, Counts]],
    activity: Activity,
) -> StepEvents:
    network, array = program.network, program.array
    cycles = sum(end - item.begin for item, end, _ in group)
    accesses = merged(*(counts for _, _, counts in group))
    node = network.by_name[name]
    if sends:
        bits = _RESULT_BITS * int(np.prod(network.shapes[name]))
        return _idle(name, "send", cycles, array, accesses, off_chip_bits=bits)
    if isinstance(node, MatrixLayer):
        return _layer(
            program.plan.timing,
            node,
            activity.nonzero_words[name],
            [(item, end) for item, end, _ in group],
            cycles=cycles,
            accesses=accesses,
        )
    if node is network.nodes[0]:
        bits = 8 * int(np.prod(network.shapes[name]))
        return _idle(name, "image", cycles, array, accesses, off_chip_bits=bits)
    return _idle(name, "pool", cycles, array, accesses)


def _layer(
    timing: TiledTiming,
    layer: MatrixLayer,
    nonzero: NDArray[np.float64],
    items: Iterable[tuple[OpCycles, int]],
    *,
    cycles: int,
    accesses: Counts,
) -> StepEvents:
    array = timing.array
    cells = array.rows * array.columns
    active = active_products(layer, nonzero)
    work = layer.matrix.nonzeros * layer.positions
    entered, loads, running, hops = 0, 0, 0, 0.0
    for item, end in items:
        op = item.op
        if op is None or op.kind != "tiles":
            continue
        assert op.visits is not None and op.tile is not None and op.schedule is not None
        entered += item.streamed // array.word_cycles * cells
        visits = op.visits.blocks * op.visits.column_tiles
        loads += visits * cells
        running += item.streamed + min(
            end - item.begin - item.streamed, visits * timing.clock_cycles
        )
        moved = float(nonzero[_streamed_columns(layer, op.tile.band)].sum())
        hops += moved * array.rows / op.schedule.walk.parts
    return StepEvents(
        name=layer.name,
        kind="layer",
        cycles=cycles,
        cell_cycles=cycles * cells,
        running_cell_cycles=(running if array.weight_buffers == 1 else cycles) * cells,
        active=active,
        zero_input=work - active,
        zero_weight=float(entered - work),
        loads=loads,
        hops=hops,
        accesses=accesses,
        off_chip_bits=0,
    )


def _streamed_columns(layer: MatrixLayer, band: int) -> NDArray[np.int64]:
    """Columns of the filter matrix that streams of a band read, one for every such stream."""
    packed = layer.matrix.bands[band]
    row, group = np.nonzero(packed.values)
    used = np.zeros(packed.group_table.shape, dtype=bool)
    used[group, packed.channels[row, group]] = True
    return np.asarray(packed.group_table[used], dtype=np.int64)


def _idle(
    name: str,
    kind: str,
    cycles: int,
    array: Array,
    accesses: Counts,
    *,
    off_chip_bits: int = 0,
) -> StepEvents:
    cells = cycles * array.rows * array.columns
    return StepEvents(
        name=name,
        kind=kind,
        cycles=cycles,
        cell_cycles=cells,
        running_cell_cycles=0 if array.weight_buffers == 1 else cells,
        active=0.0,
        zero_input=0.0,
        zero_weight=0.0,
        loads=0,
        hops=0.0,
        accesses=accesses,
        off_chip_bits=off_chip_bits,
    )
