"""What a memory gives for a word that is written in the same cycle is used by nobody."""

import shutil

import numpy as np
import pytest

from systopack.hardware.array import Array
from systopack.rtl.parameters import VERILOG
from systopack.verification.verify import verify
from tests.networks import random_images, random_network

READ = "read_data <= words[read_address];"
# As macros do that promise nothing then: a word that is wrong in every bit.
COLLIDING = (
    "read_data <= write && read_address == write_address ? ~words[read_address]\n"
    "                                                        : words[read_address];"
)
ARRAYS = {
    "tiled": Array(rows=3, columns=2),
    "pipelined": Array(rows=4, columns=3, alpha=16),
}


@pytest.mark.slow
@pytest.mark.parametrize("organisation", ["tiled", "pipelined"])
def test_macros_that_promise_nothing_there_change_no_word_and_no_cycle(tmp_path, organisation):
    folder = tmp_path / "verilog"
    shutil.copytree(VERILOG, folder)
    text = (folder / "memory.v").read_text()
    assert text.count(READ) == 1
    (folder / "memory.v").write_text(text.replace(READ, COLLIDING))
    rng = np.random.default_rng(1)
    network = random_network(rng, layers=5)
    images = random_images(rng, network, 2)
    array = ARRAYS[organisation]
    found = verify(network, images, array=array, organisation=organisation, verilog=folder)
    assert found.passed, found.reason
