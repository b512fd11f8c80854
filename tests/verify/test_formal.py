"""Proofs for all values; and that a wrong block cannot be proven."""

from dataclasses import replace

import pytest

from systopack.hardware.array import Array
from systopack.verify.formal import cell_claim, prove, requantizer_claim


@pytest.mark.parametrize("bits", [16, 24, 32, 40])
def test_the_requantizer_is_the_method_for_every_value_and_shift(bits):
    assert prove(requantizer_claim(bits))


def test_rounding_ties_upwards_is_refuted(tmp_path):
    claim = requantizer_claim(32)
    text = claim.files[0].read_text()
    wrong = tmp_path / "requantize.v"
    wrong.write_text(text.replace("below == half && quotient[0]", "below == half"))
    assert wrong.read_text() != text
    assert not prove(replace(claim, files=(wrong, claim.files[1])))


@pytest.mark.slow
@pytest.mark.parametrize(
    "array",
    [
        Array(rows=1, columns=1, alpha=1, cell="il", accumulator_bits=16),
        Array(rows=1, columns=1, alpha=8, cell="mx", accumulator_bits=16),
        Array(rows=1, columns=1, alpha=8, cell="bit-parallel"),
    ],
    ids=lambda array: f"{array.cell}-{array.alpha}",
)
def test_a_cell_multiplies_and_adds_whatever_came_before(array):
    assert prove(cell_claim(array))


def test_a_dropped_carry_is_refuted(tmp_path):
    claim = cell_claim(Array(rows=1, columns=1, alpha=1, cell="il", accumulator_bits=16))
    text = claim.files[1].read_text()
    wrong = tmp_path / "mx_row.v"
    wrong.write_text(text.replace("(g_lane[p-1].sum_carry & first) |", ""))
    assert wrong.read_text() != text
    assert not prove(replace(claim, files=(claim.files[0], wrong, *claim.files[2:])))
