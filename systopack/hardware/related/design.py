"""What every model of a neighbour takes and gives, and what its events cost."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidOptionError
from systopack.hardware.energy.technology import load_technology
from systopack.hardware.related.workload import LayerWork

WORD_BITS = 8
SUM_BITS = 32


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What all designs have in common.

    Args:
        rows, columns: multipliers, one product a cycle each; 1 or more.
        buffer_bytes: capacity of one memory of words or weights, for its energy.
    """

    rows: int = 32
    columns: int = 32
    buffer_bytes: int = 8192

    def __post_init__(self) -> None:
        if min(self.rows, self.columns, self.buffer_bytes) < 1:
            raise InvalidOptionError(
                f"A machine of {self.rows} x {self.columns} multipliers with buffers of "
                f"{self.buffer_bytes} bytes cannot be; give at least 1 of each."
            )

    @property
    def multipliers(self) -> int:
        """Rows times columns."""
        return self.rows * self.columns


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Energy in pJ of the events that all designs are counted in, at 45 nm.

    Args:
        product: an 8-bit product added to a 32-bit sum.
        register_bit: a flip-flop that has its clock for a cycle.
        buffer_read_bit, buffer_write_bit: of a memory of words or weights.
    """

    product: float
    register_bit: float
    buffer_read_bit: float
    buffer_write_bit: float


@dataclass(frozen=True, kw_only=True)
class Events:
    """What a design does for one layer.

    Args:
        products: products that take their energy.
        register_bits: flip-flops times cycles in which they have their clock.
        read_bits, write_bits: of the memories.
    """

    products: float
    register_bits: float
    read_bits: float
    write_bits: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """A layer run by a design.

    Args:
        design: its name.
        outputs: shape (N, T), int64: sums with bias, wrapped, as the design computes them.
        cycles: for one image.
        events: counted.
        energy_pj: by part: "products", "registers", "buffers".
    """

    design: str
    outputs: NDArray[np.int64]
    cycles: int
    events: Events
    energy_pj: Mapping[str, float]

    @property
    def total_pj(self) -> float:
        """All parts."""
        return sum(self.energy_pj.values())


Run = Callable[[LayerWork, Machine], tuple[NDArray[np.int64], int, Events]]


@dataclass(frozen=True, kw_only=True)
class Design:
    """One way to run a layer.

    Args:
        name: of the design.
        source: where it was published.
        run: sums without bias, cycles and events of a layer.
    """

    name: str
    source: str
    run: Run

    def outcome(self, work: LayerWork, machine: Machine) -> Outcome:
        """Run a layer."""
        sums, cycles, events = self.run(work, machine)
        costs = costs_of(machine)
        return Outcome(
            design=self.name,
            outputs=work.finish(sums),
            cycles=cycles,
            events=events,
            energy_pj={
                "products": events.products * costs.product,
                "registers": events.register_bits * costs.register_bit,
                "buffers": events.read_bits * costs.buffer_read_bit
                + events.write_bits * costs.buffer_write_bit,
            },
        )


@cache
def parameters() -> Mapping[str, Any]:
    """What the models are set from: the content of `parameters.toml`."""
    return tomllib.loads(Path(__file__).with_name("parameters.toml").read_text())


@cache
def costs_of(machine: Machine) -> Costs:
    """The costs of a machine, all from the technology table, at the register's node and supply."""
    table, register = load_technology(), parameters()["register"]
    node, voltage = table.node(register["node"]), float(register["voltage_v"])
    buffer = table.sram_cost(capacity_bits=8 * machine.buffer_bytes, node=node, voltage_v=voltage)
    product = sum(
        table.operation_pj(name, node=node, voltage_v=voltage)
        for name in ("multiply_8_bit", "add_32_bit")
    )
    return Costs(
        product=product,
        register_bit=float(register["bit_clock_pj"]),
        buffer_read_bit=buffer.read_pj_per_bit,
        buffer_write_bit=buffer.write_pj_per_bit,
    )
