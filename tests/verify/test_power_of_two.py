"""Cells without a multiplier: whole networks, and the faults and weights that must be refused."""

import numpy as np
import pytest

from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array, check_fits
from systopack.network.powers import with_powers_of_two
from systopack.rtl.parameters import VERILOG
from systopack.verification.verify import verify
from tests.networks import random_images, random_network
from tests.verify.test_mutations import assert_killed

ARRAY = Array(
    rows=4, columns=5, cell="power-of-two", input_fanout=2, cells_per_stage=3, weight_buffers=1
)
MUTANTS = [
    ("a weight's sign dropped", "compact_array.v", "{index, weight[WEIGHT_BITS-1],", "{index, 1'b0,"),
    ("minus a word without its one", "selector_cell.v", "above_it = minus & first & ~word", "above_it = 1'b0"),
    ("the sign bit not taken off", "selector_cell.v", "before_it = {last, above}", "before_it = {1'b0, above}"),
    ("high bits read a byte too low", "selector_cell.v", "part[BEFORE-1:BEFORE-LEFT]", "part[LEFT-1:0]"),
]  # fmt: skip


def outcome(verilog, organisation="tiled", array=ARRAY):
    rng = np.random.default_rng(10)
    network = with_powers_of_two(random_network(rng, layers=4))
    images = random_images(rng, network, 2)
    return verify(network, images, array=array, organisation=organisation, verilog=verilog)


def test_a_network_of_powers_of_two_word_for_word_and_cycle_for_cycle():
    assert outcome(VERILOG).passed


@pytest.mark.slow
def test_the_layer_pipelined_accelerator():
    array = Array(rows=4, columns=5, alpha=16, cell="power-of-two", cells_per_stage=4)
    assert outcome(VERILOG, "pipelined", array).passed


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant[0])
def test_every_mutant_of_a_cell_without_a_multiplier_is_killed(tmp_path, mutant):
    assert_killed(tmp_path, outcome, *mutant[1:])


@pytest.mark.slow
def test_a_lenet5_shift_of_powers_of_two():
    from tests.verify.lenet import random_lenet5_shift

    network = with_powers_of_two(random_lenet5_shift(np.random.default_rng(5), density=0.1))
    images = np.random.default_rng(6).integers(-128, 128, (1, 1, 28, 28)).astype(np.int8)
    array = Array(
        rows=16,
        columns=16,
        cell="power-of-two",
        input_fanout=8,
        cells_per_stage=8,
        weight_buffers=1,
    )
    result = verify(network, images, array=array)
    assert result.passed, str(result.difference)


def test_other_weights_are_refused_by_layer_and_place():
    network = random_network(np.random.default_rng(10))
    check_fits(with_powers_of_two(network), ARRAY)
    with pytest.raises(
        InvalidOptionError,
        match=r"Layer '\w+' has a weight of -?\d+ in row \d+, column \d+ .* --weights power-of-two",
    ):
        check_fits(network, ARRAY)
