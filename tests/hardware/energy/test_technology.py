"""Cited constants: memories and scaling."""

from __future__ import annotations

import pytest

from systopack.errors import InvalidOptionError
from systopack.hardware.energy.technology import load_technology

TABLE = load_technology()


def test_the_corrigendums_example_of_the_scaling_equations():
    # Stillmaker and Baas, corrigendum: 1 pJ at 65 nm, 1.3 V becomes 0.1755 pJ at 32 nm HP, 0.9 V.
    old, new = TABLE.node("65"), TABLE.node("32-hp")
    assert new.energy_at(0.9) == pytest.approx(0.4571, abs=5e-4)
    assert old.energy_at(1.3) == pytest.approx(2.604, abs=5e-4)
    factor = TABLE.energy_factor(source=old, source_v=1.3, target=new, target_v=0.9)
    assert factor == pytest.approx(0.1755, abs=5e-4)


@pytest.mark.parametrize("point", TABLE.sram, ids=lambda p: f"{p.bytes}B")
def test_the_points_of_the_table_come_back(point):
    cost = TABLE.sram_cost(
        capacity_bits=8 * point.bytes, node=TABLE.node("45-hp"), voltage_v=TABLE.sram_voltage_v
    )
    assert cost.read_pj_per_bit * point.width_bits == pytest.approx(point.read_pj)
    assert cost.write_pj_per_bit * point.width_bits == pytest.approx(point.write_pj)
    assert cost.area_um2 == pytest.approx(point.area_um2)
    assert not cost.extrapolated


def test_larger_memories_cost_more_and_say_when_they_are_beyond_the_table():
    node = TABLE.node("45-hp")
    costs = [
        TABLE.sram_cost(capacity_bits=8 * size, node=node, voltage_v=1.0)
        for size in (64, 1000, 10_000, 100_000, 1_000_000)
    ]
    reads = [cost.read_pj_per_bit for cost in costs]
    assert reads == sorted(reads) and reads[0] == pytest.approx(0.499718 / 16)
    assert [cost.extrapolated for cost in costs] == [True, False, False, False, True]


def test_nearest_node():
    assert TABLE.nearest_node(28).name == "32-hp"
    assert TABLE.nearest_node(130).name == "130"
    assert TABLE.nearest_node(45).name == "45-hp"


def test_an_unknown_node_is_refused():
    with pytest.raises(InvalidOptionError, match="no technology node '3'"):
        TABLE.node("3")


def test_every_section_names_its_source():
    assert all(len(text) > 40 for text in TABLE.sources.values())
