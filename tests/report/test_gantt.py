"""The Gantt chart: bars, scales and tables of hand-made schedules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from systopack.errors import InvalidOptionError
from systopack.hardware.tiled.cycles import count_tiled
from systopack.report.gantt import gantt_figure, gantt_view
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


def bars(figure):
    trace = figure["data"][0]
    columns = ("y", "base", "x")
    return [
        (*row, colour["css"], opacity)
        for *row, colour, opacity in zip(
            *(trace[name] for name in columns),
            trace["marker"]["color"],
            trace["marker"]["opacity"],
            strict=True,
        )
    ]


def test_every_row_is_a_bar_in_the_colour_of_its_design():
    figure = gantt_figure((PIPELINED, TILED), COLOURS)
    assert bars(figure) == [
        (1, 0, 30, "--packed", 0.35),
        (1, 30, 70, "--packed", 1.0),
        (2, 40, 5, "--packed", 0.35),
        (2, 45, 65, "--packed", 1.0),
        (4, 8, 12, "--muted", 1.0),
        (5, 20, 380, "--dense", 1.0),
    ]
    axis = figure["layout"]["yaxis"]
    assert axis["tickvals"] == [1, 2, 4, 5]
    assert axis["ticktext"] == ["conv ", "pool ", "input from host ", "conv "]
    titles = [note["text"] for note in figure["layout"]["annotations"]]
    assert titles == ["layer-pipelined, packed: 110 cycles", "tiled, dense: 400 cycles"]
    assert figure["layout"]["xaxis"]["range"] == [0, 408]


def test_pointing_at_a_bar_tells_its_cycles():
    texts = gantt_figure((PIPELINED, TILED), COLOURS)["data"][0]["customdata"]
    assert texts[0] == texts[1] == "conv: cycles 0 to 100<br>first word leaves in cycle 30"
    assert texts[-1] == "conv: cycles 20 to 400"


def test_a_short_schedule_has_an_axis_of_its_own_too():
    view = gantt_view((PIPELINED, TILED), COLOURS)
    assert [len(figure["data"][0]["x"]) for _, figure in view["figures"]] == [6, 4]
    assert view["figures"][1][1]["layout"]["xaxis"]["range"][1] == pytest.approx(112.2)
    assert len(gantt_view((TILED, TILED), COLOURS)["figures"]) == 1


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


def test_hostile_names_are_escaped():
    row = ScheduleRow(
        layer="<b>x</b>", kind="layer", start_cycle=0, first_output_cycle=1, end_cycle=2
    )
    figure = gantt_figure((Schedule(name="<i>", design="<u>", arrays="<s>", rows=(row,)),), COLOURS)
    text = str(figure).replace("<br>", "").replace("<extra></extra>", "")
    assert "<" not in text and "&lt;b&gt;x" in text


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
