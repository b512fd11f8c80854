"""The form of the streams for FPGAs: every byte and every cycle of the other one."""

import numpy as np
import pytest

from systopack.hardware.array import Array
from systopack.rtl.parameters import VERILOG
from systopack.synthesis.fpga.design import DEFINE
from systopack.verification.tiled_check import verify_tiled
from tests.networks import random_images, random_network

ARRAYS = [
    Array(rows=3, columns=3, alpha=4),
    Array(
        rows=5, columns=4, cell="bit-parallel-compact", cells_per_stage=2, weight_buffers=1,
        input_fanout=2,
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def verilog(tmp_path_factory):
    """The Verilog with the macro defined."""
    folder = tmp_path_factory.mktemp("fpga")
    for source in VERILOG.glob("*.v"):
        (folder / source.name).write_text(f"`define {DEFINE}\n{source.read_text()}")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: array.cell)
def test_the_form_for_fpgas_is_equal_in_every_byte_and_cycle(verilog, array):
    rng = np.random.default_rng(7)
    network = random_network(rng, layers=5)
    images = random_images(rng, network, 2)
    result = verify_tiled(network, images, array=array, verilog=verilog)
    assert result.passed, result.reason
