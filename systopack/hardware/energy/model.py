"""Energy of one image: events times coefficients, compute and memory apart.

Coefficients of the array are measured on its gate-level netlist (`coefficients`), memories are
priced by width, depth and ports (`macros`). Energy of the off-chip link is left out unless given:
it is the host's, and the same for every design here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from systopack.hardware.energy.coefficients import CoefficientTable, Gating
from systopack.hardware.energy.events import NetworkEvents, StepEvents
from systopack.hardware.energy.macros import macro_cost
from systopack.hardware.energy.periphery import Periphery
from systopack.hardware.energy.technology import Node, load_technology


@dataclass(frozen=True, kw_only=True)
class StepEnergy:
    """Energy in pJ of one step.

    Args:
        name, kind: the step.
        parts_pj: compute, by coefficient without `_pj`.
        memory_pj: by memory.
        off_chip_pj: of the link to the host.
    """

    name: str
    kind: str
    parts_pj: Mapping[str, float]
    memory_pj: Mapping[str, float]
    off_chip_pj: float

    @property
    def compute_pj(self) -> float:
        """Array and logic."""
        return sum(self.parts_pj.values())

    @property
    def total_pj(self) -> float:
        """Compute, memories and link."""
        return self.compute_pj + sum(self.memory_pj.values()) + self.off_chip_pj


@dataclass(frozen=True, kw_only=True)
class NetworkEnergy:
    """Energy of one image on one accelerator.

    Args:
        events: what was counted.
        gating: of the array.
        library, node: of the array and of the memories.
        origin: of the array's coefficients: measured or interpolated.
        clock_mhz: of the measurement, of the slower of array and logic outside it.
        periphery: the periphery; None: not counted.
        steps: in order.
        array_um2, memory_um2: area of the array and of the memories.
        memory_leakage_pj: standby energy of the memories over the cycles of the image, reported
            apart and in no total, since the table's memories are made of fast, leaky cells.
    """

    events: NetworkEvents
    gating: Gating
    library: str
    node: Node
    origin: str
    clock_mhz: float
    periphery: Periphery | None
    steps: tuple[StepEnergy, ...]
    array_um2: float
    memory_um2: float
    memory_leakage_pj: float

    def __repr__(self) -> str:
        return (
            f"NetworkEnergy({self.events.network!r}, {self.events.array.label!r}, "
            f"{self.total_pj / 1e6:.4f} uJ, memories {100 * self.memory_share:.0f} %)"
        )

    @property
    def compute_pj(self) -> float:
        """Array and logic, all steps."""
        return sum(step.compute_pj for step in self.steps)

    @property
    def periphery_pj(self) -> float:
        """Of it the periphery, all steps."""
        return sum(step.parts_pj["periphery"] for step in self.steps)

    @property
    def memory_pj(self) -> float:
        """Memories, all steps."""
        return sum(sum(step.memory_pj.values()) for step in self.steps)

    @property
    def off_chip_pj(self) -> float:
        """Link to the host."""
        return sum(step.off_chip_pj for step in self.steps)

    @property
    def total_pj(self) -> float:
        """Compute, memories and link."""
        return self.compute_pj + self.memory_pj + self.off_chip_pj

    @property
    def memory_share(self) -> float:
        """Memories' share of compute and memories, 0..1."""
        both = self.compute_pj + self.memory_pj
        return self.memory_pj / both if both else 0.0


def energy_of(
    events: NetworkEvents,
    *,
    coefficients: CoefficientTable,
    gating: Gating = "clock",
    periphery: Periphery | None = None,
    off_chip_pj_per_bit: float = 0.0,
) -> NetworkEnergy:
    """Multiply events by coefficients.

    Args:
        events: of one image.
        coefficients: measured for arrays of this kind.
        gating: "none": all cells have their clock in all cycles; "clock": only while words
            stream or are on their way.
        periphery: its measurement; None: not counted.
        off_chip_pj_per_bit: of the link to the host.

    Raises:
        InvalidOptionError: no coefficients for such an array.
    """
    node = load_technology().nearest_node(coefficients.node_nm)
    point = coefficients.for_array(events.array, gating=gating)
    costs = {
        name: macro_cost(
            width_bits=memory.width_bits,
            words=memory.words,
            ports=memory.ports,
            node=node,
            voltage_v=coefficients.voltage_v,
        )
        for name, memory in events.memories.items()
    }
    pj = dict(point.coefficients.energies)
    clock_mhz = point.clock_mhz
    if periphery is not None:
        clock_mhz = min(clock_mhz, 1000 / periphery.critical_ns)
    steps = tuple(
        StepEnergy(
            name=step.name,
            kind=step.kind,
            parts_pj=_compute(step, pj, gating, periphery, events.cells),
            memory_pj={
                name: access.reads * costs[name].read_pj + access.writes * costs[name].write_pj
                for name, access in step.accesses.items()
            },
            off_chip_pj=step.off_chip_bits * off_chip_pj_per_bit,
        )
        for step in events.steps
    )
    instances = {name: memory.instances for name, memory in events.memories.items()}
    leakage_mw = sum(costs[name].leakage_mw * count for name, count in instances.items())
    return NetworkEnergy(
        events=events,
        gating=gating,
        library=coefficients.library,
        node=node,
        origin=point.coefficients.origin,
        clock_mhz=clock_mhz,
        periphery=periphery,
        steps=steps,
        array_um2=point.cell_area_um2 * events.cells,
        memory_um2=sum(costs[name].area_um2 * count for name, count in instances.items()),
        # mW / MHz is nJ a cycle.
        memory_leakage_pj=1000 * leakage_mw / clock_mhz * events.cycles,
    )


def _compute(
    step: StepEvents,
    pj: Mapping[str, float],
    gating: Gating,
    periphery: Periphery | None,
    cells: int,
) -> dict[str, float]:
    running = step.cell_cycles if gating == "none" else step.running_cell_cycles
    return {
        "active": step.active * pj["active_pj"],
        "zero_input": step.zero_input * pj["zero_input_pj"],
        "zero_weight": step.zero_weight * pj["zero_weight_pj"],
        "clock": running * pj["clock_pj"],
        "stopped": (step.cell_cycles - running) * pj["stopped_pj"],
        "load": step.loads * pj["load_pj"],
        "hop": step.hops * pj["hop_pj"],
        "periphery": periphery.of(step, cells) if periphery else 0.0,
    }
