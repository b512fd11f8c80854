"""A Liberty file as frozen values: areas, functions, capacitances, delays, energies, leakage.

Units are the same for every library: um2, fF, ns, fJ, nW, V. The file is parsed by `libparse` in a
process of its own, since a damaged file can take the parser's process down.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidFileError, SystopackError, one_line
from systopack.files import gunzip, read_file

BUNDLED = Path(__file__).parent / "libraries" / "sky130hd_tt.lib.gz"
CellKind = Literal["gate", "flip-flop", "clock-gate", "other"]
_SECONDS = 120
UNPACKED_LIMIT = 256 << 20  # bytes unpacked; the largest libraries in use have a tenth of that
_DEEPEST = 32  # groups inside groups
_READ = """
import json, os, sys
try:
    import libparse
except ImportError:
    sys.exit(3)
stream = open(sys.argv[1])  # the parser closes it
tree = libparse.LibertyParser(stream).ast
def plain(node):
    return [node.id, node.value, list(node.args), [plain(child) for child in node.children]]
json.dump(plain(tree), sys.stdout)
sys.stdout.flush()
os._exit(0)
"""


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
    """

    name: str
    path: Path
    voltage_v: float
    cells: Mapping[str, LibraryCell]
    excluded: frozenset[str]
    wire_load: WireLoad | None


def read_library(path: Path | str = BUNDLED, *, power: bool = True) -> Library:
    """Read a Liberty file, plain or gzipped.

    Args:
        path: the file; the default is the bundled sky130 high-density library, typical corner.
        power: demand internal energies and leakage.

    Raises:
        InvalidFileError: the file or libparse is missing, the file is damaged, has no usable cells,
            or lacks the power data demanded.
    """
    library = _read(Path(path).resolve(), Path(path).stat().st_mtime_ns if _exists(path) else 0)
    if power:
        lacking = [
            cell.name
            for cell in library.cells.values()
            if cell.kind == "flip-flop" and not cell.pins[cell.clock].power
        ]
        some = any(pin.power for cell in library.cells.values() for pin in cell.pins.values())
        if lacking or not some:
            raise InvalidFileError(
                f"'{path}' has no internal power for "
                f"{'the clock of ' + repr(lacking[0]) if some else 'any cell'}, so energy cannot "
                "be computed; take a Liberty file with power tables, or ask for area alone."
            )
    return library


def _exists(path: Path | str) -> bool:
    return Path(path).is_file()


@lru_cache(maxsize=4)
def _read(path: Path, _changed: int) -> Library:
    from systopack.synthesis.liberty_tree import library_of

    content = gunzip(path, read_file(path, what="a Liberty file"), limit=UNPACKED_LIMIT)
    tree = _parse(path, content)
    try:
        return library_of(tree, path)
    except SystopackError:
        raise
    except Exception as error:  # content of any form
        raise InvalidFileError(
            f"'{path}' is not a Liberty file of tables as understood here "
            f"({type(error).__name__}: {one_line(error)}); take another."
        ) from error


def _parse(path: Path, content: bytes) -> Any:
    # The parser does not come back from a file that ends inside a group.
    if len(content) > UNPACKED_LIMIT:
        raise InvalidFileError(
            f"'{path}' has more than {UNPACKED_LIMIT >> 20} MiB; give a smaller Liberty file."
        )
    depth = deepest = 0
    for brace in re.findall(rb'/\*.*?\*/|"[^"]*"|[{}]', content, flags=re.DOTALL):
        depth += {b"{": 1, b"}": -1}.get(brace, 0)
        deepest = max(deepest, depth)
        if depth < 0:
            break
    if depth or not deepest:
        raise InvalidFileError(
            f"'{path}' is not a Liberty file, or damaged: its braces do not close; give another."
        )
    if deepest > _DEEPEST:
        raise InvalidFileError(
            f"'{path}' has groups inside groups {deepest} deep, but Liberty files have at most "
            f"{_DEEPEST}; give another."
        )
    with tempfile.NamedTemporaryFile(suffix=".lib") as stream:
        stream.write(content)
        stream.flush()
        try:
            result = subprocess.run(
                [sys.executable, "-c", _READ, stream.name],
                capture_output=True,
                check=False,
                timeout=_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise InvalidFileError(
                f"'{path}' was not read as a Liberty file within {_SECONDS} s; is it one?"
            ) from error
    if result.returncode == 3:
        raise InvalidFileError(
            "There is no libparse to read Liberty files with; install it with "
            "'pip install libparse'."
        )
    try:
        tree = json.loads(result.stdout) if result.returncode == 0 else None
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, list) or not tree or tree[0] != "library":
        raise InvalidFileError(f"'{path}' is not a Liberty file, or damaged; give another.")
    return tree


def _place(
    axis: NDArray[np.float64], value: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    if len(axis) == 1:
        return np.zeros(value.shape, dtype=np.int64), np.zeros(value.shape)
    low = np.clip(np.searchsorted(axis, value, side="right") - 1, 0, len(axis) - 2)
    return low, (value - axis[low]) / (axis[low + 1] - axis[low])
