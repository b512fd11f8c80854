"""Squared norm lost at several numbers of groups, without building the packed matrices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from systopack.packing.checks import checked_matrix
from systopack.packing.policies.registry import Request, policy_named
from systopack.packing.problem import checked_importance, grouping_problem
from systopack.packing.rule import PackingRule
from systopack.packing.threads import parallel_kernels


def losses_at(
    filter_matrix: ArrayLike,
    group_counts: Sequence[int],
    *,
    alpha: int,
    policy: str = "least-loss",
    importance: ArrayLike | None = None,
    band_rows: int | None = None,
    seed: int = 0,
) -> list[float]:
    """Squared norm that column-combine pruning loses at each of some numbers of groups.

    Conflicts are not limited (gamma is alpha - 1). The same as packing with `MostNorm(groups)`
    and adding up importance times square over the weights that are gone, but many times faster.

    Args:
        filter_matrix: shape (N, M), real and finite.
        group_counts: each at least the columns over alpha.
        alpha: largest group size, 1..256.
        policy: one that can be asked for a number of groups.
        importance: as in `pack`; the largest of importance times square survives a conflict.
        band_rows: rows of a row band, each with so many groups of its own; None: one band.
        seed: of the policy.

    Raises:
        InvalidMatrixError, InvalidOptionError: as in `pack`.

    >>> losses_at([[3.0, 1, 2], [1, 1, 1]], [2, 3], alpha=2)
    [2.0, 0.0]
    """
    matrix = checked_matrix(filter_matrix)
    rule = PackingRule(alpha=alpha, gamma=alpha - 1)
    entry = policy_named(policy)
    weights = None if importance is None else checked_importance(importance, matrix.shape)
    squared_norm = matrix.astype(np.float64) ** 2 * (1.0 if weights is None else weights)
    step = matrix.shape[0] if band_rows is None else band_rows
    losses = np.zeros(len(group_counts))
    with parallel_kernels():
        for start in range(0, matrix.shape[0], step):
            band = slice(start, start + step)
            problem = grouping_problem(
                matrix[band], rule=rule, importance=None if weights is None else weights[band]
            )
            total = float(squared_norm[band].sum())
            for index, groups in enumerate(group_counts):
                labels = entry.run(problem, Request(groups=groups, seed=seed))
                losses[index] += total - kept_squared_norm(squared_norm[band], labels)
    return [float(loss) for loss in np.maximum(losses, 0)]


def kept_squared_norm(squared_norm: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The sum over rows and groups of the largest squared norm.

    Args:
        squared_norm: shape (N, M), at least 0.
        labels: shape (M,): the group of each column, -1 for none.
    """
    from systopack.packing import kernels

    return float(kernels.largest_of_groups(squared_norm, labels, int(labels.max(initial=-1)) + 1))
