"""`least-loss`: each column joins the group in which the least energy is pruned.

Columns come densest first, as in bin packing, and go into a fixed number of balanced groups.
That number starts where random groups would just keep the rule and goes down for as long as all
columns fit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from systopack.packing.bounds import combinatorial_bound
from systopack.packing.policies.dense_column_first import dense_column_first
from systopack.packing.policies.registry import Request, register
from systopack.packing.problem import GroupingProblem
from systopack.packing.search.state import insert


@register("least-loss", aims=True)
def least_loss(problem: GroupingProblem, request: Request) -> NDArray[np.int64]:
    """Insertion by lost energy into balanced groups."""
    if problem.occupied == 0:
        return np.full(problem.columns, -1, dtype=np.int64)
    if request.groups is not None:
        return insert(problem, groups=min(request.groups, problem.occupied))[0]
    if problem.conflicts_allowed == 0:  # nothing can be lost, so only the groups count
        return dense_column_first(problem, request)
    least = combinatorial_bound(problem).groups
    tried = min(max(least, groups_of_random_columns(problem)), problem.occupied)
    best, count = insert(problem, groups=tried)
    step = max(1, count // 32)
    while count > least:
        labels, found = insert(problem, groups=max(least, count - step))
        if found < count:
            best, count = labels, found
        elif step == 1:
            break
        else:
            step //= 2
    return best


def groups_of_random_columns(problem: GroupingProblem) -> int:
    """Groups that random columns need: the expected conflicts just keep the rule.

    A row with k nonzeros thrown into G groups covers `G (1 - (1 - 1/G)^k)` of them on average;
    every other nonzero is a conflict.
    """
    nonzeros = problem.row_nonzeros
    low, high = 1, max(1, problem.occupied)
    while low < high:
        groups = (low + high) // 2
        covered = groups * (1 - (1 - 1 / groups) ** nonzeros)
        if (nonzeros - covered).sum() <= groups * problem.conflicts_allowed:
            high = groups
        else:
            low = groups + 1
    return low
