"""Insert columns one after another where they lose the least squared norm (numba)."""

# ruff: noqa: PLR0917 - compiled functions take their arrays by position
from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray


@njit(cache=True, fastmath=True)
def insert_least_loss(
    starts: NDArray[np.int64],
    row_of: NDArray[np.int32],
    squared_norm: NDArray[np.float32],
    order: NDArray[np.int64],
    rows: int,
    groups: int,
    capacity: int,
    kept: int,
    conflicts_allowed: int,
) -> tuple[NDArray[np.int64], int]:
    """Group number of every column, -1 for those not in `order`; and the number of groups.

    Each column joins the feasible group in which the least squared norm is pruned (ties: first) and
    which holds fewer than `capacity` columns; where there is none a new group is opened.
    """
    # top[k, row, group]: the (k + 1)-th largest squared norm of a row and group; a new column
    # prunes the smaller of its own and the last of these.
    room = max(groups, 1)
    top = np.zeros((kept, rows, room), np.float32)
    label = np.full(starts.size - 1, -1, np.int64)
    size = np.zeros(room, np.int64)
    conflicts = np.zeros(room, np.int64)
    loss = np.empty(room, np.float32)
    overlap = np.empty(room, np.int32)
    empty = 0  # groups before this one are not empty
    for column in order:
        best = -1
        if empty < groups:
            best = empty
            overlap[best] = 0
        else:
            loss[:] = 0
            overlap[:] = 0
            for place in range(starts[column], starts[column + 1]):
                own = squared_norm[place]
                weakest = top[kept - 1, row_of[place]]
                for group in range(room):
                    other = weakest[group]
                    loss[group] += other if other < own else own
                    overlap[group] += 1 if other > 0 else 0
            for group in range(groups):
                fits = size[group] < capacity
                fits &= conflicts[group] + overlap[group] <= conflicts_allowed
                if fits and (best < 0 or loss[group] < loss[best]):
                    best = group
            if best < 0:
                best = groups
                groups += 1
                if groups > room:
                    room = room + room // 4 + 4
                    wider = np.zeros((kept, rows, room), np.float32)
                    wider[:, :, :best] = top
                    top = wider
                    size = np.concatenate((size, np.zeros(room - best, np.int64)))
                    conflicts = np.concatenate((conflicts, np.zeros(room - best, np.int64)))
                    loss = np.empty(room, np.float32)
                    overlap = np.zeros(room, np.int32)
        if best == empty:
            empty += 1
        label[column] = best
        size[best] += 1
        conflicts[best] += overlap[best]
        for place in range(starts[column], starts[column + 1]):
            carried = squared_norm[place]
            for rank in range(kept):
                held = top[rank, row_of[place], best]
                if carried > held:
                    top[rank, row_of[place], best] = carried
                    carried = held
    return label, groups


@njit(cache=True, fastmath=True)
def insert_anyhow(
    starts: NDArray[np.int64],
    row_of: NDArray[np.int32],
    squared_norm: NDArray[np.float32],
    order: NDArray[np.int64],
    placed: NDArray[np.int64],
    rows: int,
    groups: int,
    alpha: int,
    kept: int,
    conflicts_allowed: int,
    penalty: float,
) -> NDArray[np.int64]:
    """Group number of every column with exactly so many groups, whatever conflicts that takes.

    Columns that `placed` gives a group stay there; `order` begins with these. A conflict beyond
    what is allowed costs `penalty` as if so much squared norm were pruned.
    """
    top = np.zeros((kept, rows, groups), np.float32)
    label = placed.copy()
    size = np.zeros(groups, np.int64)
    conflicts = np.zeros(groups, np.int64)
    loss = np.empty(groups, np.float32)
    overlap = np.empty(groups, np.int32)
    for column in order:
        loss[:] = 0
        overlap[:] = 0
        for place in range(starts[column], starts[column + 1]):
            own = squared_norm[place]
            weakest = top[kept - 1, row_of[place]]
            for group in range(groups):
                other = weakest[group]
                loss[group] += other if other < own else own
                overlap[group] += 1 if other > 0 else 0
        best = label[column]
        least = np.inf
        for group in range(groups):
            if size[group] < alpha and label[column] < 0:
                before = max(0, conflicts[group] - conflicts_allowed)
                after = max(0, conflicts[group] + overlap[group] - conflicts_allowed)
                cost = loss[group] + penalty * (after - before)
                if cost < least:
                    best, least = group, cost
        label[column] = best
        size[best] += 1
        conflicts[best] += overlap[best]
        for place in range(starts[column], starts[column + 1]):
            carried = squared_norm[place]
            for rank in range(kept):
                held = top[rank, row_of[place], best]
                if carried > held:
                    top[rank, row_of[place], best] = carried
                    carried = held
    return label


def _price_columns(
    starts: NDArray[np.int64],
    row_of: NDArray[np.int32],
    squared_norm: NDArray[np.float32],
    columns: NDArray[np.int64],
    top: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Squared norm lost by, and conflicts of, each column in each group: (columns, groups) each."""
    kept, _, groups = top.shape
    loss = np.zeros((columns.size, groups), np.float32)
    overlap = np.zeros((columns.size, groups), np.int32)
    for index in prange(columns.size):
        column = columns[index]
        for place in range(starts[column], starts[column + 1]):
            own = squared_norm[place]
            weakest = top[kept - 1, row_of[place]]
            for group in range(groups):
                other = weakest[group]
                loss[index, group] += other if other < own else own
                overlap[index, group] += 1 if other > 0 else 0
    return loss, overlap


@njit(cache=True)
def lay_columns(
    starts: NDArray[np.int64],
    row_of: NDArray[np.int32],
    squared_norm: NDArray[np.float32],
    columns: NDArray[np.int64],
    groups: NDArray[np.int64],
    top: NDArray[np.float32],
) -> None:
    """Add each column to its group in `top`, shape (kept, rows, groups)."""
    for index in range(columns.size):
        for place in range(starts[columns[index]], starts[columns[index] + 1]):
            carried = squared_norm[place]
            for rank in range(top.shape[0]):
                held = top[rank, row_of[place], groups[index]]
                if carried > held:
                    top[rank, row_of[place], groups[index]] = carried
                    carried = held


# Small batches are priced before another thread is awake.
price_columns_apart = njit(cache=True, fastmath=True, parallel=True)(_price_columns)
price_columns_alone = njit(cache=True, fastmath=True)(_price_columns)
