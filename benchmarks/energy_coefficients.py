"""Energy coefficients of arrays from their gate-level netlists, running tiles of real layers.

    python benchmarks/energy_coefficients.py --name energy_coefficients_nangate45.json \
        --library ../shared/pdk/nangate45/nangate45_typ.lib.gz --sizes 8 16

Every array is mapped, simulated at gate level with the weights and words of most layers of
ResNet-20, dense for alpha 1, packed for alpha 8, and idle, with nothing but zeros; non-negative
least squares gives the coefficients. Tiles are of three lengths, as the load of a tile and its
cycles could not be told apart otherwise. Five layers are kept back and predicted. The array alone:
wires, clock tree, and the periphery are not in these numbers. Clock gates, gating
'clock', are those of registers with an enable; the array's clock never stops, so a cycle without
words costs what it was measured to cost. Points that a record has already, of other arrays, stay.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from systopack.data.open import open_data
from systopack.hardware.array import Array
from systopack.hardware.energy.coefficients import (
    CoefficientTable,
    MeasuredPoint,
    read_coefficients,
)
from systopack.hardware.energy.fit import (
    ArrayEvents,
    Fit,
    MeasuredRun,
    fit_coefficients,
    tile_events,
)
from systopack.network.file import load
from systopack.network.network import PackedNetwork
from systopack.network.packaged import network_file
from systopack.network.reference import quantize_images
from systopack.records import STORE, read_record
from systopack.synthesis.asic import Options, map_array
from systopack.synthesis.delays import Delays, propagate
from systopack.synthesis.gate_simulation import GateSimulation
from systopack.synthesis.liberty import BUNDLED, Library, read_library
from systopack.synthesis.power import energy
from systopack.synthesis.workload import Workload, record_runs, simulate_workload, workload
from systopack.verify.array_bench import ArrayTile, start_times

KEPT_BACK = (
    "layer1.0.conv2",
    "layer1.2.conv1",
    "layer2.1.conv1",
    "layer3.0.conv2",
    "layer3.2.conv1",
)
CLOCK_NS = 1.5
WORDS = (16, 32, 64)  # of a tile, in turn
KEPT_BACK_WORDS = 32
IDLE = "idle"


def measured(
    work: Workload, name: str, simulation: GateSimulation, delays: Delays, period_ns: float
) -> MeasuredRun:
    """Run it at gate level, compare every sum that leaves, and count its events.

    A first load that is over before the first word is counted in neither; one that comes with the
    words is counted in both, but for its first cycle.
    """
    activity, _ = simulate_workload(work, simulation)
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
    return MeasuredRun(name=name, events=events, energy_pj=found.cells_fj * activity.cycles / 1000)


def idle(array: Array, words: int, tiles: int) -> Workload:
    """Nothing but zeros."""
    zeros = np.zeros((array.rows, array.columns), dtype=np.int64)
    tile = ArrayTile(
        weights=zeros,
        index=zeros,
        words=np.zeros((words, array.alpha, array.columns), dtype=np.int64),
        sums=np.zeros((words, array.rows), dtype=np.int64),
    )
    runs = tuple((tile,) * tiles for _ in range(64))
    return Workload(
        array=array,
        inputs=record_runs(array, runs),
        runs=runs,
        first_cycle=start_times(array, runs[0])[0],
    )


def measure(
    array: Array,
    library: Library,
    gates: bool,
    network: PackedNetwork,
    images: NDArray[np.int8],
) -> tuple[MeasuredPoint, Fit]:
    """One netlist."""
    netlist = map_array(
        array, library=library, options=Options(clock_gates=gates, clock_ns=CLOCK_NS)
    )
    delays = propagate(netlist)
    period_ns = max(CLOCK_NS, delays.critical_ns)
    simulation = GateSimulation(netlist)
    runs = {
        layer.name: measured(
            workload(
                network,
                images,
                array=array,
                layers=[layer.name],
                words=KEPT_BACK_WORDS if layer.name in KEPT_BACK else WORDS[number % len(WORDS)],
            ),
            layer.name,
            simulation,
            delays,
            period_ns,
        )
        for number, layer in enumerate(network.layers)
    }
    used = [run for name, run in runs.items() if name not in KEPT_BACK]
    for words in (WORDS[0], WORDS[-1]):
        used.append(measured(idle(array, words, 2), IDLE, simulation, delays, period_ns))
    fit = fit_coefficients(
        used,
        kept_back=[runs[name] for name in KEPT_BACK],
        origin=f"measured on {array.label}, array alone, without wires",
    )
    cells = array.rows * array.columns
    point = MeasuredPoint(
        array=array,
        gating="clock" if gates else "none",
        clock_mhz=1000 / period_ns,
        cell_area_um2=netlist.area_um2 / cells,
        coefficients=fit.coefficients,
    )
    print(
        array.label,
        f"compact {array.compact} gates {gates}: {point.cell_area_um2:.1f} um2 a cell, critical "
        f"{delays.critical_ns:.2f} ns, errors "
        + ", ".join(f"{error:+.3f}" for error in fit.errors.values()),
        {name: round(value, 4) for name, value in fit.coefficients.energies.items()},
        flush=True,
    )
    return point, fit


def _key(point: MeasuredPoint) -> str:
    array = point.array
    together = "two products an accumulator, " if array.cells_per_accumulator == 2 else ""
    weights = "one weight a cell, " if array.weight_buffers == 1 else ""
    return (
        f"{array.label}, {array.cells_per_stage} columns a sum register, {together}"
        f"{array.input_fanout} rows an input register, {weights}{point.gating}"
    )


def main() -> None:
    """Measure every array and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", type=Path, default=Path(BUNDLED))
    parser.add_argument("--name", default="energy_coefficients.json")
    parser.add_argument("--data", default="../shared/data/cifar10")
    parser.add_argument("--sizes", type=int, nargs="+", default=[8, 16])
    parser.add_argument("--cells-per-stage", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--input-fanout", type=int, help="[default: all rows]")
    parser.add_argument("--cells-per-accumulator", type=int, default=1)
    parser.add_argument("--weight-buffers", type=int, default=2)
    parser.add_argument("--full", action="store_true", help="cells that are not compact, instead")
    parser.add_argument("--gating", choices=["clock", "none"], nargs="+", default=["clock"])
    options = parser.parse_args()
    path = STORE / options.name
    library = read_library(options.library)
    pixels = open_data(options.data).test_images[:4]
    networks = {
        alpha: load(network_file(Path(f"zoo:{name}")))
        for alpha, name in ((1, "resnet20-cifar10-dense"), (8, "resnet20-cifar10"))
    }
    points: dict[str, MeasuredPoint] = {}
    errors: dict[str, Mapping[str, float]] = {}
    if path.exists():
        points = {_key(point): point for point in read_coefficients(path).points}
        errors = dict(read_record(path)["configuration"]["errors"])
    shares = [1] if options.full else options.cells_per_stage
    for size, gating, shared in itertools.product(options.sizes, options.gating, shares):
        for alpha, network in networks.items():
            array = Array(
                rows=size,
                columns=size,
                alpha=alpha,
                compact=not options.full,
                input_fanout=min(options.input_fanout or size, size),
                cells_per_stage=shared,
                cells_per_accumulator=options.cells_per_accumulator,
                weight_buffers=options.weight_buffers,
            )
            images = quantize_images(network, pixels)
            point, fit = measure(array, library, gating == "clock", network, images)
            points[_key(point)] = point
            errors[_key(point)] = fit.errors
        table = CoefficientTable(
            library=library.name,
            node_nm=45 if "nangate" in options.library.name else 130,
            voltage_v=library.voltage_v,
            points=tuple(points.values()),
        )
        table.write(
            path,
            configuration={
                "clock_ns": CLOCK_NS,
                "words": WORDS,
                "kept_back": KEPT_BACK,
                "errors": errors,
                "library_file": options.library.name,
            },
        )


if __name__ == "__main__":
    main()
