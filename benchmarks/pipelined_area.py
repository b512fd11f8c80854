"""Latency, clock and area of layer-pipelined accelerators.

    python benchmarks/pipelined_area.py \
        --library ../shared/pdk/nangate45/nangate45_typ.lib.gz [CASE ...]

Everything but the arrays is mapped, memories are macros; the arrays are counted cell by cell, with
the area and path that arrays of these cells have in `asic_cells`. A case that is named is measured
anew, the others stay in the record as they are.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from _bench import arguments, kept_cases, save

from systopack.hardware.named_arrays import array_from
from systopack.hardware.pipelined.units import LayerUnit
from systopack.network.file import load
from systopack.network.packaged import network_file, record_file
from systopack.records import STORE, read_record
from systopack.rtl.pipelined.program import compile_pipelined
from systopack.synthesis.asic import MappingOptions
from systopack.synthesis.facts import DEFAULT_LIBRARY
from systopack.synthesis.liberty import open_library
from systopack.synthesis.library import Library
from systopack.synthesis.pipelined import map_pipelined

CLOCK_NS = 1.33  # that gates are sized for


@dataclass(frozen=True, kw_only=True)
class Case:
    """One network on its own cells.

    Args:
        network: of the zoo.
        array: named array, whose cells are built.
        cells: what arrays of these cells, 8 x 8, are called in `asic_cells`, but for alpha.
    """

    network: str
    array: str
    cells: str


SERIAL = "mx compact 8x8 alpha {}, 8 columns per register, 2 per accumulator, 1 weights"
PARALLEL = "bit-parallel-compact 8x8 alpha {}, input fanout 8, cells per stage 8, weight buffers 1"
CASES = {
    f"{network} {kind}": Case(network=network, array=array, cells=cells)
    for network in ("resnet20-cifar10-fast", "lenet5-mnist")
    for kind, array, cells in (
        ("serial", "compact-32x32", SERIAL),
        ("parallel", "parallel-compact-32x32", PARALLEL),
    )
}


def measured_cell(case: Case, alpha: int) -> dict[str, Any]:
    """The smallest measured multiplexer that is wide enough."""
    arrays = read_record(STORE / "asic_cells.json")["figures"]
    return next(
        found
        for size in (1, 2, 4, 8, 16)
        if size >= alpha and (found := _find(arrays, case.cells.format(size))) is not None
    )


def _find(figures: Any, name: str) -> dict[str, Any] | None:
    if not isinstance(figures, dict):
        return None
    if name in figures:
        found: dict[str, Any] = figures[name]
        return found
    return next((one for value in figures.values() if (one := _find(value, name))), None)


def measure(case: Case, library: Library) -> dict[str, Any]:
    """Map what is around the arrays and add them."""
    network = load(network_file(Path(f"zoo:{case.network}")))
    array = array_from(case.array, [], accumulator_bits=network.accumulator_bits)
    program = compile_pipelined(network, array=array)
    mapping = map_pipelined(program, library=library, options=MappingOptions(clock_ns=CLOCK_NS))
    layers = [unit for unit in program.units if isinstance(unit, LayerUnit)]
    cells = [(unit.cells, measured_cell(case, unit.alpha)) for unit in layers]
    arrays_um2 = sum(count * found["cell_area_um2"] for count, found in cells)
    cells_ns = max(found["critical_ns"] for _, found in cells)
    critical_ns = max(cells_ns, mapping.critical_ns)
    cycles = program.cycles
    return {
        **asdict(case),
        "accuracy_percent": read_record(record_file(case.network))["figures"][
            "packed_8_bit_percent"
        ],
        "label": array.label,
        "built_cells": sum(unit.cells for unit in layers),
        "latency_cycles": cycles.latency_cycles,
        "period_cycles": cycles.period_cycles,
        "clock_mhz": 1000 / critical_ns,
        "cells_ns": cells_ns,
        "around_ns": mapping.critical_ns,
        "around_path": [mapping.startpoint, mapping.endpoint],
        "latency_us": cycles.latency_cycles * critical_ns / 1000,
        "frames_per_s": 1e9 / (cycles.period_cycles * critical_ns),
        "arrays_um2": arrays_um2,
        "around_um2": {
            part.name: {"logic_um2": part.logic_um2, "memories_um2": part.memory_um2}
            for part in mapping.parts
        },
        "area_um2": arrays_um2 + mapping.area_um2,
    }


def main() -> None:
    """Measure the cases and write the record after each."""
    parser = arguments(__doc__)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], default=[])
    parser.add_argument("--library", default=DEFAULT_LIBRARY)
    options = parser.parse_args()
    library = open_library(options.library)
    for name in options.cases or CASES:
        figures = kept_cases("pipelined_area")
        figures[name] = measure(CASES[name], library)
        save(
            "pipelined_area",
            figures,
            configuration={"clock_ns": CLOCK_NS, "library": library.name},
            inputs=[library.path],
            seed=None,
        )


if __name__ == "__main__":
    main()
