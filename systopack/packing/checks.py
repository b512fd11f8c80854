"""Turn what a user gives for a filter matrix into one, or say what is wrong with it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from systopack.errors import InvalidMatrixError

MAGNITUDE_LIMIT = 1e100  # squares of larger weights, summed up, leave float64


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
    largest = max(abs(float(matrix.max())), abs(float(matrix.min())))
    if largest > MAGNITUDE_LIMIT:
        raise InvalidMatrixError(
            f"The filter matrix holds a weight of magnitude {largest:.3g}, but weights are at most "
            f"{MAGNITUDE_LIMIT:g}; divide all of them by one number."
        )
    if not matrix.dtype.isnative:
        matrix = matrix.astype(matrix.dtype.newbyteorder("="))
    if matrix.dtype == np.float16:
        matrix = matrix.astype(np.float32)
    elif matrix.dtype.kind == "u":
        matrix = matrix.astype(np.int64)
    elif matrix.dtype.itemsize > 8:
        matrix = matrix.astype(np.float64)
    return matrix
