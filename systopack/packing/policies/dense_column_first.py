"""`dense-column-first`: the paper's policy; see `packing.grouping` for its definition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from systopack.packing.policies.registry import Request, register
from systopack.packing.problem import GroupingProblem
from systopack.packing.search.bits import problem_bits


@register("dense-column-first", aims=False)
def dense_column_first(problem: GroupingProblem, request: Request) -> NDArray[np.int64]:
    """Dense columns first, each into the group that ends up fullest."""
    from systopack.packing import kernels

    order = np.argsort(-problem.column_nonzeros, kind="stable")
    labels: NDArray[np.int64] = kernels.dense_column_first(
        problem_bits(problem), order, problem.alpha, problem.conflicts_allowed
    )
    return labels
