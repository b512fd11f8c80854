"""The list of memories that a written folder gives, against the elaborated Verilog."""

import json
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from systopack.hardware.array import Array
from systopack.rtl.memories import (
    memory_bits,
    pipelined_memories,
    tiled_memories,
)
from systopack.rtl.parameters import VERILOG
from systopack.rtl.pipelined.program import compile_pipelined
from systopack.rtl.program import compile_tiled
from systopack.rtl.write import write_rtl
from tests.networks import network_of_positions, random_network

RUN = """
import sys
from pyosys import libyosys as y
design = y.Design()
for command in sys.argv[1].split("; "):
    y.run_pass(command, design)
"""

MODULES = ("memory", "register_memory", "single_memory", "feature_bank")


def elaborated(folder, top):
    """Memories below an instance of `top`: (path, module, width, depth) and how often."""
    names = (folder / "sources.f").read_text().split()
    commands = [*(f"read_verilog -defer {name}" for name in names)]
    commands += ["hierarchy -top accelerator", "proc -noopt", "write_json design.json"]
    subprocess.run(
        [sys.executable, "-c", RUN, "; ".join(commands)],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    modules = json.loads((folder / "design.json").read_text())["modules"]
    found = Counter()

    def base(kind):
        return kind.split("\\")[1] if kind.startswith("$paramod") else kind

    def walk(kind, path):
        if base(kind) in MODULES:
            (words,) = modules[kind]["memories"].values()
            found[path, base(kind), words["width"], words["size"]] += 1
            return
        for name, cell in modules[kind]["cells"].items():
            if cell["type"] in modules:
                below = "" if base(cell["type"]) == top else f"{path}.{name}".lstrip(".")
                walk(cell["type"], re.sub(r"\[\d+\]", "[*]", below))

    walk("accelerator", "")
    return found


@pytest.mark.parametrize(
    ("seed", "options"),
    [
        (42, {"rows": 3}),
        (1, {"rows": 8, "weight_buffers": 1, "cell": "bit-serial-compact"}),
        (45, {"rows": 3, "cell": "bit-parallel"}),
    ],
    ids=str,
)
def test_those_of_a_tiled_accelerator_are_the_ones_listed(tmp_path, seed, options):
    network = random_network(np.random.default_rng(seed), layers=3)
    array = Array(**{"columns": 2, **options})
    folder = tmp_path / "rtl"
    written = write_rtl(network, array=array, out=folder)
    check(folder, written, tiled_memories(compile_tiled(network, array=array)), "tiled_accelerator")


@pytest.mark.parametrize("which", ["positions", "random"])
def test_those_of_a_pipelined_accelerator_are_the_ones_listed(tmp_path, which):
    network = random_network(np.random.default_rng(1), layers=5)
    if which == "positions":
        network = network_of_positions()
    array = Array(rows=3, columns=2, alpha=16)
    folder = tmp_path / "rtl"
    written = write_rtl(network, array=array, out=folder, organisation="pipelined")
    listed = pipelined_memories(compile_pipelined(network, array=array))
    check(folder, written, listed, "pipelined_accelerator")


def check(folder, written, listed, top):
    mine = Counter()
    for memory in listed:
        mine[memory.place, memory.module, memory.width, memory.depth] += memory.count
    assert elaborated(folder, top) == mine
    assert written.memory_bits == memory_bits(listed)
    readme = (folder / "README.md").read_text()
    for memory in listed:
        assert f"`{memory.place}` | {memory.count} | {memory.width} | {memory.depth:,} |" in readme


# Every array of words that is addressed stands in a wrapper; `total` are accumulators, all added to
# at once, the test bench is no hardware.
def test_no_other_block_holds_an_array():
    arrays = {
        path.name
        for path in VERILOG.glob("*.v")
        if re.search(r"^\s*reg\s[^;]*\w\s*\[0:", path.read_text(), re.MULTILINE)
    }
    wrappers = {f"{name}.v" for name in MODULES}
    assert arrays == wrappers | {"testbench.v"}
