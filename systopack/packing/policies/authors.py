"""`authors`: the rule of the paper's program, which ignores how large the weights are.

A group starts with the nonempty column of lowest index that is in no group. While something
fits, the column that leaves the fewest rows of the group empty joins it (ties: lowest index).
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from systopack.packing.kernels import common_rows, popcount
from systopack.packing.policies.registry import Request, register
from systopack.packing.problem import GroupingProblem
from systopack.packing.search.bits import problem_bits


@register("authors", aims=False)
def authors(problem: GroupingProblem, request: Request) -> NDArray[np.int64]:
    """The authors' rule on bit sets."""
    labels: NDArray[np.int64] = _fill_groups(
        problem_bits(problem), problem.alpha, problem.conflicts_allowed
    )
    return labels


def authors_definition(
    nonzero: NDArray[np.bool_], *, alpha: int, conflicts_allowed: int
) -> NDArray[np.int64]:
    """The same rule, written to be read: a group number per column, -1 for empty ones."""
    labels = np.full(nonzero.shape[1], -1, dtype=np.int64)
    waiting = [int(column) for column in np.flatnonzero(nonzero.any(axis=0))]
    group = 0
    while waiting:
        members = [waiting.pop(0)]
        while len(members) < alpha:
            best, fewest = -1, nonzero.shape[0] + 1
            for column in waiting:
                counts = nonzero[:, [*members, column]].sum(axis=1)
                empty_rows = int((counts == 0).sum())
                if np.maximum(counts - 1, 0).sum() <= conflicts_allowed and empty_rows < fewest:
                    best, fewest = column, empty_rows
            if best < 0:
                break
            waiting.remove(best)
            members.append(best)
        labels[members] = group
        group += 1
    return labels


@njit(cache=True)
def _fill_groups(bits: NDArray[np.uint64], alpha: int, conflicts_allowed: int) -> NDArray[np.int64]:
    columns, words = bits.shape
    labels = np.full(columns, -1, np.int64)
    weight = np.zeros(columns, np.int64)
    waiting = np.empty(columns, np.int64)
    count = 0
    for column in range(columns):
        for word in range(words):
            weight[column] += popcount(bits[column, word])
        if weight[column] > 0:
            waiting[count] = column
            count += 1
    covered = np.empty(words, np.uint64)
    group = 0
    while count > 0:
        seed = waiting[0]
        waiting[: count - 1] = waiting[1:count].copy()
        count -= 1
        labels[seed] = group
        covered[:] = bits[seed]
        conflicts = 0
        for _ in range(1, alpha):
            best, most, best_overlap = -1, -1, 0
            for place in range(count):
                column = waiting[place]
                if weight[column] <= most:
                    continue
                overlap = common_rows(bits[column], covered)
                fits = conflicts + overlap <= conflicts_allowed
                if fits and weight[column] - overlap > most:
                    best, most, best_overlap = place, weight[column] - overlap, overlap
            if best < 0:
                break
            column = waiting[best]
            waiting[best : count - 1] = waiting[best + 1 : count].copy()
            count -= 1
            labels[column] = group
            conflicts += best_overlap
            for word in range(words):
                covered[word] |= bits[column, word]
        group += 1
    return labels
