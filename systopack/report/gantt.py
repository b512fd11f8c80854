"""The Gantt chart: which layer runs when, on one axis of cycles for all accelerators."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from systopack.report.figure_parts import Figure, make_axis, make_layout, make_note, shorten
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
    figures = [("All schedules on one axis", gantt_figure(schedules, colours))]
    if short:
        figures.append(("The short ones on an axis of their own", gantt_figure(short, colours)))
    designs = dict.fromkeys(schedule.design for schedule in schedules)
    rows = [row for schedule in schedules for row in schedule.rows]
    return {
        "figures": figures,
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


def gantt_figure(schedules: Sequence[Schedule], colours: Mapping[str, str]) -> Figure:
    """A bar for every row of every schedule, one schedule below the other.

    A bar is pale until its first word leaves. The host's streams are muted.
    """
    bars: dict[str, list[Any]] = {
        name: [] for name in ("y", "base", "x", "colour", "opacity", "text")
    }
    ticks: list[int] = []
    names: list[str] = []
    notes: list[Figure] = []
    place = 0
    for schedule in schedules:
        title = f"{schedule.name}, {schedule.design}: {schedule.cycles:,} cycles"
        notes.append(
            make_note(html.escape(title), x=0, y=place, yref="y", xanchor="left", strong=True)
        )
        notes[-1] |= {"yanchor": "middle"}
        place += 1
        for row in schedule.rows:
            ticks.append(place)
            names.append(html.escape(shorten(label(row))) + " ")
            colour = colours.get(schedule.design, "--muted")
            _add(bars, row, place, "--muted" if row.kind in HOST_KINDS else colour)
            place += 1
    longest = max(schedule.cycles for schedule in schedules)
    trace: Figure = {
        "type": "bar",
        "orientation": "h",
        "y": bars["y"],
        "base": bars["base"],
        "x": bars["x"],
        "width": 0.72,
        "marker": {
            "color": bars["colour"],
            "opacity": bars["opacity"],
            "line": {"color": bars["colour"], "width": 1},
        },
        "customdata": bars["text"],
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    drawn = make_layout(height=70 + _ROW_PX * place, margin={"l": 8, "r": 20, "t": 8, "b": 48})
    drawn |= {
        "barmode": "overlay",
        "hovermode": "closest",
        "annotations": notes,
        "xaxis": make_axis(
            title={"text": "Cycles from the start of one image", "standoff": 8},
            range=[0, 1.02 * max(longest, 1)],
            tickformat=",d",
            nticks=6,
        ),
        "yaxis": make_axis(
            range=[place - 0.3, -0.7],
            tickmode="array",
            tickvals=ticks,
            ticktext=names,
            showgrid=False,
        ),
    }
    return {"data": [trace], "layout": drawn}


def label(row: ScheduleRow) -> str:
    """The name of a row, with the host's streams told apart from the layers they serve."""
    return row.layer + {"image": " from host", "send": " to host"}.get(row.kind, "")


def _add(bars: dict[str, list[Any]], row: ScheduleRow, place: int, colour: str) -> None:
    """A bar in one piece, or in two where the first word's cycle is known."""
    first = row.start_cycle if row.first_output_cycle is None else row.first_output_cycle
    text = f"{html.escape(label(row))}: cycles {row.start_cycle:,} to {row.end_cycle:,}"
    if row.first_output_cycle is not None:
        text += f"<br>first word leaves in cycle {first:,}"
    pieces = ((row.start_cycle, first, _FILL_OPACITY), (first, row.end_cycle, 1.0))
    for start, end, opacity in pieces:
        if end > start or opacity == 1:
            bars["y"].append(place)
            bars["base"].append(start)
            bars["x"].append(end - start)
            bars["colour"].append({"css": colour})
            bars["opacity"].append(opacity)
            bars["text"].append(text)


def _cells(row: ScheduleRow) -> list[str]:
    first = row.first_output_cycle
    return [
        label(row),
        number(row.start_cycle),
        ABSENT if first is None else number(first),
        number(row.end_cycle),
        number(row.end_cycle - row.start_cycle),
    ]
