"""Networks, counts and an image put together as a report's content."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from systopack.hardware.pipelined.cycles import count_pipelined
from systopack.hardware.tiled.cycles import count_tiled
from systopack.report.comparison import compare
from tests.report.contents import ARRAY, hand_made


def content(**options):
    given = hand_made()
    return compare(
        title="Title",
        networks=given.networks,
        cycles=given.cycles,
        history=(),
        records=(),
        **options,
    )


def test_rows_with_units_and_ratios():
    rows = {row.quantity: row for row in content().summary}
    assert rows["packed cells"].values == {"dense": 12, "packed": 6}
    assert rows["packed cells"].ratio == 0.5
    efficiency = rows["packing efficiency"]
    assert efficiency.unit == "%" and efficiency.values["packed"] == pytest.approx(200 / 3)
    assert rows["tiles on 2 x 2"].ratio == 0.5
    assert "cycles per image, tiled accelerator" not in rows


def test_accelerators_give_a_row_and_end_the_gantt_chart():
    counts = {
        design: count_tiled(network, array=ARRAY)
        for design, network in hand_made().networks.items()
    }
    made = content(accelerators=counts)
    row = next(row for row in made.summary if row.quantity.endswith("tiled accelerator"))
    assert row.values == {design: count.cycles for design, count in counts.items()}
    assert [(one.name, one.design) for one in made.schedules] == [
        ("tiled", "dense"),
        ("tiled", "packed"),
    ]


def test_pipelined_counts_give_rows_and_schedules_that_end_with_them():
    counts = {
        design: count_pipelined(network, array=ARRAY)
        for design, network in hand_made().networks.items()
    }
    made = content(pipelined=counts)
    rows = {row.quantity: row.values for row in made.summary}
    assert rows["latency of an image, layer-pipelined"] == {
        design: count.latency_cycles for design, count in counts.items()
    }
    assert [(one.name, one.design, one.cycles) for one in made.schedules] == [
        ("layer-pipelined", "dense", counts["dense"].latency_cycles),
        ("layer-pipelined", "packed", counts["packed"].latency_cycles),
        ("one layer after another", "packed", counts["packed"].sequential_cycles),
    ]
    for schedule in made.schedules[1:]:
        kinds = [row.kind for row in schedule.rows]
        assert kinds == ["image", *(unit.kind for unit in counts["packed"].units), "send"]
    sequential = made.schedules[-1].rows
    for earlier, later in itertools.pairwise(sequential):
        assert later.start_cycle == earlier.end_cycle


def test_an_image_gives_a_piece_of_the_last_network():
    assert content().piece is None
    image = np.full((4, 2, 2), 5, dtype=np.int8)
    piece = content(image=image).piece
    assert piece is not None and piece.groups == ((1, 2), (0,))
    assert (piece.words == 5).all()
