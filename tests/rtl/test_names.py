"""Names of networks and layers in the files that tools read: text, never commands."""

import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from systopack.errors import InvalidFileError, InvalidOptionError
from systopack.hardware.array import Array
from systopack.rtl.names import comment, markdown
from systopack.rtl.write import write_rtl
from systopack.synthesis.fpga.xilinx import vivado_script
from systopack.synthesis.liberty_tree import library_of
from systopack.synthesis.yosys import run_yosys
from systopack.verification.tracing import c_string
from tests.networks import random_network

MODULE = 'x\nmodule evil; initial $display("INJECTED"); endmodule\n//'
HOSTILE = [
    MODULE,
    MODULE.replace("\n", "\r"),
    MODULE.replace("\n", "\u2028"),
    MODULE.replace("\n", "\x0b"),
    "the end \\",
    "synthesis translate_off",
    "synopsys translate_off",
    "verilator lint_off WIDTH */ module evil; /*",
    '`include "/etc/passwd"',
    "\x1b[2J",
    "\ud800",
    "a | b\n| --- |\n```\n$(reboot) `reboot` <script>",
]


def renamed(network, name):
    """With a name that may no longer be given to a network: written out all the same."""
    object.__setattr__(network, "name", name)
    for node in network.nodes:
        object.__setattr__(node, "name", f"{node.name}{name}")
        if hasattr(node, "source"):
            object.__setattr__(node, "source", f"{node.source}{name}")
        if getattr(node, "residual", None) is not None:
            object.__setattr__(node.residual, "source", f"{node.residual.source}{name}")
    for cached in ("shapes", "by_name"):
        network.__dict__.pop(cached, None)
    return network


def code_of(folder):
    """All Verilog without comments."""
    lines = []
    for path in sorted(folder.glob("*.v")):
        lines += [line.split("//")[0].rstrip() for line in path.read_text().split("\n")]
    return lines


@pytest.mark.parametrize("organisation", ["tiled", "pipelined"])
def test_names_change_nothing_but_comments_of_one_line(tmp_path, monkeypatch, organisation):
    monkeypatch.setattr("systopack.network.limits._check_texts", lambda network: None)

    def write(name, folder):
        network = renamed(random_network(np.random.default_rng(42), layers=3), name)
        write_rtl(network, array=Array(rows=3, columns=2), out=folder, organisation=organisation)
        return folder

    plain = write("plain", tmp_path / "plain")
    for number, name in enumerate(HOSTILE):
        hostile = write(name, tmp_path / str(number))
        assert code_of(hostile) == code_of(plain), name
        text = (hostile / "README.md").read_text()
        assert text.count("\n") == (plain / "README.md").read_text().count("\n"), name
        assert 'INJECTED")' not in text and "<script>" not in text and "`reboot`" not in text
        top = (hostile / "accelerator.v").read_bytes()
        assert top.isascii()
    if shutil.which("iverilog"):
        names = (tmp_path / "0" / "sources.f").read_text().split()
        subprocess.run(
            ["iverilog", "-g2005", "-o", "bench", *names, "testbench.v"],
            cwd=tmp_path / "0",
            check=True,
        )
        found = subprocess.run(
            ["./bench"], cwd=tmp_path / "0", check=True, capture_output=True, text=True
        )
        assert found.stdout.split() == ["PASS"]


@given(st.text())
@example(HOSTILE[0])
@example("\\")
def test_every_name_is_one_line_of_text(name):
    found = comment(name)
    assert found.isascii() and found.isprintable() and found[0] == found[-1] == "'"
    assert "\\" not in found and "*" not in found and "'" not in found[1:-1]
    assert markdown(name).isprintable()


@given(st.binary().filter(lambda text: b"\0" not in text))
def test_a_string_of_c_holds_its_bytes(text):
    inside = c_string(text)[1:-1]
    assert bytes(int(part, 8) for part in inside.split("\\")[1:]) == text


def test_files_whose_names_are_commands_are_refused(tmp_path):
    for name in ("a;exec -- touch x.v", "a b.v", "-o.v", "a\n.v", "ü.v", "a$b.v"):
        source = tmp_path / name
        source.write_text("module top; endmodule\n")
        with pytest.raises(InvalidFileError, match="has a name that yosys cannot read"):
            run_yosys(top="top", sources=[source], commands=[])


@pytest.mark.parametrize(
    ("cell", "pin"),
    [("x;exec -- touch y", "A"), ("x", "A); evil u0 ("), ("x", "A b"), ("[exit]", "A"), ("", "A")],
)
def test_a_liberty_file_whose_names_are_commands_is_refused(tmp_path, cell, pin):
    inner = ["pin", "", [pin], [["direction", "input", [], []]]]
    tree = ["library", "", ["lib"], [["cell", "", [cell], [inner]]]]
    with pytest.raises(InvalidFileError, match="names are made of letters"):
        library_of(tree, tmp_path)


@pytest.mark.parametrize("part", ["xcku035; exec reboot", "[exec reboot]", "", "-x", "ü"])
def test_a_part_that_is_a_command_is_refused(part):
    with pytest.raises(InvalidOptionError, match="Vivado's name of a device"):
        vivado_script(["a.v"], top="a", part=part, clock_mhz=100)
