"""`polish`: `assignment`, then a short cooling of it: most of what a search gains, in milliseconds.

For use between the epochs of a training run, where a search of `refine`'s length would cost more
than the squared norm it keeps is worth.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from systopack.packing.policies.assignment import assignment
from systopack.packing.policies.refine import refine_labels
from systopack.packing.policies.registry import Request, register
from systopack.packing.problem import GroupingProblem
from systopack.packing.search.annealing import Budget, sweeps_of

_CELLS = 6e6  # work of the default budget, in cells priced; 4e8 is that of `refine`


@register("polish", aims=True)
def polish(problem: GroupingProblem, request: Request) -> NDArray[np.int64]:
    """Refine the groups of `assignment`, briefly."""
    budget = Budget(sweeps=sweeps_of(problem, cells=_CELLS), deadline=request.deadline)
    start = assignment(problem, replace(request, deadline=None))
    return refine_labels(problem, start, request=request, budget=budget)
