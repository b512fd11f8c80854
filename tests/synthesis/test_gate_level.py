"""The whole accelerator as netlists: they do what the Verilog does, and are counted."""

import numpy as np
import pytest

from systopack.errors import InvalidFileError
from systopack.hardware.array import Array
from systopack.rtl.program import compile_tiled
from systopack.synthesis import gate_level
from systopack.synthesis.accelerator import map_accelerator
from systopack.synthesis.gate_level import KINDS, measure_gates
from systopack.synthesis.gate_parts import map_parts, with_library
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
    assert any(line.startswith("systolic_array: 1 of") for line in said)
    assert found.cycles > 200
    assert found.bits_checked > 500 * found.cycles
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
    assert found.critical_ns >= max(part.critical_ns for part in found.parts.values())
    assert found.slow_critical_ns == found.critical_ns
    blocks = map_accelerator(program, library=library)
    counted = sum(block.flip_flops for block in blocks)
    assert found.flip_flops == pytest.approx(counted, rel=0.02)  # constants move through parts


def test_another_bit_than_the_verilog_gives_is_refused(program, image, monkeypatch):
    simulate = gate_level.run_tiled

    def tampered(program, images, *, probe):
        simulate(program, images, probe=probe)
        words = np.fromfile(probe.file, dtype="<u4").reshape(-1, -(-probe.bits // 32))
        names = [port.name for port in probe.ports]
        at = sum(port.bits for port in probe.ports[: names.index("array.sum_out")])
        words[100, at // 32] ^= np.uint32(1 << at % 32)
        words.tofile(probe.file)

    monkeypatch.setattr(gate_level, "run_tiled", tampered)
    with pytest.raises(InvalidFileError, match=r"bit 0 of 'sum_out' .* in cycle 100"):
        measure_gates(program, image, library=read_library())


def test_the_parts(program):
    library = read_library()
    design = map_parts(program, library=library)
    streams = next(part for part in design.parts if part.module == "word_streams")
    assert len(streams.instances) == program.array.columns
    control = design.parts[-1]
    assert control.instances == ("",) and control.name == "control"
    assert "array.sum_out" not in control.netlist.inputs  # the lanes' sums take it
    assert "array.word_start" in control.netlist.outputs
    # What all columns are given alike is recorded once.
    assert len({streams.signal(path, "bank_words") for path in streams.instances}) == 1
    # The whole is its parts; gates without a use are gone.
    cells = sum(len(part.instances) * part.netlist.cells for part in design.parts)
    assert 0.9 * cells < design.whole.cells <= cells
    again = with_library(design.whole, library)
    assert again.area_um2 == design.whole.area_um2


def test_windows_of_nodes():
    windows = gate_level._windows(["input", "a", "a", "b"], [2, 10, 15, 20], 30)
    assert list(windows) == [("input", 0, 10), ("a", 10, 20), ("b", 20, 30)]
