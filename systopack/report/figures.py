"""Plotly figures as plain data: the training curve and one quantity layer by layer.

A colour is written `{"css": "--name"}`; the page's script puts in the value of that variable, so
that figures follow light, dark and print. Text is escaped, since Plotly reads markup in it.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from systopack.report.figure_parts import Figure, make_axis, make_layout, make_note, shorten

_LOG_FROM_RATIO = 20  # largest to smallest value from which an axis is logarithmic
_NARROW_PLOT_PX = 290  # of a telephone
_LETTER_PX = 7
_PANELS = (("y", (0.70, 1.0)), ("y2", (0.36, 0.64)), ("y3", (0.0, 0.29)))


@dataclass(frozen=True, kw_only=True)
class Design:
    """A network in the figures.

    Args:
        name: as the report calls it.
        colour: name of the CSS variable of its colour.
    """

    name: str
    colour: str


@dataclass(frozen=True, kw_only=True)
class PhaseSpan:
    """Consecutive epochs of one phase.

    Args:
        phase: its name.
        first, last: epochs of the whole history, from 1.
        iteration_starts: epochs in which an iteration but the first begins.
    """

    phase: str
    first: int
    last: int
    iteration_starts: tuple[int, ...]


def phase_spans(history: Sequence[Mapping[str, Any]]) -> tuple[PhaseSpan, ...]:
    """Cut a history into its phases."""
    spans: list[PhaseSpan] = []
    iteration: Any = None
    for epoch, entry in enumerate(history, start=1):
        phase = str(entry.get("phase", ""))
        if not spans or spans[-1].phase != phase:
            spans.append(PhaseSpan(phase=phase, first=epoch, last=epoch, iteration_starts=()))
        else:
            span = spans[-1]
            starts = span.iteration_starts
            if entry.get("iteration") != iteration:
                starts = (*starts, epoch)
            spans[-1] = PhaseSpan(
                phase=phase, first=span.first, last=epoch, iteration_starts=starts
            )
        iteration = entry.get("iteration")
    return tuple(spans)


def training_figure(
    history: Sequence[Mapping[str, Any]], *, dense: Design, packed: Design
) -> Figure:
    """Accuracy, nonzeros and packing efficiency over the epochs, with the phases marked.

    Args:
        history: entries of `EpochResult`, in order.
        dense: gives the colour of the phase "train".
        packed: gives the colour of all other phases.
    """
    spans = phase_spans(history)
    traces: list[Figure] = []
    for span in spans:
        design = dense if span.phase == "train" else packed
        entries = list(enumerate(history, start=1))[span.first - 1 : span.last]
        traces += [
            _curve(entries, "train_accuracy_percent", "y", design, "train", dash="dot", unit=" %"),
            _curve(entries, "held_out_accuracy_percent", "y", design, "held-out", unit=" %"),
            _curve(entries, "nonzeros", "y2", design, "nonzeros", form=",d"),
            _curve(entries, "packing_efficiency", "y3", design, "efficiency", scale=100, unit=" %"),
        ]
    nonzeros = [float(entry["nonzeros"]) for entry in history if entry.get("nonzeros")]
    layout = make_layout(height=600, margin={"l": 48, "r": 12, "t": 56, "b": 48})
    layout["xaxis"] = make_axis(
        title={"text": "Epoch", "standoff": 8},
        anchor="y3",
        range=[0.5, len(history) + 0.5],
        dtick=max(1, -(-len(history) // 12)),
        tick0=1,
        showgrid=False,
    )
    titles = ("Accuracy (%)", "Nonzero weights", "Packing efficiency (%)")
    axes: tuple[Figure, ...] = (
        {"nticks": 5},
        {"type": "log", "dtick": 1} if _needs_log(nonzeros) else {"rangemode": "tozero"},
        {"range": [0, 104], "dtick": 25},
    )
    layout["annotations"] = []
    for (name, domain), title, axis in zip(_PANELS, titles, axes, strict=True):
        layout["yaxis" + name[1:]] = make_axis(domain=list(domain), anchor="x", **axis)
        layout["annotations"].append(
            make_note(title, x=0, y=domain[1], xanchor="left", strong=True)
        )
    layout["shapes"] = []
    for index, span in enumerate(spans):
        layout["shapes"] += _span_shapes(span, shaded=index % 2 == 1)
        layout["annotations"].append(_phase_label(span, epochs=len(history)))
    return {"data": traces, "layout": layout}


def layer_figure(
    layers: Sequence[str],
    values: Mapping[Design, Sequence[float | None]],
    *,
    axis_title: str,
    unit: str = "",
    share: bool = False,
) -> Figure:
    """One quantity, layer by layer, for every design.

    Bars from zero; where the values span more than a factor of 20, points on a logarithmic axis,
    since the length of a bar means nothing there.

    Args:
        layers: names, from top to bottom.
        values: for each design one value per layer; None where it has no such layer.
        axis_title: quantity and unit.
        unit: written after a value that is pointed at.
        share: the values are percent with one decimal, drawn from zero.
    """
    known = [value for column in values.values() for value in column if value is not None]
    logarithmic = not share and _needs_log(known)
    rows = list(range(len(layers)))
    names = [html.escape(name) for name in layers]
    form = ".1f" if share else ",d"
    traces: list[Figure] = []
    if logarithmic:
        traces.append(_connectors(rows, list(values.values())))
    for index, (design, column) in enumerate(values.items()):
        trace: Figure = {
            "x": list(column),
            "y": rows,
            "customdata": names,
            "name": html.escape(design.name),
            "hovertemplate": f"%{{customdata}}: %{{x:{form}}}{unit}",
        }
        if logarithmic:
            trace |= {"type": "scatter", "mode": "markers", "marker": _point(design, index)}
        else:
            trace |= {
                "type": "bar",
                "orientation": "h",
                "marker": {"color": {"css": design.colour}},
                "texttemplate": f"%{{x:{form}}}",
                "textposition": "outside",
                "cliponaxis": False,
                "textfont": {"color": {"css": "--muted"}, "size": 11},
            }
        traces.append(trace)
    pitch = 26 if logarithmic else 16 + 18 * len(values)
    layout = make_layout(
        height=92 + pitch * max(len(rows), 2), margin={"l": 8, "r": 28, "t": 8, "b": 48}
    )
    layout |= {
        "barmode": "group",
        "bargap": 0.3,
        "bargroupgap": 0.08,
        "hovermode": "closest",
        "xaxis": make_axis(
            title={
                "text": html.escape(axis_title + (", logarithmic" if logarithmic else "")),
                "standoff": 8,
            },
            **(
                {"type": "log", "dtick": 1, "tickformat": ",d"}
                if logarithmic
                else {"range": [0, 1.16 * max([*known, 0]) or 1], "nticks": 6}
            ),
        ),
        "yaxis": make_axis(
            range=[len(rows) - 0.4, -0.6],
            tickmode="array",
            tickvals=rows,
            ticktext=[html.escape(shorten(name)) + " " for name in layers],
            showgrid=logarithmic,
        ),
    }
    return {"data": traces, "layout": layout}


def _curve(
    entries: Sequence[tuple[int, Mapping[str, Any]]],
    key: str,
    axis: str,
    design: Design,
    name: str,
    *,
    dash: str = "solid",
    scale: float = 1,
    form: str = ".2f",
    unit: str = "",
) -> Figure:
    values = [entry.get(key) for _, entry in entries]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [epoch for epoch, _ in entries],
        "y": [None if value is None else value * scale for value in values],
        "yaxis": axis,
        "name": name,
        "line": {"color": {"css": design.colour}, "width": 2, "dash": dash},
        "marker": {
            "color": {"css": "--surface" if dash == "dot" else design.colour},
            "line": {"color": {"css": design.colour}, "width": 1.5},
            "size": 6 if len(entries) <= 40 else 3,
        },
        "hovertemplate": f"{name} %{{y:{form}}}{unit}<extra></extra>",
    }


def _connectors(rows: Sequence[int], columns: Sequence[Sequence[float | None]]) -> Figure:
    """Thin lines from the smallest to the largest value of each layer."""
    x: list[float | None] = []
    y: list[float | None] = []
    for row, values in zip(rows, zip(*columns, strict=True), strict=True):
        known = [value for value in values if value is not None]
        if known:
            x += [min(known), max(known), None]
            y += [row, row, None]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "line": {"color": {"css": "--muted"}, "width": 2},
        "opacity": 0.5,
        "hoverinfo": "skip",
    }


def _point(design: Design, index: int) -> Figure:
    """The first design is a ring, so that it stays visible around an equal value."""
    if index == 0:
        line = {"color": {"css": design.colour}, "width": 2.5}
        return {"color": {"css": "--surface"}, "size": 15, "line": line}
    return {"color": {"css": design.colour}, "size": 9}


def _span_shapes(span: PhaseSpan, *, shaded: bool) -> list[Figure]:
    shapes: list[Figure] = []
    if shaded:
        shapes.append(
            {
                "type": "rect",
                "layer": "below",
                "xref": "x",
                "yref": "paper",
                "x0": span.first - 0.5,
                "x1": span.last + 0.5,
                "y0": 0,
                "y1": 1,
                "fillcolor": {"css": "--band"},
                "line": {"width": 0},
            }
        )
    return shapes + [
        {
            "type": "line",
            "layer": "below",
            "xref": "x",
            "yref": "paper",
            "x0": start - 0.5,
            "x1": start - 0.5,
            "y0": 0,
            "y1": 1,
            "line": {"color": {"css": "--muted"}, "width": 1, "dash": "dot"},
        }
        for start in span.iteration_starts
    ]


def _phase_label(span: PhaseSpan, *, epochs: int) -> Figure:
    """The name of a phase above its epochs; a line higher where it is wider than they are."""
    share = (span.last - span.first + 1) / epochs
    if share * _NARROW_PLOT_PX > _LETTER_PX * len(span.phase):
        x, anchor, shift = (span.first + span.last) / 2, "center", 20
    elif span.last == epochs:
        x, anchor, shift = span.last + 0.5, "right", 35
    else:
        x, anchor, shift = span.first - 0.5, "left", 35
    return make_note(html.escape(span.phase), x=x, y=1, xref="x", xanchor=anchor, yshift=shift)


def _needs_log(values: Sequence[float]) -> bool:
    return bool(values) and min(values) > 0 and max(values) >= _LOG_FROM_RATIO * min(values)
