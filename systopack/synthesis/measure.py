"""One array on one library: area, clock, and the energy of real work at gate level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.array import Array
from systopack.network.network import PackedNetwork
from systopack.synthesis.asic import MappingOptions, map_array
from systopack.synthesis.delays import propagate
from systopack.synthesis.gate_simulation import GateSimulation
from systopack.synthesis.library import Library
from systopack.synthesis.power import Energy, energy
from systopack.synthesis.sta import find_opensta, opensta_critical_ns
from systopack.synthesis.workload import simulate_workload, workload


@dataclass(frozen=True, kw_only=True)
class ArrayMeasurement:
    """Figures of an array, per cell: shared registers and clock gates are divided among all cells.

    Args:
        array: what was mapped.
        cell_area_um2: array area over cells.
        flip_flops, clock_gates: of the whole array.
        critical_ns: shortest clock period, wires without delay.
        opensta_ns: the same by OpenSTA, None where the machine has none.
        energy: of a cell and clock cycle, in fJ; None without a workload.
        sums_checked: sums that the netlist gave, all equal to the integer reference.
    """

    array: Array
    cell_area_um2: float
    flip_flops: int
    clock_gates: int
    critical_ns: float
    opensta_ns: float | None
    energy: Energy | None
    sums_checked: int

    @property
    def word_fj(self) -> float | None:
        """Energy of a cell and word, in fJ."""
        return None if self.energy is None else self.energy.cells_fj * self.array.word_cycles

    @property
    def figures(self) -> dict[str, Any]:
        """For a record."""
        return {
            "array": asdict(self.array),
            "cell_area_um2": self.cell_area_um2,
            "flip_flops": self.flip_flops,
            "clock_gates": self.clock_gates,
            "critical_ns": self.critical_ns,
            "opensta_ns": self.opensta_ns,
            "energy_fj_per_cell_cycle": None if self.energy is None else asdict(self.energy),
            "cells_fj": None if self.energy is None else self.energy.cells_fj,
            "word_fj": self.word_fj,
            "sums_checked": self.sums_checked,
        }


def measure_array(
    array: Array,
    *,
    library: Library,
    options: MappingOptions | None = None,
    network: PackedNetwork | None = None,
    images: NDArray[np.int8] | None = None,
    words: int = 48,
    fold: bool = False,
    on_line: Callable[[str], None] | None = None,
) -> ArrayMeasurement:
    """Map an array; with a network and images run real tiles on the netlist and sum up energy.

    Args:
        array, library, options: what is mapped, and how.
        network, images: see `workload`; None: area and clock alone.
        words: positions of each tile.
        fold: see `workload`.
        on_line: called with every line of yosys.

    Raises:
        InvalidFileError: a tool is missing, or the netlist computes wrong sums.
    """
    options = options or MappingOptions()
    netlist = map_array(array, library=library, options=options, on_line=on_line)
    delays = propagate(netlist)
    cells = array.rows * array.columns
    found, checked = None, 0
    if network is not None and images is not None:
        work = workload(network, images, array=array, words=words, fold=fold)
        activity, checked = simulate_workload(work, GateSimulation(netlist))
        whole = energy(netlist, activity, delays, period_ns=options.clock_ns)
        found = Energy(**{name: value / cells for name, value in asdict(whole).items()})
    return ArrayMeasurement(
        array=array,
        cell_area_um2=netlist.area_um2 / cells,
        flip_flops=netlist.count("flip-flop"),
        clock_gates=netlist.count("clock-gate"),
        critical_ns=delays.critical_ns,
        opensta_ns=opensta_critical_ns(netlist) if find_opensta() else None,
        energy=found,
        sums_checked=checked,
    )
