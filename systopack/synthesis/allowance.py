"""What no synthesis knows, estimated from the library alone: wires and the clock tree.

Wires get the capacitance of the library's default wire load model. The clock tree is one that the
library's clock buffer would make: a buffer for every 16 pins, buffers for every 16 buffers, up to
the clock's source or the gate of a gated clock; wires by the same model. These are estimates, and
never added to what is measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.synthesis.delays import CLOCK_TRANSITION_NS
from systopack.synthesis.gate_simulation import Activity
from systopack.synthesis.liberty import LibraryCell, WireLoad
from systopack.synthesis.netlist import Netlist, clock_nets

Values = NDArray[np.float64]
BUFFER_PINS = 16
_CLOCK_BUFFERS = ("CLKBUF_X3", "sky130_fd_sc_hd__clkbuf_4")


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
    """Estimate both; 0 where the library has no wire load model, or no known clock buffer."""
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
    buffer = next((library.cells[name] for name in _CLOCK_BUFFERS if name in library.cells), None)
    wire_ff, buffers = clock_tree(pins[clocks], wires, grows=buffer is not None)
    tree = squared * wire_ff  # up and down once a cycle
    if buffer is not None:
        tree = tree + buffers * buffer_fj(buffer, wires, squared)
    return Allowance(
        wires_fj=float(plain[~clocks].sum()),
        clock_tree_fj=float((tree * enabled).sum()),
        buffers=int(buffers.sum()),
    )


def clock_tree(pins: Values, wires: WireLoad, *, grows: bool = True) -> tuple[Values, Values]:
    """Wire capacitance in fF, and buffers, of the tree between a source and so many pins each.

    Args:
        pins: that each clock drives.
        wires: their model.
        grows: whether there are buffers; without, a source drives all pins itself.
    """
    left = np.asarray(pins, dtype=float)
    wire_ff, buffers = np.zeros_like(left), np.zeros_like(left)
    while grows and (left > BUFFER_PINS).any():
        made = np.where(left > BUFFER_PINS, np.ceil(left / BUFFER_PINS), 0.0)
        each = np.divide(left, made, out=np.zeros_like(left), where=made > 0)
        wire_ff += made * wires.at(each)
        buffers += made
        left = np.where(made > 0, made, left)
    return wire_ff + wires.at(left), buffers


def buffer_fj(buffer: LibraryCell, wires: WireLoad, voltage_squared: float) -> float:
    """Energy of one buffer for one pulse: its own pin, and what it takes inside."""
    source, out = buffer.inputs[0], buffer.outputs[0]
    pin = buffer.pins[source].capacitance_ff
    load = np.array([BUFFER_PINS * pin]) + wires.at(np.array([float(BUFFER_PINS)]))
    slope = np.array([CLOCK_TRANSITION_NS])
    inside = sum(
        float((power.rise_fj.at(slope, load) + power.fall_fj.at(slope, load))[0])
        for power in buffer.pins[out].power
    )
    return voltage_squared * pin + inside
