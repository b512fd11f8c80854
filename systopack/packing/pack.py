"""Build packed filter matrices: column combining, dense, N:M, or with groups already known."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from systopack.errors import InvalidMatrixError, InvalidOptionError
from systopack.packing.checks import checked_matrix
from systopack.packing.grouping import groups_from_labels
from systopack.packing.matrix import Groups, PackedBand, PackedMatrix
from systopack.packing.objective import FewestGroups, FewestTiles, MostNorm, Objective
from systopack.packing.policies.least_loss import best_grouping
from systopack.packing.policies.registry import Request, policy_named
from systopack.packing.problem import GroupingProblem, checked_importance, grouping_problem
from systopack.packing.pruning import column_combine
from systopack.packing.rule import PackingRule
from systopack.packing.threads import parallel_kernels

_FEWEST_GROUPS = FewestGroups()


def pack(
    filter_matrix: ArrayLike,
    *,
    alpha: int,
    gamma: float,
    policy: str = "least-loss",
    objective: Objective = _FEWEST_GROUPS,
    seed: int = 0,
    time_limit_s: float | None = None,
    importance: ArrayLike | None = None,
    band_rows: int | None = None,
    kept: int = 1,
    blocks: ArrayLike | None = None,
) -> PackedMatrix:
    """Combine the columns of a filter matrix and prune the conflicts.

    Args:
        filter_matrix: shape (N, M), real and finite; not changed.
        alpha: largest group size, 1..256.
        gamma: conflicts allowed in a group, as an average per row, 0..alpha - 1.
        policy: how columns are grouped: `dense-column-first`, `authors`, `least-loss`,
            `assignment`, `polish`, `refine` or `best`. The default never takes more groups than
            the two before it, nor keeps less squared norm in as many.
        objective: what the policy is to be best at.
        seed: of everything random; the same seed gives the same groups.
        time_limit_s: seconds, above 0, to search for; None for a fixed amount of search.
            Only with a time limit can two runs differ.
        importance: how much a unit of squared weight matters, shape (N,) for rows or (N, M) for
            weights, at least 0 (Fisher information, curvature); None for plain magnitude.
        band_rows: rows R of a row band; every band gets groups of its own. None: one band.
        kept: weights kept per row and group, 1..alpha; more than one packs N:M, each group is
            listed so many times, and only nonzeros beyond them are conflicts.
        blocks: shape (M,), integers: columns of different blocks never share a group; `objective`
            then holds for each block. None: any columns may.

    Returns:
        The packed matrix, one row band or `ceil(N / band_rows)`.

    Raises:
        InvalidMatrixError: not two-dimensional, empty, not real, NaN or infinite.
        InvalidOptionError: an option out of range, or more groups needed than asked for.

    >>> packed = pack([[1.0, 0, 0, 2], [0, 3, 0, 0], [0, 0, 0, 4]], alpha=2, gamma=0)
    >>> packed.groups, packed.values.tolist()
    (((1, 3), (0,)), [[2.0, 1.0], [3.0, 0.0], [4.0, 0.0]])
    """
    rule = PackingRule(alpha=alpha, gamma=gamma)
    matrix = checked_matrix(filter_matrix)
    rows = matrix.shape[0] if band_rows is None else band_rows
    if isinstance(rows, bool) or int(rows) != rows or rows < 1:
        raise InvalidOptionError(f"A row band has {band_rows} rows; give a whole number from 1 up.")
    weights = None if importance is None else checked_importance(importance, matrix.shape)
    starts = range(0, matrix.shape[0], int(rows))
    parts = _columns_of_blocks(blocks, matrix.shape[1])
    limit_s = None if time_limit_s is None else time_limit_s / len(starts) / len(parts)
    bands = []
    for start in starts:
        part = matrix[start : start + int(rows)]
        part_weights = None if weights is None else weights[start : start + int(rows)]
        groups: Groups = ()
        for columns in parts:
            own = part_weights
            if own is not None and own.shape[1] > 1:
                own = own[:, columns]
            found = group_columns(
                np.ascontiguousarray(part[:, columns]),
                rule,
                policy=policy,
                objective=objective,
                seed=seed,
                time_limit_s=limit_s,
                importance=own,
                kept=kept,
            )
            groups += tuple(tuple(columns[list(group)].tolist()) for group in found)
        bands.append(column_combine(part, groups, importance=part_weights, kept=kept))
    return PackedMatrix(columns=matrix.shape[1], bands=tuple(bands))


def _columns_of_blocks(blocks: ArrayLike | None, columns: int) -> list[NDArray[np.int64]]:
    """The columns of each block, ascending."""
    if blocks is None:
        return [np.arange(columns)]
    labels = np.asarray(blocks)
    if labels.shape != (columns,) or not np.issubdtype(labels.dtype, np.integer):
        raise InvalidOptionError(
            f"The blocks have shape {labels.shape} and are {labels.dtype}, but a filter matrix of "
            f"{columns} columns needs one whole number per column."
        )
    return [np.flatnonzero(labels == block) for block in np.unique(labels)]


def group_columns(
    matrix: NDArray[Any],
    rule: PackingRule,
    *,
    policy: str = "least-loss",
    objective: Objective = _FEWEST_GROUPS,
    seed: int = 0,
    time_limit_s: float | None = None,
    importance: ArrayLike | None = None,
    kept: int = 1,
) -> Groups:
    """Only the column groups that `pack` would choose for one row band.

    Args:
        matrix: shape (N, M), real and finite; not checked again.
        rule: the limits of a group.
        policy, objective, seed, time_limit_s, importance, kept: as in `pack`.

    Returns:
        The groups, the columns of each in ascending order; empty columns are in none.

    Raises:
        InvalidOptionError: see `pack`.
    """
    if isinstance(kept, bool) or not 1 <= kept <= rule.alpha:
        raise InvalidOptionError(f"kept is {kept}, but a group of {rule.alpha} keeps 1 to alpha.")
    with parallel_kernels():
        problem = grouping_problem(matrix, rule=rule, importance=importance, kept=kept)
        return groups_from_labels(_labels(problem, policy, objective, seed, time_limit_s))


def _labels(
    problem: GroupingProblem,
    policy: str,
    objective: Objective,
    seed: int,
    time_limit_s: float | None,
) -> NDArray[np.int64]:
    if time_limit_s is not None and not time_limit_s > 0:
        raise InvalidOptionError(f"The time limit is {time_limit_s} s; give seconds above 0.")
    entry = policy_named(policy)
    now = time.monotonic()

    def ask(*, groups: int | None, share: float) -> NDArray[np.int64]:
        return entry.run(
            problem,
            Request(
                groups=groups,
                seed=seed,
                deadline=None if time_limit_s is None else now + share * time_limit_s,
                fewest_at_any_cost=isinstance(objective, FewestGroups) and objective.at_any_cost,
            ),
        )

    if isinstance(objective, FewestGroups):
        return ask(groups=None, share=1.0)
    if isinstance(objective, FewestTiles):
        labels = ask(groups=None, share=0.5)
        groups = int(labels.max(initial=-1)) + 1
        filled = min(-(-groups // objective.columns) * objective.columns, problem.occupied)
        if not entry.aims or filled <= groups:
            return labels
        return best_grouping(problem, [ask(groups=filled, share=1.0), labels], within=filled)
    if not entry.aims:
        raise InvalidOptionError(
            f"The policy '{policy}' takes as many groups as its rule gives; ask 'least-loss', "
            "'assignment', 'polish', 'refine' or 'best' for a number of groups."
        )
    labels = ask(groups=objective.groups, share=1.0)
    needed = int(labels.max(initial=-1)) + 1
    if needed > objective.groups:
        raise InvalidOptionError(
            f"The policy '{policy}' needs {needed} column groups, not {objective.groups}; allow "
            "more groups, a larger alpha or gamma, or a longer search with 'best'."
        )
    return labels


def _filled_up(groups: Groups, matrix: NDArray[Any], size: int) -> Groups:
    """Fill blocks up to `size` columns with empty columns."""
    empty = np.flatnonzero(~(matrix != 0).any(axis=0)).tolist()
    full = []
    for group in groups:
        room = size - len(group)
        full.append(tuple(sorted([*group, *empty[:room]])))
        empty = empty[room:]
    return tuple(full)


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


def n_of_m(
    filter_matrix: ArrayLike,
    *,
    n: int,
    m: int,
    permute: str | None = None,
    seed: int = 0,
    time_limit_s: float | None = None,
    importance: ArrayLike | None = None,
) -> PackedMatrix:
    """Keep at most `n` weights in each block of `m` columns (N:M, for instance 2:4).

    Each block is a group that is listed `n` times; the weights of a row fill its cells from the
    left, in the order of their columns. The last block may be narrower.

    Args:
        filter_matrix: shape (N, M), real and finite.
        permute: a policy (see `pack`) that chooses which columns share a block, so that the most
            squared norm is kept; None for consecutive columns. Empty columns fill blocks up;
            blocks of nothing else are left out. `contiguous_order` of the groups is the
            permutation.
        seed, time_limit_s, importance: as in `pack`, for `permute`.

    Raises:
        InvalidOptionError: not 1 <= n <= m <= 256, or a policy that cannot be asked for a number
            of groups.
        InvalidMatrixError: the matrix is not valid.
    """
    if not 1 <= n <= m <= 256:
        raise InvalidOptionError(f"{n}:{m} is no N:M pattern; it needs 1 <= N <= M <= 256.")
    matrix = checked_matrix(filter_matrix)
    rows, columns = matrix.shape
    blocks = -(-columns // m)
    if permute is not None:
        problem = grouping_problem(
            matrix,
            rule=PackingRule(alpha=m, gamma=0),
            importance=importance,
            kept=n,
            conflicts_allowed=matrix.size,
        )
        labels = _labels(problem, permute, MostNorm(groups=blocks), seed, time_limit_s)
        permuted = _filled_up(groups_from_labels(labels), matrix, m)
        return PackedMatrix(
            columns=columns,
            bands=(column_combine(matrix, permuted, importance=importance, kept=n),),
        )
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
