"""The accelerator's periphery: the netlist does what the Verilog does, and is counted."""

import numpy as np
import pytest

from systopack.errors import InvalidFileError
from systopack.hardware.array import Array
from systopack.rtl.program import compile_tiled
from systopack.synthesis import periphery
from systopack.synthesis.accelerator import map_accelerator
from systopack.synthesis.liberty import read_library
from systopack.synthesis.periphery import map_periphery, measure_periphery
from tests.networks import random_network


@pytest.fixture(scope="module")
def network():
    return random_network(np.random.default_rng(3), layers=1)


@pytest.fixture(scope="module")
def program(network):
    array = Array(
        rows=2,
        columns=2,
        alpha=8,
        cell="bit-serial-compact",
        sub_banks=2,
        accumulator_bits=network.accumulator_bits,
    )
    return compile_tiled(network, array=array)


@pytest.fixture(scope="module")
def image(network):
    shape = network.shapes[network.nodes[0].name]
    return np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)


def test_a_whole_image(program, image):
    done = []
    found = measure_periphery(
        program, image, library=read_library(), on_progress=lambda *now: done.append(now)
    )
    assert done[-1][0] == done[-1][1] == len(done)
    assert found.cycles > 200
    assert found.bits_checked > 500 * found.cycles
    assert set(found.blocks_pj) == {"activation banks", "control", "output lanes"}
    assert min(found.blocks_pj.values()) > 0
    assert 0 < found.clock_pj < found.total_pj
    blocks = map_accelerator(program, library=read_library())
    counted = sum(block.flip_flops for block in blocks if block.name != "array")
    assert found.flip_flops == pytest.approx(counted, rel=0.02)  # constants move through blocks


def test_another_bit_than_the_verilog_gives_is_refused(program, image, monkeypatch):
    simulate = periphery.run_tiled

    def tampered(program, images, *, probe):
        simulate(program, images, probe=probe)
        words = np.fromfile(probe.file, dtype="<u4").reshape(-1, -(-probe.bits // 32))
        names = [port.name for port in probe.ports]
        at = sum(port.bits for port in probe.ports[: names.index("words_captured")])
        words[100, at // 32] ^= np.uint32(1 << at % 32)
        words.tofile(probe.file)

    monkeypatch.setattr(periphery, "run_tiled", tampered)
    with pytest.raises(InvalidFileError, match=r"bit 0 of 'words_captured' .* in cycle 100"):
        measure_periphery(program, image, library=read_library())


def test_the_parts(program):
    parts = map_periphery(program, library=read_library())
    banks = [part for part in parts if part.block == "activation banks"]
    names = [path for part in banks for path in part.instances]
    assert len(names) == 2 + program.parameters["RESIDUALS"] * program.timing.lanes
    (control,) = [part for part in parts if part.instances == ("",)]
    assert "array.sum_out" in control.netlist.inputs
    assert "array.x" in control.netlist.outputs
    assert "descriptors.read_data" in banks[0].netlist.inputs
    # What all banks are given alike is recorded once.
    signals = {part.signal(path, "row_bytes") for part in banks for path in part.instances}
    assert len(signals) == 1
