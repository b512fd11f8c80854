"""Compiled inner loops of the packer (numba). Each has a plain twin that defines it.

Sets of rows are bit sets: one column of the filter matrix is `ceil(N / 64)` words of uint64.
"""

# ruff: noqa: PLR0917 - compiled functions take their arrays by position
from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray


def column_bits(nonzero: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Pack a mask (N, M) into bit sets of rows, one per column: shape (M, ceil(N / 64))."""
    rows, columns = nonzero.shape
    words = max(1, -(-rows // 64))
    packed = np.zeros((columns, words * 8), dtype=np.uint8)
    packed[:, : -(-rows // 8)] = np.packbits(nonzero, axis=0, bitorder="little").T
    return packed.view(np.uint64)


@njit(inline="always")
def popcount(word: np.uint64) -> np.uint64:
    """Bits set in a 64-bit word."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + (
        (word >> np.uint64(2)) & np.uint64(0x3333333333333333)
    )
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


@njit(inline="always")
def common_rows(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> int:
    """Rows that two bit sets share. No way out of the loop, so that it is made of vector code."""
    total = 0
    for word in range(one.size):
        total += popcount(one[word] & other[word])
    return total


@njit(cache=True)
def dense_column_first(
    bits: NDArray[np.uint64], order: NDArray[np.int64], alpha: int, conflicts_allowed: int
) -> NDArray[np.int64]:
    """Group number of every column, -1 for empty ones; see `packing.grouping`."""
    columns, words = bits.shape
    group_of_column = np.full(columns, -1, np.int64)
    covered = np.zeros((columns, words), np.uint64)
    covered_rows = np.zeros(columns, np.int64)
    conflicts = np.zeros(columns, np.int64)
    sizes = np.zeros(columns, np.int64)
    open_groups = np.empty(columns, np.int64)  # groups that still have room, oldest first
    open_count = 0
    groups = 0
    for column in order:
        weight = 0
        for word in range(words):
            weight += popcount(bits[column, word])
        if weight == 0:
            break
        best = -1
        best_covered = -1
        best_overlap = 0
        for position in range(open_count):
            group = open_groups[position]
            # The union can only be better than the best so far when even no overlap would be.
            if covered_rows[group] + weight <= best_covered:
                continue
            overlap = common_rows(bits[column], covered[group])
            if conflicts[group] + overlap > conflicts_allowed:
                continue
            rows_covered = covered_rows[group] + weight - overlap
            if rows_covered > best_covered:
                best, best_covered, best_overlap = group, rows_covered, overlap
        if best < 0:
            best = groups
            groups += 1
            open_groups[open_count] = best
            open_count += 1
            best_covered = weight
        for word in range(words):
            covered[best, word] |= bits[column, word]
        covered_rows[best] = best_covered
        conflicts[best] += best_overlap
        sizes[best] += 1
        group_of_column[column] = best
        if sizes[best] == alpha:
            kept = 0
            for position in range(open_count):
                if open_groups[position] != best:
                    open_groups[kept] = open_groups[position]
                    kept += 1
            open_count = kept
    return group_of_column


def _keep_largest(
    matrix: NDArray[Any],
    members: NDArray[np.int64],
    starts: NDArray[np.int64],
    values: NDArray[Any],
    channels: NDArray[np.uint8],
) -> None:
    """Fill `values` and `channels` with the weight of largest magnitude of every row and group.

    `members[starts[g]:starts[g + 1]]` are the columns of group g; ties go to the first of them.
    """
    for row in prange(matrix.shape[0]):
        for group in range(starts.size - 1):
            best = np.float64(0)
            for position in range(starts[group], starts[group + 1]):
                value = matrix[row, members[position]]
                magnitude = abs(np.float64(value))
                if magnitude > best:
                    best = magnitude
                    values[row, group] = value
                    channels[row, group] = position - starts[group]


@njit(cache=True)
def count_nonzeros(matrix: NDArray[Any]) -> NDArray[np.int64]:
    """Nonzeros of every column."""
    counts = np.zeros(matrix.shape[1], np.int64)
    for row in range(matrix.shape[0]):
        for column in range(matrix.shape[1]):
            counts[column] += 1 if matrix[row, column] != 0 else 0
    return counts


@njit(cache=True)
def largest_of_groups(
    squared_norm: NDArray[np.float64], labels: NDArray[np.int64], groups: int
) -> float:
    """The sum over rows and groups of the largest one; columns of label -1 count nowhere."""
    total = 0.0
    largest = np.empty(groups + 1, np.float64)  # the last one is that of columns in no group
    for row in range(squared_norm.shape[0]):
        largest[:] = 0
        for column in range(squared_norm.shape[1]):
            largest[labels[column]] = max(largest[labels[column]], squared_norm[row, column])
        total += largest[:groups].sum()
    return total


def _gather_columns(
    matrix: NDArray[Any],
    starts: NDArray[np.int64],
    row_of: NDArray[np.int32],
    squared: NDArray[np.float64],
) -> None:
    """Write the row and the squared value of every nonzero, column by column."""
    rows, columns = matrix.shape
    strips = 16
    for strip in prange(strips):  # a strip of columns: each is written from top to bottom
        first, last = strip * columns // strips, (strip + 1) * columns // strips
        place = starts[first:last].copy()
        for row in range(rows):
            for column in range(first, last):
                value = np.float64(matrix[row, column])
                if value != 0:
                    row_of[place[column - first]] = row
                    squared[place[column - first]] = value * value
                    place[column - first] += 1


# Small matrices are done before another thread is awake.
gather_columns = njit(cache=True, parallel=True)(_gather_columns)
gather_columns_alone = njit(cache=True)(_gather_columns)
keep_largest = njit(cache=True, parallel=True)(_keep_largest)
keep_largest_alone = njit(cache=True)(_keep_largest)
SMALL_CELLS = 500_000


@njit(cache=True)
def keep_most_important(
    matrix: NDArray[Any],
    importance: NDArray[np.float64],
    members: NDArray[np.int64],
    starts: NDArray[np.int64],
    kept: int,
    values: NDArray[Any],
    channels: NDArray[np.uint8],
) -> None:
    """Fill `values` and `channels`, `kept` cells a group, with the weights that matter most.

    Like `keep_largest`, but by importance times squared weight, and several of a row and group;
    they fill its cells in the order of the group's columns. `importance` is (N, M) or (N, 1).
    """
    largest = 0
    for group in range(starts.size - 1):
        largest = max(largest, starts[group + 1] - starts[group])
    chosen = np.empty(largest, np.bool_)
    wide = importance.shape[1] > 1
    for row in range(matrix.shape[0]):
        for group in range(starts.size - 1):
            first, last = starts[group], starts[group + 1]
            chosen[:] = False
            for _ in range(kept):
                best = -1
                most = -1.0
                for position in range(first, last):
                    column = members[position]
                    value = np.float64(matrix[row, column])
                    score = value * value * importance[row, column if wide else 0]
                    if value != 0 and not chosen[position - first] and score > most:
                        best, most = position - first, score
                if best >= 0:
                    chosen[best] = True
            cell = group * kept
            for position in range(first, last):
                if chosen[position - first]:
                    values[row, cell] = matrix[row, members[position]]
                    channels[row, cell] = position - first
                    cell += 1
