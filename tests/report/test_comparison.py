"""Networks, counts and an image put together as a report's content."""

from __future__ import annotations

import itertools
from dataclasses import fields, replace

import numpy as np
import pytest

from systopack.hardware.energy.coefficients import Coefficients, CoefficientTable, MeasuredPoint
from systopack.hardware.energy.model import energy_of
from systopack.hardware.pipelined.cycles import count_pipelined
from systopack.hardware.tiled.cycles import count_tiled
from systopack.report.comparison import compare
from systopack.report.opening import UNCOMBINED, without_combining
from systopack.report.page import render
from systopack.rtl.tiled_events import tiled_events
from tests.report.contents import ARRAY, hand_made
from tests.report.pages import Page

PICOJOULES = [field.name for field in fields(Coefficients) if field.name.endswith("_pj")]


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


def energies_of(counts):
    """Two measured designs: 1000 cycles take 2 us at 500 MHz."""
    table = CoefficientTable(
        library="hand",
        node_nm=45,
        voltage_v=1.1,
        points=tuple(
            MeasuredPoint(
                array=array,
                gating="clock",
                clock_mhz=500,
                cell_area_um2=100,
                coefficients=Coefficients(**dict.fromkeys(PICOJOULES, 0.5), origin="by hand"),
            )
            for array in {array for _, array in counts.values()}
        ),
    )
    return {
        design: energy_of(tiled_events(network, array=array), coefficients=table)
        for design, (network, array) in counts.items()
    }


def test_the_opening_sets_the_packed_network_beside_the_uncombined_one():
    dense, packed = (hand_made().networks[design] for design in ("dense", "packed"))
    plain, plain_array = without_combining(packed, ARRAY)
    assert plain_array == replace(ARRAY, alpha=1)
    cases = {"dense": (dense, ARRAY), UNCOMBINED: (plain, plain_array), "packed": (packed, ARRAY)}
    energies = energies_of(cases)
    made = content(
        accelerators={
            "dense": count_tiled(dense, array=ARRAY),
            "packed": count_tiled(packed, array=ARRAY),
        },
        accuracies={"dense": {"8-bit": 95.5}, "packed": {"8-bit": 94.5, "float": 94.75}},
        energies=energies,
    )
    rows = {row.quantity: row.values for row in made.opening}
    assert all(list(row.values) == ["dense", UNCOMBINED, "packed"] for row in made.opening)
    assert rows["accuracy, 8-bit"] == {"dense": 95.5, UNCOMBINED: 94.5, "packed": 94.5}
    cycles = rows["cycles of an image, tiled accelerator"]
    assert cycles[UNCOMBINED] == count_tiled(plain, array=plain_array).cycles > cycles["packed"]
    for design, energy in energies.items():
        assert energy.events.cycles == cycles[design]
        assert rows["time of an image"][design] == pytest.approx(cycles[design] / 500)
        assert rows["images per second"][design] == pytest.approx(5e8 / cycles[design])
        assert rows["energy of an image"][design] == pytest.approx(energy.total_pj / 1e6)
        area = rows["area of array and memories"][design]
        assert area == pytest.approx((4 * 100 + energy.memory_um2) / 1e6)
    assert made.opening[0].ratio is None
    assert made.opening[1].ratio == pytest.approx(
        energies["packed"].total_pj / energies["dense"].total_pj
    )
    page = Page(render(made)).text
    assert page.index("energy of an image") < page.index("Packed cells")
    assert "those of the tiled accelerator count: its Verilog takes exactly these" in page
    assert f"{ARRAY.label} at 500 MHz in hand; energy is that of the array and of the" in page


def test_the_opening_leaves_out_what_was_not_computed():
    assert content().opening == [] and content().opening_notes == ()
    packed = hand_made().networks["packed"]
    made = content(accelerators={"packed": count_tiled(packed, array=ARRAY)})
    assert [(row.quantity, list(row.values)) for row in made.opening] == [
        ("cycles of an image, tiled accelerator", [UNCOMBINED, "packed"])
    ]
    assert not any("Energy" in note for note in made.opening_notes)
    dense = hand_made().networks["dense"]
    assert without_combining(dense, ARRAY) is None


def test_an_image_gives_a_piece_of_the_last_network():
    assert content().piece is None
    image = np.full((4, 2, 2), 5, dtype=np.int8)
    piece = content(image=image).piece
    assert piece is not None and piece.groups == ((1, 2), (0,))
    assert (piece.words == 5).all()
