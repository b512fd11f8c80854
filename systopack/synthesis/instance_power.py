"""The energy of each instance of a netlist: the tables of its cell times what its nets did."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from systopack.synthesis.delays import CLOCK_TRANSITION_NS, Delays
from systopack.synthesis.gate_simulation import Activity
from systopack.synthesis.library import InternalPower, LibraryCell
from systopack.synthesis.netlist import Instances, Netlist, clock_nets

Values = NDArray[np.float64]
Rows = Mapping[int, Values]  # row of a truth table over a cell's pins -> its probability


class InstancePower:
    """Energies of instances in fJ a cycle.

    Args:
        netlist, activity, delays: a netlist, what it did, its transitions.
        period_ns: clock period, for leakage.
    """

    def __init__(
        self, netlist: Netlist, activity: Activity, delays: Delays, period_ns: float
    ) -> None:
        self.activity = activity
        self.period_ns = period_ns
        self.load = netlist.loads_ff()
        self.half = 0.5 * netlist.library.voltage_v**2
        self.rate = activity.toggles / activity.cycles
        self.one = activity.ones / activity.cycles
        self.transition = delays.transition_ns
        self.clocks = clock_nets(netlist)

    def of(self, item: Instances) -> tuple[Values, Values, Values, Values]:
        """Switching, internal, clock and leakage energy of all instances of a cell."""
        rows = self.rows(item)
        if item.cell.kind == "flip-flop":
            switching, internal, clock = self.flip_flop(item)
        elif item.cell.kind == "clock-gate":
            switching, internal, clock = self.clock_gate(item)
        else:
            switching, internal, clock = self.gate(item, rows)
        return switching, internal, clock, self.leakage(item, rows)

    def outputs_switching(self, item: Instances) -> Values:
        total = np.zeros(len(item))
        for pin in item.cell.outputs:
            net = item.nets[pin]
            total += np.where(self.clocks[net], 0.0, self.half * self.load[net] * self.rate[net])
        return total

    def gate(self, item: Instances, rows: Rows) -> tuple[Values, Values, Values]:
        cell = item.cell
        internal = np.zeros(len(item))
        for name in cell.outputs:
            pin, net = cell.pins[name], item.nets[name]
            shares = {
                source: self.rate[item.nets[source]]
                * _chance(_lets_through(pin.function or 0, index, cell), rows)
                for index, source in enumerate(cell.inputs)
            }
            total = sum(shares.values(), np.zeros(len(item)))
            for source, share in shares.items():
                causes = tuple(power for power in pin.power if power.related in ("", source))
                each, covered = self.transition_fj(
                    causes, rows, self.transition[item.nets[source]], net
                )
                part = np.divide(share, total, out=np.zeros(len(item)), where=total > 0)
                mean = np.divide(each, covered, out=np.zeros(len(item)), where=covered > 0)
                internal += self.rate[net] * part * mean
        for name in cell.inputs:
            net = item.nets[name]
            each, _ = self.transition_fj(cell.pins[name].power, rows, self.transition[net], net)
            internal += self.rate[net] * each
        return self.outputs_switching(item), internal, np.zeros(len(item))

    def flip_flop(self, item: Instances) -> tuple[Values, Values, Values]:
        cell = item.cell
        clocked = self.activity.clocked[cell.name] / self.activity.cycles
        met = {}  # rows (D, Q) that clock edges met
        for number in range(4):
            data, state = number & 1, number >> 1
            value = {cell.data: data, cell.clock: 0, cell.state: state, cell.inverted: 1 - state}
            met[_row(cell, value)] = clocked[:, number]
        clock = self.edges_fj(item, met, cell.clock)
        # The data pin settles while the clock is high.
        high = self.rows(item, {cell.clock: np.ones(len(item))})
        net = item.nets[cell.data]
        each, _ = self.transition_fj(cell.pins[cell.data].power, high, self.transition[net], net)
        internal = self.rate[net] * each
        edge = np.full(len(item), CLOCK_TRANSITION_NS)
        for name in cell.outputs:
            net = item.nets[name]
            each, _ = self.transition_fj(cell.pins[name].power, high, edge, net)
            internal = internal + self.rate[item.nets[cell.state]] * each
        return self.outputs_switching(item), internal, clock

    def clock_gate(self, item: Instances) -> tuple[Values, Values, Values]:
        cell = item.cell
        edge = np.full(len(item), CLOCK_TRANSITION_NS)
        gated, enable = item.nets[cell.state], item.nets[cell.data]
        passes = self.one[gated]
        stops = self.one[item.nets[cell.clock]] - passes
        met = {
            _row(cell, {cell.data: 0, cell.clock: 0, cell.state: 0}): stops,
            _row(cell, {cell.data: 1, cell.clock: 1, cell.state: 1}): passes,
        }
        clock = self.edges_fj(item, met, cell.clock)
        enabled = self.rows(item, {cell.data: np.ones(len(item))})
        each, covered = self.transition_fj(cell.pins[cell.state].power, enabled, edge, gated)
        clock = clock + 2 * passes * (each / np.maximum(covered, 1) + self.half * self.load[gated])
        high = self.rows(item, {cell.clock: np.ones(len(item))})
        each, _ = self.transition_fj(
            cell.pins[cell.data].power, high, self.transition[enable], enable
        )
        return np.zeros(len(item)), self.rate[enable] * each, clock

    def edges_fj(self, item: Instances, met: Rows, pin: str) -> Values:
        """Energy of a clock pin's rising and falling edges, by the rows they met."""
        edge = np.full(len(item), CLOCK_TRANSITION_NS)
        total = np.zeros(len(item))
        net = item.nets[pin]
        for power in item.cell.pins[pin].power:
            happens = sum(
                (
                    count
                    for row, count in met.items()
                    if power.when is None or _holds(power.when, row, item.cell, free=pin)
                ),
                np.zeros(len(item)),
            )
            both = power.rise_fj.at(edge, self.load[net]) + power.fall_fj.at(edge, self.load[net])
            total += happens * both
        return total

    def leakage(self, item: Instances, rows: Rows) -> Values:
        cell = item.cell
        mean, covered = np.zeros(len(item)), np.zeros(len(item))
        for when, value in cell.leakage_when:
            chance = _chance(when, rows)
            mean += chance * value
            covered += chance
        mean += np.clip(1 - covered, 0, 1) * cell.leakage_nw
        result: Values = mean * self.period_ns * 1e-3  # nW * ns = 1e-3 fJ
        return result

    def transition_fj(
        self,
        powers: tuple[InternalPower, ...],
        rows: Rows,
        transition: Values,
        net: NDArray[np.int64],
    ) -> tuple[Values, Values]:
        """Energy of a transition (half rise, half fall) over the conditions, and their chance."""
        total, covered = np.zeros(len(net)), np.zeros(len(net))
        for power in powers:
            chance = np.ones(len(net)) if power.when is None else _chance(power.when, rows)
            rise = power.rise_fj.at(transition, self.load[net])
            fall = power.fall_fj.at(transition, self.load[net])
            total += chance * (rise + fall) / 2
            covered += chance
        return total, covered

    def rows(self, item: Instances, known: Mapping[str, Values] | None = None) -> Rows:
        """The probability of each state of the pins, nets taken as independent."""
        cell = item.cell
        free = [*cell.inputs, *([cell.state] if cell.kind == "flip-flop" else [])]
        chances = {name: self.one[item.nets[name]] for name in free} | dict(known or {})
        rows: dict[int, Values] = {}
        for choice in range(1 << len(free)):
            value = {name: (choice >> k) & 1 for k, name in enumerate(free)}
            inputs = sum(value[name] << k for k, name in enumerate(cell.inputs))
            for name in cell.outputs:
                function = cell.pins[name].function
                if name == cell.inverted:
                    value[name] = 1 - value[cell.state]
                elif function is not None:
                    value[name] = (function >> inputs) & 1
                elif cell.kind == "clock-gate":
                    value[name] = int(all(value[pin] for pin in cell.inputs))
            chance = np.ones(len(item))
            for name in free:
                chance = chance * (chances[name] if value[name] else 1 - chances[name])
            rows[_row(cell, value)] = chance
        return rows


def _row(cell: LibraryCell, value: Mapping[str, int]) -> int:
    return sum(value[name] << k for k, name in enumerate(cell.states))


def _holds(table: int, row: int, cell: LibraryCell, *, free: str) -> bool:
    """Whether a condition holds in a row, whatever the pin `free` is."""
    flipped = row ^ (1 << cell.states.index(free))
    return bool((table >> row) & 1 or (table >> flipped) & 1)


def _chance(table: int, rows: Rows) -> Values:
    """The probability that a condition over all pins holds."""
    zero = np.zeros_like(next(iter(rows.values())))
    return sum((chance for row, chance in rows.items() if (table >> row) & 1), zero)


def _lets_through(function: int, index: int, cell: LibraryCell) -> int:
    """Rows over all pins in which a change of input `index` changes the output."""
    inputs = len(cell.inputs)
    table = 0
    for row in range(1 << len(cell.states)):
        here = row & ((1 << inputs) - 1)
        if ((function >> here) ^ (function >> (here ^ (1 << index)))) & 1:
            table |= 1 << row
    return table
