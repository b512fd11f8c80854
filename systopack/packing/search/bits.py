"""Columns of a grouping problem as bit sets of rows."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from systopack.packing.problem import GroupingProblem


def problem_bits(problem: GroupingProblem) -> NDArray[np.uint64]:
    """One bit set of rows per column: shape (M, ceil(N / 64)), uint64."""
    bits = np.zeros((problem.columns, max(1, -(-problem.rows // 64))), dtype=np.uint64)
    _fill_bits(problem.starts, problem.row_of, bits)
    return bits


@njit(cache=True)
def _fill_bits(
    starts: NDArray[np.int64], row_of: NDArray[np.int32], bits: NDArray[np.uint64]
) -> None:
    for column in range(bits.shape[0]):
        for entry in range(starts[column], starts[column + 1]):
            row = row_of[entry]
            bits[column, row >> 6] |= np.uint64(1) << np.uint64(row & 63)
