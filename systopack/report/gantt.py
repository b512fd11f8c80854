"""The Gantt chart: which layer runs when, on one axis of cycles for all accelerators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from systopack.report.chart import Bar, Chart, Note, linear_axis, row_axis
from systopack.report.schedule import HOST_KINDS, Schedule, ScheduleRow
from systopack.report.text import ABSENT, number

View = dict[str, Any]

_ROW_PX = 19
_DETAIL_BELOW = 1 / 3  # of the longest schedule: shorter ones are drawn on an axis of their own too
_FILL_OPACITY = 0.35


def gantt_view(schedules: Sequence[Schedule], colours: Mapping[str, str]) -> View | None:
    """Figures and tables of the schedules; None where there are none.

    Args:
        schedules: from top to bottom.
        colours: CSS variable of each design; others are drawn muted.
    """
    if not schedules:
        return None
    longest = max(schedule.cycles for schedule in schedules)
    short = [one for one in schedules if one.cycles < _DETAIL_BELOW * longest]
    charts = [("All schedules on one axis", gantt_chart(schedules, colours))]
    if short:
        charts.append(("The short ones on an axis of their own", gantt_chart(short, colours)))
    designs = dict.fromkeys(schedule.design for schedule in schedules)
    rows = [row for schedule in schedules for row in schedule.rows]
    return {
        "charts": charts,
        "designs": [(design, colours.get(design, "--muted")) for design in designs],
        "fills": any(row.first_output_cycle is not None for row in rows),
        "hosts": any(row.kind in HOST_KINDS for row in rows),
        "tables": [
            {
                "title": f"{schedule.name}, {schedule.design}: {schedule.arrays}",
                "rows": [_cells(row) for row in schedule.rows],
                "cycles": number(schedule.cycles),
            }
            for schedule in schedules
        ],
    }


def gantt_chart(schedules: Sequence[Schedule], colours: Mapping[str, str]) -> Chart:
    """A bar for every row of every schedule, one schedule below the other.

    A bar is pale until its first word leaves. The host's streams are muted.
    """
    bars: list[Bar] = []
    names: list[tuple[int, str]] = []
    notes: list[Note] = []
    place = 0
    for schedule in schedules:
        title = f"{_name(schedule)}: {schedule.cycles:,} cycles"
        notes.append(Note(x=0, y=place, text=title, raised=-4, strong=True))
        place += 1
        for row in schedule.rows:
            names.append((place, label(row)))
            colour = colours.get(schedule.design, "--muted")
            bars += _bars(row, place, "--muted" if row.kind in HOST_KINDS else colour)
            place += 1
    first, last = (end(schedules, key=lambda one: one.cycles) for end in (min, max))
    return Chart(
        title=f"{_name(first)} ends in cycle {first.cycles:,}"
        + (
            f", the first; {_name(last)} in cycle {last.cycles:,}, the last"
            if first != last
            else ""
        ),
        height=_ROW_PX * place,
        x=linear_axis("Cycles from the start of one image", 1.02 * max(last.cycles, 1)),
        y=row_axis(names, place),
        bars=tuple(bars),
        notes=tuple(notes),
    )


def label(row: ScheduleRow) -> str:
    """The name of a row, with the host's streams told apart from the layers they serve."""
    return row.layer + {"image": " from host", "send": " to host"}.get(row.kind, "")


def _name(schedule: Schedule) -> str:
    return f"{schedule.name}, {schedule.design}"


def _bars(row: ScheduleRow, place: int, colour: str) -> list[Bar]:
    """A bar in one piece, or in two where the first word's cycle is known."""
    first = row.start_cycle if row.first_output_cycle is None else row.first_output_cycle
    text = f"{label(row)}: cycles {row.start_cycle:,} to {row.end_cycle:,}"
    if row.first_output_cycle is not None:
        text += f"; first word leaves in cycle {first:,}"
    pieces = ((row.start_cycle, first, _FILL_OPACITY), (first, row.end_cycle, 1.0))
    return [
        Bar(
            start=start,
            end=end,
            y=place,
            thickness=0.72,
            colour=colour,
            opacity=opacity,
            text=text,
        )
        for start, end, opacity in pieces
        if end > start or opacity == 1
    ]


def _cells(row: ScheduleRow) -> list[str]:
    first = row.first_output_cycle
    return [
        label(row),
        number(row.start_cycle),
        ABSENT if first is None else number(first),
        number(row.end_cycle),
        number(row.end_cycle - row.start_cycle),
    ]
