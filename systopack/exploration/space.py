"""A space of design points: what may vary, checked once when it is read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import product
from pathlib import Path
from typing import Any

from systopack.errors import InvalidOptionError
from systopack.fields import shown
from systopack.hardware.array import Array
from systopack.hardware.cells import CELLS
from systopack.options import read_toml
from systopack.packing.policies.registry import AIMING_POLICIES

Value = int | float | str
Choice = Mapping[str, Value]  # a value for each dimension that varies
POINT_LIMIT = 10_000  # points of one run
_LONGEST_LIST = 64
_ARRAY = {"array": "array", "array_alpha": "alpha"}  # names here -> fields of `Array`


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What the values of a dimension may be.

    Args:
        kind: int, float or str.
        low, high: of a number, both allowed.
        names: of a text; empty for any.
    """

    kind: type
    low: float = -math.inf
    high: float = math.inf
    names: tuple[str, ...] = ()

    @property
    def rule(self) -> str:
        """In words."""
        if self.names:
            return f"one of {', '.join(self.names)}"
        if self.kind is str:
            return "a text"
        number = "a whole number" if self.kind is int else "a number"
        return f"{number} from {self.low:g} to {self.high:g}"

    def holds(self, value: object) -> bool:
        """Whether a value is one of them; 1 is no text, true no number, and 1 also a float."""
        if self.kind is str:
            return isinstance(value, str) and (not self.names or value in self.names)
        right = type(value) is int or (self.kind is float and type(value) is float)
        return right and self.low <= value <= self.high  # type: ignore[operator]


PACKING: Mapping[str, Kind] = {
    "alpha": Kind(kind=int, low=1, high=16),
    "gamma": Kind(kind=float, low=0, high=15),
    "density": Kind(kind=float, low=0.001, high=1),
    "cells": Kind(kind=float, low=0.001, high=1),
    "words": Kind(kind=float, low=1, high=1000),
    "band_rows": Kind(kind=int, low=1, high=65_536),
    "policy": Kind(kind=str, names=AIMING_POLICIES),
}
HARDWARE: Mapping[str, Kind] = {
    "array": Kind(kind=str),
    "array_alpha": Kind(kind=int, low=1, high=16),
    "rows": Kind(kind=int, low=1, high=1024),
    "columns": Kind(kind=int, low=1, high=1024),
    "cell": Kind(kind=str, names=tuple(CELLS)),
    "weight_bits": Kind(kind=int, low=2, high=8),
    "input_fanout": Kind(kind=int, low=1, high=1024),
    "cells_per_stage": Kind(kind=int, low=1, high=1024),
    "weight_buffers": Kind(kind=int, low=1, high=2),
    "organisation": Kind(kind=str, names=("tiled", "pipelined")),
    "weight_memory": Kind(kind=int, low=1, high=2**40),
    "clock_mhz": Kind(kind=float, low=1, high=100_000),
}
KINDS = {**PACKING, **HARDWARE}
ARRAY_FIELDS = tuple(
    name
    for name in HARDWARE
    if name != "array" and _ARRAY.get(name, name) in {item.name for item in fields(Array)}
)


@dataclass(frozen=True, kw_only=True)
class Range:
    """Numbers from `low` to `high`, both included."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Space:
    """What varies.

    Args:
        dimensions: values in a list, or a `Range` of numbers, by name.
        name: what a message calls it: its file.
    """

    dimensions: Mapping[str, tuple[Value, ...] | Range]
    name: str = "The space"

    @property
    def packs(self) -> bool:
        """Whether networks are packed anew."""
        return any(name in PACKING for name in self.dimensions)

    @property
    def size(self) -> int | None:
        """Points there are; None where a range has any number of them."""
        counts = [_count(values, KINDS[name]) for name, values in self.dimensions.items()]
        if None in counts:
            return None
        return math.prod(count for count in counts if count is not None)

    @property
    def is_listed(self) -> bool:
        """Whether all dimensions are lists."""
        return not any(isinstance(values, Range) for values in self.dimensions.values())

    @property
    def plain(self) -> dict[str, Any]:
        """For a record, and to tell two spaces apart."""
        return {
            name: {"low": values.low, "high": values.high}
            if isinstance(values, Range)
            else list(values)
            for name, values in self.dimensions.items()
        }

    def grid(self, points: int) -> Iterator[Choice]:
        """All points, the last dimension changing fastest.

        Args:
            points: that may be taken.

        Raises:
            InvalidOptionError: there are more, or any number of them.
        """
        ranges = [name for name, values in self.dimensions.items() if isinstance(values, Range)]
        if ranges:
            raise InvalidOptionError(
                f"{self.name} gives {ranges[0]} as a range, but a grid needs lists; write a list, "
                "or take --sampler nsga2, tpe or random."
            )
        size = self.size or 0
        if size > points:
            raise InvalidOptionError(
                f"{self.name} has {size:,} points, but a grid of at most {points:,} was asked for; "
                "shorten its lists, raise --points, or take --sampler nsga2, tpe or random."
            )
        lists = [values for values in self.dimensions.values() if not isinstance(values, Range)]
        return (dict(zip(self.dimensions, values, strict=True)) for values in product(*lists))


def space_from(source: Mapping[str, Any] | Path | str) -> Space:
    """A space from a TOML file, or from plain data of the same form.

    Args:
        source: a list of values, one value, or `{low, high}` for each name of `KINDS`.

    Raises:
        InvalidFileError: the file cannot be read.
        InvalidOptionError: a name is unknown, a list empty, or a value not allowed.
    """
    if isinstance(source, Mapping):
        content, name = dict(source), "The space"
    else:
        content, name = read_toml(Path(source)), f"'{source}'"
    if not content:
        raise InvalidOptionError(f"{name} lets nothing vary; give lists of {', '.join(KINDS)}.")
    for key in content:
        if key not in KINDS:
            raise InvalidOptionError(
                f"{name} sets {shown(key)}, which is nothing that can vary; known are "
                f"{', '.join(KINDS)}."
            )
    for budget in ("cells", "words"):
        if budget in content and "alpha" not in content:
            raise InvalidOptionError(
                f"{name} sets {budget}, a budget of a packing, but no alpha; give the largest "
                "column group too, for instance alpha = [8]."
            )
    if "cells" in content and "words" in content:
        raise InvalidOptionError(
            f"{name} sets cells and words, two budgets of one packing; leave one out."
        )
    if set(content) & set(PACKING) - {"alpha"} and "alpha" not in content:
        raise InvalidOptionError(
            f"{name} sets {next(key for key in content if key in PACKING)}, but no alpha; give "
            "the largest column group too, for instance alpha = [8]."
        )
    dimensions = {key: _values(name, key, content[key]) for key in KINDS if key in content}
    return Space(dimensions=dimensions, name=name)


def _values(where: str, key: str, content: Any) -> tuple[Value, ...] | Range:
    kind = KINDS[key]
    if isinstance(content, Mapping):
        if set(content) != {"low", "high"} or kind.kind is str:
            raise InvalidOptionError(
                f"{where} sets {key} to {shown(content)}, but it takes a list of values"
                f"{'' if kind.kind is str else ', or { low = ..., high = ... }'}."
            )
        for value in content.values():
            _check(where, key, value)
        if not content["low"] < content["high"]:
            raise InvalidOptionError(
                f"{where} lets {key} run from {content['low']} to {content['high']}; low must be "
                "below high."
            )
        return Range(low=content["low"], high=content["high"])
    values = content if isinstance(content, list | tuple) else [content]
    if not 1 <= len(values) <= _LONGEST_LIST:
        raise InvalidOptionError(
            f"{where} has {len(values)} values of {key}; give 1 to {_LONGEST_LIST}."
        )
    for value in values:
        _check(where, key, value)
    whole = [float(value) if kind.kind is float else value for value in values]
    if len(set(whole)) < len(whole):
        raise InvalidOptionError(f"{where} lists a value of {key} twice; leave one out.")
    return tuple(whole)


def _check(where: str, key: str, value: object) -> None:
    if not KINDS[key].holds(value):
        raise InvalidOptionError(
            f"{where} sets {key} to {shown(value)}, but it must be {KINDS[key].rule}."
        )


def _count(values: tuple[Value, ...] | Range, kind: Kind) -> int | None:
    if not isinstance(values, Range):
        return len(values)
    return int(values.high - values.low) + 1 if kind.kind is int else None
