"""The accelerator behind its AXI ports, driven by the host library."""

from dataclasses import replace

import numpy as np

from systopack.hardware.array import Array
from systopack.hardware.tiled import count_tiled
from systopack.network.nodes import MatrixLayer
from systopack.network.reference import run
from systopack.rtl.host import IDENTITY, PIPELINED_IDENTITY, TILED_IDENTITY
from systopack.rtl.parameters import sources
from systopack.rtl.pipelined.program import compile_pipelined
from systopack.rtl.program import compile_tiled
from systopack.verify.array_bench import to_bits
from systopack.verify.axi import SimulatedBoard
from systopack.verify.bench import Bench, Port
from tests.networks import random_images, random_network


def test_a_host_configures_runs_and_reads_the_cycle_counter():
    rng = np.random.default_rng(4)
    network = random_network(rng, layers=3)
    images = random_images(rng, network, 2)
    program = compile_tiled(network, array=Array(rows=3, columns=2))
    board = SimulatedBoard(program)
    board.host.configure(program)
    assert not board.host.busy()
    expected = run(network, images)[network.output.name].reshape(2, -1)
    for image, logits in zip(images, expected, strict=True):
        assert np.array_equal(board.run(image), logits)
        while board.host.busy():
            pass
        # The image is there from the start and the host is never late: the model's cycles.
        counted = count_tiled(network, array=program.array)
        assert board.host.cycles() == counted.cycles
        assert board.host.entered_words() == counted.entered_words
        assert board.host.stall_words() == counted.stall_words
    assert board._read(IDENTITY) == TILED_IDENTITY
    assert board._read(0x40) == 0


def test_memories_of_more_than_256_words_are_collected():
    bits, chunks = 9000, 282
    ports = {"reset": 1, "s_axi_awaddr": 8, "s_axi_awvalid": 1, "s_axi_wdata": 32}
    ports |= {"s_axi_wvalid": 1, "s_axi_bready": 1, "s_axi_araddr": 8, "s_axi_arvalid": 1}
    ports |= {
        "s_axi_rready": 1,
        "started": 1,
        "busy": 1,
        "cycles": 32,
        "entered": 32,
        "stalled": 32,
    }
    bench = Bench(
        top="axi_registers",
        sources=sources(("axi_registers.v",)),
        parameters={"CONFIG_BITS": bits, "IDENTITY": 1},
        inputs=tuple(Port(name=name, bits=wide) for name, wide in ports.items()),
        outputs=(Port(name="data", bits=bits),),
    )
    values = np.random.default_rng(0).integers(0, 1 << 32, chunks)
    given = {name: np.zeros((chunks + 4, wide), dtype=np.uint8) for name, wide in ports.items()}
    given["reset"][:2] = 1
    given["s_axi_bready"][:] = 1
    at = slice(2, 2 + chunks)
    given["s_axi_awvalid"][at] = given["s_axi_wvalid"][at] = 1
    given["s_axi_awaddr"][at] = to_bits(np.array(0x10), 8)
    given["s_axi_wdata"][at] = to_bits(values, 32)
    assert np.array_equal(bench.run(given)["data"][-1], to_bits(values, 32).reshape(-1)[:bits])


def test_the_same_calls_drive_a_layer_pipelined_accelerator():
    rng = np.random.default_rng(4)
    network = random_network(rng, layers=2)
    images = random_images(rng, network, 2)
    program = compile_pipelined(network, array=Array(rows=3, columns=2))
    board = SimulatedBoard(program)
    board.host.configure(program)
    expected = run(network, images)[network.output.name].reshape(2, -1)
    for image, logits in zip(images, expected, strict=True):
        assert np.array_equal(board.run(image), logits)
        while board.host.busy():
            pass
        assert board.host.cycles() == program.cycles.latency_cycles
    assert board._read(IDENTITY) == PIPELINED_IDENTITY
    # Other weights, without a reset: the cells take them over.
    other = replace(network, nodes=tuple(_negated(node) for node in network.nodes))
    board.host.configure(compile_pipelined(other, array=program.array))
    expected = run(other, images)[network.output.name].reshape(2, -1)
    for image, logits in zip(images, expected, strict=True):
        assert np.array_equal(board.run(image), logits)


def _negated(node):
    if not isinstance(node, MatrixLayer):
        return node
    bands = tuple(
        replace(band, values=-np.maximum(band.values, -127)) for band in node.matrix.bands
    )
    return replace(node, matrix=replace(node.matrix, bands=bands))
