"""Fewest groups, proven: all sets of columns that may be a group, and an exact set cover.

Every part of a set that may be a group may be one too, so only sets that cannot grow matter.
Twins, columns that any group can exchange, are told apart by number only: of all the sets that
hold two of five twins the solver sees one.
"""

# ruff: noqa: PLR0917 - compiled functions take their arrays by position
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

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
    columns = problem.densest_first
    bits = problem_bits(problem)[columns]
    twins = _twin_classes(bits, problem.conflicts_allowed)
    sets, count, complete = _feasible_sets(
        bits,
        _twins_before(twins),
        min(problem.alpha, columns.size),
        problem.conflicts_allowed,
        _MOST_SETS,
        _MOST_VISITS,
    )
    if not complete:
        return None
    return _solve(problem, columns, twins, sets[:count], time_limit_s)


def _twin_classes(bits: NDArray[np.uint64], conflicts_allowed: int) -> NDArray[np.int64]:
    """A class number for every column; columns of a class can stand in for each other.

    Twins have the same rows; where no conflict is allowed it is enough that they fit with each
    other and with the same columns.
    """
    if conflicts_allowed:
        return np.unique(bits, axis=0, return_inverse=True)[1].reshape(-1)
    clash = np.zeros((len(bits), len(bits)), dtype=bool)
    for word in bits.T:
        clash |= (word[:, None] & word[None, :]) != 0
    np.fill_diagonal(clash, False)
    return np.unique(clash, axis=0, return_inverse=True)[1].reshape(-1)


def _twins_before(twins: NDArray[np.int64]) -> NDArray[np.int64]:
    """The last twin before every column, -1 where there is none."""
    before = np.full(twins.size, -1, dtype=np.int64)
    last: dict[int, int] = {}
    for column, twin in enumerate(twins.tolist()):
        before[column] = last.get(twin, -1)
        last[twin] = column
    return before


def _solve(
    problem: GroupingProblem,
    columns: NDArray[np.int64],
    twins: NDArray[np.int64],
    sets: NDArray[np.int64],
    time_limit_s: float | None,
) -> Cover | None:
    from scipy import sparse
    from scipy.optimize import Bounds, LinearConstraint, milp

    place = np.nonzero(sets >= 0)
    numbers = np.bincount(twins)
    holds = sparse.csr_matrix(  # twins of a set add up
        (np.ones(place[0].size), (twins[sets[place]], place[0])), shape=(numbers.size, len(sets))
    )
    found = milp(
        np.ones(len(sets)),
        constraints=LinearConstraint(holds, lb=numbers),
        integrality=np.ones(len(sets)),
        bounds=Bounds(0, numbers.max()),
        options={"node_limit": _MOST_NODES}
        if time_limit_s is None
        else {"time_limit": max(0.05, time_limit_s)},
    )
    if found.x is None:
        return None
    labels = np.full(problem.columns, -1, dtype=np.int64)
    waiting = [columns[twins == twin].tolist() for twin in range(numbers.size)]
    group = 0
    for members, times in zip(sets, np.rint(found.x).astype(int), strict=True):
        for _ in range(times):
            wanted = twins[members[members >= 0]].tolist()
            own = [waiting[twin].pop() for twin in wanted if waiting[twin]]
            labels[own] = group
            group += bool(own)
    return Cover(
        labels=labels, groups=int(group), bound=int(np.ceil((found.mip_dual_bound or 0) - 1e-6))
    )


@njit(cache=True)
def _feasible_sets(
    bits: NDArray[np.uint64],
    twin_before: NDArray[np.int64],
    alpha: int,
    conflicts_allowed: int,
    most_sets: int,
    most_visits: int,
) -> tuple[NDArray[np.int64], int, bool]:
    """All sets that may be a group and cannot grow, and whether they are all, padded with -1.

    Of twins a set holds the first ones; `twin_before` is the last twin before each column.
    """
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
        earlier = twin_before[column]
        if earlier >= 0 and not _holds(chosen, depth, earlier):
            continue
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
                more = _overlap(bits[other], covered[depth])
                if (
                    not _holds(chosen, depth, other)
                    and conflicts[depth] + more <= conflicts_allowed
                ):
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
def _holds(chosen: NDArray[np.int64], depth: int, column: int) -> bool:
    inside = False
    for place in range(depth):
        inside |= chosen[place] == column
    return inside


@njit(cache=True)
def _overlap(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> int:
    total = 0
    for word in range(one.size):
        common = one[word] & other[word]
        while common:
            common &= common - np.uint64(1)
            total += 1
    return total
