"""`systopack energy`: its table, its record, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from systopack.cli.main import app
from systopack.errors import InvalidOptionError
from systopack.hardware.named_arrays import array_toml
from systopack.network.file import save
from tests.hardware.energy.test_coefficients import point, table
from tests.report.contents import hand_made


@pytest.fixture
def files(tmp_path):
    network, coefficients = tmp_path / "packed.spk", tmp_path / "coefficients.json"
    (tmp_path / "array.toml").write_text(array_toml(point(2).array))
    save(hand_made().networks["packed"], network)
    table(point(2), replace(point(2), gating="none")).write(coefficients, configuration={})
    return network, coefficients


def invoke(network, coefficients, *more):
    arguments = [
        "energy",
        str(network),
        "--coefficients",
        str(coefficients),
        "--array",
        str(network.with_name("array.toml")),
    ]
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


def test_the_headline_comes_without_any_option(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["energy", "zoo:resnet20-cifar10-fast"])
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert "whole accelerator: 28.96 uJ an image: array 11.07, logic outside it 10.17" in text
    assert "memories 3.39, clock tree and wires 3.05, leakage 1.28" in text
    figures = json.loads((tmp_path / "resnet20-cifar10-fast.energy.json").read_text())["figures"]
    assert figures["gate_level_pj"]["total"] == pytest.approx(28_961_152, rel=1e-6)


def test_what_was_not_measured_says_what_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["energy", "zoo:lenet5-mnist-dense"])
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert "not measured at gate level; on this array" in text
    assert "zoo:resnet20-cifar10-fast (28.961 uJ)" in text
    dense = CliRunner().invoke(app, ["energy", "zoo:lenet5-mnist-dense", "--set", "alpha=1"])
    assert "whole accelerator: 4.53 uJ" in " ".join(dense.output.split())


def test_an_unmeasured_array_names_one_that_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paper = ["energy", "zoo:lenet5-mnist", "--array", "paper-32x32"]
    message = str(CliRunner().invoke(app, paper).exception)
    assert "give --array compact-32x32 (" in message and "more were measured)" in message
    assert len(message) < 300
