"""`refine`: local search on a grouping: pull columns out, reassign them optimally, merge groups.

It starts from `least-loss`, cools it (see `search.annealing`) at that number of groups and
keeps the result if it is better, then tries to do with one group less at a time for as long as
the squared norm kept does not fall below that of the start.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from systopack.packing.bounds import combinatorial_bound
from systopack.packing.policies.least_loss import least_loss
from systopack.packing.policies.registry import Request, register
from systopack.packing.problem import GroupingProblem
from systopack.packing.search.annealing import Budget, anneal, mend, sweeps_of
from systopack.packing.search.state import Grouping, Labels, Worth, dissolve

HEAT = 0.3  # noise at the start, as a share of the squared norm pruned per column
_CELLS = 4e8  # work of the default budget, in cells priced


@register("refine", aims=True)
def refine(problem: GroupingProblem, request: Request) -> NDArray[np.int64]:
    """Refine the groups of `least-loss`."""
    budget = Budget(sweeps=sweeps_of(problem, cells=_CELLS), deadline=request.deadline)
    start = least_loss(problem, replace(request, deadline=None))
    return refine_labels(problem, start, request=request, budget=budget)


def refine_labels(
    problem: GroupingProblem, start: Labels, *, request: Request, budget: Budget
) -> Labels:
    """Refine any grouping; never fewer squared norm and never more groups than it has."""
    if problem.occupied < 2:
        return start
    held = Grouping.from_labels(start, alpha=problem.alpha)
    floor = held.worth(problem)
    best, worth = held, floor
    cooled = held.copy()
    reached = cool(problem, cooled, budget=budget.part(0.5), seed=request.seed)
    if reached.rank < worth.rank:
        best, worth = cooled, reached
    least = request.groups or combinatorial_bound(problem).groups
    tries = 4
    while worth.groups > least and tries and not budget.spent:
        tries -= 1
        fewer = dissolve(problem, best, groups=worth.groups - 1)
        reached = cool(problem, fewer, budget=budget.part(0.25), seed=request.seed + tries)
        if reached.excess or reached.squared_norm < floor.squared_norm:
            break
        best, worth = fewer, reached
    return best.labels(problem.columns)


def cool(problem: GroupingProblem, grouping: Grouping, *, budget: Budget, seed: int) -> Worth:
    """Anneal, then mend what conflicts are left."""
    worth = anneal(problem, grouping, budget=budget, heat=HEAT, seed=seed)
    if worth.excess:
        worth = mend(problem, grouping, sweeps=20, seed=seed)
    return worth
