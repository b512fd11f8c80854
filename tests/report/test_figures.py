"""Charts: every value in its place, axes that fit them, phases where they are."""

from __future__ import annotations

import pytest

from systopack.report.chart import Axis, Chart, linear_axis, log_axis, row_axis, shorten
from systopack.report.figures import Design, layer_chart, phase_spans, training_charts
from systopack.report.page import render
from tests.report.contents import HISTORY, epoch, hand_made
from tests.report.pages import Page

DENSE = Design(name="dense", colour="--dense")
PACKED = Design(name="packed", colour="--packed")


def drawn(layers, values, **options) -> Chart:
    return layer_chart(
        layers, values, **{"title": "Finding", "axis_title": "Tiles", "unit": " tiles", **options}
    )


def test_the_page_holds_every_figure_with_its_values():
    page = Page(render(hand_made()))
    assert set(page.figures) == {
        *(f"figure-training-{index}" for index in (1, 2, 3)),
        "figure-cycles",
        "figure-tiles",
        "figure-utilization",
    }
    labels = {a["id"]: a["aria-label"] for a in page.all("svg") if "id" in a}
    assert labels["figure-tiles"].startswith("packed: 2 tiles, dense: 4 tiles; the most in conv.")
    assert {"conv, dense: 4 tiles", "conv, packed: 2 tiles", "Tiles", "0"} <= set(
        page.figures["figure-tiles"]
    )
    assert "epoch 2: held-out 95.50 %" in page.figures["figure-training-1"]


def test_bars_of_the_page_are_as_long_as_their_values():
    page = Page(render(hand_made()))
    tiles = layer_chart(["conv"], {DENSE: [4], PACKED: [2]}, title="", axis_title="Tiles")
    widths = [f"{tiles.x.place(value)}%" for value in (4, 2)]
    assert set(widths) <= {a["width"] for a in page.all("rect")}
    assert tiles.x.place(4) == pytest.approx(2 * tiles.x.place(2), abs=0.02)


def test_places_on_axes():
    assert [linear_axis("", 200).place(value) for value in (0, 50, 200)] == [0, 25, 100]
    assert [row_axis([], 2).place(row) for row in (-0.6, 1.6)] == [100, 0]
    axis = Axis(title="", low=1, high=10_000, ticks=(), logarithmic=True)
    assert [axis.place(value) for value in (1, 100, 10_000)] == [0, 50, 100]


@pytest.mark.parametrize("low", [-3.5, 0, 0.1])
@pytest.mark.parametrize("size", [0.004, 1, 7, 104, 23_456_789])
def test_linear_ticks_are_round_and_inside(low, size):
    axis = linear_axis("", low + size, low=low)
    values = [value for value, _ in axis.ticks]
    assert 2 <= len(values) <= 6
    assert all(axis.low - 1e-9 <= value <= axis.high + 1e-9 for value in values)
    assert len({text for _, text in axis.ticks}) == len(values)


def test_ticks_are_short():
    assert [text for _, text in linear_axis("", 40_000).ticks][:3] == ["0", "10k", "20k"]
    assert [text for _, text in linear_axis("", 4_000_000).ticks][1] == "1M"
    assert [text for _, text in linear_axis("", 0.9).ticks][1] == "0.5"
    assert [text for _, text in log_axis("", [10, 2_000]).ticks] == ["10", "100", "1,000"]
    assert len(log_axis("", [1, 1e12]).ticks) <= 5


def test_phases():
    spans = [(s.phase, s.first, s.last, s.iteration_starts) for s in phase_spans(HISTORY)]
    assert spans == [
        ("train", 1, 2, ()),
        ("joint", 3, 4, (4,)),
        ("fine-tune", 5, 5, ()),
        ("quantize", 6, 6, ()),
    ]


def test_training_curve_holds_every_epoch_once():
    accuracy, nonzeros, efficiency = training_charts(HISTORY, dense=DENSE, packed=PACKED)
    held_out = [point for point in accuracy.points if "held-out" in point.text]
    assert [(p.x, p.y) for p in held_out] == [
        (1, 90.0),
        (2, 95.5),
        (3, 91.0),  # epoch 4 was not measured
        (5, 94.75),
        (6, 94.5),
    ]
    assert [p.colour for p in held_out] == 2 * ["--dense"] + 3 * ["--packed"]
    assert len([p for p in accuracy.points if "training" in p.text and p.ring]) == 6
    assert [p.y for p in nonzeros.points] == [12, 12, 8, 4, 4, 4]
    assert efficiency.points[2].y == pytest.approx(100 * 8 / 12)
    assert efficiency.points[2].text == "epoch 3: efficiency 66.7 %"


def test_training_charts_mark_phases_and_iterations():
    chart = training_charts(HISTORY, dense=DENSE, packed=PACKED)[0]
    assert chart.title == "Held-out accuracy ends at 94.50 %, 95.50 % at its best"
    assert chart.bands == ((2.5, 4.5), (5.5, 6.5))
    assert [note.text for note in chart.notes] == ["train", "joint", "fine-tune", "quantize"]
    assert chart.lines[0].points == ((3.5, chart.y.low), (3.5, chart.y.high))
    solid = [line.points for line in chart.lines if not line.dotted]
    assert solid[0] == ((1, 90.0), (2, 95.5))


def test_epochs_without_any_measurement():
    charts = training_charts(({"phase": "train"},), dense=DENSE, packed=PACKED)
    assert {chart.title for chart in charts} == {"Not measured in any epoch"}
    assert not any(chart.points for chart in charts)


def test_bars_start_at_zero_and_wide_ranges_become_points():
    bars = drawn(["a", "b"], {DENSE: [10, 190], PACKED: [10, None]})
    assert [(bar.start, bar.end, bar.colour) for bar in bars.bars] == [
        (0, 10, "--dense"),
        (0, 190, "--dense"),
        (0, 10, "--packed"),
    ]
    assert bars.bars[0].y < 0 < bars.bars[2].y  # beside each other in row 0
    assert bars.x.low == 0 and not bars.points
    points = drawn(["a", "b"], {DENSE: [10, 200], PACKED: [10, None]})
    assert [(p.x, p.y, p.ring) for p in points.points] == [
        (10, 0, True),
        (200, 1, True),
        (10, 0, False),
    ]
    assert points.x.logarithmic and points.x.title == "Tiles, logarithmic" and not points.bars
    assert [line.points for line in points.lines] == [((10, 0), (10, 0)), ((200, 1), (200, 1))]


def test_shares_are_never_logarithmic():
    chart = drawn(["a", "b"], {DENSE: [0.1, 99.0]}, share=True)
    assert [bar.label for bar in chart.bars] == ["0.1", "99.0"]


def test_nonzeros_over_a_wide_range_are_logarithmic():
    history = (epoch("train", 0, 90.0, 1000), epoch("joint", 1, 90.0, 10))
    assert training_charts(history, dense=DENSE, packed=PACKED)[1].y.logarithmic


def test_empty_values():
    assert not drawn([], {DENSE: []}).bars


def test_long_names_lose_their_middle():
    assert shorten("a" * 24) == "a" * 24
    assert shorten("start" + 30 * "x" + "end").startswith("startxxx")
    assert len(shorten("a" * 99)) == 23
