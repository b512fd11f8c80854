"""Charts of the training and of one quantity layer by layer."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from systopack.report.chart import (
    Axis,
    Bar,
    Chart,
    Line,
    Note,
    Point,
    linear_axis,
    log_axis,
    needs_log,
    row_axis,
)
from systopack.report.text import number

_NARROW_PLOT_PX = 290  # of a telephone
_LETTER_PX = 7
_BAR_PX = 18
_MOST_LARGE_POINTS = 40

History = Sequence[Mapping[str, Any]]


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


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One value per epoch, None where it was not measured, and how it is written."""

    name: str
    values: Sequence[float | None]
    form: str
    dotted: bool = False


def phase_spans(history: History) -> tuple[PhaseSpan, ...]:
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


def training_charts(history: History, *, dense: Design, packed: Design) -> tuple[Chart, ...]:
    """Accuracy, nonzeros and packing efficiency over the epochs, with the phases marked.

    Args:
        history: entries of `EpochResult`, in order.
        dense: gives the colour of the phase "train".
        packed: gives the colour of all other phases.
    """
    training, held_out, nonzeros, shares = (
        [entry.get(key) for entry in history]
        for key in (
            "train_accuracy_percent",
            "held_out_accuracy_percent",
            "nonzeros",
            "packing_efficiency",
        )
    )
    efficiencies = [None if share is None else 100 * share for share in shares]
    accuracies = _known([*training, *held_out]) or [0.0]
    weights = _known(nonzeros) or [0]
    room = max(1.0, max(accuracies) - min(accuracies)) / 10
    return (
        _over_epochs(
            history,
            (dense, packed),
            title=_finding(held_out, "Held-out accuracy ends at {:.2f} %, {:.2f} % at its best"),
            y=linear_axis("Accuracy (%)", max(accuracies) + room, low=min(accuracies) - room),
            curves=(
                Curve(name="training", values=training, form="{:.2f} %", dotted=True),
                Curve(name="held-out", values=held_out, form="{:.2f} %"),
            ),
        ),
        _over_epochs(
            history,
            (dense, packed),
            title=_finding(nonzeros, "{:,} of {:,} nonzero weights remain"),
            y=log_axis("Nonzero weights", weights)
            if needs_log(weights)
            else linear_axis("Nonzero weights", 1.05 * max(weights)),
            curves=(Curve(name="nonzeros", values=nonzeros, form="{:,}"),),
        ),
        _over_epochs(
            history,
            (dense, packed),
            title=_finding(efficiencies, "At the end {:.1f} % of the packed cells hold a weight"),
            y=linear_axis("Packing efficiency (%)", 104),
            curves=(Curve(name="efficiency", values=efficiencies, form="{:.1f} %"),),
        ),
    )


def layer_chart(
    layers: Sequence[str],
    values: Mapping[Design, Sequence[float | None]],
    *,
    title: str,
    axis_title: str,
    unit: str = "",
    share: bool = False,
) -> Chart:
    """One quantity, layer by layer, for every design.

    Bars from zero; where the values span more than a factor of 20, points on a logarithmic axis,
    since the length of a bar means nothing there. The first design is a ring then, which stays
    visible around an equal value.

    Args:
        layers: names, from top to bottom.
        values: for each design one value per layer; None where it has no such layer.
        title: the finding.
        axis_title: quantity and unit.
        unit: written after a value that is pointed at.
        share: the values are percent with one decimal, drawn from zero.
    """
    cells = [
        (index, design, row, value)
        for index, (design, column) in enumerate(values.items())
        for row, value in enumerate(column)
        if value is not None
    ]
    known = [value for *_, value in cells]
    logarithmic = not share and needs_log(known)
    bars, lines, points = [], [], []
    thickness = 0.76 / max(len(values), 1)
    for index, design, row, value in cells:
        written = f"{value:.1f}" if share else number(value)
        text = f"{layers[row]}, {design.name}: {written}{unit}"
        if logarithmic:
            points.append(
                Point(
                    x=value,
                    y=row,
                    radius=4.5 if index else 6.5,
                    colour=design.colour,
                    ring=index == 0,
                    text=text,
                )
            )
        else:
            bars.append(
                Bar(
                    start=0,
                    end=value,
                    y=row + (index - (len(values) - 1) / 2) * thickness,
                    thickness=0.9 * thickness,
                    colour=design.colour,
                    text=text,
                    label=written,
                )
            )
    if logarithmic:
        for row in range(len(layers)):
            own = [value for _, _, at, value in cells if at == row]
            if own:
                lines.append(Line(points=((min(own), row), (max(own), row)), colour="--muted"))
    pitch = 26 if logarithmic else 14 + _BAR_PX * len(values)
    return Chart(
        title=title,
        height=pitch * max(len(layers), 1),
        x=log_axis(axis_title, known)
        if logarithmic
        else linear_axis(axis_title, 1.16 * max(known, default=1)),
        y=row_axis(list(enumerate(layers)), len(layers), grid=logarithmic),
        bars=tuple(bars),
        lines=tuple(lines),
        points=tuple(points),
    )


def _over_epochs(
    history: History,
    designs: tuple[Design, Design],
    *,
    title: str,
    y: Axis,
    curves: Sequence[Curve],
) -> Chart:
    epochs, spans = len(history), phase_spans(history)
    lines = [
        Line(points=((start - 0.5, y.low), (start - 0.5, y.high)), colour="--muted", dotted=True)
        for span in spans
        for start in span.iteration_starts
    ]
    points = []
    for span, curve in itertools.product(spans, curves):
        colour = designs[span.phase != "train"].colour
        for run in _runs(span, curve.values):
            lines.append(Line(points=tuple(run), colour=colour, dotted=curve.dotted))
            points += [
                Point(
                    x=x,
                    y=value,
                    radius=3 if epochs <= _MOST_LARGE_POINTS else 1.5,
                    colour=colour,
                    ring=curve.dotted,
                    text=f"epoch {x}: {curve.name} {curve.form.format(value)}",
                )
                for x, value in run
            ]
    return Chart(
        title=title,
        height=150,
        top=52,
        x=Axis(
            title="Epoch",
            low=0.5,
            high=epochs + 0.5,
            ticks=tuple((epoch, str(epoch)) for epoch in range(1, epochs + 1, -(-epochs // 8))),
            grid=False,
        ),
        y=y,
        bands=tuple((span.first - 0.5, span.last + 0.5) for span in spans[1::2]),
        lines=tuple(lines),
        points=tuple(points),
        notes=tuple(_phase_label(span, epochs=epochs, y=y.high) for span in spans),
    )


def _runs(span: PhaseSpan, values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """The epochs of a phase with their values, cut where a value is missing."""
    runs: list[list[tuple[int, float]]] = [[]]
    for epoch in range(span.first, span.last + 1):
        value = values[epoch - 1]
        if value is None:
            runs.append([])
        else:
            runs[-1].append((epoch, value))
    return [run for run in runs if run]


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _finding(values: Sequence[float | None], sentence: str) -> str:
    """The sentence with the last and the largest value."""
    known = _known(values)
    return sentence.format(known[-1], max(known)) if known else "Not measured in any epoch"


def _phase_label(span: PhaseSpan, *, epochs: int, y: float) -> Note:
    """The name of a phase above its epochs; a line higher where it is wider than they are."""
    share = (span.last - span.first + 1) / epochs
    if share * _NARROW_PLOT_PX > _LETTER_PX * len(span.phase):
        x, anchor, raised = (span.first + span.last) / 2, "middle", 7
    elif span.last == epochs:
        x, anchor, raised = span.last + 0.5, "end", 22
    else:
        x, anchor, raised = span.first - 0.5, "start", 22
    return Note(x=x, y=y, text=span.phase, anchor=anchor, raised=raised)
