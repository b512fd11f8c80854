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

from systopack.synthesis.allowance import allowance
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
    model = InstancePower(netlist, activity, delays, period_ns)
    totals = np.zeros(4)  # switching, internal, clock, leakage; a load counts for its driver
    for item in netlist.instances.values():
        totals += [part.sum() for part in model.of(item)]
    switching, internal, clock, leakage = totals.tolist()
    half = 0.5 * netlist.library.voltage_v**2
    clocks = clock_nets(netlist)
    load = netlist.loads_ff()
    driven = np.zeros(netlist.net_count, dtype=bool)
    for nets in netlist.inputs.values():
        driven[nets] = True
    rate = activity.toggles / activity.cycles
    edges = 2 * activity.ones / activity.cycles  # a clock net: two edges where it is enabled
    allowed = allowance(netlist, activity)
    return Energy(
        switching_fj=switching + float((half * load * rate)[driven & ~clocks].sum()),
        internal_fj=internal,
        clock_fj=clock + float((half * load * edges)[driven & clocks].sum()),
        leakage_fj=leakage,
        clock_tree_fj=allowed.clock_tree_fj,
        wires_fj=allowed.wires_fj,
    )
