"""What no synthesis knows, estimated from the library alone: wires and the clock tree.

Wires get the capacitance of the library's default wire load model. The clock tree is one that the
library's clock buffer would make: a buffer for so many pins, buffers for so many buffers, up to
the clock's source or the gate of a gated clock; wires by the same model. Which buffer, and how many
pins it drives, the library's facts say. These are estimates, never added to what is measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.synthesis.delays import CLOCK_TRANSITION_NS
from systopack.synthesis.facts import LibraryFacts
from systopack.synthesis.gate_simulation import Activity
from systopack.synthesis.library import LibraryCell, WireLoad
from systopack.synthesis.netlist import Netlist, clock_nets

Values = NDArray[np.float64]


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


def allowance(netlist: Netlist, activity: Activity) -> Allowance:
    """Estimate both; 0 where the library has no wire load model, or its facts no clock buffer."""
    library = netlist.library
    wires = library.wire_load
    if wires is None:
        return Allowance(wires_fj=0.0, clock_tree_fj=0.0, buffers=0)
    pins = np.zeros(netlist.net_count)
    for item in netlist.instances.values():
        for name in item.cell.inputs:
            np.add.at(pins, item.nets[name], 1.0)
    clocks = clock_nets(netlist)
    squared = library.voltage_v**2
    rate = activity.toggles / activity.cycles
    plain = 0.5 * squared * wires.at(pins) * rate
    enabled = (activity.ones / activity.cycles)[clocks]
    named, each = library.facts.clock_buffer, library.facts.clock_buffer_pins
    wire_ff, buffers = clock_tree(pins[clocks], wires, each=each if named is not None else None)
    tree = squared * wire_ff  # up and down once a cycle
    if named is not None:
        tree = tree + buffers * buffer_fj(library.cells[named], wires, squared, pins=each)
    return Allowance(
        wires_fj=float(plain[~clocks].sum()),
        clock_tree_fj=float((tree * enabled).sum()),
        buffers=int(buffers.sum()),
    )


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
