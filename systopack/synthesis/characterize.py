"""Energy coefficients of an array from its gate-level netlist, running tiles of real layers.

Every array is mapped and simulated at gate level with the weights and words of a network's layers,
and idle, with nothing but zeros; non-negative least squares gives the coefficients. Tiles are of
several lengths, as the load of a tile and its cycles could not be told apart otherwise. Some layers
are kept back and predicted. The array alone: wires, clock tree and what is around it are not in
these numbers. The array's clock never stops, so a cycle without words costs what it was measured to
cost.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array
from systopack.hardware.energy.coefficients import CoefficientTable, Gating, MeasuredPoint
from systopack.hardware.energy.fit import (
    ArrayEvents,
    MeasuredRun,
    fit_coefficients,
    tile_events,
)
from systopack.network.network import PackedNetwork
from systopack.network.powers import with_powers_of_two
from systopack.synthesis.asic import MappingOptions, map_array
from systopack.synthesis.delays import Delays, propagate
from systopack.synthesis.gate_simulation import RUNS, GateSimulation
from systopack.synthesis.library import Library
from systopack.synthesis.power import energy
from systopack.synthesis.workload import Workload, record_runs, simulate_workload, workload
from systopack.verification.array_bench import ArrayTile, start_times

WORDS = (16, 32, 64)  # of a tile, in turn
KEPT_BACK_WORDS = 32
IDLE = "idle"
_FEW_LAYERS = 12  # fewer run tiles of every length each, so that there are runs enough
_EVERY = 4  # of the layers is kept back where none is named


@dataclass(frozen=True, kw_only=True)
class Characterized:
    """One array, measured.

    Args:
        point: for a table of coefficients.
        critical_ns: of the netlist.
        errors: kept-back layer -> predicted over measured energy, less 1.
        sums_checked: that the netlist gave, all equal to the integer reference.
    """

    point: MeasuredPoint
    critical_ns: float
    errors: Mapping[str, float]
    sums_checked: int


def characterize(
    array: Array,
    *,
    library: Library,
    network: PackedNetwork,
    images: NDArray[np.int8],
    gating: Gating = "clock",
    clock_ns: float = 1.5,
    kept_back: Collection[str] | None = None,
    on_layer: Callable[[str], None] | None = None,
) -> Characterized:
    """Measure the coefficients of one array.

    Args:
        array: the array, with the network's accumulators.
        library: what it is mapped to.
        network: whose tiles run. An array of fewer channels than the network's groups reads a
            cell's channel modulo alpha, see `workload`. Weights become powers of two if cells ask.
        images: shape (B, C, H, W), int8, as `reference.quantize_images` gives them.
        gating: "clock": registers with an enable get clock gates; "none".
        clock_ns: what gates are sized for; leakage is counted over it, or over the longest path.
        kept_back: layers that are predicted; None: every fourth.
        on_layer: called with the name of each layer before it runs.

    Raises:
        InvalidFileError: a tool is missing, or the netlist computes wrong sums.
        InvalidOptionError: a layer is not there, or the runs do not set all coefficients.
    """
    network = with_powers_of_two(network) if array.cell_kind.weights != "integers" else network
    names = [layer.name for layer in network.layers]
    kept = set(names[_EVERY - 1 :: _EVERY] if kept_back is None else kept_back)
    if not kept <= set(names):
        raise InvalidOptionError(
            f"'{min(kept - set(names))}' is to be kept back, but network '{network.name}' has "
            f"{', '.join(names)}; name one of these."
        )
    options = MappingOptions(clock_gates=gating == "clock", clock_ns=clock_ns)
    netlist = map_array(array, library=library, options=options)
    delays = propagate(netlist)
    period_ns = max(clock_ns, delays.critical_ns)
    simulation = GateSimulation(netlist)
    largest = max(band.largest_group for layer in network.layers for band in layer.matrix.bands)
    used: list[MeasuredRun] = []
    predicted: list[MeasuredRun] = []
    checked = 0
    for name, words in _plan(names, kept):
        if on_layer is not None:
            on_layer(name)
        work = (
            _idle(array, words)
            if name == IDLE
            else workload(
                network,
                images,
                array=array,
                layers=[name],
                words=words,
                fold=1 < array.alpha < largest,
            )
        )
        run, sums = measured(work, name, simulation, delays, period_ns)
        (predicted if name in kept else used).append(run)
        checked += sums
    fit = fit_coefficients(
        used,
        kept_back=predicted,
        origin=f"measured on {array.label}, array alone, without wires",
    )
    return Characterized(
        point=MeasuredPoint(
            array=array,
            gating=gating,
            clock_mhz=1000 / period_ns,
            cell_area_um2=netlist.area_um2 / (array.rows * array.columns),
            coefficients=fit.coefficients,
        ),
        critical_ns=delays.critical_ns,
        errors=fit.errors,
        sums_checked=checked,
    )


def table_of(library: Library, points: Sequence[MeasuredPoint]) -> CoefficientTable:
    """The table of a library's measured arrays.

    Raises:
        InvalidOptionError: the library's node is not known.
    """
    return CoefficientTable(
        library=library.name,
        node_nm=library.node_nm,
        voltage_v=library.voltage_v,
        points=tuple(points),
    )


def _plan(names: Sequence[str], kept: Collection[str]) -> list[tuple[str, int]]:
    """Layers and the lengths of their tiles, then the idle runs."""
    runs = []
    for number, name in enumerate(names):
        if name in kept:
            runs.append((name, KEPT_BACK_WORDS))
        elif len(names) < _FEW_LAYERS:
            runs += [(name, words) for words in WORDS]
        else:
            runs.append((name, WORDS[number % len(WORDS)]))
    return [*runs, (IDLE, WORDS[0]), (IDLE, WORDS[-1])]


def measured(
    work: Workload, name: str, simulation: GateSimulation, delays: Delays, period_ns: float
) -> tuple[MeasuredRun, int]:
    """Run it at gate level, compare every sum that leaves, and count its events.

    A first load that is over before the first word is counted in neither; one that comes with the
    words is counted in both, but for its first cycle.

    Returns:
        The run, and the number of sums compared.

    Raises:
        InvalidFileError: a sum is wrong.
    """
    activity, checked = simulate_workload(work, simulation)
    found = energy(simulation.netlist, activity, delays, period_ns=period_ns)
    cells = work.array.rows * work.array.columns
    events = ArrayEvents(
        cell_cycles=float(cells * activity.cycles),
        active=0.0,
        zero_input=0.0,
        zero_weight=0.0,
        loads=-float(cells * len(work.runs))
        / (work.array.load_cycles if work.array.weight_buffers == 1 else 1),
        hops=0.0,
    )
    for tiles in work.runs:
        for tile in tiles:
            counted = tile_events(tile.weights, tile.index, tile.words)
            # Where nothing but zeros comes, no words stream: an idle array.
            events += replace(counted, zero_weight=0.0) if name == IDLE else counted
    energy_pj = found.cells_fj * activity.cycles / 1000
    return MeasuredRun(name=name, events=events, energy_pj=energy_pj), checked


def _idle(array: Array, words: int, tiles: int = 2) -> Workload:
    """Nothing but zeros."""
    zeros = np.zeros((array.rows, array.columns), dtype=np.int64)
    tile = ArrayTile(
        weights=zeros,
        index=zeros,
        words=np.zeros((words, array.alpha, array.columns), dtype=np.int64),
        sums=np.zeros((words, array.rows), dtype=np.int64),
    )
    runs = tuple((tile,) * tiles for _ in range(RUNS))
    return Workload(
        array=array,
        inputs=record_runs(array, runs),
        runs=runs,
        first_cycle=start_times(array, runs[0])[0],
    )
