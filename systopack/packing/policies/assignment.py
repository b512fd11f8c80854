"""`assignment`: columns join groups in rounds, each an optimal assignment.

In every round each group takes at most one column; the pairs are those that lose the least
squared norm together (linear assignment), and pairs that break the rule are forbidden. Columns that
fit nowhere wait, and open new groups at the end. The number of groups is that of `least-loss`,
whose groups stay where the rounds need more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from systopack.packing.policies.least_loss import least_loss
from systopack.packing.policies.registry import Request, register
from systopack.packing.problem import GroupingProblem
from systopack.packing.search import insertion
from systopack.packing.search.state import Labels
from systopack.requirements import needs

_SMALL_CELLS = 200_000  # up to here one thread prices all columns faster than several


@register("assignment", aims=True)
def assignment(problem: GroupingProblem, request: Request) -> NDArray[np.int64]:
    """Rounds of optimal assignment, from the heaviest columns to the lightest.

    Raises:
        MissingPackageError: scipy is not installed.
    """
    needs("scipy")
    if problem.occupied == 0:
        return np.full(problem.columns, -1, dtype=np.int64)
    if request.groups is not None:
        groups = min(request.groups, problem.occupied)
        labels, count = _assign_rounds(problem, groups)
        return labels if count <= groups else least_loss(problem, request)
    greedy = least_loss(problem, request)
    groups = int(greedy.max()) + 1
    labels, count = _assign_rounds(problem, groups)
    return labels if count <= groups else greedy


def _assign_rounds(problem: GroupingProblem, groups: int) -> tuple[Labels, int]:
    from scipy.optimize import linear_sum_assignment

    waiting = problem.heaviest_first()
    labels = np.full(problem.columns, -1, dtype=np.int64)
    top = np.zeros((problem.kept, problem.rows, groups), dtype=np.float32)
    conflicts = np.zeros(groups, dtype=np.int64)
    sizes = np.zeros(groups, dtype=np.int64)
    arrays = (problem.starts, problem.row_of, problem.squared_norm)
    small = problem.squared_norm.size * groups <= _SMALL_CELLS
    price = insertion.price_columns_alone if small else insertion.price_columns_apart
    while waiting.size:
        batch = waiting[:groups]
        loss, overlap = price(*arrays, batch, top)
        allowed = (sizes < problem.alpha) & (conflicts + overlap <= problem.conflicts_allowed)
        forbidden = 1e6 * (1 + float(loss.max()))
        column, group = linear_sum_assignment(np.where(allowed, loss, forbidden))
        fits = allowed[column, group]
        column, group = column[fits], group[fits]
        if not column.size:  # nothing fits any more: one new group for the heaviest column
            top = np.concatenate([top, np.zeros_like(top[:, :, :1])], axis=2)
            conflicts, sizes = np.append(conflicts, 0), np.append(sizes, 0)
            column, group = np.array([0]), np.array([sizes.size - 1])
            overlap = np.zeros((batch.size, sizes.size), dtype=np.int32)
        labels[batch[column]] = group
        sizes[group] += 1
        conflicts[group] += overlap[column, group]
        insertion.lay_columns(*arrays, batch[column], group, top)
        waiting = waiting[labels[waiting] < 0]
    return labels, int(sizes.size)
