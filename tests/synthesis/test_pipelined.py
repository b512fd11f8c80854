"""What stands around the arrays of a layer-pipelined accelerator, mapped."""

import numpy as np
import pytest

from systopack.hardware.array import Array
from systopack.hardware.pipelined.units import LayerUnit
from systopack.rtl.pipelined.program import compile_pipelined
from systopack.synthesis.liberty import read_library
from systopack.synthesis.library import Library
from systopack.synthesis.pipelined import map_pipelined
from tests.networks import random_network


@pytest.fixture(scope="module")
def library() -> Library:
    return read_library()


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["bit-serial-compact", "bit-parallel-compact"])
def test_all_but_the_arrays_is_mapped(library, cell):
    network = random_network(np.random.default_rng(3), layers=2)
    array = Array(
        rows=4,
        columns=4,
        alpha=16,
        cell=cell,
        input_fanout=4,
        cells_per_stage=4,
        weight_buffers=1,
        accumulator_bits=network.accumulator_bits,
    )
    program = compile_pipelined(network, array=array)
    found = map_pipelined(program, library=library)
    parts = {part.name: part for part in found.parts}
    assert set(parts) == {"lanes", "control", "line buffers", "sums", "streams"}
    assert found.area_um2 == sum(part.logic_um2 + part.memory_um2 for part in found.parts)
    # A lane for all rows of a layer, with a memory of parameters; line buffers as deep as they are.
    units = [unit for unit in program.units if isinstance(unit, LayerUnit)]
    lanes = sum(-(-unit.layer.matrix.rows // unit.lane_rows) for unit in units)
    assert parts["lanes"].memory_count == lanes
    depths = sum(len(program.depths[unit.name]) for unit in units)
    assert 1 <= parts["line buffers"].memory_count <= depths  # what nothing reads is left out
    assert all(one.shape.ports == 2 for one in parts["line buffers"].memories)
    assert found.critical_ns > 0.3
    assert "$" not in found.startpoint and found.startpoint != "none"
