"""Squared norm lost at several numbers of groups, by hand and against packing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systopack.errors import InvalidOptionError
from systopack.packing.losses import kept_squared_norm, losses_at
from systopack.packing.objective import MostNorm
from systopack.packing.pack import pack


def test_a_small_matrix_by_hand():
    matrix = np.array([[3.0, 1, 2], [1, 1, 1]])
    assert losses_at(matrix, [2, 3], alpha=2) == [2.0, 0.0]  # column 1 with one of the others
    assert losses_at(matrix, [1], alpha=3) == [1 + 4 + 1 + 1]
    assert losses_at(matrix, [2], alpha=2, band_rows=1) == [2.0]


def test_the_largest_squared_norm_of_each_row_and_group_is_kept():
    squared_norm = np.array([[1.0, 5, 2, 9], [4, 0, 3, 9]])
    assert kept_squared_norm(squared_norm, np.array([0, 1, 0, -1])) == 2 + 5 + 4 + 0
    assert kept_squared_norm(squared_norm, np.full(4, -1)) == 0


def test_importance_decides_what_is_lost():
    matrix = np.array([[1.0, 2.0]])
    assert losses_at(matrix, [1], alpha=2, importance=[[10.0, 1.0]]) == [4.0]
    with pytest.raises(InvalidOptionError, match="importance"):
        losses_at(matrix, [1], alpha=2, importance=[[-1.0, 1.0]])


@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 9),
    columns=st.integers(2, 12),
    band_rows=st.none() | st.integers(1, 4),
    policy=st.sampled_from(["least-loss", "assignment"]),
    weighted=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_it_equals_packing(seed, rows, columns, band_rows, policy, weighted):
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((rows, columns)) * (rng.random((rows, columns)) < 0.6)
    importance = rng.random((rows, columns)) if weighted else np.ones((rows, columns))
    counts = list(range(-(-columns // 4), columns + 1))
    found = losses_at(
        matrix, counts, alpha=4, policy=policy, importance=importance, band_rows=band_rows
    )
    for groups, loss in zip(counts, found, strict=True):
        packed = pack(
            matrix,
            alpha=4,
            gamma=3,
            policy=policy,
            objective=MostNorm(groups=groups),
            importance=importance,
            band_rows=band_rows,
        )
        lost = matrix - packed.to_dense()
        assert loss == pytest.approx(float((importance * lost**2).sum()), abs=1e-5)
