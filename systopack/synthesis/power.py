"""Energy of a mapped netlist from first principles: the library's tables times counted activity.

    switching   half C V**2 for every transition of a net; C: the input pins it drives
    internal    the Liberty energy of every transition inside cells
    clock pins  the same of flip-flops' and clock gates' clock pins, by the state of D and Q
    leakage     by the state of the inputs, times the clock period
    wires, clock tree   an allowance, never mixed with the others (`allowance`)

Energies of a gate's output are shared among its inputs as they toggle, times the probability that
the others let the toggle through. Conditions are weighted with probabilities of nets taken as
independent; D and Q of a flip-flop are not: the states that clock edges met are counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from systopack.synthesis.allowance import Members, allowances, part_count, together
from systopack.synthesis.delays import Delays
from systopack.synthesis.gate_simulation import Activity
from systopack.synthesis.instance_power import InstancePower
from systopack.synthesis.netlist import Netlist, clock_nets


@dataclass(frozen=True, kw_only=True)
class Energy:
    """Mean energy of one clock cycle, in fJ.

    Args:
        switching_fj: of loads, clock nets excluded.
        internal_fj: inside gates, and flip-flops' data and output pins.
        clock_fj: clock pins inside flip-flops and clock gates, and the load of clock nets.
        leakage_fj: over one clock period.
        clock_tree_fj, wires_fj: allowances, 0 where the library gives no ground for them.
    """

    switching_fj: float
    internal_fj: float
    clock_fj: float
    leakage_fj: float
    clock_tree_fj: float
    wires_fj: float

    @property
    def cells_fj(self) -> float:
        """Of the cells and their pins, without allowances."""
        return self.switching_fj + self.internal_fj + self.clock_fj + self.leakage_fj


def energy(
    netlist: Netlist,
    activity: Activity,
    delays: Delays,
    *,
    period_ns: float,
) -> Energy:
    """Mean energy of a clock cycle: of all instances, the ports' loads and the allowances.

    Args:
        netlist, activity, delays: a netlist, what it did, its transitions.
        period_ns: clock period, for leakage.
    """
    return energy_of_parts(netlist, activity, delays, together(netlist), period_ns=period_ns)[0]


def energy_of_parts(
    netlist: Netlist, activity: Activity, delays: Delays, members: Members, *, period_ns: float
) -> list[Energy]:
    """The same for each part of a netlist.

    Args:
        members: see `allowance.Members`; a net's load counts for the part that drives it, a port's
            for the part that takes it.
    """
    model = InstancePower(netlist, activity, delays, period_ns)
    count = part_count(members)
    totals = np.zeros((4, count))  # switching, internal, clock, leakage
    driven = np.zeros(netlist.net_count, dtype=bool)
    for nets in netlist.inputs.values():
        driven[nets] = True
    half = 0.5 * netlist.library.voltage_v**2
    clocks = clock_nets(netlist)
    rate = activity.toggles / activity.cycles
    edges = 2 * activity.ones / activity.cycles  # a clock net: two edges where it is enabled
    for name, item in netlist.instances.items():
        for kind, each in enumerate(model.of(item)):
            totals[kind] += np.bincount(members[name], weights=each, minlength=count)
        for pin in item.cell.inputs:
            nets = item.nets[pin]
            load = half * item.cell.pins[pin].capacitance_ff * driven[nets]
            plain = np.where(clocks[nets], 0.0, rate[nets])
            clock = np.where(clocks[nets], edges[nets], 0.0)
            totals[0] += np.bincount(members[name], weights=load * plain, minlength=count)
            totals[2] += np.bincount(members[name], weights=load * clock, minlength=count)
    allowed = allowances(netlist, activity, members)
    return [
        Energy(
            switching_fj=float(switching),
            internal_fj=float(internal),
            clock_fj=float(clock),
            leakage_fj=float(leakage),
            clock_tree_fj=one.clock_tree_fj,
            wires_fj=one.wires_fj,
        )
        for (switching, internal, clock, leakage), one in zip(totals.T, allowed, strict=True)
    ]
