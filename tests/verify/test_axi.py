"""The accelerator behind its AXI ports, driven by the host library."""

from dataclasses import replace

import numpy as np

from systopack.hardware.array import Array
from systopack.hardware.tiled import count_tiled
from systopack.network.nodes import MatrixLayer
from systopack.network.reference import run
from systopack.rtl.host import IDENTITY, PIPELINED_IDENTITY, TILED_IDENTITY
from systopack.rtl.pipelined.program import compile_pipelined
from systopack.rtl.program import compile_tiled
from systopack.verify.axi import SimulatedBoard
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
