"""The technology table: cited energies of memories and arithmetic, and scaling between nodes.

The numbers stand in `technology.toml` beside this file, each with its source.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from systopack.errors import InvalidOptionError

_FILE = Path(__file__).with_name("technology.toml")


@dataclass(frozen=True, kw_only=True)
class Node:
    """One technology node of the scaling equations (Stillmaker and Baas 2017).

    Args:
        name: "130", "45-hp" (high performance), "45-lp" (low power), ...
        nm: its size.
        nominal_v: its usual supply.
        area: area of a design relative to 45 nm.
        energy: coefficients of V**2, V and 1.
        delay: coefficients of V**3, V**2, V and 1.
    """

    name: str
    nm: float
    nominal_v: float
    area: float
    energy: tuple[float, ...]
    delay: tuple[float, ...]

    def energy_at(self, voltage_v: float) -> float:
        """Relative energy of a switch at a supply."""
        return _polynomial(self.energy, voltage_v)

    def delay_at(self, voltage_v: float) -> float:
        """Relative delay of a gate at a supply."""
        return _polynomial(self.delay, voltage_v)


@dataclass(frozen=True, kw_only=True)
class SramPoint:
    """One memory of the table.

    Args:
        bytes: capacity.
        width_bits: bits of one access.
        read_pj, write_pj: energy of one access.
        area_um2: with its periphery.
        leakage_mw: standby, of fast cells.
    """

    bytes: int
    width_bits: int
    read_pj: float
    write_pj: float
    area_um2: float
    leakage_mw: float


@dataclass(frozen=True, kw_only=True)
class SramCost:
    """What a memory costs at one node.

    Args:
        read_pj_per_bit, write_pj_per_bit: dynamic energy.
        area_um2: with its periphery.
        leakage_mw: standby power.
        extrapolated: the capacity lies outside the table.
    """

    read_pj_per_bit: float
    write_pj_per_bit: float
    area_um2: float
    leakage_mw: float
    extrapolated: bool


@dataclass(frozen=True, kw_only=True)
class Technology:
    """The whole table.

    Args:
        nodes: by name.
        sram: memories, by growing capacity.
        sram_node, sram_voltage_v: where they were computed.
        arithmetic_pj: energy of operations, by name.
        arithmetic_node, arithmetic_voltage_v: where they hold.
        sources: by section.
    """

    nodes: Mapping[str, Node]
    sram: tuple[SramPoint, ...]
    sram_node: str
    sram_voltage_v: float
    arithmetic_pj: Mapping[str, float]
    arithmetic_node: str
    arithmetic_voltage_v: float
    sources: Mapping[str, str]

    def nearest_node(self, nm: float) -> Node:
        """The high-performance (or only) node whose size is nearest, by ratio."""
        fast = [node for node in self.nodes.values() if not node.name.endswith("-lp")]
        return min(fast, key=lambda node: abs(math.log(node.nm / nm)))

    def node(self, name: str) -> Node:
        """A node by name.

        Raises:
            InvalidOptionError: there is none.
        """
        if name not in self.nodes:
            raise InvalidOptionError(
                f"There is no technology node '{name}'; choose one of {', '.join(self.nodes)}."
            )
        return self.nodes[name]

    def energy_factor(
        self, *, source: Node, source_v: float, target: Node, target_v: float
    ) -> float:
        """By what an energy is multiplied from one node and supply to another."""
        return target.energy_at(target_v) / source.energy_at(source_v)

    def delay_factor(
        self, *, source: Node, source_v: float, target: Node, target_v: float
    ) -> float:
        """By what a delay is multiplied from one node and supply to another."""
        return target.delay_at(target_v) / source.delay_at(source_v)

    def sram_cost(self, *, capacity_bits: float, node: Node, voltage_v: float) -> SramCost:
        """A memory of any capacity at a node.

        Energy a bit, area and leakage a bit are straight lines between the logarithms of the
        table's points; beyond them the last line goes on, and below the smallest point its own
        values stand.

        Args:
            capacity_bits: at least 1.
            node, voltage_v: where.
        """
        size = max(1.0, capacity_bits / 8)
        points = self.sram
        smallest, largest = points[0].bytes, points[-1].bytes
        clipped = max(size, smallest)
        high = next((i for i, p in enumerate(points) if p.bytes >= clipped), len(points) - 1)
        ends = points[max(high - 1, 0)], points[max(high, 1)]
        share = math.log(clipped / ends[0].bytes) / math.log(ends[1].bytes / ends[0].bytes)

        def between(one: float, other: float) -> float:
            return math.exp((1 - share) * math.log(one) + share * math.log(other))

        reads = [p.read_pj / p.width_bits for p in ends]
        writes = [p.write_pj / p.width_bits for p in ends]
        areas = [p.area_um2 / (8 * p.bytes) for p in ends]
        leaks = [p.leakage_mw / (8 * p.bytes) for p in ends]
        source = self.nodes[self.sram_node]
        energy = self.energy_factor(
            source=source, source_v=self.sram_voltage_v, target=node, target_v=voltage_v
        )
        return SramCost(
            read_pj_per_bit=between(reads[0], reads[1]) * energy,
            write_pj_per_bit=between(writes[0], writes[1]) * energy,
            area_um2=between(areas[0], areas[1]) * 8 * size * node.area / source.area,
            leakage_mw=between(leaks[0], leaks[1]) * 8 * size,
            extrapolated=not smallest <= size <= largest,
        )

    def operation_pj(self, name: str, *, node: Node, voltage_v: float) -> float:
        """Energy of an arithmetic operation at a node, for instance `multiply_8_bit`."""
        return self.arithmetic_pj[name] * self.energy_factor(
            source=self.nodes[self.arithmetic_node],
            source_v=self.arithmetic_voltage_v,
            target=node,
            target_v=voltage_v,
        )


@cache
def load_technology() -> Technology:
    """The table that comes with the package."""
    data = tomllib.loads(_FILE.read_text())
    arithmetic = data["arithmetic"]
    return Technology(
        nodes={
            entry["name"]: Node(
                name=entry["name"],
                nm=entry["nm"],
                nominal_v=entry["nominal_v"],
                area=entry["area"],
                energy=tuple(entry["energy"]),
                delay=tuple(entry["delay"]),
            )
            for entry in data["scaling"]["node"]
        },
        sram=tuple(SramPoint(**entry) for entry in data["sram"]["point"]),
        sram_node=data["sram"]["scale_from"],
        sram_voltage_v=data["sram"]["voltage_v"],
        arithmetic_pj={
            name.removesuffix("_pj"): value
            for name, value in arithmetic.items()
            if name.endswith("_pj")
        },
        arithmetic_node=arithmetic["node"],
        arithmetic_voltage_v=arithmetic["voltage_v"],
        sources={name: data[name]["source"] for name in ("sram", "arithmetic", "scaling")},
    )


def _polynomial(coefficients: tuple[float, ...], value: float) -> float:
    result = 0.0
    for coefficient in coefficients:
        result = result * value + coefficient
    return result
