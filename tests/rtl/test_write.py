"""The written folder stands on its own: lint, an independent simulator, and synthesis read it."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array
from systopack.network.nodes import MatrixLayer
from systopack.rtl.parameters import VERILOG
from systopack.rtl.texts import BENCH_COMMAND
from systopack.rtl.write import write_rtl
from systopack.verification.verilator import find_tools
from tests.networks import random_images, random_network

PROOFS = Path(__file__).parents[1] / "proofs"
BENCH = ["vvp", "-N", "bench"]
SEED = 42  # its results tell its images apart


def network_and_images(seed: int):
    rng = np.random.default_rng(seed)
    network = random_network(rng, layers=3)
    return network, random_images(rng, network, 3)


def run(command, folder, **environment):
    return subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


KINDS = ["tiled", "tiled in pairs", "pipelined"]
BORDERS = pytest.mark.parametrize(
    "folder", ["tiled", "pipelined"], indirect=True
)  # a variant's are the same


@pytest.fixture(scope="module", params=KINDS)
def folder(request, tmp_path_factory):
    out = tmp_path_factory.mktemp("rtl")
    network, images = network_and_images(SEED)
    organisation, *parts = request.param.split(" in ")
    array = Array(rows=3, columns=2)
    if parts == ["pairs"]:  # the last pair lacks a column
        array = Array(
            rows=3, columns=5, cell="bit-serial-compact", cells_per_stage=2, weight_buffers=1
        )
    write_rtl(network, array=array, out=out, image=images, organisation=organisation)
    return out


@pytest.mark.parametrize("more", [(), ("-DSYSTOPACK_ASSERTIONS",), ("--timing",)], ids=str)
def test_verilator_lints_it_without_a_warning(folder, more):
    tools = find_tools()
    names = (folder / "sources.f").read_text().split()
    command = [tools.verilator, "--lint-only", *more]
    if "--timing" in more:  # with the bench, which is no hardware
        command += ["-DSYSTOPACK_ASSERTIONS", "--top-module", "testbench", "testbench.v", *names]
    else:
        command += ["-Wall", "--top-module", "accelerator", *names]
    result = run(command, folder, VERILATOR_ROOT=str(tools.root))
    assert result.returncode == 0 and "%Warning" not in result.stderr, result.stderr


def test_icarus_runs_the_test_bench_to_pass(folder):
    if shutil.which("iverilog") is None:
        pytest.skip("needs iverilog")
    names = (folder / "sources.f").read_text().split()
    built = run(["iverilog", "-g2005", "-o", "bench", *names, "testbench.v"], folder)
    assert built.returncode == 0, built.stderr
    ended = run(BENCH, folder)
    assert ended.stdout.strip().endswith("PASS") and ended.returncode == 0
    command = next(line for line in (folder / "README.md").read_text().split("`") if "vvp" in line)
    assert run(["sh", "-c", command], folder).returncode == 0


def test_the_test_bench_sees_a_wrong_result(folder, tmp_path):
    if shutil.which("iverilog") is None:
        pytest.skip("needs iverilog")
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    lines = (copy / "results.hex").read_text().split()
    lines[-1] = f"{int(lines[-1], 16) ^ 1:08x}"
    (copy / "results.hex").write_text("\n".join(lines) + "\n")
    ended = run(["sh", "-c", BENCH_COMMAND], copy)
    assert "FAIL" in ended.stdout and ended.returncode != 0
    # Nobody there to answer at a stop: it ends all the same.
    ended = run(["sh", "-c", "./bench < /dev/null"], copy)
    assert "FAIL" in ended.stdout and "PASS" not in ended.stdout


@BORDERS
@pytest.mark.parametrize("name", ["configuration.hex", "image.hex", "results.hex"])
@pytest.mark.parametrize("change", ["one more", "one less", "one more without an end of line"])
def test_the_test_bench_uses_every_line(folder, tmp_path, name, change):
    if shutil.which("iverilog") is None:
        pytest.skip("needs iverilog")
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    lines = (copy / name).read_text().split()
    lines = lines[:-1] if change == "one less" else [*lines, "0" * len(lines[-1])]
    end = "" if change.endswith("end of line") else "\n"
    (copy / name).write_text("\n".join(lines) + end)
    ended = run(["sh", "-c", BENCH_COMMAND], copy)
    assert ended.returncode != 0 and "FAIL" in ended.stdout, ended


@BORDERS
def test_a_clock_that_begins_high_breaks_no_rule(folder, tmp_path):
    if shutil.which("iverilog") is None:
        pytest.skip("needs iverilog")
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    bench = (copy / "testbench.v").read_text()
    names = (copy / "sources.f").read_text().split()
    together = "reg clk, aresetn; initial begin #0 aresetn = 0; clk = 1; end"
    for start in ("reg clk = 1, aresetn = 0;", together):
        changed = bench.replace("reg         clk = 0, aresetn = 0;", start)
        assert changed != bench
        (copy / "testbench.v").write_text(changed)
        for order in (["testbench.v", *names], [*reversed(names), "testbench.v"]):
            command = ["iverilog", "-g2005", "-DSYSTOPACK_ASSERTIONS", "-s", "testbench"]
            assert run([*command, "-o", "bench", *order], copy).returncode == 0
            ended = run(BENCH, copy)
            assert ended.returncode == 0 and "ASSERTION" not in ended.stdout, ended.stdout


def _in_their_files(mutants):
    """Each mutant in each organisation that has its file."""
    own = {
        "image_words.v": ["tiled"],
        "tiled_accelerator.v": ["tiled"],
        "pipe_window.v": ["pipelined"],
    }
    return [
        pytest.param(organisation, mutant, id=f"{organisation}-{mutant[0]}-{number}")
        for number, mutant in enumerate(mutants)
        for organisation in own.get(mutant[0], ["tiled", "pipelined"])
    ]


# What a copy of the design may do wrong at its borders: (file, text, text of the mutant): pixels
# thrown away, a pause of the source or of the sink not seen, TLAST a word early.
BORDER_MUTANTS = [
    ("image_words.v", "{{(BITS - 8) {1'b0}}, image_byte}", "{BITS{1'b0}}"),
    ("pipe_window.v", ".write_data(data)", ".write_data({8 * CHANNELS{1'b0}})"),
    ("axi_streams.v", "image_valid = s_axis_image_tvalid &&", "image_valid = midway_now !== 1'bx &&"),
    ("axi_streams.v", "result_ready = m_axis_result_tready &&", "result_ready ="),
    ("axi_streams.v", "m_axis_result_tlast = closes || result_last", "m_axis_result_tlast = closes || !open"),
]  # fmt: skip


@pytest.mark.parametrize(("folder", "mutant"), _in_their_files(BORDER_MUTANTS), indirect=["folder"])
def test_the_test_bench_sees_faults_at_the_borders(folder, tmp_path, mutant):
    """The delivered bench alone has to see them, whatever else is compared elsewhere."""
    if shutil.which("iverilog") is None:
        pytest.skip("needs iverilog")
    name, old, new = mutant
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    text = (copy / name).read_text()
    assert text.count(old) == 1
    (copy / name).write_text(text.replace(old, new))
    names = (copy / "sources.f").read_text().split()
    built = run(["iverilog", "-g2005", "-o", "bench", *names, "testbench.v"], copy)
    assert built.returncode == 0, built.stderr
    assert "FAIL" in run(BENCH, copy).stdout


@pytest.mark.parametrize("organisation", ["tiled", "pipelined"])
def test_the_images_of_the_bench_tell_pixels_apart(tmp_path, organisation):
    network, images = network_and_images(SEED)
    same = np.repeat(images[:1], 2, axis=0)
    out, array = tmp_path / "rtl", Array(rows=3, columns=2)
    written = write_rtl(network, array=array, out=out, image=same, organisation=organisation)
    assert written.warning is None
    words = (out / "results.hex").read_text().split()
    assert len(words) % 3 == 0 and words[: len(words) // 3] != words[-len(words) // 3 :]
    # No pixel has a weight, so nothing can tell images apart, and that is said.
    blind = replace(network, nodes=tuple(_blind(node) for node in network.nodes))
    written = write_rtl(blind, array=array, out=tmp_path / "2", organisation=organisation)
    assert "give the same results" in written.warning
    assert written.warning in (tmp_path / "2" / "README.md").read_text()


def _blind(node):
    if not isinstance(node, MatrixLayer):
        return node
    bands = tuple(
        replace(band, values=0 * band.values, channels=0 * band.channels)
        for band in node.matrix.bands
    )
    return replace(node, matrix=replace(node.matrix, bands=bands))


def test_images_of_another_shape_are_refused(tmp_path):
    network, images = network_and_images(SEED)
    for wrong in (images[:0], images[:, :, :-1] if images.shape[2] > 1 else images[..., :-1]):
        with pytest.raises(InvalidOptionError, match="give at least one of that shape"):
            write_rtl(network, array=Array(rows=2, columns=2), out=tmp_path / "x", image=wrong)


def test_yosys_elaborates_it(folder):
    script = "; ".join(
        [
            *(f"read_verilog -defer {name}" for name in (folder / "sources.f").read_text().split()),
            "hierarchy -check -top accelerator",
            "proc",
            "check -assert",
        ]
    )
    code = "import sys\nfrom pyosys import libyosys as y\nd = y.Design()\n"
    code += "for c in sys.argv[1].split('; '):\n    y.run_pass(c, d)\nprint('done')\n"
    result = run([sys.executable, "-c", code, script], folder)
    assert result.stdout.strip().endswith("done"), result.stdout[-2000:]


def test_a_network_that_does_not_fit_leaves_no_file(tmp_path):
    network, _ = network_and_images(SEED)
    with pytest.raises(InvalidOptionError, match="accumulates in 32 bits"):
        write_rtl(network, array=Array(accumulator_bits=16), out=tmp_path / "rtl")
    with pytest.raises(InvalidOptionError, match="organisation is 'ring'"):
        write_rtl(network, array=Array(), out=tmp_path / "rtl", organisation="ring")
    assert not (tmp_path / "rtl").exists()


# Broken handshakes that the assertions of the design itself see.
RULE_MUTANTS = [
    ("axi_streams.v", "m_axis_result_tdata = closes ? 32'd0 : result_word", "m_axis_result_tdata = result_word ^ {32{m_axis_result_tready}}"),
    ("axi_streams.v", "m_axis_result_tvalid = closes || result_valid", "m_axis_result_tvalid = closes || result_valid || reset"),
    ("axi_registers.v", "s_axi_bvalid <= write || (s_axi_bvalid && !s_axi_bready)", "s_axi_bvalid <= write || reset"),
    ("image_words.v", "write <= took && ends && !reset", "write <= took && ends && !last_position && !reset"),
    ("tiled_accelerator.v", ".result_ready(result_ready)", ".result_ready(result_ready || result_valid)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("folder", "mutant"),
    [("tiled", None), ("pipelined", None), *_in_their_files(RULE_MUTANTS)],
    indirect=["folder"],
)
def test_the_designs_own_assertions_hold_and_see_broken_handshakes(folder, tmp_path, mutant):
    if shutil.which("iverilog") is None:
        pytest.skip("needs iverilog")
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    if mutant is not None:
        name, old, new = mutant
        text = (copy / name).read_text()
        assert text.count(old) == 1
        text = text.replace(old, new)
        if "reset" in new and name == "axi_registers.v":
            text = text.replace("            s_axi_bvalid <= 1'b0;\n", "")
        (copy / name).write_text(text)
    names = (copy / "sources.f").read_text().split()
    define = "-DSYSTOPACK_ASSERTIONS"
    built = run(["iverilog", "-g2005", define, "-o", "bench", *names, "testbench.v"], copy)
    assert built.returncode == 0, built.stderr
    found = run(BENCH, copy).stdout
    assert ("ASSERTION" in found) == (mutant is not None), found
    assert found.strip().endswith("PASS") == (mutant is None)


def test_every_file_of_verilog_says_its_licence(folder):
    """The licence itself lies beside them."""
    for path in (*folder.glob("*.v"), *VERILOG.glob("*.v"), *PROOFS.glob("*.v")):
        assert path.read_text().startswith("// SPDX-License-Identifier: Apache-2.0\n"), path
    own = Path(__file__).parents[2] / "LICENSE"
    assert (folder / "LICENSE").read_text() == own.read_text()


@pytest.mark.parametrize("test_enable", [0, 1])
def test_gated_clocks_are_there_for_silicon_and_change_no_result(folder, tmp_path, test_enable):
    if shutil.which("iverilog") is None:
        pytest.skip("needs iverilog")
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    bench = (copy / "testbench.v").read_text()
    assert bench.count("accelerator subject (") == bench.count(".test_enable(1'b0)") == 1
    bench = bench.replace("accelerator subject (", "accelerator #(.GATED(1)) subject (")
    bench = bench.replace(".test_enable(1'b0)", f".test_enable(1'b{test_enable})")
    (copy / "testbench.v").write_text(bench)
    names = (copy / "sources.f").read_text().split()
    built = run(["iverilog", "-g2005", "-o", "bench", *names, "testbench.v"], copy)
    assert built.returncode == 0, built.stderr
    assert run(BENCH, copy).stdout.strip().endswith("PASS")
