"""`best`: all the others, a long search, and a proof where one is within reach.

It takes the groups of `least-loss`, the best of the simple policies, and cools them. Then it looks
for fewer groups that keep more squared norm than those do, by half of what `assignment` gains over
them, so it is never worse than `least-loss` in either figure. What is left of the budget goes into
the squared norm.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from systopack.packing.bounds import combinatorial_bound
from systopack.packing.policies.least_loss import least_loss
from systopack.packing.policies.refine import cool
from systopack.packing.policies.registry import Request, policy_named, register
from systopack.packing.problem import GroupingProblem
from systopack.packing.search.annealing import Budget, sweeps_of
from systopack.packing.search.cover import cover_groups
from systopack.packing.search.state import Grouping, Labels, Worth, dissolve, insert_into
from systopack.requirements import needs

_CELLS = 3e9  # work of the default budget, in cells priced


@register("best", aims=True)
def best(problem: GroupingProblem, request: Request) -> NDArray[np.int64]:
    """Search for as long as the budget lasts.

    Raises:
        MissingPackageError: scipy is not installed.
    """
    needs("scipy")
    start = least_loss(problem, replace(request, deadline=None))
    worth = Grouping.from_labels(start, alpha=problem.alpha).worth(problem)
    if problem.occupied < 2:
        return start
    budget = Budget(sweeps=sweeps_of(problem, cells=_CELLS), deadline=request.deadline)
    if request.groups is not None:
        assigned = policy_named("assignment").run(problem, replace(request, deadline=None))
        held = Grouping.from_labels(assigned, alpha=problem.alpha)
        if worth.rank < held.worth(problem).rank:
            held = Grouping.from_labels(start, alpha=problem.alpha)
        worth = held.worth(problem)
        if worth.groups > request.groups >= combinatorial_bound(problem).groups:
            held = insert_into(problem, groups=request.groups)
        return _polish(problem, held, held.worth(problem), budget, request.seed).labels(
            problem.columns
        )
    if problem.conflicts_allowed == 0:
        if worth.groups <= combinatorial_bound(problem).groups:
            return start  # nothing is pruned, and no grouping has fewer groups
        left = None if request.deadline is None else 0.8 * _seconds_left(request.deadline)
        cover = cover_groups(problem, time_limit_s=left)
        if cover is not None and cover.groups <= worth.groups:
            start = cover.labels
            if cover.groups == cover.bound:  # nothing is pruned, so squared norm has no say
                return start
    held, worth = _fewer_groups(problem, start, budget, request)
    return _polish(problem, held, worth, budget.part(1.0), request.seed + 1).labels(problem.columns)


def _fewer_groups(
    problem: GroupingProblem, start: Labels, budget: Budget, request: Request
) -> tuple[Grouping, Worth]:
    """Fewest groups that keep as much as `start`, as far as half the budget reaches."""
    held = Grouping.from_labels(start, alpha=problem.alpha)
    worth = held.worth(problem)
    floor = worth.squared_norm
    assigned = Grouping.from_labels(
        policy_named("assignment").run(problem, replace(request, deadline=None)),
        alpha=problem.alpha,
    )
    reached = assigned.worth(problem)
    if reached.rank < worth.rank:
        held, worth = assigned, reached
        floor = (floor + max(floor, worth.squared_norm)) / 2
    if request.fewest_at_any_cost:
        floor = -np.inf
    least = combinatorial_bound(problem).groups
    if worth.groups <= least:
        return held, worth
    share = 0.2
    cooled = held.copy()
    reached = cool(problem, cooled, budget=budget.part(share), seed=request.seed)
    if reached.rank < worth.rank:
        held, worth = cooled, reached
    too_few = least - 1  # the largest number of groups that failed
    for attempt in range(5):
        if worth.groups - too_few <= 1 or budget.spent:
            break
        step = _step(worth, floor, worth.groups - too_few - 1)
        fewer = dissolve(problem, held, groups=worth.groups - step)
        reached = cool(problem, fewer, budget=budget.part(share), seed=request.seed + attempt)
        if reached.excess == 0 and reached.squared_norm >= floor:
            held, worth = fewer, reached
        else:
            too_few = worth.groups - step
    return held, worth


def _step(worth: Worth, floor: float, most: int) -> int:
    """Groups to do without next: each takes about a third of its share along."""
    if not np.isfinite(floor):
        return max(1, min(most, worth.groups // 16))
    spare = worth.squared_norm - floor
    return int(np.clip(spare / (worth.squared_norm / worth.groups / 3), 1, most))


def _polish(
    problem: GroupingProblem, held: Grouping, worth: Worth, budget: Budget, seed: int
) -> Grouping:
    """Cool a copy with all that is left of the budget; the better of the two.

    Without a deadline a short search comes before the long one: from another start it sometimes
    ends higher.
    """
    if budget.deadline is None:
        cooled = held.copy()
        reached = cool(problem, cooled, budget=budget.part(0.1), seed=seed)
        if reached.rank < worth.rank:
            held, worth = cooled, reached
    if budget.spent:
        return held
    cooled = held.copy()
    reached = cool(problem, cooled, budget=budget, seed=seed)
    return cooled if reached.rank < worth.rank else held


def _seconds_left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())
