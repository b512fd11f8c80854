"""`least-loss`: each column joins the group in which the least squared norm is pruned.

Columns come densest first, as in bin packing, and go into a fixed number of balanced groups.
That number starts where random groups would just keep the rule and goes down for as long as all
columns fit. Column by column, and blind to how columns fit together, it can end worse than the
two rules that look at the nonzeros only. Both are quick, so they run too, and the best counts:
fewest groups, then most squared norm. Where a rule wins by groups, its columns change places for a
moment, since it never looked at the squared norm. Where no conflict is allowed, no squared norm
can be lost and only the rules decide.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from systopack.packing.bounds import combinatorial_bound
from systopack.packing.policies.authors import authors
from systopack.packing.policies.dense_column_first import dense_column_first
from systopack.packing.policies.registry import Request, register
from systopack.packing.problem import GroupingProblem
from systopack.packing.search.annealing import Budget, anneal, sweeps_of
from systopack.packing.search.state import Grouping, Labels, insert

_CELLS = 6e6  # work of the short search, in cells priced: that of `polish`

# A problem is asked for many numbers of groups in turn, and the rules know only one answer.
_BY_RULE: WeakKeyDictionary[GroupingProblem, list[Labels]] = WeakKeyDictionary()


@register("least-loss", aims=True)
def least_loss(problem: GroupingProblem, request: Request) -> NDArray[np.int64]:
    """The best of insertion by lost squared norm, `dense-column-first` and `authors`."""
    if problem.occupied == 0:
        return np.full(problem.columns, -1, dtype=np.int64)
    found = _by_rule(problem)
    if request.groups is not None:
        inserted = insert(problem, groups=min(request.groups, problem.occupied))[0]
    elif problem.conflicts_allowed == 0 and problem.kept == 1:
        return min(found, key=lambda labels: int(labels.max()))
    else:
        inserted = _fewest_by_insertion(problem)
    best = best_grouping(problem, [inserted, *found], within=request.groups)
    fewer = best.max() < inserted.max() and inserted.max() >= (request.groups or 0)
    return _descended(problem, best, request.seed) if fewer else best


def best_grouping(
    problem: GroupingProblem, found: list[Labels], *, within: int | None = None
) -> Labels:
    """The grouping with the fewest groups, then the most squared norm (ties: the first).

    Args:
        within: so many groups are as good as fewer.
    """
    most = within or 0
    groups = [max(int(labels.max(initial=-1)) + 1, most) for labels in found]
    left = [labels for labels, count in zip(found, groups, strict=True) if count == min(groups)]
    if len(left) == 1:
        return left[0]
    energies = [
        Grouping.from_labels(labels, alpha=problem.alpha).worth(problem).squared_norm
        for labels in left
    ]
    return left[int(np.argmax(energies))]


def _by_rule(problem: GroupingProblem) -> list[Labels]:
    """The groups of the rules that look at the nonzeros only."""
    if problem not in _BY_RULE:
        request = Request()
        _BY_RULE[problem] = [dense_column_first(problem, request), authors(problem, request)]
    return _BY_RULE[problem]


def _descended(problem: GroupingProblem, labels: Labels, seed: int) -> Labels:
    """The same groups after a short search that only takes steps to more squared norm."""
    grouping = Grouping.from_labels(labels, alpha=problem.alpha)
    budget = Budget(sweeps=sweeps_of(problem, cells=_CELLS))
    if anneal(problem, grouping, budget=budget, heat=0.0, seed=seed).excess:
        return labels
    return best_grouping(problem, [labels, grouping.labels(problem.columns)])


def _fewest_by_insertion(problem: GroupingProblem) -> Labels:
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
