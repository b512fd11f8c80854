"""Events of the layer-pipelined accelerator, from its units and its schedule."""

from __future__ import annotations

import numpy as np

from systopack.hardware.array import Array, check_fits
from systopack.hardware.energy.activity import Activity, active_products, full_activity
from systopack.hardware.energy.events import Access, Memory, NetworkEvents, StepEvents
from systopack.hardware.pipelined.schedule import image_period, window_depths
from systopack.hardware.pipelined.units import LayerUnit, PoolUnit, build_units
from systopack.network.network import PackedNetwork

_RESULT_BITS = 32


def pipelined_events(
    network: PackedNetwork, *, array: Array, activity: Activity | None = None
) -> NetworkEvents:
    """Count the events of one image among images that follow each other without a gap.

    Weights stay in the cells, so none is loaded. All units share the clock cycles of one image;
    they stand in a step of their own, and the steps of the units have none. A unit's clock runs
    while words are in its cells.

    Args:
        network: dense or packed, without concatenations.
        array: tile size and cell.
        activity: real activations; None: every word counts as not zero.

    Raises:
        InvalidOptionError: the network does not fit the array.
    """
    check_fits(network, array)
    activity = activity or full_activity(network)
    units = build_units(network, array)
    period = image_period(network, units) * array.word_cycles
    depths = window_depths(network, units)
    memories: dict[str, Memory] = {}
    steps: list[StepEvents] = []
    for unit in units:
        windows = list(unit.windows)
        if isinstance(unit, LayerUnit) and unit.residual is not None:
            windows.append(unit.residual)
        accesses: dict[str, Access] = {}
        _, height, width = network.shapes[unit.name]
        positions = height * width
        for number, (window, depth) in enumerate(zip(windows, depths[unit.name], strict=True)):
            name = f"{unit.name} line buffer {number}"
            bits = 8 * len(window.channels)
            memories[name] = Memory(width_bits=bits, words=depth, ports=2)
            _, rows, columns = network.shapes[window.source]
            accesses[name] = Access(
                reads=window.reads * positions,
                writes=rows * columns,
            )
        steps.append(_unit(unit, positions, period, accesses, activity))
    shape, results = network.input.shape, network.shapes[network.output.name]
    off_chip = 8 * int(np.prod(shape)) + _RESULT_BITS * int(np.prod(results))
    common = StepEvents(
        name="images",
        kind="image",
        cycles=period,
        cell_cycles=0,
        running_cell_cycles=0,
        active=0.0,
        zero_input=0.0,
        zero_weight=0.0,
        loads=0,
        hops=0.0,
        accesses={},
        off_chip_bits=off_chip,
    )
    return NetworkEvents(
        network=network.name,
        array=array,
        organisation="pipelined",
        cells=sum(unit.cells for unit in units if isinstance(unit, LayerUnit)),
        memories=memories,
        steps=(common, *steps),
        images=activity.images,
    )


def _unit(
    unit: LayerUnit | PoolUnit,
    positions: int,
    period: int,
    accesses: dict[str, Access],
    activity: Activity,
) -> StepEvents:
    cells, work, active, hops, running = 0, 0, 0.0, 0.0, 0
    if isinstance(unit, LayerUnit):
        cells = unit.cells
        nonzero = activity.nonzero_words[unit.layer.name]
        work = unit.layer.matrix.nonzeros * positions
        active = active_products(unit.layer, nonzero)
        busy = (positions - 1) * unit.interval * unit.word_cycles + unit.out_cycles
        running = min(period, busy + unit.word_cycles)
        columns = np.array([stream.column for stream in unit.streams])
        for band in unit.bands:
            used = np.unique(band.slots[band.slots >= 0])
            hops += float(nonzero[columns[used]].sum()) * band.rows
    return StepEvents(
        name=unit.name,
        kind="layer" if isinstance(unit, LayerUnit) else "pool",
        cycles=0,
        cell_cycles=period * cells,
        running_cell_cycles=running * cells,
        active=active,
        zero_input=work - active,
        zero_weight=float(cells * positions - work),
        loads=0,
        hops=hops,
        accesses=accesses,
        off_chip_bits=0,
    )
