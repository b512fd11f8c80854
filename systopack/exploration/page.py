"""The page of an exploration: each front drawn among all points, and its points as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from systopack.exploration.front import Front
from systopack.exploration.point import Point
from systopack.report.chart import Axis, Chart, linear_axis, log_axis, needs_log
from systopack.report.chart import Point as Dot
from systopack.report.findings import Findings, Section, render_findings
from systopack.report.text import ABSENT, number

UNITS: Mapping[str, tuple[str, str]] = {  # quantity, unit
    "accuracy_percent": ("Accuracy", "%"),
    "norm_kept": ("Squared norm kept", ""),
    "latency_cycles": ("Cycles from first word to result", "cycles"),
    "period_cycles": ("Cycles of an image", "cycles"),
    "energy_uj": ("Energy of an image", "uJ"),
    "latency_us": ("Latency", "us"),
    "frames_per_s": ("Images a second", "1/s"),
    "area_mm2": ("Area of array and memories", "mm2"),
}
_COLOURS = ("--packed", "--dense", "--third", "--fourth", "--fifth")
_OTHERS = "--muted"
_NOTES = {
    "cycles": "Cycles are exact for every point. A filled point is on the front: no other is at "
    "least as good in all and better in one.",
    "measured": "Only points whose arrays have coefficients measured at gate level; area without "
    "the logic outside the array.",
}


def render_exploration(
    network: str, points: Sequence[Point], fronts: Mapping[str, Front], quality: str | None
) -> str:
    """Write the page as one HTML document.

    Args:
        network: its name.
        points: all.
        fronts: by name, see `front.fronts_of`.
        quality: drawn upwards; None: cycles or latency, with area or energy across.
    """
    built = sum(not point.problem for point in points)
    lead = f"{len(points)} points of the design space of {network}, of which {built} can be built."
    sections = [
        _section(name, points, front, quality) for name, front in fronts.items() if front.among
    ]
    refused = [point for point in points if point.problem]
    if refused:
        sections.append(
            Section(
                heading="What cannot be built",
                note="And why.",
                header=("Point", "Reason"),
                rows=[(named(point), point.problem) for point in refused],
            )
        )
    title = f"{network}: design space"
    return render_findings(Findings(title=title, lead=lead, sections=sections))


def _section(name: str, points: Sequence[Point], front: Front, quality: str | None) -> Section:
    across, up = _axes(name, quality)
    shown = [
        place
        for place, point in enumerate(points)
        if all(point.figures.get(figure) is not None for figure in front.objectives)
    ]
    arrays = list(dict.fromkeys(_group(points[place]) for place in shown))
    colours = {one: _COLOURS[place % len(_COLOURS)] for place, one in enumerate(arrays)}
    dots = [
        Dot(
            x=_figure(points[place], across),
            y=_figure(points[place], up),
            radius=5.0 if place in front.members else 3.0,
            colour=colours[_group(points[place])],
            text=_told(points[place], front.objectives),
            ring=place not in front.members,
        )
        for place in shown
    ]
    members = [points[place] for place in front.members]
    quantity, _ = UNITS[across]
    return Section(
        heading={"cycles": "Front of cycles", "measured": "Front of what was measured"}[name],
        note=f"{_NOTES[name]} {len(members)} of {front.among} are on it.",
        chart=Chart(
            title=f"{UNITS[up][0]} against {quantity.lower()}",
            height=340,
            x=_axis([dot.x for dot in dots], across),
            y=_axis([dot.y for dot in dots], up),
            points=tuple(sorted(dots, key=lambda dot: not dot.ring)),
            top=30,
        ),
        keys=[(one, colours[one]) for one in arrays],
        header=("Point", *(_titled(figure) for figure in front.objectives)),
        rows=[
            (named(one), *(_text(one.figures.get(figure), figure) for figure in front.objectives))
            for one in sorted(members, key=lambda one: _figure(one, across))
        ],
    )


def _axes(name: str, quality: str | None) -> tuple[str, str]:
    if name == "cycles":
        return "period_cycles", quality or "latency_cycles"
    return "energy_uj", quality or "area_mm2"


def _axis(values: Sequence[float], figure: str) -> Axis:
    low, high = min(values), max(values)
    if needs_log(values):
        return log_axis(_titled(figure), values)
    room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return linear_axis(_titled(figure), high + room, low=max(0.0, low - room))


def _figure(point: Point, name: str) -> float:
    return float(point.figures[name] or 0)


def _text(value: float | None, figure: str) -> str:
    return ABSENT if value is None else number(value, UNITS[figure][1])


def _titled(figure: str) -> str:
    quantity, unit = UNITS[figure]
    return f"{quantity}, {unit}" if unit else quantity


def _group(point: Point) -> str:
    names = [str(point.choice[key]) for key in ("array", "organisation") if key in point.choice]
    return ", ".join(names) or "array"


def named(point: Point) -> str:
    """A point by its values."""
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in point.choice.items()
    )


def _told(point: Point, figures: Sequence[str]) -> str:
    values = (
        f"{_titled(figure)}: {_text(point.figures.get(figure), figure)}" for figure in figures
    )
    return f"{named(point)}. {'; '.join(values)}"
