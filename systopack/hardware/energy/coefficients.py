"""Energy per event of an array, as measured on a gate-level netlist, and its record.

A record of kind `energy-coefficients` has these figures:

    library      name of the cell library, with its corner
    node_nm      technology node
    voltage_v    supply
    points       a list, one entry for each netlist that was measured: the fields of
                 `MeasuredPoint`, flat, energies in pJ, the array's fields by name

`CoefficientTable.for_array` gives the coefficients of an array. Where its size was not measured it
interpolates between measured sizes, and says so in `origin`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from systopack.codec import from_plain
from systopack.errors import InvalidFileError, InvalidOptionError
from systopack.fields import MalformedError
from systopack.hardware.array import Array
from systopack.hardware.named_arrays import NAMED_ARRAYS
from systopack.records import Record, read_record

RECORD_KIND = "energy-coefficients"
Gating = Literal["none", "clock"]
_ARRAY_FIELDS = tuple(item.name for item in fields(Array))
_NEEDED = ("rows", "columns", "alpha", "accumulator_bits", "cell", "input_fanout")


@dataclass(frozen=True, kw_only=True)
class Coefficients:
    """Energy in pJ of each event of an array; 0 where an event is part of another one.

    A cell word is one cell in one word time in which words stream through the array.

    Args:
        active_pj: a cell word with a weight that is not zero and an input word that is not zero,
            above `clock_pj`.
        zero_input_pj: a cell word with a weight that is not zero and the input word 0.
        zero_weight_pj: a cell word with the weight 0: partial sums only pass.
        clock_pj: a cell and clock cycle with its clock running: clock pins, flip-flops, leakage.
        stopped_pj: a cell and clock cycle with its clock stopped: leakage, gate.
        load_pj: a weight written into a cell.
        hop_pj: an input word that is not zero moves past one cell, on one of its alpha wires.
        origin: where the numbers come from: the measured netlist, or how they were interpolated.
    """

    active_pj: float
    zero_input_pj: float
    zero_weight_pj: float
    clock_pj: float
    stopped_pj: float
    load_pj: float
    hop_pj: float
    origin: str

    def __post_init__(self) -> None:
        for name, value in self.energies.items():
            if not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise InvalidOptionError(
                    f"The energy coefficient {name} is {value}; it must be pJ from 0 up."
                )

    @property
    def energies(self) -> Mapping[str, float]:
        """All energies by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name.endswith("_pj")}


@dataclass(frozen=True, kw_only=True)
class MeasuredPoint:
    """The coefficients of one measured netlist.

    Args:
        array: what was synthesized.
        gating: "none": all clocks run always; "clock": cells stop while no words stream.
        clock_mhz: of the measurement.
        cell_area_um2: array area over cells, shared registers included.
        coefficients: measured.
    """

    array: Array
    gating: Gating
    clock_mhz: float
    cell_area_um2: float
    coefficients: Coefficients


@dataclass(frozen=True, kw_only=True)
class CoefficientTable:
    """All points of one library.

    Args:
        library: its name and corner.
        node_nm, voltage_v: technology node, supply.
        points: at least one.
    """

    library: str
    node_nm: float
    voltage_v: float
    points: tuple[MeasuredPoint, ...]

    def for_array(self, array: Array, *, gating: Gating) -> MeasuredPoint:
        """The point of an array, measured or interpolated over the logarithm of its cells.

        Gating and all that describes a cell must have been measured: only the size may differ.
        Below the smallest and above the largest measured size the nearest one stands in, and
        `origin` says so.

        Raises:
            InvalidOptionError: no measured netlist is like the array but for its size.
        """
        alike = sorted(
            (
                p
                for p in self.points
                if p.gating == gating and _cell_design(p.array) == _cell_design(array)
            ),
            key=lambda p: (_cells(p.array), p.array.rows),
        )
        if not alike:
            raise InvalidOptionError(
                f"The coefficients of '{self.library}' have no array like {array.label}, with "
                f"gating '{gating}'; {self._names()}, or measure one with 'systopack characterize'."
            )
        for point in alike:
            if (point.array.rows, point.array.columns) == (array.rows, array.columns):
                return point
        below = [p for p in alike if _cells(p.array) <= _cells(array)]
        above = [p for p in alike if _cells(p.array) > _cells(array)]
        if not below or not above:
            nearest = below[-1] if below else above[0]
            return _stand_in(nearest, array)
        low, high = below[-1], above[0]
        span = math.log(_cells(high.array) / _cells(low.array))
        share = math.log(_cells(array) / _cells(low.array)) / span
        return _between(low, high, array, share)

    def covers(self, array: Array, *, gating: Gating) -> bool:
        """Whether an array was measured, or lies between two sizes that were."""
        try:
            point = self.for_array(array, gating=gating)
        except InvalidOptionError:
            return False
        return not point.coefficients.origin.startswith(f"{array.label} was not measured")

    @property
    def figures(self) -> dict[str, Any]:
        """For a record of kind `RECORD_KIND`."""
        return {
            "library": self.library,
            "node_nm": self.node_nm,
            "voltage_v": self.voltage_v,
            "points": [_flat(point) for point in self.points],
        }

    def write(self, path: Path | str, *, configuration: Mapping[str, Any]) -> None:
        """Write the table as a record."""
        Record(kind=RECORD_KIND, figures=self.figures, configuration=configuration).write(path)

    def _names(self) -> str:
        """What would do: the named arrays, or the first few, and how many others there are."""
        labels = [f"{p.array.label} with --gating {p.gating}" for p in self.points]
        designs = {(_any_alpha(p.array), p.gating) for p in self.points}
        named = [
            f"--array {name}"
            for name, entry in NAMED_ARRAYS.items()
            if (_any_alpha(entry.array), "clock") in designs
        ]
        told = named or labels[:2]
        others = len(designs) - len(named) if named else len(labels) - len(told)
        text = f"give {' or '.join(told)}"
        return f"{text} ({others} more were measured)" if others else text


@dataclass(frozen=True, kw_only=True)
class _Figures:
    """Of a record, its points still flat."""

    library: str
    node_nm: float
    voltage_v: float
    points: tuple[dict[str, Any], ...]


def read_coefficients(path: Path | str) -> CoefficientTable:
    """Read a record of coefficients.

    Raises:
        InvalidFileError: it is no such record, or a point lacks a value.
    """
    record = read_record(path)
    if record.get("kind") != RECORD_KIND:
        raise InvalidFileError(
            f"'{path}' is a record of kind '{record.get('kind')}', not '{RECORD_KIND}'; give one "
            "that 'systopack characterize' wrote."
        )
    try:
        figures: _Figures = from_plain(_Figures, record["figures"], "the figures")
        table = CoefficientTable(
            library=figures.library,
            node_nm=figures.node_nm,
            voltage_v=figures.voltage_v,
            points=tuple(_point(entry) for entry in figures.points),
        )
    except (KeyError, TypeError, MalformedError, InvalidOptionError) as error:
        raise InvalidFileError(
            f"'{path}' holds points that are not as they should be ({error}); make it anew with "
            "'systopack characterize'."
        ) from error
    if not table.points:
        raise InvalidFileError(f"'{path}' holds no measured point; make it anew.")
    return table


def _point(entry: Mapping[str, Any]) -> MeasuredPoint:
    def value(hint: Any, name: str) -> Any:
        return from_plain(hint, entry.get(name), f"'{name}' of a point")

    names = [f.name for f in fields(Coefficients) if f.name != "origin"]
    return MeasuredPoint(
        array=Array(
            **{name: entry[name] for name in _ARRAY_FIELDS if name in entry or name in _NEEDED}
        ),
        gating=value(Gating, "gating"),
        clock_mhz=value(float, "clock_mhz"),
        cell_area_um2=value(float, "cell_area_um2"),
        coefficients=Coefficients(
            **{name: value(float, name) for name in names}, origin=value(str, "origin")
        ),
    )


def _flat(point: MeasuredPoint) -> dict[str, Any]:
    return {
        **{name: getattr(point.array, name) for name in _ARRAY_FIELDS},
        "gating": point.gating,
        "clock_mhz": point.clock_mhz,
        "cell_area_um2": point.cell_area_um2,
        **asdict(point.coefficients),
    }


def _cell_design(array: Array) -> Array:
    """All that describes a cell: the array but for its size."""
    return replace(array, rows=array.input_fanout, columns=array.cells_per_stage)


def _any_alpha(array: Array) -> Array:
    return replace(array, alpha=1)


def _cells(array: Array) -> int:
    return array.rows * array.columns


def _stand_in(point: MeasuredPoint, array: Array) -> MeasuredPoint:
    origin = (
        f"{array.label} was not measured, the nearest size stands in: {point.coefficients.origin}"
    )
    return replace(point, array=array, coefficients=replace(point.coefficients, origin=origin))


def _between(low: MeasuredPoint, high: MeasuredPoint, array: Array, share: float) -> MeasuredPoint:
    """`share` 0 is `low`, 1 is `high`."""

    def mix(one: float, other: float) -> float:
        return (1 - share) * one + share * other

    ends = low.coefficients.energies, high.coefficients.energies
    return MeasuredPoint(
        array=array,
        gating=low.gating,
        clock_mhz=min(low.clock_mhz, high.clock_mhz),
        cell_area_um2=mix(low.cell_area_um2, high.cell_area_um2),
        coefficients=Coefficients(
            **{name: mix(ends[0][name], ends[1][name]) for name in ends[0]},
            origin=f"interpolated between {low.array.label} and {high.array.label}",
        ),
    )
