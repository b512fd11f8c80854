"""Delays through a mapped netlist from the library's tables, and the transitions of its nets.

Arrival times of both edges are propagated gate by gate (non-linear delay model), wires without
delay. Ports and clock edges come at time 0. The result is the longest path from a port or flip-flop
to a flip-flop or port, with clock-to-output delay and setup time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.synthesis.library import Arc, LookupTable
from systopack.synthesis.netlist import Instances, Netlist, levels

Values = NDArray[np.float64]
INPUT_TRANSITION_NS = 0.02
CLOCK_TRANSITION_NS = 0.03


@dataclass(frozen=True, kw_only=True, eq=False)
class Delays:
    """Times of a netlist.

    Args:
        rise_ns, fall_ns: latest arrival of each net's edges.
        rise_transition_ns, fall_transition_ns: the slowest transitions of each net.
        critical_ns: the shortest clock period.
        endpoint: the flip-flop or port at which the longest path ends.
        ends_ns: cell -> for each flip-flop or clock gate, the shortest period for what ends there.
    """

    rise_ns: Values
    fall_ns: Values
    rise_transition_ns: Values
    fall_transition_ns: Values
    critical_ns: float
    endpoint: str
    ends_ns: Mapping[str, Values]

    @property
    def transition_ns(self) -> Values:
        """The mean of both edges' transitions."""
        mean: Values = (self.rise_transition_ns + self.fall_transition_ns) / 2
        return mean


def propagate(netlist: Netlist) -> Delays:
    """Propagate arrival times and transitions from ports and flip-flops.

    Args:
        netlist: flat, mapped.
    """
    load = netlist.loads_ff()
    state = _State(netlist.net_count)
    order = levels(netlist)
    for item in netlist.instances.values():
        if item.cell.kind == "flip-flop":
            everyone = np.arange(len(item))
            state.clock_nets[item.nets[item.cell.clock]] = True
            state.through(item, everyone, load, clocked=True)
    work = [
        (level, item)
        for item in netlist.instances.values()
        if item.cell.kind in ("gate", "clock-gate") and item.cell.inputs
        for level in np.unique(order[item.cell.name])
    ]
    for level, item in sorted(work, key=lambda pair: pair[0]):
        if item.cell.kind == "gate":
            chosen = np.flatnonzero(order[item.cell.name] == level)
            state.through(item, chosen, load, clocked=False)
    worst, endpoint = 0.0, "none"
    ends_ns: dict[str, Values] = {}
    for item in netlist.instances.values():
        if item.cell.kind not in ("flip-flop", "clock-gate"):
            continue
        nets = item.nets[item.cell.data]
        setup = item.cell.pins[item.cell.data].setup
        times = []
        for edge in (0, 1):
            needed = state.arrival[edge][nets]
            if setup is not None:
                clock = np.full(len(nets), CLOCK_TRANSITION_NS)
                needed = needed + setup[edge].at(state.transition[edge][nets], clock)
            times.append(needed)
        latest = np.maximum(*times)
        ends_ns[item.cell.name] = latest
        if latest.size and latest.max() > worst:
            worst, endpoint = float(latest.max()), item.names[int(latest.argmax())]
    for name, nets in netlist.outputs.items():
        latest = np.maximum(state.arrival[0][nets], state.arrival[1][nets])
        if latest.size and latest.max() > worst:
            worst, endpoint = float(latest.max()), name
    return Delays(
        rise_ns=state.arrival[0],
        fall_ns=state.arrival[1],
        rise_transition_ns=state.transition[0],
        fall_transition_ns=state.transition[1],
        critical_ns=worst,
        endpoint=endpoint,
        ends_ns=ends_ns,
    )


def starts_of(netlist: Netlist, delays: Delays, ends: Sequence[str]) -> list[str]:
    """Where the longest paths to some flip-flops or clock gates begin: a flip-flop, or "a port".

    Args:
        ends: names of instances.
    """
    latest = np.maximum(delays.rise_ns, delays.fall_ns)
    drivers = {
        int(net): (item, number)
        for item in netlist.instances.values()
        for pin in item.cell.outputs
        for number, net in enumerate(item.nets[pin])
    }
    data = {
        name: int(item.nets[item.cell.data][number])
        for item in netlist.instances.values()
        if item.cell.kind in ("flip-flop", "clock-gate")
        for number, name in enumerate(item.names)
    }
    found = []
    for end in ends:
        net = data.get(end, -1)
        while net in drivers and drivers[net][0].cell.kind == "gate":
            item, number = drivers[net]
            net = max((int(item.nets[pin][number]) for pin in item.cell.inputs), key=latest.item)
        driver = drivers.get(net)
        found.append("a port" if driver is None else driver[0].names[driver[1]])
    return found


class _State:
    """Arrival and transition of the rising (0) and falling (1) edge of each net."""

    def __init__(self, nets: int) -> None:
        self.arrival = [np.zeros(nets), np.zeros(nets)]
        self.transition = [np.full(nets, INPUT_TRANSITION_NS) for _ in range(2)]
        self.clock_nets = np.zeros(nets, dtype=bool)

    def through(
        self, item: Instances, chosen: NDArray[np.int64], load: Values, *, clocked: bool
    ) -> None:
        for pin_name in item.cell.outputs:
            out = item.nets[pin_name][chosen]
            arrival = [np.zeros(len(chosen)), np.zeros(len(chosen))]
            transition = [np.zeros(len(chosen)), np.zeros(len(chosen))]
            for arc in item.cell.pins[pin_name].arcs:
                source = item.nets[arc.related][chosen]
                for edge in (0, 1):
                    for cause in _causes(arc, edge):
                        if clocked:
                            start = np.zeros(len(chosen))
                            slope = np.full(len(chosen), CLOCK_TRANSITION_NS)
                        else:
                            start = self.arrival[cause][source]
                            slope = self.transition[cause][source]
                        delay, after = _tables(arc, edge)
                        np.maximum(
                            arrival[edge], start + delay.at(slope, load[out]), out=arrival[edge]
                        )
                        np.maximum(
                            transition[edge], after.at(slope, load[out]), out=transition[edge]
                        )
            for edge in (0, 1):
                self.arrival[edge][out] = arrival[edge]
                self.transition[edge][out] = np.maximum(transition[edge], 1e-3)


def _causes(arc: Arc, edge: int) -> tuple[int, ...]:
    if arc.edge:
        return (0,)
    if arc.inverting is None:
        return (0, 1)
    return (1 - edge,) if arc.inverting else (edge,)


def _tables(arc: Arc, edge: int) -> tuple[LookupTable, LookupTable]:
    if edge == 0:
        return arc.rise_ns, arc.rise_transition_ns
    return arc.fall_ns, arc.fall_transition_ns
