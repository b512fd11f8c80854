"""`explore`: what a space may hold, what a point is, fronts, and runs that are killed."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import systopack
from systopack.data.open import open_data
from systopack.errors import InvalidFileError, InvalidOptionError, MissingPackageError
from systopack.exploration.front import front_of
from systopack.exploration.point import Point
from systopack.exploration.repack import Packing, repacked
from systopack.exploration.space import KINDS, space_from
from systopack.network.file import save
from systopack.network.reference import classify
from tests.networks import random_network

NETWORK = "zoo:lenet5-mnist"
SPACE = {"alpha": [4, 8], "gamma": [0.0, 0.5], "array": ["compact-32x32", "paper-32x32"]}


@pytest.fixture
def network():
    return random_network(np.random.default_rng(7))


HOSTILE = [
    ("", "lets nothing vary"),
    ("magic = [1]", "sets 'magic', which is nothing that can vary"),
    ("alpha = []", "has 0 values of alpha; give 1 to 64"),
    (f"alpha = {[8] * 65}", "has 65 values of alpha"),
    ("alpha = [8, 8]", "lists a value of alpha twice"),
    ("alpha = [-4]", "sets alpha to -4, but it must be a whole number from 1 to 16"),
    ("alpha = [true]", "alpha to True"),
    ("alpha = [4.0]", "alpha to 4.0"),
    ('alpha = ["4"]', "alpha to '4'"),
    ("alpha = [[4]]", "alpha to [4]"),
    ("alpha = { low = 8, high = 4 }", "low must be below high"),
    ("alpha = { low = 1 }", "it takes a list of values"),
    ("array = { low = 1, high = 2 }", "it takes a list of values"),
    ("alpha = [8]\ncells = [nan]", "cells to nan"),
    ("alpha = [8]\ncells = [0.0]", "cells to 0.0"),
    ("alpha = [8]\ncells = [0.2]\nwords = [4]", "two budgets of one packing"),
    ("cells = [0.2]", "but no alpha"),
    ("gamma = [0.5]", "sets gamma, but no alpha"),
    ('cell = ["magic"]', "one of bit-serial"),
    ('policy = ["authors"]\nalpha = [8]', "one of least-loss"),
    ("rows = [100000]", "rows to 100000"),
    ("alpha = [", "not valid TOML"),
    ("# " + "x" * 20_000, "a file of settings has at most"),
]


@pytest.mark.parametrize(("content", "words"), HOSTILE)
def test_a_hostile_space_is_one_sentence(tmp_path, content, words):
    (tmp_path / "space.toml").write_text(content)
    with pytest.raises(InvalidOptionError) as caught:
        space_from(tmp_path / "space.toml")
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_grid_of_too_many_points_or_of_ranges_is_refused(network):
    wide = {"alpha": list(range(1, 17)), "rows": list(range(1, 33))}
    with pytest.raises(InvalidOptionError, match=r"has 512 points, but a grid of at most 60"):
        systopack.explore(network, wide, sampler="grid")
    with pytest.raises(InvalidOptionError, match="gives gamma as a range"):
        ranged = {"alpha": [8], "gamma": {"low": 0, "high": 1}}
        systopack.explore(network, ranged, sampler="grid")
    with pytest.raises(InvalidOptionError, match="--points is 100000"):
        systopack.explore(network, SPACE, points=100_000)
    with pytest.raises(InvalidOptionError, match="no array 'magic'"):
        systopack.explore(network, {"array": ["magic"]})
    with pytest.raises(InvalidOptionError, match="storage cannot be opened"):
        systopack.explore(network, SPACE, storage="magic://x")


def test_a_missing_package_names_the_extra(network, monkeypatch):
    monkeypatch.setattr("systopack.requirements.has", lambda package: package != "optuna")
    with pytest.raises(MissingPackageError, match=r"pip install systopack\[explore\]"):
        systopack.explore(network, SPACE)


def test_a_packing_without_conflicts_changes_no_result():
    packed = systopack.load(NETWORK)
    images = open_data("sample").test_images[:40]
    again = repacked(packed, Packing(alpha=8, gamma=0.0))
    assert again.norm_kept == pytest.approx(1)
    assert again.network.nonzeros == packed.nonzeros
    assert (classify(again.network, images) == classify(packed, images)).all()


def test_budgets_are_kept_or_refused(network):
    dense = systopack.load("zoo:lenet5-mnist-dense")
    for cells in (0.2, 0.5):
        found = repacked(dense, Packing(alpha=8, cells=cells)).network
        assert 0.8 * cells < found.packed_cells / dense.dense_cells <= cells
        assert all(len(g) <= 8 for one in found.layers for b in one.matrix.bands for g in b.groups)
    found = repacked(dense, Packing(alpha=8, words=4, columns=32)).network
    assert found.tile_count(rows=32, columns=32) < 0.4 * dense.tile_count(rows=32, columns=32)
    with pytest.raises(InvalidOptionError, match="column groups at alpha 2, but the budget"):
        repacked(dense, Packing(alpha=2, cells=0.2))
    half = repacked(dense, Packing(alpha=1, density=0.5)).network
    assert half.nonzeros <= 0.5 * dense.dense_cells


def test_the_front_has_what_nothing_beats():
    values = [(90.0, 10.0), (91.0, 12.0), (89.0, 11.0), (90.0, 10.0), (None, 1.0)]
    points = [Point(choice={}, figures={"accuracy_percent": a, "energy_uj": e}) for a, e in values]
    front = front_of(points, ("accuracy_percent", "energy_uj"))
    assert (front.members, front.among) == ((0, 1, 3), 4)


def test_points_say_what_the_verbs_say_and_nothing_of_what_was_not_measured():
    space = {"array": ["compact-32x32", "paper-32x32", "tiny-8x8"], "clock_mhz": [500.0, 900.0]}
    found = systopack.explore(NETWORK, space, sampler="grid")
    assert [point.choice["array"] for point in found.points[::2]] == space["array"]
    slow, fast, paper, *_ = found.points
    energy = systopack.energy(NETWORK, "compact-32x32")
    assert slow.figures["energy_uj"] == pytest.approx(energy.total_pj / 1e6)
    assert slow.figures["latency_cycles"] == systopack.simulate(NETWORK, "compact-32x32").cycles
    assert slow.figures["latency_us"] == pytest.approx(12_544 / 500)
    assert "the array was measured at 667 MHz" in fast.problem and not fast.figures
    assert paper.figures["energy_uj"] is None and paper.figures["area_mm2"] is None
    assert {found.points[place].choice["array"] for place in found.fronts["measured"].members} == {
        "compact-32x32"
    }
    rows = list(csv.DictReader(found.csv().splitlines()))
    assert rows[2]["energy_uj"] == "-" and rows[0]["front_measured"] == "1"
    assert rows[1]["problem"] == fast.problem and len(rows) == 6


@pytest.mark.parametrize("sampler", ["nsga2", "tpe", "random", "grid"])
def test_every_sampler_finds_all_points_of_a_small_space_once(network, sampler):
    found = systopack.explore(network, SPACE, sampler=sampler, seed=3, points=8)
    choices = {json.dumps(dict(point.choice), sort_keys=True) for point in found.points}
    assert len(choices) == len(found.points) == found.computed == 8
    again = systopack.explore(network, SPACE, sampler=sampler, seed=3, points=8)
    assert again.csv() == found.csv()


def test_ranges_and_what_cannot_be_built(network):
    space = {"alpha": {"low": 9, "high": 16}, "gamma": {"low": 0.0, "high": 2.0}}
    found = systopack.explore(network, space, points=6, array="paper-32x32", sampler="random")
    assert len(found.points) == 6
    assert all(0 <= point.choice["gamma"] <= 2 for point in found.points)
    problems = [point.problem for point in found.points if point.problem]
    assert all("alpha=8" in problem for problem in problems)


def command(folder, *options):
    arguments = ("explore", NETWORK, "--space", "space.toml", "--out", "out", *options)
    return [sys.executable, "-m", "systopack", *arguments]


def results(journal):
    """Keys of the finished points in a journal, one for each time that one was computed."""
    return re.findall(r'\\"problem\\"', journal.read_text(errors="replace"))


@pytest.mark.slow
def test_a_killed_run_goes_on_without_loss(tmp_path):
    sizes = {"alpha": [2, 4, 8], "gamma": [0.0, 0.25, 0.5], "rows": [8, 16], "columns": [8, 16]}
    lines = [f"{name} = {values}" for name, values in sizes.items()]
    (tmp_path / "space.toml").write_text("\n".join(lines))
    options = ("--points", "36", "--sampler", "grid", "--jobs", "2")
    options += ("--set", "input_fanout=1", "--set", "cells_per_stage=1")
    journal = tmp_path / "out" / "explore.journal"
    first = subprocess.Popen(command(tmp_path, *options), cwd=tmp_path, start_new_session=True)
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and first.poll() is None:
        if journal.exists() and len(results(journal)) >= 5:
            break
        time.sleep(0.02)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    before = len(results(journal))
    assert 5 <= before < 36
    with journal.open("a") as file:
        file.write('{"op_code": 5, "half a li')
    done = subprocess.run(
        command(tmp_path, *options, "--json"), cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)["figures"]
    assert len(record["points"]) == 36
    assert record["computed"] == 36 - before
    assert len(results(journal)) == 36
    whole = systopack.explore(
        NETWORK,
        tmp_path / "space.toml",
        sampler="grid",
        changes=["input_fanout=1", "cells_per_stage=1"],
    )
    kept = {json.dumps(p["choice"], sort_keys=True): p["figures"] for p in record["points"]}
    for point in whole.points:
        assert kept[json.dumps(dict(point.choice), sort_keys=True)] == dict(point.figures)


def test_a_folder_takes_what_it_has_into_another_space(network, tmp_path):
    first = systopack.explore(network, SPACE, sampler="grid", out=tmp_path / "out")
    assert first.computed == 8
    again = systopack.explore(network, SPACE, sampler="grid", out=tmp_path / "out")
    assert again.computed == 0 and again.csv() == first.csv()
    wider = {**SPACE, "alpha": [2, 4, 8]}
    assert systopack.explore(network, wider, out=tmp_path / "out").computed == 4
    page = (tmp_path / "out" / "explore.html").read_text()
    assert page.startswith("<!doctype html>") and "<circle" in page and "http:" not in page
    (tmp_path / "out" / "explore.journal").write_text("hello\n{}\n")
    with pytest.raises(InvalidFileError, match="is no journal of an exploration"):
        systopack.explore(network, SPACE, out=tmp_path / "out")


def test_two_runs_in_one_folder_are_refused(network, tmp_path):
    from systopack.exploration.study import open_storage

    with (
        open_storage(tmp_path, None),
        pytest.raises(InvalidFileError, match="Another run works in"),
    ):
        systopack.explore(network, SPACE, out=tmp_path)


def test_all_that_can_vary_is_documented():
    page = (Path(__file__).parents[2] / "docs" / "explore.md").read_text()
    for name in KINDS:
        assert f"`{name}`" in page, name


def test_the_command_writes_table_page_and_record(network, tmp_path, monkeypatch, capsys):
    from systopack.cli import main as command_line

    monkeypatch.chdir(tmp_path)
    save(network, tmp_path / "net.spk")
    (tmp_path / "space.toml").write_text('alpha = [4, 8]\narray = ["compact-32x32"]\n')
    arguments = ["systopack", "explore", "net.spk", "--space", "space.toml", "--out", "out"]
    for more, code in (((), 0), (("--array", "8x8"), 2), (("--images", "5"), 2)):
        monkeypatch.setattr(sys, "argv", [*arguments, *more])
        with pytest.raises(SystemExit) as stop:
            command_line.main()
        assert (stop.value.code or 0) == code, capsys.readouterr()
    assert "would change nothing" in capsys.readouterr().err
    record = json.loads((tmp_path / "out" / "explore.json").read_text())
    assert record["kind"] == "explore" and len(record["figures"]["points"]) == 2
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"explore.journal", "explore.json", "explore.html", "points.csv"}
