"""`systopack reproduce`: sections, marks, records, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest
from typer.testing import CliRunner

from systopack.cli.main import app
from systopack.errors import InvalidFileError
from systopack.hardware.array import Array
from systopack.hardware.energy.coefficients import MeasuredPoint
from systopack.hardware.energy.technology import load_technology
from systopack.network.file import load
from systopack.network.packaged import network_file
from systopack.records import STORE, read_record
from systopack.reproduce import accuracy, full, related
from systopack.reproduce.content import Column, Notes, table_of
from systopack.reproduce.design_points import HEADLINE, design_point
from systopack.reproduce.published import load_published
from systopack.reproduce.relative import PAPER, WITHOUT_PERIPHERY
from systopack.reproduce.rows import COMPUTED, Row, distinct, read_rows, select, value_of
from systopack.reproduce.run import SECTIONS, render_record, reproduce
from systopack.reproduce.sources import Sources, records_folder
from tests.hardware.energy.test_coefficients import ONES, table

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """A folder of records with coefficients typed by hand and three runs."""
    folder = tmp_path_factory.mktemp("records")
    points = [
        MeasuredPoint(
            array=replace(HEADLINE.array, alpha=alpha),
            gating=gating,
            clock_mhz=500.0,
            cell_area_um2=200.0,
            coefficients=replace(ONES, **{f: v / 100 for f, v in ONES.energies.items()}),
        )
        for alpha in (1, 8)
        for gating in ("none", "clock")
    ]
    table(*points).write(folder / "coefficients.json", configuration={})
    for name, percent in (("alpha-2", 90.5), ("alpha-4", 90.0), ("gamma-0.5", 89.5)):
        (folder / f"{name}-seed0.json").write_text(
            json.dumps(
                {
                    "record_version": 1,
                    "kind": "accuracy-resnet20",
                    "figures": {
                        "packed_8_bit_percent": percent,
                        "packing_efficiency": 0.9,
                        "packed_cells_ratio": 0.2,
                    },
                    "configuration": {"experiment": name},
                    "seed": 0,
                }
            )
        )
    return folder


@pytest.fixture(scope="module")
def written(records, tmp_path_factory):
    out = tmp_path_factory.mktemp("results")
    done = []
    result = reproduce(
        Sources(records=records, pixels={}), out, on_section=lambda name, _: done.append(name)
    )
    assert done == list(SECTIONS)
    return result


def test_every_row_says_where_it_comes_from(written):
    rows = [line for line in written.page.read_text().splitlines() if line.startswith("| ")]
    bodies = [row for row in rows if not row.endswith("| from |")]
    assert len(bodies) > 40
    for row in bodies:
        mark = row.rstrip(" |").rpartition("| ")[2]
        assert re.match(r"computed now|record `|cited", mark), row


def test_the_papers_figures_stand_beside_ours(written):
    text = written.page.read_text()
    for value in ("2.77", "0.158", "3.9", "0.271", "0.266"):
        assert f"| {value} |" in text
    assert "`zoo:vgg16-shift-cifar10`, trained for a few epochs only" in text
    rows = read_rows(read_record(written.record)["figures"])["throughput, energy and tiles"]
    ours = {"network": "ResNet-20, CIFAR-10", "design_point": HEADLINE.name}
    packed = load(network_file(Path("zoo:resnet20-cifar10-fast")))
    tiles = value_of(rows, quantity="tiles", **ours)
    assert tiles == pytest.approx(packed.tile_count(rows=32, columns=32) / 281)
    assert value_of(rows, quantity=WITHOUT_PERIPHERY, **ours) is not None


def test_rows_are_read_back_and_give_the_same_page(written):
    record = read_record(written.record)
    assert render_record(record, images="images") == written.page.read_text()
    rows = [row for of in read_rows(record["figures"]).values() for row in of]
    assert len(rows) > 300 and all(row.origin for row in rows)
    assert set(distinct(rows, "design_point")) >= {"", PAPER, HEADLINE.name}


def test_rows_of_something_else_are_refused():
    for entry in ({"network": "net"}, {"origin": 3, "quantity": "tiles"}, "row"):
        with pytest.raises(InvalidFileError, match="not rows of a reproduction"):
            read_rows({"tiles per layer": [entry]})


def test_a_value_is_that_of_one_row():
    rows = [
        Row(network="net", quantity="tiles", variant=variant, value=value, origin=(COMPUTED,))
        for variant, value in (("dense", 7), ("packed", 3))
    ]
    assert value_of(rows, variant="packed") == 3
    assert value_of(rows, variant="other") is None
    with pytest.raises(InvalidFileError, match="2 rows have quantity 'tiles'"):
        value_of(rows, quantity="tiles")
    table = table_of(
        tuple(rows),
        keys={"network": "network"},
        columns=[
            Column(header=name, where={"variant": name}, form="d")
            for name in ("dense", "packed", "other")
        ],
    )
    assert table.lines == (("net", "7", "3", "-", "computed now"),)


def test_design_points_have_the_name_or_the_label_of_their_array():
    array = HEADLINE.array
    assert HEADLINE.name == "compact-32x32"
    assert design_point(replace(array, alpha=1, accumulator_bits=16), "clock") == HEADLINE
    assert design_point(array, "none").name == "compact-32x32, gating none"
    assert design_point(Array(input_fanout=8), "clock").name == (
        "bit-serial 32x32 alpha 8, input fanout 8"
    )


def test_all_numbers_of_ours_are_of_the_headlines_design_point(written):
    sections = read_rows(read_record(written.record)["figures"])
    for name in ("energy by part", "published accelerators"):
        assert distinct(sections[name], "design_point") == [HEADLINE.name], name
    assert distinct(sections["cross-layer latency"], "design_point") == [HEADLINE.name]
    relative = sections["throughput, energy and tiles"]
    points = distinct(select(relative, quantity="energy x throughput"), "design_point")
    assert points[0] == HEADLINE.name
    for quantity in ("throughput", "tiles"):
        assert len(select(relative, quantity=quantity, design_point=HEADLINE.name)) == 3


def test_logic_outside_of_another_library_is_left_out(records, tmp_path):
    shutil.copy(records / "coefficients.json", tmp_path)
    own = json.loads((tmp_path / "coefficients.json").read_text())["figures"]["library"]
    case = {"network": "net", "apart": False, "cycles": 10, "critical_ns": 1.5}
    for name, library, energy in (("a", "another", 10.0), ("b", own, 15.0)):
        kinds = {"cells_pj": energy, "clock_tree_pj": 2.0, "wires_pj": 0.5}
        nodes = [{"parts": {"array": kinds, "lanes": kinds}}]
        record = {"record_version": 1, "kind": "gate_level"}
        record |= {"figures": {"case": {**case, "nodes": nodes}}}
        record |= {"configuration": {"library": library}}
        (tmp_path / f"{name}.json").write_text(json.dumps(record))
    sources = Sources(records=tmp_path, pixels={})
    assert sources.periphery_name == "b.json"
    assert sources.periphery["net", "clock"].cycle_pj == 2.0  # 15 of lanes, 5 beside


def test_claims_are_stated_plainly(written):
    text = written.page.read_text()
    assert re.search(r"\| energy at 45 nm, uJ \| 8 bit \| GAP9.*\| 3: (yes|no) \|", text)
    assert re.search(r"\| latency, us \| any \| fpgaConvNet.*\| 12: (yes|no) \|", text)


def test_figures_of_the_page_are_there(written):
    shown = re.findall(r"\]\(images/([\w-]+\.png)\)", written.page.read_text())
    assert shown and set(shown) == {path.name for path in written.images}
    assert all(path.stat().st_size > 1000 for path in written.images)


def test_latency_is_that_of_the_cycle_models(written):
    from systopack.hardware.pipelined.cycles import count_pipelined

    network = load(network_file(Path("zoo:resnet20-cifar10-fast")))
    count = count_pipelined(network, array=HEADLINE.array_for(network, combined=True))
    rows = read_rows(read_record(written.record)["figures"])["cross-layer latency"]
    own = {"network": "resnet20-cifar10-fast", "organisation": "pipelined"}
    assert value_of(rows, quantity="latency", **own) == count.latency_cycles


def test_without_coefficients_no_energy_is_claimed(tmp_path):
    (tmp_path / "records").mkdir()
    sources = Sources(records=tmp_path / "records", pixels={})
    text = reproduce(sources, tmp_path / "out").page.read_text()
    assert "no record of measured coefficients" in text
    assert "nothing is claimed about" in text
    assert "energy x throughput" not in text


def test_sweeps_come_from_records(records):
    rows = accuracy.measure(Sources(records=records, pixels={}))
    found = {
        name: [(row.at, row.value) for row in select(rows, variant=name, quantity=accuracy.PACKED)]
        for name in distinct(select(rows, quantity=accuracy.SEEDS), "variant")
    }
    assert found == {
        "alpha, at gamma 0.5": [(2.0, 90.5), (4.0, 90.0), (8.0, 89.5)],
        "gamma, at alpha 8": [(0.5, 89.5)],  # the run that both sweeps share
    }
    notes = Notes(library="", node_nm=None, periphery=False, headline="", networks=())
    assert [one.name for one in accuracy.show(rows, notes).drawings] == ["accuracy-alpha"]


@pytest.mark.slow
def test_related_run_on_real_activations(records):
    rng = np.random.default_rng(0)
    pixels = {(3, 32, 32): rng.integers(0, 256, (1, 3, 32, 32)).astype(np.uint8)}
    rows = related.measure(Sources(records=records, pixels=pixels, images=1))
    of = {"network": "resnet20-cifar10-fast", "quantity": "cycles"}
    per_tile = value_of(rows, variant="column combining per tile", **of)
    assert per_tile < value_of(rows, variant="dense array", **of)


def test_published_accelerators_are_cited_and_scaled():
    published = load_published()
    assert len(published.accelerators) >= 5
    assert all(len(other.source) > 10 for other in published.accelerators)
    node = load_technology().node("45-hp")
    jia = next(other for other in published.accelerators if other.precision == "4 bit")
    assert jia.frames_per_j == pytest.approx(1e6 / 105.2)
    assert jia.scaled_uj(node) < jia.energy_uj  # 65 nm to 45 nm


def test_folders_of_records(tmp_path):
    assert records_folder(tmp_path) == tmp_path
    assert records_folder(None).is_dir()
    with pytest.raises(InvalidFileError, match="no folder"):
        records_folder(tmp_path / "missing")


def test_no_record_lies_twice_and_none_holds_the_history_of_its_run():
    records = {path: read_record(path) for path in STORE.rglob("*.json")}
    assert len({json.dumps(record["figures"]) for record in records.values()}) == len(records)
    assert not any("history" in record["figures"] for record in records.values())
    assert not [*ROOT.glob("benchmarks/records/**/*.json"), *ROOT.glob("systopack/zoo_data/*.json")]
    for path in (ROOT / "benchmarks" / "histories").rglob("*.json"):
        assert (STORE / path.relative_to(ROOT / "benchmarks" / "histories")).is_file()


def test_full_needs_a_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(full, "_CHECKOUT", tmp_path)
    with pytest.raises(InvalidFileError, match="installed without"):
        full.measure_records(tmp_path, tmp_path / "runs", say=lambda _: None)


def test_full_names_runs_and_scripts_that_there_are(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")  # as for a script that is run
    module = run_path(str(ROOT / "benchmarks" / "accuracy_resnet20.py"))
    jobs = full.accuracy_jobs(tmp_path)
    assert {job.arguments[0] for job in jobs} <= set(module["EXPERIMENTS"])
    for job in (*jobs, *full.silicon_jobs(None), *full.silicon_jobs(tmp_path / "cells.lib.gz")):
        assert (ROOT / "benchmarks" / job.script).is_file()
    assert "asic_cells_cells.json" in full.silicon_jobs(tmp_path / "cells.lib.gz")[0].arguments


def test_full_goes_on_where_it_stopped_and_tells_of_failures(tmp_path, monkeypatch):
    checkout, runs, records = tmp_path / "checkout", tmp_path / "runs", tmp_path / "records"
    (checkout / "benchmarks").mkdir(parents=True)
    runs.mkdir()
    (checkout / "benchmarks" / "mnist.py").write_text("")
    (checkout / "benchmarks" / "accuracy_resnet20.py").write_text(
        "import pathlib, sys\n"
        "name, _, seed, _, out = sys.argv[1:6]\n"
        "pathlib.Path(out, f'{name}-seed{seed}.json').write_text('made')\n"
        "sys.exit(sys.argv[1] == 'alpha-2')\n"
    )
    (runs / "ours-full-seed0.json").write_text("there")
    monkeypatch.setattr(full, "_CHECKOUT", checkout)
    said = []
    with pytest.raises(InvalidFileError, match=r"accuracy_resnet20.py alpha-2 .* goes on where"):
        full.measure_records(records, runs, say=said.append)
    assert (records / "accuracy" / "ours-full-seed0.json").read_text() == "there"
    assert (records / "accuracy" / "alpha-1-seed0.json").read_text() == "made"
    assert "already there" in said[1]


def test_the_command_refuses_what_it_cannot_use(tmp_path):
    result = CliRunner().invoke(
        app, ["reproduce", "--out", str(tmp_path), "--images", "0"], catch_exceptions=True
    )
    assert "--images is 0" in str(result.exception)
