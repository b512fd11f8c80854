"""Lower bounds on the number of groups: what no packer can beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from systopack.packing.matrix import PackedMatrix
from systopack.packing.problem import GroupingProblem, grouping_problem
from systopack.packing.rule import PackingRule
from systopack.requirements import needs


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A lower bound on the number of groups.

    Args:
        groups: no grouping has fewer.
        proof: how that is known: `columns` (alpha columns a group), `conflicts` (nonzeros of
            the rows against conflicts allowed), `incompatible columns` (pairwise too many
            conflicts), `set cover` (all sets of columns that may be a group, solved exactly).
    """

    groups: int
    proof: str


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A packed matrix against its lower bound.

    Args:
        groups: groups of the packed matrix, all row bands together.
        bound: the least that is possible, all row bands together.
        proof: see `Bound`; several proofs are joined by `, `.
    """

    groups: int
    bound: int
    proof: str

    @property
    def optimal(self) -> bool:
        """Whether no packing has fewer groups."""
        return self.groups <= self.bound

    @property
    def gap_percent(self) -> float:
        """How far the groups are above the bound, in percent of the bound."""
        return 100.0 * (self.groups - self.bound) / self.bound if self.bound else 0.0

    def __str__(self) -> str:
        if self.optimal:
            return f"{self.groups} groups, proven optimal ({self.proof})"
        return (
            f"{self.groups} groups, at least {self.bound} needed ({self.proof}), "
            f"gap {self.gap_percent:.1f} %"
        )


def group_gap(
    packed: PackedMatrix,
    filter_matrix: ArrayLike,
    *,
    alpha: int,
    gamma: float,
    kept: int = 1,
    exact: bool = False,
    time_limit_s: float = 10.0,
) -> Gap:
    """Compare the groups of a packed matrix with the fewest possible for its filter matrix.

    Args:
        packed: the packed matrix, with any number of row bands.
        filter_matrix: shape (N, M): what was packed, before pruning.
        alpha, gamma, kept: as in `pack`.
        exact: also solve the set cover where it is within reach (seconds).
        time_limit_s: for the set cover of each band.
    """
    from systopack.packing.checks import checked_matrix

    rule = PackingRule(alpha=alpha, gamma=gamma)
    matrix = checked_matrix(filter_matrix)
    bounds = []
    for start, band in zip(packed.row_starts, packed.bands, strict=True):
        part = np.ascontiguousarray(matrix[start : start + band.rows])
        problem = grouping_problem(part, rule=rule, kept=kept)
        bound = combinatorial_bound(problem)
        if exact and bound.groups < len(band.groups) // kept:
            bound = exact_bound(problem, time_limit_s=time_limit_s)
        bounds.append(bound)
    return Gap(
        groups=sum(len(band.groups) // kept for band in packed.bands),
        bound=sum(bound.groups for bound in bounds),
        proof=", ".join(dict.fromkeys(bound.proof for bound in bounds)),
    )


def combinatorial_bound(problem: GroupingProblem) -> Bound:
    """The best of three bounds that need no search.

    Columns: a group holds at most alpha. Conflicts: with G groups a row of k nonzeros has at
    least `k - kept G` conflicts, and all rows together at most G times those allowed.
    Incompatible columns: columns of which no two may share a group need a group each.
    """
    by_columns = -(-problem.occupied // problem.alpha)
    by_conflicts = _conflict_bound(problem.row_nonzeros, problem)
    best = Bound(groups=by_columns, proof="columns")
    if by_conflicts > best.groups:
        best = Bound(groups=by_conflicts, proof="conflicts")
    if problem.kept == 1 and best.groups < problem.occupied <= 1024:
        by_pairs = _incompatible_columns(problem)
        if by_pairs > best.groups:
            best = Bound(groups=by_pairs, proof="incompatible columns")
    return best


def exact_bound(problem: GroupingProblem, *, time_limit_s: float = 10.0) -> Bound:
    """The set-cover bound where it is within reach, the combinatorial one elsewhere.

    Raises:
        MissingPackageError: scipy is not installed.
    """
    needs("scipy")
    from systopack.packing.search.cover import cover_groups

    simple = combinatorial_bound(problem)
    covered = cover_groups(problem, time_limit_s=time_limit_s)
    if covered is None or covered.bound <= simple.groups:
        return simple
    return Bound(groups=covered.bound, proof="set cover")


def _conflict_bound(nonzeros: NDArray[Any], problem: GroupingProblem) -> int:
    low, high = 0, int(nonzeros.max(initial=0))
    while low < high:
        groups = (low + high) // 2
        least = np.maximum(nonzeros - problem.kept * groups, 0).sum()
        if least <= groups * problem.conflicts_allowed:
            high = groups
        else:
            low = groups + 1
    return low


def _incompatible_columns(problem: GroupingProblem) -> int:
    """Size of a set of columns that pairwise overlap too much, found greedily."""
    columns = problem.densest_first
    if problem.column_nonzeros[columns[0]] <= problem.conflicts_allowed:
        return 1  # no two columns can overlap in so many rows
    nonzero = np.zeros((problem.rows, problem.columns), dtype=np.float32)
    owner = np.repeat(np.arange(problem.columns), problem.column_nonzeros)
    nonzero[problem.row_of, owner] = 1
    part = nonzero[:, columns]
    clash = part.T @ part > problem.conflicts_allowed
    np.fill_diagonal(clash, False)
    largest = 1
    for start in np.argsort(-clash.sum(axis=0), kind="stable")[:32]:
        left = clash[start].copy()
        size = 1
        while left.any():
            candidates = np.flatnonzero(left)
            following = candidates[clash[np.ix_(candidates, candidates)].sum(axis=0).argmax()]
            left &= clash[following]
            size += 1
        largest = max(largest, size)
    return largest
