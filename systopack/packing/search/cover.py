"""Fewest groups, proven: all sets of columns that may be a group, and an exact set cover.

Every part of a set that may be a group may be one too, so only sets that cannot grow matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from systopack.packing.problem import GroupingProblem
from systopack.packing.search.bits import problem_bits
from systopack.packing.search.state import Labels

_MOST_COLUMNS = 512
_MOST_SETS = 30_000
_MOST_VISITS = 3_000_000
_MOST_NODES = 2_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Cover:
    """A set cover.

    Args:
        labels: a group number per column, -1 for empty columns.
        groups: groups of the cover.
        bound: no cover has fewer; equal to `groups` where optimality is proven.
    """

    labels: Labels
    groups: int
    bound: int


def cover_groups(problem: GroupingProblem, *, time_limit_s: float | None = None) -> Cover | None:
    """Cover the columns with the fewest groups, or None where that is out of reach.

    Args:
        time_limit_s: seconds for the solver; None for a fixed amount of work.
    """
    if problem.kept != 1 or not 2 <= problem.occupied <= _MOST_COLUMNS:
        return None
    columns = problem.densest_first()
    sets, count, complete = _feasible_sets(
        problem_bits(problem)[columns],
        min(problem.alpha, columns.size),
        problem.conflicts_allowed,
        _MOST_SETS,
        _MOST_VISITS,
    )
    if not complete:
        return None
    return _solve(problem, columns, sets[:count], time_limit_s)


def _solve(
    problem: GroupingProblem,
    columns: NDArray[np.int64],
    sets: NDArray[np.int64],
    time_limit_s: float | None,
) -> Cover | None:
    place = np.nonzero(sets >= 0)
    holds = sparse.csr_matrix(
        (np.ones(place[0].size), (sets[place], place[0])), shape=(columns.size, len(sets))
    )
    found = milp(
        np.ones(len(sets)),
        constraints=LinearConstraint(holds, lb=1),
        integrality=np.ones(len(sets)),
        bounds=Bounds(0, 1),
        options={"node_limit": _MOST_NODES}
        if time_limit_s is None
        else {"time_limit": max(0.05, time_limit_s)},
    )
    if found.x is None:
        return None
    labels = np.full(problem.columns, -1, dtype=np.int64)
    group = 0
    for index, members in enumerate(sets):
        if found.x[index] > 0.5:
            own = columns[members[members >= 0]]
            own = own[labels[own] < 0]
            labels[own] = group
            group += own.size > 0
    return Cover(
        labels=labels, groups=int(group), bound=int(np.ceil((found.mip_dual_bound or 0) - 1e-6))
    )


@njit(cache=True)
def _feasible_sets(
    bits: NDArray[np.uint64],
    alpha: int,
    conflicts_allowed: int,
    most_sets: int,
    most_visits: int,
) -> tuple[NDArray[np.int64], int, bool]:
    """All sets that may be a group and cannot grow, and whether they are all, padded with -1."""
    columns, words = bits.shape
    sets = np.full((most_sets, alpha), -1, np.int64)
    count = 0
    chosen = np.full(alpha, -1, np.int64)
    following = np.zeros(alpha + 1, np.int64)  # the next column to try at each depth
    covered = np.zeros((alpha + 1, words), np.uint64)
    conflicts = np.zeros(alpha + 1, np.int64)
    depth = 0
    visits = 0
    while depth >= 0:
        column = following[depth]
        if depth == alpha or column == columns:
            depth -= 1
            continue
        following[depth] = column + 1
        overlap = _overlap(bits[column], covered[depth])
        if conflicts[depth] + overlap > conflicts_allowed:
            continue
        visits += 1
        if visits > most_visits:
            return sets, count, False
        chosen[depth] = column
        conflicts[depth + 1] = conflicts[depth] + overlap
        for word in range(words):
            covered[depth + 1, word] = covered[depth, word] | bits[column, word]
        depth += 1
        following[depth] = column + 1
        grows = False
        if depth < alpha:
            for other in range(columns):
                inside = False
                for place in range(depth):
                    inside |= chosen[place] == other
                more = _overlap(bits[other], covered[depth])
                if not inside and conflicts[depth] + more <= conflicts_allowed:
                    grows = True
                    break
        if not grows:
            if count == most_sets:
                return sets, count, False
            for place in range(depth):
                sets[count, place] = chosen[place]
            count += 1
    return sets, count, True


@njit(cache=True)
def _overlap(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> int:
    total = 0
    for word in range(one.size):
        common = one[word] & other[word]
        while common:
            common &= common - np.uint64(1)
            total += 1
    return total
