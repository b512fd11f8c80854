"""Figures: valid for Plotly, every value in its place, phases where they are."""

from __future__ import annotations

import plotly.graph_objects as go
import pytest

from systopack.report.figures import Design, layer_figure, phase_spans, training_figure
from systopack.report.page import render
from tests.report.contents import HISTORY, epoch, hand_made
from tests.report.pages import Page

DENSE = Design(name="dense", colour="--dense")
PACKED = Design(name="packed", colour="--packed")


def with_colours(value):
    """The page's script in one line: every colour reference becomes a colour."""
    if isinstance(value, dict):
        if "css" in value:
            return "#123456"
        return {key: with_colours(item) for key, item in value.items()}
    return [with_colours(item) for item in value] if isinstance(value, list) else value


def test_plotly_accepts_every_figure():
    figures = Page(render(hand_made())).figures
    assert set(figures) == {
        "figure-training",
        "figure-cycles",
        "figure-tiles",
        "figure-utilization",
    }
    for figure in figures.values():
        go.Figure(with_colours(figure))


def test_phases():
    spans = [(s.phase, s.first, s.last, s.iteration_starts) for s in phase_spans(HISTORY)]
    assert spans == [
        ("train", 1, 2, ()),
        ("joint", 3, 4, (4,)),
        ("fine-tune", 5, 5, ()),
        ("quantize", 6, 6, ()),
    ]


def test_training_curve_holds_every_epoch_once():
    figure = training_figure(HISTORY, dense=DENSE, packed=PACKED)
    held_out = [t for t in figure["data"] if t["name"] == "held-out"]
    assert [x for t in held_out for x in t["x"]] == [1, 2, 3, 4, 5, 6]
    assert [y for t in held_out for y in t["y"]] == [90.0, 95.5, 91.0, None, 94.75, 94.5]
    assert [t["line"]["color"]["css"] for t in held_out] == ["--dense"] + 3 * ["--packed"]
    efficiency = [y for t in figure["data"] if t["name"] == "efficiency" for y in t["y"]]
    assert efficiency[2] == pytest.approx(100 * 8 / 12)


def test_bars_start_at_zero_and_wide_ranges_become_points():
    bars = layer_figure(["a", "b"], {DENSE: [10, 190], PACKED: [10, None]}, axis_title="Tiles")
    assert [t["type"] for t in bars["data"]] == ["bar", "bar"]
    assert bars["layout"]["xaxis"]["range"][0] == 0
    points = layer_figure(["a", "b"], {DENSE: [10, 200], PACKED: [10, None]}, axis_title="Tiles")
    assert [t["type"] for t in points["data"]] == ["scatter"] * 3
    assert points["layout"]["xaxis"]["type"] == "log"
    assert points["data"][0]["x"] == [10, 10, None, 200, 200, None]


def test_shares_are_never_logarithmic():
    figure = layer_figure(["a", "b"], {DENSE: [0.1, 99.0]}, axis_title="Share (%)", share=True)
    assert figure["data"][0]["type"] == "bar"


def test_nonzeros_over_a_wide_range_are_logarithmic():
    history = (epoch("train", 0, 90.0, 1000), epoch("joint", 1, 90.0, 10))
    figure = training_figure(history, dense=DENSE, packed=PACKED)
    assert figure["layout"]["yaxis2"]["type"] == "log"


def test_empty_values():
    figure = layer_figure([], {DENSE: []}, axis_title="Cycles")
    go.Figure(with_colours(figure))
