"""The Gantt chart: bars, scales and tables of hand-made schedules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from systopack.errors import InvalidOptionError
from systopack.hardware.tiled.cycles import count_tiled
from systopack.report.gantt import gantt_chart, gantt_view
from systopack.report.page import render
from systopack.report.schedule import Schedule, ScheduleRow, tiled_schedule
from tests.report.contents import ARRAY, hand_made
from tests.report.pages import Page

COLOURS = {"dense": "--dense", "packed": "--packed"}


PIPELINED = Schedule(
    name="layer-pipelined",
    design="packed",
    arrays="2 arrays",
    rows=tuple(
        ScheduleRow(
            layer=layer,
            kind=kind,
            start_cycle=start,
            first_output_cycle=first,
            end_cycle=end,
        )
        for layer, kind, start, first, end in (
            ("conv", "layer", 0, 30, 100),
            ("pool", "pool", 40, 45, 110),
        )
    ),
)
TILED = Schedule(
    name="tiled",
    design="dense",
    arrays="mx 2x2",
    rows=(
        ScheduleRow(
            layer="input", kind="image", start_cycle=8, first_output_cycle=None, end_cycle=20
        ),
        ScheduleRow(
            layer="conv", kind="layer", start_cycle=20, first_output_cycle=None, end_cycle=400
        ),
    ),
)


def bars(chart):
    return [(bar.y, bar.start, bar.end - bar.start, bar.colour, bar.opacity) for bar in chart.bars]


def test_every_row_is_a_bar_in_the_colour_of_its_design():
    chart = gantt_chart((PIPELINED, TILED), COLOURS)
    assert bars(chart) == [
        (1, 0, 30, "--packed", 0.35),
        (1, 30, 70, "--packed", 1.0),
        (2, 40, 5, "--packed", 0.35),
        (2, 45, 65, "--packed", 1.0),
        (4, 8, 12, "--muted", 1.0),
        (5, 20, 380, "--dense", 1.0),
    ]
    assert chart.y.ticks == ((1, "conv"), (2, "pool"), (4, "input from host"), (5, "conv"))
    titles = [note.text for note in chart.notes]
    assert titles == ["layer-pipelined, packed: 110 cycles", "tiled, dense: 400 cycles"]
    assert (chart.x.low, chart.x.high) == (0, 408)
    assert chart.title == (
        "layer-pipelined, packed ends in cycle 110, the first; tiled, dense in cycle 400, the last"
    )


def test_pointing_at_a_bar_tells_its_cycles():
    texts = [bar.text for bar in gantt_chart((PIPELINED, TILED), COLOURS).bars]
    assert texts[0] == texts[1] == "conv: cycles 0 to 100; first word leaves in cycle 30"
    assert texts[-1] == "conv: cycles 20 to 400"


def test_a_short_schedule_has_an_axis_of_its_own_too():
    view = gantt_view((PIPELINED, TILED), COLOURS)
    assert [len(chart.bars) for _, chart in view["charts"]] == [6, 4]
    assert view["charts"][1][1].x.high == pytest.approx(112.2)
    assert len(gantt_view((TILED, TILED), COLOURS)["charts"]) == 1


def test_tables_hold_the_numbers():
    view = gantt_view((PIPELINED, TILED), COLOURS)
    assert view["tables"][0]["title"] == "layer-pipelined, packed: 2 arrays"
    assert view["tables"][0]["rows"] == [
        ["conv", "0", "30", "100", "100"],
        ["pool", "40", "45", "110", "70"],
    ]
    assert view["tables"][1]["rows"][0] == ["input from host", "8", "–", "20", "12"]
    assert view["fills"] and view["hosts"]


@pytest.mark.parametrize("rows", [2, 4])  # results in two parts, or in one
def test_rows_of_the_tiled_accelerator_follow_each_other_to_its_end(rows):
    network = hand_made().networks["packed"]
    count = count_tiled(network, array=replace(ARRAY, rows=rows))
    schedule = tiled_schedule(count, design="packed")
    assert schedule.cycles == count.cycles
    assert schedule.arrays == f"bit-serial {rows}x2 alpha 8"
    image, layer, send = schedule.rows
    assert [image.kind, layer.kind, send.kind] == ["image", "layer", "send"]
    assert image.end_cycle == layer.start_cycle
    assert layer.end_cycle == (send.start_cycle if rows == 4 else send.end_cycle)


def test_the_page_shows_figure_and_table():
    page = Page(render(hand_made(schedules=(PIPELINED, TILED))))
    assert {"figure-gantt-1", "figure-gantt-2"} <= set(page.figures)
    assert "until its first word leaves" in page.text and "the host's streams" in page.text
    assert "layer-pipelined, packed: 2 arrays conv 0 30 100 100 pool 40 45 110 70 All 110" in (
        page.text
    )
    without = Page(render(hand_made(schedules=(TILED,))))
    assert "until its first word leaves" not in without.text
    assert "figure-gantt-1" not in Page(render(hand_made())).figures


def test_hostile_names_stay_text():
    row = ScheduleRow(
        layer="<b>x</b>", kind="layer", start_cycle=0, first_output_cycle=1, end_cycle=2
    )
    schedule = Schedule(name="<i>", design="<u>", arrays="<s>", rows=(row,))
    page = Page(render(hand_made(schedules=(schedule,))))
    assert not {"b", "u", "s"} & {tag for tag, _ in page.tags}
    texts = page.figures["figure-gantt-1"]
    assert "<b>x</b>: cycles 0 to 2; first word leaves in cycle 1" in texts
    assert "<i>, <u>: 2 cycles" in texts


@pytest.mark.parametrize("cycles", [(-1, None, 5), (3, 2, 5), (0, 6, 5), (6, None, 5)])
def test_rows_out_of_order_are_refused(cycles):
    start, first, end = cycles
    with pytest.raises(InvalidOptionError, match="Layer 'conv' starts in cycle"):
        ScheduleRow(
            layer="conv",
            kind="layer",
            start_cycle=start,
            first_output_cycle=first,
            end_cycle=end,
        )


def test_a_schedule_without_rows_is_refused():
    with pytest.raises(InvalidOptionError, match="'tiled' has no rows"):
        Schedule(name="tiled", design="packed", arrays="", rows=())
