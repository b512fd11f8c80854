"""The record of the headline: what it is made of adds up, and its cycles are the model's."""

from pathlib import Path

import pytest

from systopack.hardware.named_arrays import array_from
from systopack.hardware.tiled.cycles import count_tiled
from systopack.network.file import load
from systopack.network.packaged import network_file
from systopack.records import STORE, read_record
from systopack.reproduce.headline import PAPER, measure, table
from systopack.reproduce.rows import read_rows, select, value_of
from systopack.reproduce.sources import Sources

FIGURES = read_record(STORE / "headline.json")["figures"]


@pytest.mark.parametrize("name", FIGURES)
def test_parts_add_up_and_ratios_are_those_of_the_totals(name):
    packed = FIGURES[name]
    others = [case for case in packed["baselines"].values() if "packed" not in case]
    assert len(others) == 2
    measured = "area_um2" in packed  # else by the model
    for case in (packed, *others):
        for key in ("area_um2", "energy_pj") if measured else ("energy_pj",):
            parts = dict(case[key])
            assert parts.pop("total") == pytest.approx(sum(parts.values()))
    for case in others:
        energy = packed["energy_pj"]["total"] / case["energy_pj"]["total"]
        assert case["energy_ratio"] == pytest.approx(energy)
        assert case["throughput_ratio"] == pytest.approx(case["cycles"] / packed["cycles"])


@pytest.mark.parametrize("name", FIGURES)
def test_cycles_are_those_of_the_packaged_network_on_the_named_array(name):
    packed = FIGURES[name]
    network = load(network_file(Path(f"zoo:{packed['network']}")))
    array = array_from(packed["design_point"], accumulator_bits=network.accumulator_bits)
    assert count_tiled(network, array=array).cycles == packed["cycles"]


def test_the_papers_ratios_stand_beside():
    rows = measure(Sources(records=STORE, pixels={}))
    paper = select(rows, network="resnet20", variant=PAPER)
    assert value_of(paper, quantity="throughput, packed over it") == 3.9
    assert value_of(paper, quantity="energy, packed over it") == 0.271
    assert "89.25" in str(table(rows, "resnet20").lines)


def test_the_page_of_results_shows_this_record():
    shown = read_rows(read_record(STORE / "reproduce.json")["figures"])["headline"]
    assert shown == measure(Sources(records=STORE, pixels={}))
