"""Events of the tiled accelerator, from its cycle model and its memory map."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.array import Array
from systopack.hardware.energy.activity import Activity, active_products, full_activity
from systopack.hardware.energy.events import Access, Memory, NetworkEvents, StepEvents
from systopack.hardware.plan import TilePlan, plan_tiles
from systopack.hardware.row_tiles import Placement, stream_places
from systopack.hardware.tiled.cycles import StepCycles, count_tiled
from systopack.network.network import PackedNetwork
from systopack.network.nodes import MatrixLayer, PoolLayer

RESULT_BITS = 32


def tiled_events(
    network: PackedNetwork, *, array: Array, activity: Activity | None = None
) -> NetworkEvents:
    """Count the events of one image on the tiled accelerator.

    Reads are those of streams in use; an unused stream reads nothing. Weights of all array cells
    are loaded for each tile, zeros included, as the RTL does.

    Args:
        network: dense or packed.
        array: its array.
        activity: real activations; None: every word counts as not zero.

    Raises:
        InvalidOptionError: the network does not fit the array.
    """
    activity = activity or full_activity(network)
    plan = plan_tiles(network, array=array)
    count = count_tiled(network, array=array, plan=plan)
    memories = _memories(plan)
    steps = tuple(_step(plan, step, activity) for step in count.steps)
    # From the start of the run to its first step.
    lead = count.cycles - sum(step.cycles for step in count.steps)
    if lead:
        steps = (_idle("start", lead, array), *steps)
    return NetworkEvents(
        network=network.name,
        array=array,
        organisation="tiled",
        cells=array.rows * array.columns,
        memories=memories,
        steps=steps,
        images=activity.images,
    )


def weight_bits(array: Array) -> int:
    """Bits of a cell's weight and index."""
    return array.weight_bits + max(0, (array.alpha - 1).bit_length())


def _memories(plan: TilePlan) -> Mapping[str, Memory]:
    network, array, placement, timing = plan.network, plan.array, plan.placement, plan.timing
    parts = array.sub_banks
    memories = {
        "activations": Memory(capacity_bits=8 * placement.depth, instances=timing.banks * parts),
        "descriptors": Memory(
            capacity_bits=max(1, plan.tiles * timing.reads) * placement.descriptor_bits,
            instances=timing.banks,
        ),
        "weights": Memory(
            capacity_bits=plan.tiles * array.rows * array.columns * weight_bits(array), instances=1
        ),
        "partial sums": Memory(
            capacity_bits=plan.sum_positions * timing.lane_rows * array.accumulator_bits,
            instances=timing.lanes,
        ),
    }
    if any(layer.residual is not None for layer in network.layers):
        memories["residuals"] = Memory(
            capacity_bits=8 * placement.depth, instances=timing.lanes * parts
        )
    return memories


def _step(plan: TilePlan, step: StepCycles, activity: Activity) -> StepEvents:
    network, placement, array = plan.network, plan.placement, plan.array
    node = network.by_name[step.name]
    if step.kind == "send":
        bits = RESULT_BITS * int(np.prod(network.shapes[step.name]))
        return _idle(step.name, step.cycles, array, kind="send", off_chip_bits=bits)
    if isinstance(node, MatrixLayer):
        return _layer(plan, step, node, activity)
    words = step.positions
    written = _written(placement, node.name, words)
    accesses = dict(written)
    off_chip = 0
    if isinstance(node, PoolLayer):
        held = int((placement.addresses[node.name] >= 0).sum())
        reads = held * words * node.kernel[0] * node.kernel[1]
        accesses = _merged(
            written, {"activations": Access(read_bits=8.0 * reads)}, _descriptor(placement, reads)
        )
    else:
        off_chip = 8 * int(np.prod(network.shapes[step.name]))
    return _idle(
        step.name, step.cycles, array, kind=step.kind, accesses=accesses, off_chip_bits=off_chip
    )


def _layer(plan: TilePlan, step: StepCycles, layer: MatrixLayer, activity: Activity) -> StepEvents:
    network, placement, array = plan.network, plan.placement, plan.array
    cells, word = array.rows * array.columns, array.word_cycles
    nonzero = activity.nonzero_words[layer.name]
    active = active_products(layer, nonzero)
    entered = step.stream_cycles // word * cells
    positions = layer.positions
    tail = array.latency_cycles + array.partial_sum_cycles
    waits = step.stall_cycles + step.drain_cycles
    running = step.stream_cycles + step.write_cycles + min(waits, step.tiles * tail)
    streams, moved, sums = _streams(plan, layer, nonzero)
    returned = float(sums * positions * array.accumulator_bits)
    parts = [
        {"activations": Access(read_bits=8.0 * streams * positions)},
        _descriptor(placement, streams * positions),
        {"weights": Access(read_bits=float(step.tiles * cells * weight_bits(array)))},
        {"partial sums": Access(read_bits=returned, write_bits=returned)},
    ]
    if layer is not network.output:
        parts.append(_written(placement, layer.name, positions))
    if layer.residual is not None:
        added = int((layer.residual.channels >= 0).sum()) * positions
        parts.append({"residuals": Access(read_bits=8.0 * added)})
    return StepEvents(
        name=layer.name,
        kind="layer",
        cycles=step.cycles,
        cell_cycles=step.cycles * cells,
        running_cell_cycles=running * cells,
        active=active,
        zero_input=step.multiplications - active,
        zero_weight=float(entered - step.multiplications),
        loads=step.tiles * cells,
        hops=moved * array.rows,
        accesses=_merged(*parts),
        off_chip_bits=0,
    )


def _streams(
    plan: TilePlan, layer: MatrixLayer, nonzero: NDArray[np.float64]
) -> tuple[int, float, int]:
    """Of all tiles: streams in use, their words that are not zero, and rows whose sums return."""
    places = [
        stream_places(layer, band, plan.timing)[:, 3] for band in range(len(layer.matrix.bands))
    ]
    streams, moved, sums = 0, 0.0, 0
    for step in plan.row_tiles(layer.name):
        assert step.tile is not None
        columns = places[step.tile.band]
        streams += len(columns)
        moved += float(nonzero[columns].sum())
        sums += (step.column_tiles - 1) * step.tile.rows
    return streams, moved, sums


def _written(placement: Placement, name: str, words: int) -> dict[str, Access]:
    """Bytes of a tensor, into every bank that holds them."""
    held = placement.addresses[name] >= 0
    banks = placement.timing.banks
    found = {"activations": Access(write_bits=8.0 * words * int(held[:banks].sum()))}
    residual = int(held[banks:].sum())
    if residual:
        found["residuals"] = Access(write_bits=8.0 * words * residual)
    return found


def _descriptor(placement: Placement, reads: int) -> dict[str, Access]:
    return {"descriptors": Access(read_bits=float(reads * placement.descriptor_bits))}


def _merged(*parts: Mapping[str, Access]) -> dict[str, Access]:
    total: dict[str, Access] = {}
    for part in parts:
        for name, access in part.items():
            before = total.get(name, Access())
            total[name] = Access(
                read_bits=before.read_bits + access.read_bits,
                write_bits=before.write_bits + access.write_bits,
            )
    return total


def _idle(
    name: str,
    cycles: int,
    array: Array,
    *,
    kind: str = "image",
    accesses: Mapping[str, Access] | None = None,
    off_chip_bits: int = 0,
) -> StepEvents:
    return StepEvents(
        name=name,
        kind=kind,
        cycles=cycles,
        cell_cycles=cycles * array.rows * array.columns,
        running_cell_cycles=0,
        active=0.0,
        zero_input=0.0,
        zero_weight=0.0,
        loads=0,
        hops=0.0,
        accesses=accesses or {},
        off_chip_bits=off_chip_bits,
    )
