"""`verify` on random networks and random arrays: every byte, every cycle."""

import re
from pathlib import Path

import numpy as np
import pytest

from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array
from systopack.hardware.cells import CELLS
from systopack.verification.tracing import Trace
from systopack.verification.verify import verify
from tests.networks import random_images, random_network


def random_array(rng: np.random.Generator) -> Array:
    rows, columns = int(rng.integers(1, 7)), int(rng.integers(1, 7))
    cell = str(
        rng.choice(
            ["bit-serial", "bit-parallel", "balanced", "bit-serial-compact", "bit-parallel-compact"]
        )
    )
    input_fanout = int(rng.integers(1, rows + 1))
    shared = int(rng.integers(1, columns + 1)) if CELLS[cell].staged else 1
    weight_buffers = int(rng.integers(1, 3))
    return Array(
        rows=rows,
        columns=columns,
        alpha=8,
        cell=cell,
        input_fanout=input_fanout,
        cells_per_stage=shared,
        weight_buffers=weight_buffers,
    )


def check(
    seed: int, *, back_pressure: int = 0, layers: int = 4, concatenations: bool = False
) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng, layers=layers, concatenations=concatenations)
    array = random_array(rng)
    result = verify(
        network, random_images(rng, network, 2), array=array, back_pressure=back_pressure
    )
    assert result.passed, f"{array}: {result.difference}"
    assert result.words > 0


@pytest.mark.parametrize("seed", [10, pytest.param(2, marks=pytest.mark.slow)])
def test_a_random_network_is_equal_in_every_word_and_cycle(seed):
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("weight_buffers", [1, 2])
def test_compact_cells_in_pairs(weight_buffers):
    rng = np.random.default_rng(10)
    network = random_network(rng, layers=3)
    array = Array(
        rows=3,
        columns=3,
        cell="bit-serial-compact",
        cells_per_stage=2,
        weight_buffers=weight_buffers,
    )
    result = verify(network, random_images(rng, network, 2), array=array)
    assert result.passed, result.difference


@pytest.mark.slow
@pytest.mark.parametrize("weight_buffers", [1, 2])
def test_parallel_cells_that_share_a_sum(weight_buffers):
    rng = np.random.default_rng(10)
    network = random_network(rng, layers=3)
    array = Array(
        rows=3,
        columns=5,
        cell="bit-parallel-compact",
        cells_per_stage=2,
        input_fanout=2,
        weight_buffers=weight_buffers,
    )
    result = verify(network, random_images(rng, network, 2), array=array)
    assert result.passed, result.difference


@pytest.mark.slow
def test_concatenations_are_read_where_their_sources_lie():
    check(100, layers=3, concatenations=True)


def test_back_pressure_of_the_host_change_no_word():
    check(10, back_pressure=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 120))
def test_random_networks_on_random_arrays(seed):
    check(seed, layers=5)


def traced(path, *, organisation="tiled", **window):
    network = random_network(np.random.default_rng(0), layers=1)
    images = random_images(np.random.default_rng(0), network, 1)
    trace = Trace(file=path, **window)
    array = Array(rows=2, columns=2)
    found = verify(network, images, array=array, organisation=organisation, trace=trace)
    assert found.passed
    return found.cycles


def changes(path, name):
    """Moments and values of a signal of one bit in a VCD file."""
    text = path.read_text()
    mark = re.search(rf"\$var wire\s+1 (\S+) {name} \$end", text)[1]
    moment, found = 0, []
    for line in text.partition("$enddefinitions")[2].splitlines():
        if line.startswith("#"):
            moment = int(line[1:])
        elif line == f"0{mark}" or line == f"1{mark}":
            found.append((moment, int(line[0])))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("organisation", ["tiled", "pipelined"])
def test_a_trace_is_written_on_demand(tmp_path, organisation):
    path = tmp_path / "run.vcd"
    traced(path, organisation=organisation)
    text = path.read_text()
    assert text.startswith("$version") and "result_word" in text and "#100" in text
    whole = changes(path, "clk")
    part = tmp_path / "part.vcd"
    traced(part, organisation=organisation, first_cycle=40, cycles=25)
    seen = changes(part, "clk")
    assert abs(sum(value for _, value in seen) - 25) <= 1 and len(whole) > len(seen)
    moments = dict(whole)
    assert all(moments[moment] == value for moment, value in seen[1:])


@pytest.mark.slow
def test_a_trace_may_be_fst(tmp_path):
    if not Path("/usr/include/lz4.h").exists():
        pytest.skip("needs liblz4-dev")
    path = tmp_path / "run.fst"
    traced(path, first_cycle=10, cycles=200)
    assert path.read_bytes()[0] == 0  # a header block, 329 bytes with its length
    assert int.from_bytes(path.read_bytes()[1:9], "big") == 329


def test_a_trace_without_cycles_or_of_another_kind_is_refused(tmp_path):
    for wrong in ({"first_cycle": -1}, {"cycles": 0}):
        with pytest.raises(InvalidOptionError, match="begin with 0 or more"):
            Trace(file=tmp_path / "run.vcd", **wrong)
    with pytest.raises(InvalidOptionError, match=r"a file \.vcd or \.fst"):
        Trace(file=tmp_path / "run.txt")


def test_no_image_and_unknown_organisations_are_refused():
    network = random_network(np.random.default_rng(0))
    images = random_images(np.random.default_rng(0), network, 1)
    with pytest.raises(InvalidOptionError, match="at least one"):
        verify(network, images[:0], array=Array())
    with pytest.raises(InvalidOptionError, match="organisation is 'ring'"):
        verify(network, images, array=Array(), organisation="ring")
