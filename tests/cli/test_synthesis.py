"""`systopack synthesize` and `characterize`: what they refuse, and what they write."""

import json

import pytest

from systopack.hardware.energy.coefficients import read_coefficients
from systopack.records import read_record
from systopack.synthesis.fpga.targets import Ecp5, Xilinx
from systopack.synthesis.target import Synthesized
from tests.cli.results import refused

NETWORK = "zoo:lenet5-mnist"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["vhdl", NETWORK], "vhdl"),
        (["ecp5", NETWORK, "--device", "XC7"], "it must be one of LFE5U-25F"),
        (["ecp5", NETWORK, "--seeds", "0"], "--seeds is 0, but it must be a whole number at least"),
        (["ecp5", NETWORK, "--array", "12"], "There is no array '12'"),
        (["ecp5", NETWORK, "--set", "alpha=1"], "alpha"),
        (["ecp5", NETWORK, "--clock-mhz", "0"], "above 0"),
        (["ecp5", NETWORK, "--array", "64x64", "--device", "LFE5U-25F"], "flip-flops, but"),
        (["ecp5"], "needs a network"),
        (["xilinx", NETWORK, "--part", "x y"], "Vivado's name of a device"),
        (["asic", "--block", "chip"], "--block is 'chip', but it must be 'cell' or 'row'"),
        (["asic", "--clock-ns", "0"], "--clock-ns is 0.0"),
        (["asic", "--block", "accelerator"], "--block accelerator needs a network"),
        (["asic", "--block", "accelerator-energy"], "--block accelerator-energy needs a network"),
        (["asic", "--block", "cell", "--array", "compact-32x32"], "cells share an adder"),
        (["asic", "--array", "tiny-8x8", "--set", "cells_per_stage=2"], "have a register each"),
        (["asic", "--library", "absent.lib"], "absent.lib"),
        (["asic", "--library", "nangate45"], "comes without a Liberty file"),
        (["asic", "--data", "sample"], "--data would change nothing"),
        ([*("asic", NETWORK, "--block", "accelerator", "--data", "sample")], "--data would change"),
        # Every target has its own options alone.
        (["ecp5", NETWORK, "--part", "x"], "--part"),
        (["ecp5", NETWORK, "--block", "row"], "--block"),
        (["ecp5", NETWORK, "--library", "l.lib"], "--library"),
        (["ecp5", NETWORK, "--data", "sample"], "--data"),
        (["xilinx", NETWORK, "--device", "x"], "--device"),
        (["xilinx", NETWORK, "--seeds", "2"], "--seeds"),
        (["asic", "--clock-mhz", "50"], "--clock-mhz"),
        (["asic", "--seeds", "2"], "--seeds"),
    ],
)
def test_refusals(run, tmp_path, options, sentence):
    before = sorted(tmp_path.iterdir())
    assert refused(run("synthesize", *options, "--out", "out"), sentence)
    assert sorted(tmp_path.iterdir()) == before


def test_a_target_gets_its_options_and_its_files_and_record_are_written(run, tmp_path, monkeypatch):
    def build(self, work, options):
        return Synthesized(
            figures={"options": options.model_dump()},
            header=("a", "b"),
            rows=[("1", work.array.label)],
            told="all is well",
            files={"design.bit": b"bits"},
        )

    monkeypatch.setattr(Ecp5, "synthesize", build)
    monkeypatch.setattr(Xilinx, "synthesize", build)
    arguments = ("synthesize", "ecp5", NETWORK, "--seeds", 3, "--array", "16x8", "--out", "e")
    code, out, _ = run(*arguments)
    assert code == 0 and "bit-serial-compact 16x8 alpha 8" in out and "all is well; wrote e" in out
    record = read_record(tmp_path / "e" / "synthesize.json")
    assert record["kind"] == "synthesize-ecp5"
    assert record["figures"]["options"]["seeds"] == 3
    assert record["configuration"]["array"]["rows"] == 16
    assert NETWORK in record["inputs"]
    assert (tmp_path / "e" / "design.bit").read_bytes() == b"bits"
    assert run(*arguments)[0] == 0  # its own earlier output
    code, out, _ = run("synthesize", "xilinx", NETWORK, "--json", "--out", "x")
    assert code == 0
    assert json.loads(out)["figures"]["options"]["part"] == "xcku035-fbva676-2-e"


def test_a_cell_on_the_bundled_library(run, tmp_path):
    arguments = ("--block", "cell", "--array", "tiny-8x8", "--set", "cell=bit-serial-compact")
    code, out, _ = run("synthesize", "asic", *arguments, "--out", "cell")
    assert code == 0 and "longest path, ns" in out
    record = read_record(tmp_path / "cell" / "synthesize.json")
    assert record["figures"]["array"]["rows"] == 1
    assert record["configuration"]["corner"] == "typical, 1.8 V, 25 C"


@pytest.mark.slow
def test_an_image_through_the_accelerator(run, tmp_path):
    arguments = ("--block", "accelerator-energy", "--array", "tiny-8x8", "--out", "p")
    code, out, _ = run("synthesize", "asic", NETWORK, *arguments)
    assert code == 0
    figures = read_record(tmp_path / "p" / "synthesize.json")["figures"]
    assert set(figures["parts"]) == {"array", "control", "feature memory", "lanes", "streams"}
    assert figures["cells_pj"] == pytest.approx(
        sum(part["cells_pj"] for node in figures["nodes"] for part in node["parts"].values())
    )
    assert f"{figures['bits_checked']:,}" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("sky130hd", "--gating", "value"), "--gating is 'value'"),
        (("nangate45",), "comes without a Liberty file"),
        (("absent.toml",), "absent.toml"),
        (("sky130hd", "--size", "2by2"), "There is no array '2by2'"),
    ],
)
def test_characterize_refuses(run, tmp_path, arguments, sentence):
    assert refused(run("characterize", *arguments, "--out", "c.json"), sentence)


@pytest.mark.slow
def test_measured_coefficients_feed_energy(run, tmp_path):
    changes = ("rows=4", "columns=4", "cell=bit-serial-compact", "input_fanout=4")
    array = ("--array", "tiny-8x8", *(part for one in changes for part in ("--set", one)))
    code, out, err = run("characterize", "sky130hd", *array, "--out", "c.json")
    assert code == 0, err
    assert "equal the integer reference" in out
    (point,) = read_coefficients(tmp_path / "c.json").points
    assert point.array.label == "bit-serial-compact 4x4 alpha 8, input fanout 4"
    assert 0 < point.coefficients.clock_pj < 5
    code, out, err = run("energy", NETWORK, "--coefficients", "c.json", *array)
    assert code == 0, err
    assert run("characterize", "sky130hd", *array, "--out", "c.json")[0] == 0  # its own
