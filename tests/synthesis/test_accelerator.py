"""The blocks of a whole accelerator: counted by hand where that is possible."""

import numpy as np
import pytest

from systopack.hardware.array import Array
from systopack.network.network import PackedNetwork
from systopack.rtl.memories import memory_bits, tiled_memories
from systopack.rtl.program import compile_tiled
from systopack.synthesis.accelerator import PartArea, map_accelerator
from systopack.synthesis.asic import map_array
from systopack.synthesis.liberty import read_library
from systopack.synthesis.parts import base_name
from tests.networks import random_network

ARRAY = Array(rows=2, columns=2, alpha=8, cell="bit-serial-compact", sub_banks=2)


@pytest.fixture(scope="module")
def network() -> PackedNetwork:
    return random_network(np.random.default_rng(3), layers=1)


@pytest.fixture(scope="module")
def blocks(network) -> dict[str, PartArea]:
    found = map_accelerator(compile_tiled(network, array=ARRAY), library=read_library())
    return {block.name: block for block in found}


def test_all_memories_are_there(network, blocks):
    program = compile_tiled(network, array=ARRAY)
    assert sum(block.memory_bits for block in blocks.values()) == memory_bits(
        tiled_memories(program)
    )
    banks = 2 + program.parameters["RESIDUALS"] * program.timing.lanes
    assert blocks["activation banks"].memories == banks * (1 + 2 * 2)  # descriptors; two parts
    assert blocks["output lanes"].memories == 3 * program.timing.lanes
    assert blocks["weights and programs"].memories == 3


def test_the_array_is_about_as_large_as_alone(blocks):
    alone = map_array(ARRAY, library=read_library())
    assert blocks["array"].flip_flops == alone.count("flip-flop")
    assert blocks["array"].logic_um2 == pytest.approx(alone.area_um2, rel=0.15)


def test_names_of_modules():
    assert base_name(r"$paramod$0a1b\stream_bank") == "stream_bank"
    assert base_name(r"$paramod\memory\WIDTH=s32'00000000000000000000000000001000") == "memory"
    assert base_name(r"\controller") == "controller"
