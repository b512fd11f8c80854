"""What no synthesis knows, estimated from the library alone: wires and the clock tree.

Wires get the capacitance of the library's default wire load model. The clock tree is one that the
library's clock buffer would make: a buffer for so many pins, buffers for so many buffers, up to
the clock's source or the gate of a gated clock; wires by the same model. Which buffer, and how many
pins it drives, the library's facts say. These are estimates, never added to what is measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.synthesis.delays import CLOCK_TRANSITION_NS
from systopack.synthesis.facts import LibraryFacts
from systopack.synthesis.gate_simulation import Activity
from systopack.synthesis.library import LibraryCell, WireLoad
from systopack.synthesis.netlist import Netlist, clock_nets

Values = NDArray[np.float64]
# Cell -> for each of its instances, the number of the part that it belongs to.
Members = Mapping[str, NDArray[np.int64]]


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """Mean energy of one clock cycle, in fJ.

    Args:
        wires_fj: wires of all nets but clocks.
        clock_tree_fj: wires of the clock, and its buffers.
        buffers: of the clock tree.
    """

    wires_fj: float
    clock_tree_fj: float
    buffers: int


def together(netlist: Netlist) -> Members:
    """All instances as one part."""
    return {name: np.zeros(len(item), dtype=np.int64) for name, item in netlist.instances.items()}


def part_count(members: Members) -> int:
    """How many parts there are."""
    return max((int(own.max()) + 1 for own in members.values() if own.size), default=1)


def allowance(netlist: Netlist, activity: Activity) -> Allowance:
    """Estimate both; 0 where the library has no wire load model, or its facts no clock buffer."""
    return allowances(netlist, activity, together(netlist))[0]


def allowances(netlist: Netlist, activity: Activity, members: Members) -> list[Allowance]:
    """The same for each part: wires of the nets that it drives, a clock tree of its own."""
    library, count = netlist.library, part_count(members)
    wires = library.wire_load
    if wires is None:
        return [Allowance(wires_fj=0.0, clock_tree_fj=0.0, buffers=0)] * count
    pins = np.zeros((count, netlist.net_count))
    owner = np.full(netlist.net_count, -1)
    for cell, item in netlist.instances.items():
        for name in item.cell.inputs:
            np.add.at(pins, (members[cell], item.nets[name]), 1.0)
        for name in item.cell.outputs:
            owner[item.nets[name]] = members[cell]
    owner = np.where(owner < 0, pins.argmax(axis=0), owner)  # a port: who takes most of it
    clocks = clock_nets(netlist)
    squared = library.voltage_v**2
    rate = activity.toggles / activity.cycles
    plain = np.where(clocks, 0.0, 0.5 * squared * wires.at(pins.sum(axis=0)) * rate)
    wires_fj = np.bincount(owner, weights=plain, minlength=count)
    enabled = (activity.ones / activity.cycles)[clocks]
    named, each = library.facts.clock_buffer, library.facts.clock_buffer_pins
    found = []
    for own, wire_fj in zip(pins, wires_fj, strict=True):
        wire_ff, buffers = clock_tree(own[clocks], wires, each=each if named is not None else None)
        tree = squared * wire_ff  # up and down once a cycle
        if named is not None:
            tree = tree + buffers * buffer_fj(library.cells[named], wires, squared, pins=each)
        found.append(
            Allowance(
                wires_fj=float(wire_fj),
                clock_tree_fj=float((tree * enabled).sum()),
                buffers=int(buffers.sum()),
            )
        )
    return found


def clock_tree(
    pins: Values, wires: WireLoad, *, each: int | None = LibraryFacts.clock_buffer_pins
) -> tuple[Values, Values]:
    """Wire capacitance in fF, and buffers, of the tree between a source and so many pins each.

    Args:
        pins: that each clock drives.
        wires: their model.
        each: pins that a buffer drives; None: no buffers, a source drives all pins itself.
    """
    left = np.asarray(pins, dtype=float)
    wire_ff, buffers = np.zeros_like(left), np.zeros_like(left)
    while each is not None and (left > each).any():
        made = np.where(left > each, np.ceil(left / each), 0.0)
        driven = np.divide(left, made, out=np.zeros_like(left), where=made > 0)
        wire_ff += made * wires.at(driven)
        buffers += made
        left = np.where(made > 0, made, left)
    return wire_ff + wires.at(left), buffers


def buffer_fj(buffer: LibraryCell, wires: WireLoad, voltage_squared: float, *, pins: int) -> float:
    """Energy of one buffer for one pulse: its own pin, and what it takes inside."""
    source, out = buffer.inputs[0], buffer.outputs[0]
    pin = buffer.pins[source].capacitance_ff
    load = np.array([pins * pin]) + wires.at(np.array([float(pins)]))
    slope = np.array([CLOCK_TRANSITION_NS])
    inside = sum(
        float((power.rise_fj.at(slope, load) + power.fall_fj.at(slope, load))[0])
        for power in buffer.pins[out].power
    )
    return voltage_squared * pin + inside
