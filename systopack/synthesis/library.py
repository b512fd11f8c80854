"""A standard cell library as frozen values: areas, functions, capacitances, delays, energies.

Units are the same for every library: um2, fF, ns, fJ, nW, V.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidOptionError
from systopack.synthesis.facts import Corner, LibraryFacts

CellKind = Literal["gate", "flip-flop", "clock-gate", "other"]


@dataclass(frozen=True, kw_only=True, eq=False)
class LookupTable:
    """Values over an input transition and an output load.

    Args:
        transition_ns: the first axis, at least one point, rising.
        load: the second axis: load in fF, or in a constraint the clock's transition in ns.
        values: shape (len(transition_ns), len(load)).
    """

    transition_ns: NDArray[np.float64]
    load: NDArray[np.float64]
    values: NDArray[np.float64]

    def at(
        self, transition_ns: NDArray[np.float64], load: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Values between the points, bilinear; beyond the ends the edge's slope goes on."""
        low, part = _place(self.transition_ns, np.asarray(transition_ns, dtype=float))
        left, across = _place(self.load, np.asarray(load, dtype=float))
        high = np.minimum(low + 1, len(self.transition_ns) - 1)
        right = np.minimum(left + 1, len(self.load) - 1)
        near = self.values[low, left] * (1 - across) + self.values[low, right] * across
        far = self.values[high, left] * (1 - across) + self.values[high, right] * across
        found: NDArray[np.float64] = near * (1 - part) + far * part
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class WireLoad:
    """What the library expects of a net's wires before there is a layout.

    Args:
        name: of the model.
        fanout: pins that a net drives, rising.
        capacitance_ff: of the wires of a net that drives so many.
        slope_ff: of every further pin.
    """

    name: str
    fanout: NDArray[np.float64]
    capacitance_ff: NDArray[np.float64]
    slope_ff: float

    def at(self, fanout: NDArray[np.float64]) -> NDArray[np.float64]:
        """Capacitance in fF of nets that drive so many pins each; of an open net 0."""
        pins = np.asarray(fanout, dtype=float)
        start = np.concatenate([[0.0], self.fanout]), np.concatenate([[0.0], self.capacitance_ff])
        inside = np.interp(pins, *start)
        found: NDArray[np.float64] = inside + self.slope_ff * np.maximum(pins - self.fanout[-1], 0)
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class InternalPower:
    """Energy inside a cell for one transition of a pin.

    Args:
        related: the input that caused it; empty where it is the pin itself.
        when: truth table over the cell's inputs and outputs (`LibraryCell.states`), None: always.
        rise_fj, fall_fj: of a rising and a falling transition.
    """

    related: str
    when: int | None
    rise_fj: LookupTable
    fall_fj: LookupTable


@dataclass(frozen=True, kw_only=True, eq=False)
class Arc:
    """Delay from an input to an output.

    Args:
        related: the input.
        inverting: True, False, or None where an output edge may come from either input edge.
        edge: True where only a clock edge starts it.
        rise_ns, fall_ns: delay to a rising and a falling output.
        rise_transition_ns, fall_transition_ns: the output's transitions.
    """

    related: str
    inverting: bool | None
    edge: bool
    rise_ns: LookupTable
    fall_ns: LookupTable
    rise_transition_ns: LookupTable
    fall_transition_ns: LookupTable


@dataclass(frozen=True, kw_only=True, eq=False)
class Pin:
    """A signal pin.

    Args:
        name: its name.
        output: whether the cell drives it.
        capacitance_ff: what it loads its net with; 0 for outputs.
        function: truth table over `LibraryCell.inputs`, None where it has none (state).
        power: energies of its transitions.
        arcs: delays to it.
        setup: (clock rising: rise constraint, fall constraint) tables, None where there is none.
    """

    name: str
    output: bool
    capacitance_ff: float
    function: int | None
    power: tuple[InternalPower, ...]
    arcs: tuple[Arc, ...]
    setup: tuple[LookupTable, LookupTable] | None


@dataclass(frozen=True, kw_only=True, eq=False)
class LibraryCell:
    """A cell of the library.

    Args:
        name: its name.
        kind: gate (all outputs are functions of the inputs), flip-flop (one, rising edge, without
            reset), clock-gate, or other.
        area_um2: its area.
        pins: by name.
        inputs, outputs: names of the pins, in the file's order.
        data, clock, state: of a flip-flop: pin D, pin CK, the output that holds the state; of a
            clock gate: enable, clock and the gated clock.
        inverted: the flip-flop's output of the opposite value, or empty.
        next_state: the flip-flop's next state, a truth table over `inputs`.
        leakage_nw: mean leakage.
        leakage_when: (truth table over `states`, leakage).
    """

    name: str
    kind: CellKind
    area_um2: float
    pins: Mapping[str, Pin]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    data: str
    clock: str
    state: str
    inverted: str
    next_state: int
    leakage_nw: float
    leakage_when: tuple[tuple[int, float], ...]

    @property
    def states(self) -> tuple[str, ...]:
        """What a condition may name: the inputs, then the outputs."""
        return self.inputs + self.outputs


@dataclass(frozen=True, kw_only=True, eq=False)
class Library:
    """A standard cell library.

    Args:
        name: its name.
        path: the file.
        voltage_v: supply.
        cells: by name.
        excluded: cells that the library says not to use.
        wire_load: its default model of wires, None where it has none.
        facts: what the file does not say.
    """

    name: str
    path: Path
    voltage_v: float
    cells: Mapping[str, LibraryCell]
    excluded: frozenset[str]
    wire_load: WireLoad | None
    facts: LibraryFacts

    @property
    def corner(self) -> Corner | None:
        """The corner of this Liberty file, None where the facts do not know it."""
        return self.facts.corners.get(self.name)

    @property
    def node_nm(self) -> float:
        """The technology node.

        Raises:
            InvalidOptionError: the facts do not say it.
        """
        if self.facts.node_nm is None:
            raise InvalidOptionError(
                f"The node of library '{self.name}' is not known; write a TOML file of its facts "
                "(docs/silicon.md) and give that."
            )
        return self.facts.node_nm


def _place(
    axis: NDArray[np.float64], value: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    if len(axis) == 1:
        return np.zeros(value.shape, dtype=np.int64), np.zeros(value.shape)
    low = np.clip(np.searchsorted(axis, value, side="right") - 1, 0, len(axis) - 2)
    return low, (value - axis[low]) / (axis[low + 1] - axis[low])
