"""The parts of a whole accelerator: counted by hand where that is possible."""

from collections import Counter

import numpy as np
import pytest

from systopack.hardware.array import Array
from systopack.network.network import PackedNetwork
from systopack.rtl.memories import REGISTER_MEMORY, tiled_memories
from systopack.rtl.program import TiledProgram, compile_tiled
from systopack.synthesis.accelerator import MemoryShape, PartArea, map_accelerator
from systopack.synthesis.asic import map_array
from systopack.synthesis.liberty import read_library
from systopack.synthesis.parts import base_name
from tests.networks import random_network

ARRAY = Array(rows=2, columns=2, alpha=8, cell="bit-serial-compact")


@pytest.fixture(scope="module")
def network() -> PackedNetwork:
    return random_network(np.random.default_rng(3), layers=1)


@pytest.fixture(scope="module")
def program(network) -> TiledProgram:
    return compile_tiled(network, array=ARRAY)


@pytest.fixture(scope="module")
def parts(program) -> dict[str, PartArea]:
    return {part.name: part for part in map_accelerator(program, library=read_library())}


@pytest.mark.slow
def test_all_memories_are_there(program, parts):
    found: Counter[tuple[int, int]] = Counter()
    for part in parts.values():
        for one in part.memories:
            found[one.shape.width_bits, one.shape.words] += one.count
    wanted: Counter[tuple[int, int]] = Counter()
    for memory in tiled_memories(program):
        if memory.module != REGISTER_MEMORY:
            wanted[memory.width, memory.depth] += memory.count
    assert found == wanted
    assert parts["feature memory"].memory_count == 2 * program.plan.timing.banks  # words, jobs
    assert parts["weights and tables"].memory_count == 5
    assert parts["weights and tables"].logic_um2 == 0
    assert parts["array"].memories == parts["streams"].memories == ()


@pytest.mark.slow
def test_only_what_a_run_reads_and_writes_at_once_has_two_ports(program, parts):
    two = [one.shape for part in parts.values() for one in part.memories if one.shape.ports == 2]
    window = program.parameters["POOL_BITS"] + 1  # rows of a lane
    pools = program.parameters["POOLS"]
    expected = {MemoryShape(width_bits=24 if pools == 2 else 8, words=1 << window, ports=2)}
    assert set(two) == (expected if pools and window > 3 else set())


@pytest.mark.slow
def test_the_array_is_about_as_large_as_alone(parts):
    alone = map_array(ARRAY, library=read_library())
    assert parts["array"].flip_flops == alone.count("flip-flop")
    assert parts["array"].logic_um2 == pytest.approx(alone.area_um2, rel=0.15)


def test_names_of_modules():
    assert base_name(r"$paramod$0a1b\word_streams") == "word_streams"
    assert base_name(r"$paramod\memory\WIDTH=s32'00000000000000000000000000001000") == "memory"
    assert base_name(r"\visit_control") == "visit_control"
