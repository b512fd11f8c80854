"""The grouping problem: a filter matrix reduced to what a packing policy has to know."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from systopack.errors import InvalidOptionError
from systopack.packing.rule import PackingRule

_SMALLEST_SQUARED_NORM = np.float32(1e-30)  # a nonzero weight never counts as an empty cell


@dataclass(frozen=True, kw_only=True, eq=False)
class GroupingProblem:
    """The nonzeros of a filter matrix, column by column, and the limits of a group.

    Args:
        rows, columns: shape (N, M) of the filter matrix.
        alpha: largest group size.
        conflicts_allowed: conflicts allowed in a group, all rows together.
        kept: weights kept per row and group, N of N:M; 1 for column combining.
        starts: shape (M + 1,), int64: `starts[c]:starts[c + 1]` are the nonzeros of column c.
        row_of: shape (nonzeros,), int32: the row of each nonzero, ascending within a column.
        squared_norm: shape (nonzeros,), float32: importance times squared weight, over the largest.
    """

    rows: int
    columns: int
    alpha: int
    conflicts_allowed: int
    kept: int
    starts: NDArray[np.int64]
    row_of: NDArray[np.int32]
    squared_norm: NDArray[np.float32]

    @cached_property
    def column_nonzeros(self) -> NDArray[np.int64]:
        """Shape (M,): nonzeros of each column."""
        return np.diff(self.starts)

    @cached_property
    def row_nonzeros(self) -> NDArray[np.int64]:
        """Shape (N,): nonzeros of each row."""
        return np.bincount(self.row_of, minlength=self.rows)

    @cached_property
    def column_squared_norm(self) -> NDArray[np.float64]:
        """Shape (M,): squared norm of each column."""
        sums = np.concatenate([[0.0], np.cumsum(self.squared_norm, dtype=np.float64)])
        return np.maximum(np.diff(sums[self.starts]), 0)

    @cached_property
    def occupied(self) -> int:
        """Columns that hold a nonzero; only these are grouped."""
        return int(np.count_nonzero(self.column_nonzeros))

    @cached_property
    def mean_squared_norm(self) -> float:
        """Mean squared norm of a nonzero; 1 where there is none."""
        return float(self.squared_norm.mean(dtype=np.float64)) if self.squared_norm.size else 1.0

    def heaviest_first(self) -> NDArray[np.int64]:
        """The occupied columns by decreasing squared norm, ties by index."""
        order = np.argsort(-self.column_squared_norm, kind="stable")
        return order[self.column_nonzeros[order] > 0]

    @cached_property
    def densest_first(self) -> NDArray[np.int64]:
        """Shape (occupied,): the columns by decreasing nonzeros, ties by index."""
        order = np.argsort(-self.column_nonzeros, kind="stable")
        return order[: self.occupied]


def grouping_problem(
    matrix: NDArray[Any],
    *,
    rule: PackingRule,
    importance: ArrayLike | None = None,
    kept: int = 1,
    conflicts_allowed: int | None = None,
) -> GroupingProblem:
    """Reduce a filter matrix to its grouping problem.

    Args:
        matrix: shape (N, M), real, finite.
        rule: the limits of a group.
        importance: see `checked_importance`; None for plain magnitude.
        kept: weights kept per row and group, 1..alpha.
        conflicts_allowed: instead of the rule's `floor(gamma * N)`.
    """
    from systopack.packing import kernels

    weights = None if importance is None else checked_importance(importance, matrix.shape)
    starts = np.concatenate([[0], np.cumsum(kernels.count_nonzeros(matrix))]).astype(np.int64)
    row_of = np.empty(int(starts[-1]), dtype=np.int32)
    squared = np.empty(row_of.size, dtype=np.float64)
    small = matrix.size <= kernels.SMALL_CELLS
    gather = kernels.gather_columns_alone if small else kernels.gather_columns
    gather(matrix, starts, row_of, squared)
    if weights is not None:
        columns = np.repeat(np.arange(matrix.shape[1]), np.diff(starts))
        squared *= np.broadcast_to(weights, matrix.shape)[row_of, columns]
    largest = float(squared.max(initial=0.0))
    if largest > 0:
        squared /= largest
    return GroupingProblem(
        rows=matrix.shape[0],
        columns=matrix.shape[1],
        alpha=rule.alpha,
        conflicts_allowed=rule.conflicts_allowed(matrix.shape[0])
        if conflicts_allowed is None
        else conflicts_allowed,
        kept=kept,
        starts=starts,
        row_of=row_of,
        squared_norm=np.maximum(squared.astype(np.float32), _SMALLEST_SQUARED_NORM),
    )


def checked_importance(importance: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """How much a unit of squared weight matters, as an array that broadcasts to the matrix.

    Args:
        importance: shape (N,) for the rows, or (N, M) for the weights: Fisher information or
            curvature, finite, at least 0.
        shape: (N, M).

    Raises:
        InvalidOptionError: wrong shape, negative or not finite.
    """
    weights = np.asarray(importance, dtype=np.float64)
    if weights.ndim == 1 and weights.shape[0] == shape[0]:
        weights = weights[:, None]
    if weights.shape not in (shape, (shape[0], 1)):
        raise InvalidOptionError(
            f"The importance has shape {np.shape(importance)}, but a filter matrix {shape} needs "
            f"one number per row, ({shape[0]},), or per weight, {shape}."
        )
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise InvalidOptionError(
            "The importance holds a negative or infinite number; give finite numbers from 0 up."
        )
    return weights
