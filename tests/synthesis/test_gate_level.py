"""The whole accelerator as netlists: they do what the Verilog does, and are counted."""

from collections import Counter

import numpy as np
import pytest

from systopack.errors import InvalidFileError
from systopack.hardware.array import Array
from systopack.rtl.program import compile_tiled
from systopack.synthesis import gate_level
from systopack.synthesis.accelerator import map_accelerator
from systopack.synthesis.gate_level import KINDS, measure_gates
from systopack.synthesis.gate_parts import map_gates, with_library
from systopack.synthesis.liberty import read_library
from tests.networks import random_network

PARTS = {"array", "control", "feature memory", "lanes", "streams"}


@pytest.fixture(scope="module")
def program():
    network = random_network(np.random.default_rng(3), layers=1)
    array = Array(
        rows=2,
        columns=2,
        alpha=8,
        cell="bit-serial-compact",
        accumulator_bits=network.accumulator_bits,
    )
    return compile_tiled(network, array=array)


@pytest.fixture(scope="module")
def image(program):
    network = program.network
    shape = network.shapes[network.nodes[0].name]
    return np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)


@pytest.mark.slow
def test_a_whole_image(program, image):
    said = []
    library = read_library()
    found = measure_gates(program, image, library=library, slow=library, on_progress=said.append)
    assert len(said) == 2 + len(found.nodes)
    assert found.cycles > 200
    assert found.bits_checked > 300 * found.cycles
    assert [node.node for node in found.nodes] == list(
        dict.fromkeys(op.node for op in program.plan.ops)
    )
    assert sum(node.cycles for node in found.nodes) == found.cycles
    assert set(found.parts) == PARTS
    assert all(set(node.parts) == PARTS for node in found.nodes)
    for part in PARTS:
        cells, clock, leakage, *_ = (found.total(kind, part) for kind in KINDS)
        assert 0 < clock < cells and 0 < leakage < cells
    assert found.total("cells_pj") == pytest.approx(
        sum(found.total("cells_pj", part) for part in PARTS)
    )
    assert found.critical_ns >= max(part.critical_ns for part in found.parts.values()) > 0
    assert found.slow_critical_ns == found.critical_ns
    for part in found.parts.values():  # paths are told by the names in the Verilog
        assert "$" not in part.startpoint and part.startpoint != "none"


@pytest.mark.slow
def test_another_bit_than_the_verilog_gives_is_refused(program, image, monkeypatch):
    simulate = gate_level.run_tiled

    def tampered(program, images, *, probe):
        simulate(program, images, probe=probe)
        words = np.fromfile(probe.file, dtype="<u4").reshape(-1, -(-probe.bits // 32))
        names = [port.name for port in probe.ports]
        at = sum(port.bits for port in probe.ports[: names.index("weights.weights.read_address")])
        words[100, at // 32] ^= np.uint32(1 << at % 32)
        words.tofile(probe.file)

    monkeypatch.setattr(gate_level, "run_tiled", tampered)
    with pytest.raises(InvalidFileError, match=r"bit 0 of 'weights.weights.read_address' .* 100;"):
        measure_gates(program, image, library=read_library())


@pytest.mark.slow
def test_the_parts(program):
    library = read_library()
    design = map_gates(program, library=library)
    assert set(design.parts) == PARTS
    assert "weights.weights.read_data" in design.netlist.inputs
    assert "weights.weights.read_address" in design.netlist.outputs
    areas = {part.name: part for part in map_accelerator(program, library=library)}
    flip_flops = Counter()
    for name, item in design.netlist.instances.items():
        if item.cell.kind == "flip-flop":
            for number in design.members[name].tolist():
                flip_flops[design.parts[number]] += 1
    for part in PARTS:  # constants move through parts when they are put together
        assert flip_flops[part] == pytest.approx(areas[part].flip_flops, rel=0.02)
    assert with_library(design.netlist, library).area_um2 == design.netlist.area_um2


def test_windows_of_nodes():
    windows = gate_level._windows(["input", "a", "a", "b"], [2, 10, 15, 20], 30)
    assert list(windows) == [("input", 0, 10), ("a", 10, 20), ("b", 20, 30)]
