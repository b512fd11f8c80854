"""Packing: matrices worked by hand, and what must hold for every matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from systopack import dense, n_of_m, pack
from systopack.errors import InvalidMatrixError, InvalidOptionError
from systopack.packing.grouping import dense_column_first, dense_column_first_definition
from systopack.packing.pack import pack_groups
from systopack.packing.pruning import column_combine_definition, conflicts, magnitude_mask
from systopack.packing.rule import PackingRule
from tests.packing.matrices import filter_matrices, packing_limits

EXAMPLE = np.array([[1.0, 0, 0, 2], [0, 3, 0, 0], [0, 0, 0, 4]])
CONFLICTS = np.array([[5.0, -6, 0, 1], [0, 2, 0, 0], [7, 0, 0, 8]])


def test_combines_without_conflict():
    packed = pack(EXAMPLE, alpha=2, gamma=0)
    assert packed.groups == ((1, 3), (0,))
    assert packed.values.tolist() == [[2, 1], [3, 0], [4, 0]]
    assert packed.channels.tolist() == [[1, 0], [0, 0], [1, 0]]
    assert packed.to_dense().tolist() == EXAMPLE.tolist()


def test_prunes_all_but_the_largest_of_a_row():
    packed = pack_groups(CONFLICTS, [(0, 1, 3)])
    assert packed.values.tolist() == [[-6], [2], [8]]
    assert packed.channels.tolist() == [[1], [1], [2]]
    assert packed.to_dense().tolist() == [[0, -6, 0, 0], [0, 2, 0, 0], [0, 0, 0, 8]]


def test_counts_conflicts_as_nonzeros_beyond_the_first():
    assert conflicts(CONFLICTS != 0, ((0, 1, 3), (2,), (0, 3))) == [3, 0, 2]


def test_ties_keep_the_column_listed_first():
    packed = pack_groups([[3, -3]], [(1, 0)])
    assert packed.to_dense().tolist() == [[0, -3]]


def test_the_least_int8_is_the_largest_magnitude():
    packed = pack_groups(np.array([[127, -128]], np.int8), [(0, 1)])
    assert packed.to_dense().tolist() == [[0, -128]]


def test_dense_keeps_every_column():
    packed = dense(EXAMPLE)
    assert packed.groups == ((0,), (1,), (2,), (3,))
    assert packed.to_dense().tolist() == EXAMPLE.tolist()
    assert packed.packing_efficiency == 4 / 12


def test_n_of_m_lists_each_block_n_times():
    packed = n_of_m([[1.0, -5, 3, 4, 9], [0, 2, 0, 0, 0], [1, 1, 1, 1, 0]], n=2, m=4)
    assert packed.groups == ((0, 1, 2, 3), (0, 1, 2, 3), (4,), (4,))
    assert packed.values.tolist() == [[-5, 4, 9, 0], [2, 0, 0, 0], [1, 1, 0, 0]]
    assert packed.channels.tolist() == [[1, 3, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]]


@pytest.mark.parametrize(
    "matrix",
    [[1.0, 2], [[]], [[1.0, np.nan]], [[np.inf]], [[True]], [["a"]], [[1], [2, 3]], [[1j]]],
)
def test_refuses_what_is_no_matrix(matrix):
    with pytest.raises(InvalidMatrixError, match=r"\.$"):
        pack(matrix, alpha=2, gamma=0)


@pytest.mark.parametrize(
    ("alpha", "gamma"),
    [(0, 0), (257, 0), (2.5, 0), (True, 0), (2, -0.1), (2, 1.1), (2, "x"), (2, np.nan)],
)
def test_refuses_limits_out_of_range(alpha, gamma):
    with pytest.raises(InvalidOptionError, match=r"\.$"):
        pack(EXAMPLE, alpha=alpha, gamma=gamma)


def test_conflicts_allowed_is_exact_in_decimal():
    assert PackingRule(alpha=8, gamma=0.29).conflicts_allowed(100) == 29
    assert PackingRule(alpha=8, gamma="0.1").conflicts_allowed(30) == 3


def test_magnitude_mask_keeps_the_first_of_equals():
    mask = magnitude_mask(np.array([[1, -1, 1, 0], [2, 0, 0, 0]]), keep=3)
    assert mask.tolist() == [[True, True, False, False], [True, False, False, False]]


@given(filter_matrices, packing_limits())
def test_compiled_dense_column_first_is_its_definition(matrix, limits):
    alpha, gamma = limits
    allowed = PackingRule(alpha=alpha, gamma=gamma).conflicts_allowed(len(matrix))
    arguments = {"alpha": alpha, "conflicts_allowed": allowed}
    assert dense_column_first(matrix != 0, **arguments) == dense_column_first_definition(
        matrix != 0, **arguments
    )


@given(filter_matrices, packing_limits())
def test_compiled_pruning_is_its_definition(matrix, limits):
    packed = pack(matrix, alpha=limits[0], gamma=limits[1])
    expected = column_combine_definition(matrix, packed.groups)
    assert np.array_equal(packed.values, expected.values)
    assert np.array_equal(packed.channels, expected.channels)


@given(filter_matrices)
def test_without_conflicts_nothing_is_lost(matrix):
    assert np.array_equal(pack(matrix, alpha=8, gamma=0).to_dense(), matrix)
    assert np.array_equal(dense(matrix).to_dense(), matrix)


@given(filter_matrices, st.integers(1, 5), st.integers(1, 4))
def test_n_of_m_keeps_the_largest_of_every_block(matrix, m, n):
    n = min(n, m)
    kept = n_of_m(matrix, n=n, m=m).to_dense()
    assert np.array_equal(kept[kept != 0], matrix[kept != 0])
    for start in range(0, matrix.shape[1], m):
        block = np.sort(np.abs(matrix[:, start : start + m].astype(float)), axis=1)[:, ::-1]
        kept_block = np.sort(np.abs(kept[:, start : start + m].astype(float)), axis=1)[:, ::-1]
        assert np.array_equal(block[:, :n], kept_block[:, :n])
        assert not kept_block[:, n:].any()


def test_blocks_share_no_group():
    matrix = [[1.0, 0, 0, 4, 0], [0, 2, 0, 0, 0], [0, 0, 3, 0, 5]]
    packed = pack(matrix, alpha=4, gamma=1, blocks=[7, 7, 7, 2, 2])
    assert packed.groups == ((3, 4), (0, 1, 2))
    assert packed.values.tolist() == [[4.0, 1.0], [0.0, 2.0], [5.0, 3.0]]
    with pytest.raises(InvalidOptionError, match="one whole number per column"):
        pack(matrix, alpha=4, gamma=1, blocks=[0, 1])


def test_importance_goes_with_the_columns_of_a_block():
    matrix = np.array([[1.0, 0, 2, 3]])
    weights = np.array([[9.0, 1, 1, 1]])
    packed = pack(matrix, alpha=2, gamma=1, blocks=[0, 1, 0, 1], importance=weights)
    assert packed.values.tolist() == [[1.0, 3.0]]
