"""What a memory gives for a word that is written, and after a write, is used by nobody."""

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
BANK = "if (enables == {WORD_BYTES{1'b0}}) read_data <= words[address];"
WRITTEN = "read_data <= enables == {WORD_BYTES{1'b0}} ? words[address] : ~words[address];"
CHANGES = {
    "tiled": [("memory.v", READ, COLLIDING), ("feature_bank.v", BANK, WRITTEN)],
    "pipelined": [("memory.v", READ, COLLIDING)],
}
ARRAYS = {
    "tiled": Array(rows=3, columns=2),
    "pipelined": Array(rows=4, columns=3, alpha=16),
}


@pytest.mark.slow
@pytest.mark.parametrize("organisation", ["tiled", "pipelined"])
def test_macros_that_promise_nothing_there_change_no_word_and_no_cycle(tmp_path, organisation):
    folder = tmp_path / "verilog"
    shutil.copytree(VERILOG, folder)
    for name, old, new in CHANGES[organisation]:
        text = (folder / name).read_text()
        assert text.count(old) == 1
        (folder / name).write_text(text.replace(old, new))
    rng = np.random.default_rng(1)
    network = random_network(rng, layers=5)
    images = random_images(rng, network, 2)
    array = ARRAYS[organisation]
    found = verify(network, images, array=array, organisation=organisation, verilog=folder)
    assert found.passed, found.reason
