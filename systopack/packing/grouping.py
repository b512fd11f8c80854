"""Dense-column-first grouping: the plain definition and its fast twin.

The paper's policy (ASPLOS 2019, section 3.3): columns in order of decreasing nonzeros (ties:
lowest index); each joins the feasible group that ends up with most rows holding a nonzero (ties:
oldest group), or opens a new one. Empty columns join none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from systopack.packing.matrix import Groups


def dense_column_first_definition(
    nonzero: NDArray[np.bool_], *, alpha: int, conflicts_allowed: int
) -> Groups:
    """Group the columns of a mask, written to be read.

    Args:
        nonzero: shape (N, M), bool: where the filter matrix holds a weight.
        alpha: largest group size.
        conflicts_allowed: conflicts allowed in a group, all rows together.

    Returns:
        The groups in the order they were opened, the columns of each in ascending order.
    """
    counts = nonzero.sum(axis=0)
    groups: list[list[int]] = []
    covered: list[NDArray[np.bool_]] = []  # rows of each group that hold a nonzero
    conflicts: list[int] = []
    for column in np.argsort(-counts, kind="stable"):
        if counts[column] == 0:
            break
        best = -1
        best_covered = -1
        for index, group in enumerate(groups):
            overlap = int((covered[index] & nonzero[:, column]).sum())
            rows_covered = int((covered[index] | nonzero[:, column]).sum())
            feasible = len(group) < alpha and conflicts[index] + overlap <= conflicts_allowed
            if feasible and rows_covered > best_covered:
                best, best_covered = index, rows_covered
        if best < 0:
            groups.append([int(column)])
            covered.append(nonzero[:, column].copy())
            conflicts.append(0)
        else:
            conflicts[best] += int((covered[best] & nonzero[:, column]).sum())
            covered[best] |= nonzero[:, column]
            groups[best].append(int(column))
    return tuple(tuple(sorted(group)) for group in groups)


def dense_column_first(nonzero: NDArray[np.bool_], *, alpha: int, conflicts_allowed: int) -> Groups:
    """The same groups as `dense_column_first_definition`, on bit sets (numba)."""
    from systopack.packing import kernels

    order = np.argsort(-nonzero.sum(axis=0), kind="stable")
    bits = kernels.column_bits(nonzero)
    group_of_column = kernels.dense_column_first(bits, order, alpha, conflicts_allowed)
    return groups_from_labels(group_of_column)


def groups_from_labels(group_of_column: NDArray[np.int64]) -> Groups:
    """Turn a group number per column (-1: in no group) into the list of groups.

    Args:
        group_of_column: shape (M,), group numbers 0..G-1, each used at least once, or -1.
    """
    order = np.argsort(group_of_column, kind="stable")
    labels = group_of_column[order]
    order = order[labels >= 0]
    labels = labels[labels >= 0]
    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    return tuple(tuple(part.tolist()) for part in np.split(order, starts[1:]) if part.size)
