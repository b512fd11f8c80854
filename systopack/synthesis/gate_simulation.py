"""Simulate a mapped netlist, 64 independent runs at once, and count what its nets do.

A net is one 64-bit word: bit k belongs to run k. Gates are turned into a list of if-then-else steps
(a binary decision diagram of each cell's function), evaluated in order once a cycle. Within a cycle
nets settle without delay, so that glitches are not counted. A clock net is simulated as its enable:
1 where the flip-flop sees the clock edge at the end of the cycle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from systopack.errors import InvalidFileError
from systopack.synthesis.netlist import ONE, ZERO, Netlist, levels

RUNS = 64
Lanes = NDArray[np.uint64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Activity:
    """What the nets and flip-flops of a netlist did, over all runs and counted cycles.

    Args:
        cycles: cycles counted, times the runs that count.
        ones: of each net, cycles in which it was 1 (a clock net: cycles with a clock edge).
        toggles: of each net, cycles that changed it.
        clocked: cell -> for each flip-flop, cycles with a clock edge in the states (D, Q) = 00, 10,
            01, 11: shape (instances, 4).
        outputs: port -> words of shape (cycles, bits), bit k of run k; warm-up included.
    """

    cycles: int
    ones: Counts
    toggles: Counts
    clocked: Mapping[str, Counts]
    outputs: Mapping[str, Lanes]

    def since(self, before: Activity) -> Activity:
        """What happened after an earlier moment of the same run, without outputs."""
        return Activity(
            cycles=self.cycles - before.cycles,
            ones=self.ones - before.ones,
            toggles=self.toggles - before.toggles,
            clocked={name: now - before.clocked[name] for name, now in self.clocked.items()},
            outputs={},
        )


class GateSimulation:
    """A netlist ready to run.

    Args:
        netlist: flat, mapped.
        clock: the port that is the clock.

    Raises:
        InvalidFileError: gates form a loop, or there is no such port.
    """

    def __init__(self, netlist: Netlist, *, clock: str = "clk") -> None:
        if clock not in netlist.inputs:
            raise InvalidFileError(f"'{netlist.top}' has no clock port '{clock}'; name its clock.")
        self.netlist = netlist
        self.clock = clock
        self.steps, self.slots = _program(netlist)
        flip_flops = [i for i in netlist.instances.values() if i.cell.kind == "flip-flop"]
        self.flip_flops = flip_flops
        self.state = np.array(
            [
                (item.nets[item.cell.data][n], item.nets[item.cell.clock][n],
                 item.nets[item.cell.state][n],
                 item.nets[item.cell.inverted][n] if item.cell.inverted else -1)
                for item in flip_flops
                for n in range(len(item))
            ],
            dtype=np.int64,
        ).reshape(-1, 4)  # fmt: skip

    def run(self, inputs: Mapping[str, Lanes], *, warm_up: int = 0) -> Activity:
        """Clock the netlist through recorded inputs; flip-flops start at 0.

        Args:
            inputs: port -> words of shape (cycles, bits), bit k of run k.
            warm_up: first cycles that are not counted.
        """
        going = self.start()
        outputs = going.advance({name: words[:warm_up] for name, words in inputs.items()}, False)
        counted = going.advance({name: words[warm_up:] for name, words in inputs.items()})
        return replace(
            going.activity(),
            outputs={name: np.concatenate([outputs[name], counted[name]]) for name in outputs},
        )

    def start(self, *, runs: int = RUNS) -> GateRun:
        """A run that goes on piece by piece; flip-flops are 0.

        Args:
            runs: how many of the 64 are wanted; only these count.
        """
        return GateRun(self, runs)


class GateRun:
    """A run of a netlist: what its nets and flip-flops hold, and what they have done so far."""

    def __init__(self, simulation: GateSimulation, runs: int) -> None:
        netlist = simulation.netlist
        self._simulation = simulation
        self._runs = runs
        self._mask = ~np.uint64(0) >> np.uint64(RUNS - runs)
        self._ports = [name for name in netlist.inputs if name != simulation.clock]
        self._driven = np.concatenate([netlist.inputs[name] for name in self._ports])
        self._watched = np.concatenate(
            [np.zeros(0, dtype=np.int64), *netlist.outputs.values()], dtype=np.int64
        )
        self._values = np.zeros(simulation.slots, dtype=np.uint64)
        self._values[ONE] = ~np.uint64(0)
        self._values[netlist.inputs[simulation.clock]] = ~np.uint64(0)
        inverted = simulation.state[:, 3]
        self._values[inverted[inverted >= 0]] = ~np.uint64(0)
        self._before = np.zeros(netlist.net_count, dtype=np.uint64)
        self._ones = np.zeros(netlist.net_count, dtype=np.int64)
        self._toggles = np.zeros(netlist.net_count, dtype=np.int64)
        self._clocked = np.zeros((len(simulation.state), 4), dtype=np.int64)
        self._cycles = 0

    def advance(self, inputs: Mapping[str, Lanes], counted: bool = True) -> dict[str, Lanes]:
        """Clock it through some more cycles; the outputs before each clock edge.

        Args:
            inputs: port -> words of shape (cycles, bits), bit k of run k.
            counted: whether what happens counts.

        Raises:
            InvalidFileError: the inputs do not fit the ports.
        """
        netlist = self._simulation.netlist
        cycles = len(next(iter(inputs.values())))
        words = np.ascontiguousarray(
            np.concatenate([inputs[name] for name in self._ports], axis=1), dtype=np.uint64
        )
        if words.shape != (cycles, len(self._driven)):
            raise InvalidFileError(f"The inputs recorded do not fit the ports of '{netlist.top}'.")
        seen = np.zeros((cycles, len(self._watched)), dtype=np.uint64)
        _simulate(
            self._values, self._before, self._simulation.steps, self._simulation.state,
            self._driven, words, self._watched, self._mask if counted else np.uint64(0),
            self._ones, self._toggles, self._clocked, seen,
        )  # fmt: skip
        self._cycles += cycles if counted else 0
        outputs, start = {}, 0
        for name, nets in netlist.outputs.items():
            outputs[name] = seen[:, start : start + len(nets)]
            start += len(nets)
        return outputs

    def activity(self) -> Activity:
        """What was counted so far, without outputs."""
        by_cell, start = {}, 0
        for item in self._simulation.flip_flops:
            by_cell[item.cell.name] = self._clocked[start : start + len(item)].copy()
            start += len(item)
        return Activity(
            cycles=self._cycles * self._runs,
            ones=self._ones.copy(),
            toggles=self._toggles.copy(),
            clocked=by_cell,
            outputs={},
        )


def pack_runs(bits: NDArray[np.uint8]) -> Lanes:
    """Recorded bits of shape (64, cycles, bits) as words of shape (cycles, bits)."""
    packed = np.packbits(np.moveaxis(bits, 0, 2), axis=2, bitorder="little")
    return np.ascontiguousarray(packed).view("<u8")[..., 0].astype(np.uint64)


def unpack_runs(words: Lanes) -> NDArray[np.uint8]:
    """The inverse of `pack_runs`."""
    data = np.ascontiguousarray(words).astype("<u8").view(np.uint8).reshape(*words.shape, 8)
    return np.moveaxis(np.unpackbits(data, axis=2, bitorder="little"), 2, 0)


def _program(netlist: Netlist) -> tuple[NDArray[np.int64], int]:
    """Steps (target, condition, then, else) for all gates in order, and the slots they use."""
    order = levels(netlist)
    gates = [
        (int(order[name][n]), name, n)
        for name, item in netlist.instances.items()
        if item.cell.kind in ("gate", "clock-gate")
        for n in range(len(item))
    ]
    gates.sort(key=lambda gate: gate[0])
    steps: list[tuple[int, int, int, int]] = []
    scratch = netlist.net_count
    most = 0
    for _, name, n in gates:
        item = netlist.instances[name]
        cell = item.cell
        for pin in cell.outputs:
            table = cell.pins[pin].function
            if cell.kind == "clock-gate":
                count = len(cell.inputs)
                table = (1 << ((1 << count) - 1)) if count == 2 else 0
            assert table is not None
            nodes = _diagram(table, len(cell.inputs))
            nets = [int(item.nets[source][n]) for source in cell.inputs]
            target = int(item.nets[pin][n])
            places = {-1: ZERO, -2: ONE}
            for number, (variable, low, high) in enumerate(nodes):
                last = number == len(nodes) - 1
                places[number] = target if last else scratch + number
                steps.append((places[number], nets[variable], places[high], places[low]))
            if not nodes:
                constant = ONE if table & 1 else ZERO
                steps.append((target, ZERO, constant, constant))
            most = max(most, len(nodes))
    return np.array(steps, dtype=np.int64).reshape(-1, 4), scratch + most


@lru_cache(maxsize=4096)
def _diagram(table: int, count: int) -> tuple[tuple[int, int, int], ...]:
    """Nodes (variable, node where it is 0, node where it is 1); -1 is constant 0, -2 constant 1."""
    nodes: list[tuple[int, int, int]] = []
    known: dict[Any, int] = {}

    def build(table: int, count: int) -> int:
        rows = 1 << count
        if table == 0:
            return -1
        if table == (1 << rows) - 1:
            return -2
        key = (table, count)
        if key in known:
            return known[key]
        half = rows // 2
        low, high = table & ((1 << half) - 1), table >> half
        if low == high:
            return build(low, count - 1)
        node = (count - 1, build(low, count - 1), build(high, count - 1))
        if node not in known:
            nodes.append(node)
            known[node] = len(nodes) - 1
        known[key] = known[node]
        return known[key]

    build(table, count)
    return tuple(nodes)


@njit(cache=True)
def _popcount(word: np.uint64) -> np.int64:
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + (
        (word >> np.uint64(2)) & np.uint64(0x3333333333333333)
    )
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(cache=True)
def _simulate(  # noqa: PLR0917
    values: Any,
    before: Any,
    steps: Any,
    state: Any,
    driven: Any,
    words: Any,
    watched: Any,
    mask: Any,
    ones: Any,
    toggles: Any,
    clocked: Any,
    seen: Any,
) -> None:
    nets = len(ones)
    following = np.zeros(len(state), dtype=np.uint64)
    for cycle in range(len(words)):
        for k in range(len(driven)):
            values[driven[k]] = words[cycle, k]
        for k in range(len(steps)):
            low = values[steps[k, 3]]
            values[steps[k, 0]] = low ^ (values[steps[k, 1]] & (low ^ values[steps[k, 2]]))
        for k in range(len(watched)):
            seen[cycle, k] = values[watched[k]]
        if mask:
            for net in range(nets):
                ones[net] += _popcount(values[net] & mask)
                toggles[net] += _popcount((values[net] ^ before[net]) & mask)
        for k in range(len(state)):
            data, clock, now = values[state[k, 0]], values[state[k, 1]], values[state[k, 2]]
            following[k] = (clock & data) | (~clock & now)
            if mask:
                clocked[k, 0] += _popcount(clock & ~data & ~now & mask)
                clocked[k, 1] += _popcount(clock & data & ~now & mask)
                clocked[k, 2] += _popcount(clock & ~data & now & mask)
                clocked[k, 3] += _popcount(clock & data & now & mask)
        before[:] = values[:nets]
        for k in range(len(state)):
            values[state[k, 2]] = following[k]
            if state[k, 3] >= 0:
                values[state[k, 3]] = ~following[k]
