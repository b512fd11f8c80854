"""Charts as plain data, in the units of their axes; the template `chart.html` writes them as SVG.

Across, a chart is as wide as its reader's page, so places are percent; down, they are pixels. A
colour is the name of a CSS variable, so that charts follow light, dark and print.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from systopack.report.text import number

_LOG_FROM_RATIO = 20  # largest to smallest value from which an axis is logarithmic
_LONGEST_NAME = 24
_LETTER_PX = 6.6
_MOST_DECADES = 5


@dataclass(frozen=True, kw_only=True)
class Axis:
    """What lies along one side of a chart.

    Args:
        title: quantity and unit.
        low, high: values at its ends; low may be above high.
        ticks: values with their names.
        logarithmic: low and high are above 0 then.
        grid: whether there is a line at each tick.
    """

    title: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    logarithmic: bool = False
    grid: bool = True

    def place(self, value: float) -> float:
        """Percent of the axis at which a value lies."""
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return round(100 * (value - low) / (high - low), 2)


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A bar from `start` to `end`, `thickness` high; `text` when pointed at, `label` beside it."""

    start: float
    end: float
    y: float
    thickness: float
    colour: str
    opacity: float = 1
    text: str = ""
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Point:
    """A point of a radius in pixels; a ring stays visible around another point."""

    x: float
    y: float
    radius: float
    colour: str
    text: str
    ring: bool = False


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line through points (x, y)."""

    points: tuple[tuple[float, float], ...]
    colour: str
    dotted: bool = False


@dataclass(frozen=True, kw_only=True)
class Note:
    """A text, raised by pixels; `anchor` is "start", "middle" or "end"."""

    x: float
    y: float
    text: str
    anchor: str = "start"
    raised: int = 0
    strong: bool = False


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One chart.

    Args:
        title: the finding, a sentence.
        height, top: pixels of the plot, and of the room above it.
        x, y: axes.
        bands: shaded from start to end, as high as the plot.
        bars, lines, points, notes: drawn in this order.
    """

    title: str
    height: int
    x: Axis
    y: Axis
    bands: tuple[tuple[float, float], ...] = ()
    bars: tuple[Bar, ...] = ()
    lines: tuple[Line, ...] = ()
    points: tuple[Point, ...] = ()
    notes: tuple[Note, ...] = ()
    top: int = 8

    @property
    def left(self) -> int:
        """Pixels for the names at the left."""
        return 14 + round(_LETTER_PX * max((len(text) for _, text in self.y.ticks), default=0))

    def down(self, value: float) -> float:
        """Pixels from the top of the plot."""
        return round(self.height * (1 - self.y.place(value) / 100), 1)


def linear_axis(title: str, high: float, *, low: float = 0, grid: bool = True) -> Axis:
    """An axis with about four round ticks."""
    high = high if high > low else low + 1
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    ticks = tuple((place * step, _short(place * step)) for place in range(first, last + 1))
    return Axis(title=title, low=low, high=high, ticks=ticks, grid=grid)


def log_axis(title: str, values: Sequence[float]) -> Axis:
    """A logarithmic axis around the values, with a tick for each power of ten."""
    low, high = min(values) / 1.5, max(values) * 1.5
    powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    ticks = tuple((10.0**p, _short(10.0**p)) for p in powers[:: -(-len(powers) // _MOST_DECADES)])
    return Axis(title=f"{title}, logarithmic", low=low, high=high, ticks=ticks, logarithmic=True)


def row_axis(names: Sequence[tuple[int, str]], rows: int, *, grid: bool = False) -> Axis:
    """The rows 0 .. rows - 1 from top to bottom, and the names of some."""
    ticks = tuple((row, shorten(name)) for row, name in names)
    return Axis(title="", low=rows - 0.4, high=-0.6, ticks=ticks, grid=grid)


def needs_log(values: Sequence[float]) -> bool:
    """Whether values lie too far apart for an axis from zero."""
    return bool(values) and min(values) > 0 and max(values) >= _LOG_FROM_RATIO * min(values)


def shorten(name: str) -> str:
    """Leave out the middle of a long name."""
    if len(name) <= _LONGEST_NAME:
        return name
    half = (_LONGEST_NAME - 1) // 2
    return f"{name[:half]}…{name[-half:]}"


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):g}{letter}"
    return number(round(value, 9))
