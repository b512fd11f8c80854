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

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.synthesis.allowance import allowance
from systopack.synthesis.delays import Delays
from systopack.synthesis.gate_simulation import Activity
from systopack.synthesis.instance_power import InstancePower
from systopack.synthesis.netlist import Netlist, clock_nets

Values = NDArray[np.float64]


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

    @property
    def total_fj(self) -> float:
        """With allowances."""
        return self.cells_fj + self.clock_tree_fj + self.wires_fj


def energy(
    netlist: Netlist,
    activity: Activity,
    delays: Delays,
    *,
    period_ns: float,
) -> Energy:
    """Mean energy of a clock cycle.

    Args:
        netlist, activity, delays: a netlist, what it did, its transitions.
        period_ns: clock period, for leakage.
    """
    return sum_up(
        instance_energies(netlist, activity, delays, period_ns=period_ns), netlist, activity
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class InstanceEnergies:
    """fJ a cycle of each instance: cell -> arrays; an output's load counts for its driver."""

    switching_fj: Mapping[str, Values]
    internal_fj: Mapping[str, Values]
    clock_fj: Mapping[str, Values]
    leakage_fj: Mapping[str, Values]


def instance_energies(
    netlist: Netlist, activity: Activity, delays: Delays, *, period_ns: float
) -> InstanceEnergies:
    """Energies of all instances, for tables by block or kind."""
    model = InstancePower(netlist, activity, delays, period_ns)
    parts: tuple[dict[str, Values], ...] = ({}, {}, {}, {})
    for name, item in netlist.instances.items():
        for part, value in zip(parts, model.of(item), strict=True):
            part[name] = value
    return InstanceEnergies(
        switching_fj=parts[0], internal_fj=parts[1], clock_fj=parts[2], leakage_fj=parts[3]
    )


def sum_up(found: InstanceEnergies, netlist: Netlist, activity: Activity) -> Energy:
    """Add the instances' energies, the ports' loads and the allowances."""
    rate = activity.toggles / activity.cycles
    half = 0.5 * netlist.library.voltage_v**2
    clocks = clock_nets(netlist)
    load = netlist.loads_ff()
    driven = np.zeros(netlist.net_count, dtype=bool)
    for nets in netlist.inputs.values():
        driven[nets] = True
    ports = float((half * load * rate)[driven & ~clocks].sum())
    edges = 2 * activity.ones / activity.cycles  # a clock net: two edges where it is enabled
    root = float((half * load * edges)[driven & clocks].sum())
    clock = _total(found.clock_fj) + root
    allowed = allowance(netlist, activity)
    return Energy(
        switching_fj=_total(found.switching_fj) + ports,
        internal_fj=_total(found.internal_fj),
        clock_fj=clock,
        leakage_fj=_total(found.leakage_fj),
        clock_tree_fj=allowed.clock_tree_fj,
        wires_fj=allowed.wires_fj,
    )


def _total(parts: Mapping[str, Values]) -> float:
    return float(sum(value.sum() for value in parts.values()))
