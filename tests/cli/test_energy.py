"""`systopack energy`: its table, its record, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from systopack.cli.main import app
from systopack.errors import InvalidOptionError
from systopack.network.file import save
from tests.hardware.energy.test_coefficients import point, table
from tests.report.contents import hand_made


@pytest.fixture
def files(tmp_path):
    network, coefficients = tmp_path / "packed.spk", tmp_path / "coefficients.json"
    save(hand_made().networks["packed"], network)
    table(point(2), replace(point(2), gating="none")).write(coefficients, configuration={})
    return network, coefficients


def invoke(network, coefficients, *more):
    arguments = ["energy", str(network), "--coefficients", str(coefficients), "--array", "2x2"]
    return CliRunner().invoke(app, [*arguments, *more])


@pytest.mark.parametrize("organisation", ["tiled", "pipelined"])
def test_table_and_record(files, organisation):
    result = invoke(*files, "--organisation", organisation)
    assert result.exit_code == 0, result.output
    assert "uJ an image" in result.output and "by hand" in result.output
    figures = json.loads(files[0].with_suffix(".energy.json").read_text())["figures"]
    assert figures["total_pj"] == pytest.approx(figures["compute_pj"] + figures["memory_pj"])
    assert sum(step["off_chip_pj"] for step in figures["steps"]) == 0


def test_a_clock_that_stops_saves_energy_where_weights_come_with_the_words(files):
    one = replace(point(2), array=replace(point(2).array, weight_buffers=1))
    table(one, replace(one, gating="none")).write(files[1], configuration={})
    totals = []
    for gating in ("none", "clock"):
        options = ("--gating", gating, "--set", "weight_buffers=1")
        assert invoke(*files, *options).exit_code == 0
        record = json.loads(files[0].with_suffix(".energy.json").read_text())
        totals.append(record["figures"]["total_pj"])
    assert totals[1] < totals[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--gating", "some"), "--gating is 'some'"),
        (("--organisation", "ring"), "--organisation is 'ring'"),
        (("--set", "alpha=4"), "no array like"),
    ],
)
def test_what_it_refuses(files, options, message):
    result = invoke(*files, *options)
    assert isinstance(result.exception, InvalidOptionError) and message in str(result.exception)
