"""Build packed filter matrices: column combining, dense, N:M, or with groups already known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from systopack.errors import InvalidMatrixError, InvalidOptionError
from systopack.packing.grouping import dense_column_first
from systopack.packing.matrix import Groups, PackedBand, PackedMatrix
from systopack.packing.pruning import column_combine
from systopack.packing.rule import PackingRule


def pack(filter_matrix: ArrayLike, *, alpha: int, gamma: float) -> PackedMatrix:
    """Combine the columns of a filter matrix and prune the conflicts.

    Args:
        filter_matrix: shape (N, M), real and finite; not changed.
        alpha: largest group size, 1..256.
        gamma: conflicts allowed in a group, as an average per row, 0..alpha - 1.

    Returns:
        The packed matrix, one row band.

    Raises:
        InvalidMatrixError: not two-dimensional, empty, not real, NaN or infinite.
        InvalidOptionError: alpha or gamma out of range.

    >>> packed = pack([[1.0, 0, 0, 2], [0, 3, 0, 0], [0, 0, 0, 4]], alpha=2, gamma=0)
    >>> packed.groups, packed.values.tolist()
    (((1, 3), (0,)), [[2.0, 1.0], [3.0, 0.0], [4.0, 0.0]])
    """
    rule = PackingRule(alpha=alpha, gamma=gamma)
    matrix = checked_matrix(filter_matrix)
    groups = dense_column_first(
        matrix != 0, alpha=rule.alpha, conflicts_allowed=rule.conflicts_allowed(len(matrix))
    )
    return pack_groups(matrix, groups)


def pack_groups(filter_matrix: ArrayLike, groups: Sequence[Sequence[int]]) -> PackedMatrix:
    """Column-combine prune a filter matrix with given groups; columns in no group are lost.

    Raises:
        InvalidMatrixError: the matrix is not valid or a group names a column twice or one that
            does not exist.
    """
    matrix = checked_matrix(filter_matrix)
    checked: Groups = tuple(tuple(int(column) for column in group) for group in groups)
    for index, group in enumerate(checked):
        if not group or min(group) < 0 or max(group) >= matrix.shape[1]:
            raise InvalidMatrixError(
                f"Column group {index} is {group}, but the filter matrix has columns "
                f"0..{matrix.shape[1] - 1}."
            )
    return PackedMatrix(columns=matrix.shape[1], bands=(column_combine(matrix, checked),))


def dense(filter_matrix: ArrayLike) -> PackedMatrix:
    """Keep every column, empty ones too, as a group of its own: the array without combining."""
    matrix = checked_matrix(filter_matrix)
    band = PackedBand(
        groups=tuple((column,) for column in range(matrix.shape[1])),
        values=matrix.copy(),
        channels=np.zeros(matrix.shape, dtype=np.uint8),
    )
    return PackedMatrix(columns=matrix.shape[1], bands=(band,))


def n_of_m(filter_matrix: ArrayLike, *, n: int, m: int) -> PackedMatrix:
    """Keep at most `n` weights in each block of `m` consecutive columns (N:M, for instance 2:4).

    Each block is a group that is listed `n` times; the weights of a row fill its cells from the
    left, in the order of their columns. The last block may be narrower.

    Raises:
        InvalidOptionError: not 1 <= n <= m <= 256.
        InvalidMatrixError: the matrix is not valid.
    """
    if not 1 <= n <= m <= 256:
        raise InvalidOptionError(f"{n}:{m} is no N:M pattern; it needs 1 <= N <= M <= 256.")
    matrix = checked_matrix(filter_matrix)
    rows, columns = matrix.shape
    blocks = -(-columns // m)
    padded = np.zeros((rows, blocks * m), dtype=matrix.dtype)
    padded[:, :columns] = matrix
    block_view = padded.reshape(rows, blocks, m)
    # The n largest of each block (ties: first column), then back into the order of the columns.
    largest = np.argsort(-np.abs(block_view.astype(np.float64)), axis=2, kind="stable")[:, :, :n]
    chosen = np.sort(
        np.where(np.take_along_axis(block_view, largest, axis=2) != 0, largest, m), axis=2
    )
    kept = chosen < m
    channels = np.where(kept, chosen, 0)
    values = np.where(kept, np.take_along_axis(block_view, channels, axis=2), 0)
    groups = tuple(
        tuple(range(block * m, min((block + 1) * m, columns)))
        for block in range(blocks)
        for _ in range(n)
    )
    band = PackedBand(
        groups=groups,
        values=values.astype(matrix.dtype).reshape(rows, -1),
        channels=channels.astype(np.uint8).reshape(rows, -1),
    )
    return PackedMatrix(columns=columns, bands=(band,))


def checked_matrix(filter_matrix: ArrayLike) -> NDArray[Any]:
    """Turn anything array-like into a contiguous real matrix, or say why it is none.

    Raises:
        InvalidMatrixError: see `pack`.
    """
    try:
        matrix = np.ascontiguousarray(filter_matrix)
    except (ValueError, TypeError) as error:
        raise InvalidMatrixError(
            f"The filter matrix is not an array of numbers: {error}."
        ) from error
    if matrix.ndim != 2 or np.ndim(filter_matrix) != 2:
        raise InvalidMatrixError(
            f"The filter matrix has shape {np.shape(filter_matrix)}, but it must be a matrix "
            "(filters, columns); reshape a k x k convolution to (N, channels * k * k)."
        )
    if matrix.size == 0:
        raise InvalidMatrixError(
            f"The filter matrix has shape {matrix.shape}, so it holds no weight; it needs at "
            "least one row and one column."
        )
    if matrix.dtype.kind == "b" or matrix.dtype.kind not in "fiu":
        raise InvalidMatrixError(
            f"The filter matrix holds {matrix.dtype}, but weights are real numbers."
        )
    if matrix.dtype.kind == "f" and not np.isfinite(matrix).all():
        row, column = np.argwhere(~np.isfinite(matrix))[0]
        raise InvalidMatrixError(
            f"The filter matrix holds {matrix[row, column]} at row {row}, column {column}; "
            "weights must be finite."
        )
    if matrix.dtype == np.float16:
        matrix = matrix.astype(np.float32)
    elif matrix.dtype.kind == "u":
        matrix = matrix.astype(np.int64)
    elif matrix.dtype.itemsize > 8:
        matrix = matrix.astype(np.float64)
    return matrix
