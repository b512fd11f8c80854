"""Optimal assignment: a permutation of least cost, by shortest augmenting paths (numba).

The method is that of R. Jonker and A. Volgenant, Computing 38 (1987), in single precision and
with loops that vectorize; small square problems only, where it beats a general solver.
"""

# ruff: noqa: PLR0917 - compiled functions take their arrays by position
from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

_FAR = np.float32(1e30)


@njit(cache=True, fastmath=True)
def match_least_cost(
    cost: NDArray[np.float32],
    size: int,
    column_of: NDArray[np.int32],
    row_at: NDArray[np.int32],
    scratch: NDArray[np.float32],
    came_from: NDArray[np.int32],
) -> None:
    """Assign each of the first `size` rows its column in `column_of`, and back in `row_at`.

    Args:
        cost: shape (>= size, >= size), finite, below 1e29.
        scratch: shape (4, >= size), overwritten, as is `came_from`.
    """
    row_price, column_price, distance, shut = scratch[0], scratch[1], scratch[2], scratch[3]
    _reduce(cost, size, column_of, row_at, row_price, column_price)
    for start in range(size):
        if column_of[start] >= 0:
            continue
        for column in range(size):
            distance[column] = _FAR
            shut[column] = 0
        reached = np.float32(0)
        row = start
        while True:
            near = _relax(
                cost[row],
                column_price,
                distance,
                shut,
                came_from,
                reached - row_price[row],
                np.int32(row),
                size,
            )
            reached = distance[near]
            shut[near] = _FAR
            if row_at[near] < 0:
                break
            row = row_at[near]
        row_price[start] += reached
        for column in range(size):
            if shut[column] > 0 and column != near:
                column_price[column] += distance[column] - reached
                row_price[row_at[column]] += reached - distance[column]
        while True:  # turn the path around
            row = came_from[near]
            row_at[near] = row
            following = column_of[row]
            column_of[row] = near
            near = following
            if row == start:
                break


@njit(cache=True, fastmath=True)
def match_by_swaps(
    cost: NDArray[np.float32],
    size: int,
    column_of: NDArray[np.int32],
    row_at: NDArray[np.int32],
    scratch: NDArray[np.float32],
) -> None:
    """Improve the assignment of every row to its own column by the best swaps of pairs.

    Not optimal, but the work grows with the square of the size, not with its cube.
    """
    own, gain = scratch[0], scratch[1]
    for row in range(size):
        column_of[row] = row
        row_at[row] = row
        own[row] = cost[row, row]
    for _ in range(3):
        swaps = 0
        for row in range(size):
            at = column_of[row]
            line = cost[row]
            mine = own[row]
            for column in range(size):
                other = row_at[column]
                gain[column] = mine + own[other] - line[column] - cost[other, at]
            best = 0
            most = np.float32(0)
            for column in range(size):
                if gain[column] > most:
                    best, most = column, gain[column]
            if most > 0:
                other = row_at[best]
                column_of[row], column_of[other] = best, at
                row_at[best], row_at[at] = row, other
                own[row] = line[best]
                own[other] = cost[other, at]
                swaps += 1
        if swaps == 0:
            break


@njit(cache=True, fastmath=True)
def _reduce(
    cost: NDArray[np.float32],
    size: int,
    column_of: NDArray[np.int32],
    row_at: NDArray[np.int32],
    row_price: NDArray[np.float32],
    column_price: NDArray[np.float32],
) -> None:
    """Prices from the least cost of every column, then row; pairs that cost nothing more."""
    for column in range(size):
        column_price[column] = cost[0, column]
        row_at[column] = -1
    for row in range(1, size):
        line = cost[row]
        for column in range(size):
            price = column_price[column]
            column_price[column] = line[column] if line[column] < price else price
    for row in range(size):
        line = cost[row]
        least = _FAR
        for column in range(size):
            reduced = line[column] - column_price[column]
            least = reduced if reduced < least else least
        row_price[row] = least
        column_of[row] = -1
        for column in range(size):
            if row_at[column] < 0 and line[column] - column_price[column] <= least:
                row_at[column] = row
                column_of[row] = column
                break


@njit(cache=True, fastmath=True)
def _relax(
    line: NDArray[np.float32],
    column_price: NDArray[np.float32],
    distance: NDArray[np.float32],
    shut: NDArray[np.float32],
    came_from: NDArray[np.int32],
    shift: np.float32,
    row: np.int32,
    size: int,
) -> int:
    """Shorten the distances by way of one row; the open column that is nearest."""
    for column in range(size):
        through = shift + line[column] - column_price[column] + shut[column]
        held = distance[column]
        came_from[column] = row if through < held else came_from[column]
        distance[column] = through if through < held else held
    nearest = _FAR
    for column in range(size):
        open_distance = distance[column] + shut[column]
        nearest = open_distance if open_distance < nearest else nearest
    for column in range(size):
        if distance[column] + shut[column] <= nearest:
            return column
    return 0
