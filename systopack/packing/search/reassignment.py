"""Local search on groupings: pull a column out of every group, reassign them optimally (numba).

A step takes a few groups, pulls one column (or one free place) out of each and puts the pulled
columns back, one into each group, by an optimal assignment. Its cost is the squared norm that is
pruned, plus a penalty for every conflict beyond those allowed, plus random noise that shrinks
as the search cools. With two groups a step is a swap, with a free place it is a move.
"""

# ruff: noqa: PLR0917 - compiled functions take their arrays by position
from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from systopack.packing.search.matching import match_by_swaps, match_least_cost


@njit(cache=True, inline="always")
def _random(state: NDArray[np.uint64]) -> float:
    """The next uniform number in [0, 1) of a xorshift generator (Marsaglia, 2003)."""
    word = state[0]
    word ^= word << np.uint64(13)
    word ^= word >> np.uint64(7)
    word ^= word << np.uint64(17)
    state[0] = word
    return float(word >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True)
def _generator(seed: int, stream: int) -> NDArray[np.uint64]:
    """A generator state of its own for every seed and stream (mixed as in splitmix64)."""
    word = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15)
    word += (np.uint64(stream) + np.uint64(1)) * np.uint64(0xD1342543DE82EF95)
    word ^= word >> np.uint64(30)
    word *= np.uint64(0xBF58476D1CE4E5B9)
    word ^= word >> np.uint64(27)
    word *= np.uint64(0x94D049BB133111EB)
    word ^= word >> np.uint64(31)
    state = np.empty(1, np.uint64)
    state[0] = word | np.uint64(1)
    return state


@njit(cache=True, fastmath=True)
def _pull(
    starts: NDArray[np.int64],
    row_of: NDArray[np.int32],
    squared_norm: NDArray[np.float32],
    members: NDArray[np.int32],
    sizes: NDArray[np.int64],
    chosen: NDArray[np.int64],
    top: NDArray[np.float32],
    slot: NDArray[np.int64],
    pulled: NDArray[np.int32],
    conflicts: NDArray[np.int64],
    state: NDArray[np.uint64],
) -> None:
    """Pull a random place out of each chosen group; lay out what the others leave in `top`."""
    kept = top.shape[0]
    alpha = members.shape[1]
    top[:] = 0
    for index in range(chosen.size):
        group = chosen[index]
        size = sizes[group]
        places = size + 1 if size < alpha else size
        slot[index] = int(_random(state) * places)
        pulled[index] = members[group, slot[index]] if slot[index] < size else -1
        count = 0
        for place in range(size):
            if place == slot[index]:
                continue
            column = members[group, place]
            for entry in range(starts[column], starts[column + 1]):
                carried = squared_norm[entry]
                row = row_of[entry]
                for rank in range(kept):
                    held = top[rank, row, index]
                    if carried > held:
                        top[rank, row, index] = carried
                        carried = held
                count += 1 if carried > 0 else 0
        conflicts[index] = count


@njit(cache=True, fastmath=True)
def _price(
    starts: NDArray[np.int64],
    row_of: NDArray[np.int32],
    squared_norm: NDArray[np.float32],
    pulled: NDArray[np.int32],
    conflicts: NDArray[np.int64],
    weakest: NDArray[np.float32],
    cost: NDArray[np.float32],
    overlap: NDArray[np.int32],
    conflicts_allowed: int,
    penalty: np.float32,
    noise: np.float32,
    dice: NDArray[np.float32],
    state: NDArray[np.uint64],
) -> None:
    """Cost of each pulled column (row) in each group (column of `cost`)."""
    size = pulled.size
    for index in range(size):
        loss = cost[index]
        loss[:size] = 0
        overlap[:size] = 0
        column = pulled[index]
        if column >= 0:
            for entry in range(starts[column], starts[column + 1]):
                own = squared_norm[entry]
                line = weakest[row_of[entry]]
                for group in range(size):
                    other = line[group]
                    loss[group] += other if other < own else own
                    overlap[group] += 1 if other > 0 else 0
        for group in range(size):
            excess = conflicts[group] + overlap[group] - conflicts_allowed
            if excess > 0:
                loss[group] += penalty * np.float32(excess)
        if noise > 0:
            offset = int(_random(state) * (dice.size - size))
            for group in range(size):
                loss[group] += noise * dice[offset + group]


@njit(cache=True)
def _put_back(
    members: NDArray[np.int32],
    sizes: NDArray[np.int64],
    chosen: NDArray[np.int64],
    slot: NDArray[np.int64],
    pulled: NDArray[np.int32],
    row_at: NDArray[np.int32],
) -> None:
    for index in range(chosen.size):
        group = chosen[index]
        column = pulled[row_at[index]]
        place = slot[index]
        if place == sizes[group]:  # a free place was offered
            if column >= 0:
                members[group, place] = column
                sizes[group] += 1
        elif column >= 0:
            members[group, place] = column
        else:
            sizes[group] -= 1
            members[group, place] = members[group, sizes[group]]
            members[group, sizes[group]] = -1


@njit(cache=True)
def reassign_island(
    starts: NDArray[np.int64],
    row_of: NDArray[np.int32],
    squared_norm: NDArray[np.float32],
    rows: int,
    kept: int,
    members: NDArray[np.int32],
    sizes: NDArray[np.int64],
    island: NDArray[np.int64],
    block: int,
    steps: int,
    conflicts_allowed: int,
    penalty: float,
    noise: float,
    seed: int,
    stream: int,
) -> None:
    """Take `steps` steps among the groups listed in `island`, `block` of them at a time.

    Args:
        members: shape (groups, alpha): the columns of each group, changed in place; its first
            `sizes` places are in use, the others hold -1.
        penalty: cost of a conflict too many; noise: scale of the random cost; both in units of
            `squared_norm`.
    """
    state = _generator(seed, stream)
    size = min(block, island.size)
    top = np.empty((kept, rows, size), np.float32)
    cost = np.empty((size, size), np.float32)
    overlap = np.empty(size, np.int32)
    slot = np.empty(size, np.int64)
    pulled = np.empty(size, np.int32)
    conflicts = np.empty(size, np.int64)
    column_of = np.empty(size, np.int32)
    row_at = np.empty(size, np.int32)
    came_from = np.empty(size, np.int32)
    scratch = np.empty((4, size), np.float32)
    dice = np.empty(size + (4096 if noise > 0 else 0), np.float32)
    for index in range(dice.size):
        dice[index] = np.float32(_random(state))
    order = island.copy()
    for _ in range(steps):
        if size < order.size:
            for index in range(size):
                other = index + int(_random(state) * (order.size - index))
                order[index], order[other] = order[other], order[index]
        chosen = order[:size]
        _pull(
            starts,
            row_of,
            squared_norm,
            members,
            sizes,
            chosen,
            top,
            slot,
            pulled,
            conflicts,
            state,
        )
        _price(
            starts, row_of, squared_norm, pulled, conflicts, top[kept - 1], cost, overlap,
            conflicts_allowed, np.float32(penalty), np.float32(noise), dice, state,
        )  # fmt: skip
        if size > 128:
            match_by_swaps(cost, size, column_of, row_at, scratch)
        else:
            match_least_cost(cost, size, column_of, row_at, scratch, came_from)
        _put_back(members, sizes, chosen, slot, pulled, row_at)


@njit(cache=True, parallel=True)
def reassign_islands(
    starts: NDArray[np.int64],
    row_of: NDArray[np.int32],
    squared_norm: NDArray[np.float32],
    rows: int,
    kept: int,
    members: NDArray[np.int32],
    sizes: NDArray[np.int64],
    order: NDArray[np.int64],
    islands: int,
    block: int,
    steps: int,
    conflicts_allowed: int,
    penalty: float,
    noise: float,
    seed: int,
) -> None:
    """`reassign_island` on disjoint parts of `order`, on all cores; the same on any number."""
    groups = order.size
    for index in prange(islands):
        part = order[index * groups // islands : (index + 1) * groups // islands]
        reassign_island(
            starts, row_of, squared_norm, rows, kept, members, sizes, part, block, steps,
            conflicts_allowed, penalty, noise, seed, index + 1,
        )  # fmt: skip


def _measure(
    starts: NDArray[np.int64],
    row_of: NDArray[np.int32],
    squared_norm: NDArray[np.float32],
    rows: int,
    kept: int,
    members: NDArray[np.int32],
    sizes: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Kept squared norm and conflicts of every group."""
    groups = sizes.size
    energies = np.zeros(groups, np.float64)
    conflicts = np.zeros(groups, np.int64)
    for strip in prange(16):
        first, last = strip * groups // 16, (strip + 1) * groups // 16
        top = np.empty((kept, rows), np.float32)
        for group in range(first, last):
            top[:] = 0
            for place in range(sizes[group]):
                column = members[group, place]
                for entry in range(starts[column], starts[column + 1]):
                    carried = squared_norm[entry]
                    for rank in range(kept):
                        held = top[rank, row_of[entry]]
                        if carried > held:
                            top[rank, row_of[entry]] = carried
                            carried = held
                    conflicts[group] += 1 if carried > 0 else 0
            total = 0.0
            for rank in range(kept):
                for row in range(rows):
                    total += top[rank, row]
            energies[group] = total
    return energies, conflicts


# Small groupings are measured before another thread is awake.
measure_apart = njit(cache=True, parallel=True)(_measure)
measure_alone = njit(cache=True)(_measure)
