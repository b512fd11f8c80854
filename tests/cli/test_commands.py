"""The command line on small inputs: every command's file and record, and every bad input."""

# ruff: noqa: F811
import errno
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

from systopack.packing.pack import dense
from tests.cli.conftest import run  # noqa: F401 (a fixture; other files take it from here)
from tests.cli.results import refused


def test_pack_writes_a_file_and_a_record(run, tmp_path):
    matrix = np.array([[1.0, 0, 0, 2], [0, 3, 0, 0], [0, 0, 0, 4]])
    np.save("m.npy", matrix)
    code, out, err = run("pack", "m.npy", "--alpha", 2, "--gamma", 0)
    assert (code, err) == (0, "")
    record = json.loads((tmp_path / "m.packed.pack.json").read_text())
    assert record["figures"]["m"]["groups"] == [2]
    assert record["configuration"]["alpha"] == 2
    assert len(record["inputs"]["m.npy"]) == 64
    code, out, _ = run("inspect", "m.packed.safetensors")
    assert code == 0
    assert "3 x 4" in out


def test_one_bad_matrix_does_not_stop_the_others(run, tmp_path):
    good, bad = np.eye(4, dtype=np.float32), np.full((2, 2), np.nan, np.float32)
    save_file({"a": bad, "b": good, "c": good, "d": bad, "e": np.ones((2, 2), np.int8)},
              "m.safetensors")  # fmt: skip
    code, out, err = run("pack", "m.safetensors")
    assert code == 2 and "Traceback" not in err
    assert "'a': The filter matrix holds nan" in err and "'d': The filter matrix" in err
    assert "2 of 5 weights cannot be packed" in err and "--only" in err
    assert "1 weights of 8 bits: 'e'" in out
    record = json.loads((tmp_path / "m.packed.pack.json").read_text())
    assert set(record["figures"]) == {"b", "c", "e"}
    assert set(record["configuration"]["refused"]) == {"a", "d"}
    assert run("inspect", "m.packed.safetensors")[0] == 0
    save_file({"a": bad, "b": bad}, "n.safetensors")
    assert refused(run("pack", "n.safetensors", "--only", "b"), "'b'", "nan")
    assert run("pack", "n.safetensors")[0] == 2
    assert not (tmp_path / "n.packed.safetensors").exists()


def test_pack_takes_every_weight_of_a_tensor_file(run, tmp_path):
    rng = np.random.default_rng(0)
    tensors = {
        "[red]a[/x]": rng.standard_normal((20, 30), dtype=np.float32),
        "b.mlp": rng.standard_normal((64, 40), dtype=np.float32),
        "norm": np.ones(5, np.float32),
    }
    save_file(tensors, "m.safetensors")
    code, out, err = run("pack", "m.safetensors", "--density", 0.2, "--bound", "exact")
    assert (code, err) == (0, "")
    assert "[red]a[/x]" in out
    assert "2 matrices, 3,160 weights" in out
    assert "left out: 1 tensors" in out
    record = json.loads((tmp_path / "m.packed.pack.json").read_text())
    assert set(record["figures"]) == {"[red]a[/x]", "b.mlp"}
    assert record["figures"]["b.mlp"]["groups_lower_bound"] >= 5
    code, out, _ = run("inspect", "m.packed.safetensors")
    assert code == 0
    assert "64 x 40" in out
    some = ("--density", 0.2, "--only", "*.mlp", "--objective", "tiles:16", "--bound", "none")
    code, out, _ = run("pack", "m.safetensors", *some)
    assert code == 0
    record = json.loads((tmp_path / "m.packed.pack.json").read_text())
    assert record["figures"]["b.mlp"]["groups"][0] % 16 == 0
    assert record["figures"]["b.mlp"]["groups_lower_bound"] is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--objective", "speed"], ["speed", "tiles:COLUMNS"]),
        (["--objective", "norm:1"], ["'w'", "needs", "not 1"]),
        (["--bound", "guess"], ["guess", "exact"]),
        (["--only", "v*"], ["v*", "'w'"]),
        (["--policy", "best", "--time-limit-s", 0], ["0.0 s"]),
        (["--out", "m.safetensors"], ["also the input"]),
    ],
)
def test_pack_refuses_and_leaves_nothing(run, tmp_path, options, words):
    save_file({"w": np.ones((9, 20), np.float32)}, "m.safetensors")
    before = sorted(tmp_path.iterdir())
    assert refused(run("pack", "m.safetensors", *options), *words)
    assert sorted(tmp_path.iterdir()) == before


def test_simulate_and_inspect_a_network(run, network, tmp_path):
    code, out, _ = run("simulate", network, "--array", "tiny-8x8", "--against", network)
    assert code == 0
    assert "1.000 of the cycles" in out
    figures = json.loads((tmp_path / "net.simulate.json").read_text())["figures"]
    assert figures[str(network)]["cycles"] > 0
    pairs = ["--set", "cell=bit-serial-compact", "--set", "cells_per_stage=4"]
    compact = ("--array", "tiny-8x8", *pairs, "--set", "weight_buffers=1")
    code, out, _ = run("simulate", network, *compact)
    assert code == 0 and "on bit-serial-compact 8x8 alpha 8" in out
    shorter = json.loads((tmp_path / "net.simulate.json").read_text())["figures"]
    assert shorter[str(network)]["cycles"] < figures[str(network)]["cycles"]
    serial = ("--array", "paper-32x32", *pairs[2:])
    assert refused(run("simulate", network, *serial), "choose cell 'bit-serial-compact'")
    code, out, _ = run("inspect", network)
    assert "sha256" in out


@pytest.mark.parametrize(
    "command",
    [
        "simulate NETWORK",
        "rtl NETWORK --out rtl",
        "rtl NETWORK --organisation pipelined --out rtl",
        "verify NETWORK --images 1",
        "energy NETWORK",
        "synthesize asic NETWORK --block array --out asic",
        "synthesize ecp5 NETWORK --out ecp5",
        "synthesize xilinx NETWORK --out xilinx",
    ],
)
def test_other_weights_than_powers_of_two_are_refused_before_a_file(run, tmp_path, command):
    arguments = command.replace("NETWORK", "zoo:lenet5-mnist").split()
    result = run(*arguments, "--array", "4x4", "--set", "cell=power-of-two")
    assert refused(result, "has a weight of", "--weights power-of-two")
    assert not list(tmp_path.iterdir())


def test_report_is_written(run, network, tmp_path):
    code, _, err = run("report", network, "--out", "page.html", "--set", "alpha=4")
    assert (code, err) == (0, "")
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")


def test_report_has_a_title_and_refuses_images_of_another_size(run, network, tmp_path):
    assert run("report", network, "--out", "page.html", "--title", "A <title>")[0] == 0
    assert "<h1>A &lt;title&gt;</h1>" in (tmp_path / "page.html").read_text()
    result = run("report", network, "--out", "other.html", "--data", "sample")
    assert refused(result, "28") and not (tmp_path / "other.html").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--alpha", 0], ["alpha is 0", "1 to 256"]),
        (["--gamma", -1], ["gamma is -1", "0 to 7"]),
        (["--gamma", 7.5], ["gamma is 7.5", "0 to 7"]),
        (["--gamma", "nan"], ["gamma is nan"]),
        (["--gamma", "inf"], ["gamma is inf"]),
        (["--array", "32"], ["no array '32'", "paper-32x32"]),
        (["--array", "0x4"], ["no array '0x4'"]),
        (["--out", "m.txt"], ["m.txt"]),
        (["--density", 0], ["--density is 0"]),
        (["--policy", "magic"], ["magic", "least-loss"]),
    ],
)
def test_options_out_of_range(run, tmp_path, options, words):
    np.save("m.npy", np.ones((3, 4)))
    before = sorted(tmp_path.iterdir())
    assert refused(run("pack", "m.npy", *options), *words)
    assert sorted(tmp_path.iterdir()) == before


MATRICES = {
    "nan": (np.array([[1.0, np.nan]]), "finite"),
    "infinite": (np.array([[1.0], [-np.inf]]), "row 1, column 0"),
    "empty": (np.zeros((0, 4)), "no weight"),
    "vector": (np.ones(4), "shape (4,)"),
    "text": (np.array([["a"]]), "real numbers"),
    "complex": (np.ones((2, 2), complex), "real numbers"),
}


@pytest.mark.parametrize("name", MATRICES)
def test_matrices_that_are_none(run, name):
    matrix, word = MATRICES[name]
    np.save("m.npy", matrix)
    assert refused(run("pack", "m.npy"), word)


@pytest.mark.parametrize("matrix", [np.zeros((5, 7)), np.ones((1, 1)), -np.ones((1, 9))])
def test_matrices_at_the_edge_are_packed(run, matrix):
    np.save("m.npy", matrix)
    code, out, _ = run("pack", "m.npy")
    assert code == 0
    if not matrix.any():
        assert "1.000" in out  # efficiency 1 by definition


def test_object_arrays_are_not_unpickled(run):
    np.save("m.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    assert refused(run("pack", "m.npy"), "m.npy")


SPK = {
    "truncated": lambda content: content[:-10],
    "flipped": lambda content: content[:-3] + bytes([content[-3] ^ 4]) + content[-2:],
    "newer": lambda content: content.replace(b'version\\": 2', b'version\\": 3'),
    "pickle": lambda _: pickle.dumps({"a": 1}),
    "empty": lambda _: b"",
}


def test_weights_that_do_not_fit_come_as_a_stream(run, tmp_path):
    asked = ("zoo:lenet5-mnist", "--array", "compact-32x32", "--weight-memory")
    code, out, _ = run("simulate", *asked, 32768, "--weight-stream", 128)
    assert code == 0
    assert "holds 23 of 52 tiles; 73,216 bytes of weights" in " ".join(out.split())
    record = json.loads((tmp_path / "lenet5-mnist.simulate.json").read_text())
    assert (record["configuration"]["weight_memory"], record["configuration"]["weight_stream"]) == (
        32768,
        128,
    )
    figures = record["figures"]["zoo:lenet5-mnist"]
    assert figures["tiled_accelerator_weight_bytes"] == 73216
    assert sum(step["weight_bytes"] for step in figures["tiled_accelerator_steps"]) == 73216
    assert refused(run("rtl", *asked, 2815, "--out", "rtl"), "must hold two tiles", "2816 bytes")
    assert refused(run("rtl", *asked, 0, "--out", "rtl"), "--weight-memory")
    assert not (tmp_path / "rtl").exists()
    assert refused(run("verify", asked[0], "--weight-stream", "64"), "--weight-stream")
    pipelined = ("--organisation", "pipelined", "--out", "rtl")
    assert refused(run("rtl", asked[0], asked[3], 9999, *pipelined), "has no weight memory")


@pytest.mark.parametrize("name", SPK)
@pytest.mark.parametrize("command", ["inspect", "simulate", "evaluate"])
def test_damaged_networks(run, network, name, command):
    network.write_bytes(SPK[name](network.read_bytes()))
    word = {"newer": "update systopack", "pickle": "pickle"}.get(name, "damaged")
    assert refused(run(command, network), word)


def test_networks_that_come_with_the_package(run, tmp_path):
    code, out, _ = run("simulate", "zoo:resnet20-cifar10")
    assert code == 0
    assert "14,594 streamed words" in out
    assert (tmp_path / "resnet20-cifar10.simulate.json").exists()
    assert refused(run("evaluate", "zoo:none"), "there are lenet5-mnist, ")


def test_missing_files(run):
    for command in (
        ["inspect", "none.spk"],
        ["pack", "none.npy"],
        ["combine", "none.safetensors", "--out", "p.safetensors"],
        ["report", "none.spk", "--out", "r.html"],
    ):
        assert refused(run(*command), "There is no file 'none.")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--preset", "fast"), "--preset is 'fast', but it must be 'paper' or 'budgets'"),
        (("--array", "32"), "no array '32'"),
        (("--cells", 2), "--cells is 2.0"),
        (("--streamed-words-ratio", 0.5), "--streamed-words-ratio is 0.5"),
        (("--importance", "luck"), "--importance is 'luck'"),
        (("--cutmix", 0.5), "with distill-weight 0.0 labels count"),
        (("--preset", "budgets", "--cutmix", 1.5), "--cutmix is 1.5"),
    ],
)
def test_combine_refuses_before_it_reads(run, options, words):
    assert refused(run("combine", "none.safetensors", "--out", "p.safetensors", *options), words)


def test_options_win_over_files_and_files_over_presets(tmp_path):
    from systopack.options import settings_from
    from systopack.training.settings import CombineSettings, preset

    config = tmp_path / "combine.toml"
    config.write_text("cells = 0.2\nfine_tune_epochs = 3\n")
    settings = settings_from(CombineSettings, config, {"cells": 0.18}, base=preset("budgets"))
    assert (settings.cells, settings.fine_tune_epochs) == (0.18, 3)
    assert (settings.streamed_words_ratio, settings.alpha) == ("fit", 8)
    paper = settings_from(CombineSettings, None, {}, base=preset("paper"))
    assert (paper.policy, paper.has_budget) == ("dense-column-first", False)


def test_a_folder_without_images(run, tmp_path):
    (tmp_path / "data").mkdir()
    assert refused(
        run("train", "lenet5-shift", "--data", tmp_path / "data", "--out", "d.safetensors"),
        "parquet",
    )


def test_unknown_models_are_listed(run):
    assert refused(run("train", "alexnet", "--out", "d.safetensors"), "alexnet", "lenet5-shift")


def test_settings_files(run, tmp_path):
    (tmp_path / "bad.toml").write_text("epochs = ")
    (tmp_path / "unknown.toml").write_text("epoch = 3")
    (tmp_path / "range.toml").write_text("epochs = -3")
    command = ["train", "lenet5-shift", "--out", "d.safetensors", "--config"]
    assert refused(run(*command, "bad.toml"), "not valid TOML")
    assert refused(run(*command, "unknown.toml"), "'epoch'")
    assert refused(run(*command, "range.toml"), "'range.toml' sets epochs to -3", "at least 1")


def test_a_full_disk_leaves_nothing_behind(run, tmp_path, monkeypatch):
    np.save("m.npy", np.ones((3, 4)))
    before = sorted(tmp_path.iterdir())

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert refused(run("pack", "m.npy"), "disk is full")
    assert sorted(tmp_path.iterdir()) == before


def test_alpha_larger_than_the_array_offers(run, tmp_path, network):
    assert refused(run("simulate", network, "--set", "alpha=1"), "alpha=1")


def test_rtl_is_written_or_refused_whole(run, tmp_path, network):
    assert refused(run("rtl", network, "--out", "rtl", "--set", "alpha=1"), "--alpha 1")
    assert not (tmp_path / "rtl").exists()
    assert refused(run("rtl", network, "--out", "rtl", "--organisation", "magic"), "magic")
    code, _, err = run("rtl", network, "--out", "rtl", "--array", "8x8")
    assert (code, err) == (0, "")
    assert (tmp_path / "rtl" / "README.md").exists()
    code, out, _ = run("simulate", network, "--array", "rtl/array.toml")
    assert code == 0 and "on bit-serial-compact 8x8 alpha 8" in out


def test_rtl_brings_packages_along(run, tmp_path, network):
    wrong = run("rtl", network, "--out", "x", "--package", "vivado")
    assert refused(wrong, "--package is 'vivado'", "'fusesoc' or 'ip-xact'")
    packages = ("--package", "c", "--package", "fusesoc")
    assert run("rtl", network, "--out", "rtl", "--array", "8x8", *packages)[0] == 0
    for name in ("c/systopack.c", "accelerator.core"):
        assert (tmp_path / "rtl" / name).exists()
        assert f"`{name.split('/')[0]}`" in (tmp_path / "rtl" / "README.md").read_text()
    assert not (tmp_path / "rtl" / "component.xml").exists()


def test_a_tensor_file_that_is_no_model(run):
    save_file({"weight": np.ones((2, 2), np.float32)}, "w.safetensors")
    assert refused(run("combine", "w.safetensors", "--out", "p.safetensors"), "w.safetensors")


def test_help_is_quick_and_shows_an_example():
    code = (
        "import time; start = time.perf_counter(); import systopack.cli.main; "
        "import sys; heavy = {'torch', 'numpy', 'numba', 'matplotlib', 'datasets', 'ortools'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "command",
    [
        *("train", "combine", "quantize", "evaluate", "simulate", "pack"),
        *("rtl", "verify", "inspect", "report", "demo"),
    ],
)
def test_every_command_shows_an_example(run, command):
    code, out, _ = run(command, "--help")
    assert code == 0
    assert f"Example: systopack {command}" in out


def test_dense_is_exported():
    import systopack

    assert systopack.pack is not None
    assert systopack.dense is dense


@pytest.mark.parametrize(
    "command",
    [
        ("rtl", "--array", "8x8", "--out", "rtl"),
        ("verify",),
        ("energy",),
    ],
)
def test_more_images_than_there_are_is_refused(run, command):
    name, *options = command
    result = run(name, "zoo:lenet5-mnist", *options, "--data", "sample", "--images", "2001")
    assert refused(result, "2,001 images are asked for", "has 2,000 test images")
