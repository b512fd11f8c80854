"""Magnitude pruning and column-combine pruning."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from systopack.packing.matrix import Groups, PackedBand
from systopack.packing.problem import checked_importance
from systopack.packing.threads import parallel_kernels


def column_combine_definition(matrix: NDArray[Any], groups: Groups) -> PackedBand:
    """Column-combine prune a filter matrix, written to be read (ASPLOS 2019, section 3.4).

    For each row and group the weight of largest magnitude stays; ties go to the column that the
    group lists first.

    Args:
        matrix: shape (N, M), real, finite.
        groups: the columns of each group.
    """
    rows = matrix.shape[0]
    values = np.zeros((rows, len(groups)), dtype=matrix.dtype)
    channels = np.zeros((rows, len(groups)), dtype=np.uint8)
    for index, group in enumerate(groups):
        part = matrix[:, list(group)]
        winner = np.abs(part.astype(np.float64)).argmax(axis=1)
        values[:, index] = part[np.arange(rows), winner]
        channels[:, index] = np.where(values[:, index] != 0, winner, 0)
    return PackedBand(groups=groups, values=values, channels=channels)


def column_combine(
    matrix: NDArray[Any],
    groups: Groups,
    *,
    importance: ArrayLike | None = None,
    kept: int = 1,
) -> PackedBand:
    """The same band as `column_combine_definition`, compiled (numba).

    Args:
        matrix, groups: as there.
        importance: keep the weights with the largest importance times square instead; shape (N,)
            or (N, M), at least 0.
        kept: weights kept per row and group; each group is listed so many times.
    """
    from systopack.packing import kernels

    sizes = [len(group) for group in groups]
    starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).astype(np.int64)
    members = np.fromiter((c for group in groups for c in group), np.int64, count=int(starts[-1]))
    values = np.zeros((matrix.shape[0], len(groups) * kept), dtype=matrix.dtype)
    channels = np.zeros(values.shape, dtype=np.uint8)
    if importance is None and kept == 1:
        small = matrix.size <= kernels.SMALL_CELLS
        keep = kernels.keep_largest_alone if small else kernels.keep_largest
        with parallel_kernels():
            keep(matrix, members, starts, values, channels)
    else:
        weights = np.ones(matrix.shape[0]) if importance is None else importance
        scores = checked_importance(weights, matrix.shape)
        kernels.keep_most_important(matrix, scores, members, starts, kept, values, channels)
    listed = tuple(group for group in groups for _ in range(kept))
    return PackedBand(groups=listed, values=values, channels=channels)


def magnitude_mask(matrix: NDArray[Any], *, keep: int) -> NDArray[np.bool_]:
    """Where the `keep` weights of largest magnitude are; ties go to the first in row order.

    Zeros are never kept, so the mask can hold fewer than `keep` places.

    Args:
        matrix: any shape, real, finite.
        keep: weights to keep, at least 0.
    """
    # Integers have a least number without a positive twin.
    flat = np.abs(matrix if matrix.dtype.kind == "f" else matrix.astype(np.float64)).ravel()
    mask = np.zeros(flat.size, dtype=bool)
    nonzeros = int(np.count_nonzero(flat))
    if keep >= nonzeros:
        return np.asarray(matrix != 0)
    if keep > 0:
        # Everything above the keep-th largest stays; of those equal to it, the first ones.
        threshold = np.partition(flat, flat.size - keep)[flat.size - keep]
        mask = flat > threshold
        equal = np.flatnonzero(flat == threshold)
        mask[equal[: keep - int(mask.sum())]] = True
    return mask.reshape(matrix.shape)


def conflicts(nonzero: NDArray[np.bool_], groups: Groups) -> list[int]:
    """Conflicts of each group: nonzeros of a row beyond the first, summed over rows."""
    counts = (nonzero[:, list(group)].sum(axis=1) for group in groups)
    return [int(np.maximum(count - 1, 0).sum()) for count in counts]
