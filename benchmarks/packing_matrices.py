"""The matrices that the packing benchmarks share, made by one recipe."""

from __future__ import annotations

import math
import resource
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.packing.matrix import PackedMatrix

ALPHA = 8
Matrix = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A matrix, a gamma, and what an early trial reached on it (groups, L2)."""

    rows: int
    columns: int
    density: float
    uneven: bool
    gamma: float
    trial_groups: int
    trial_l2: float

    @property
    def name(self) -> str:
        """For a table."""
        uneven = "uneven " if self.uneven else ""
        return f"{uneven}{self.rows}x{self.columns} @{self.density:g} gamma {self.gamma:g}"


CASES = tuple(
    Case(
        rows=rows,
        columns=columns,
        density=density,
        uneven=uneven,
        gamma=gamma,
        trial_groups=groups,
        trial_l2=l2,
    )
    for rows, columns, density, uneven, gamma, groups, l2 in (
        (96, 94, 0.16, False, 0, 44, 1.0),
        (96, 94, 0.16, False, 0.25, 15, 0.915),
        (96, 94, 0.16, False, 0.5, 12, 0.876),
        (512, 512, 0.15, False, 0.25, 82, 0.890),
        (512, 4608, 0.10, False, 0.5, 576, 0.930),
        (96, 94, 0.16, True, 0.25, 19, 0.924),
        (96, 94, 0.16, True, 0.5, 14, 0.885),
        (256, 256, 0.15, True, 0.25, 51, 0.921),
        (256, 256, 0.15, True, 0.5, 36, 0.876),
        (512, 4608, 0.10, True, 0.25, 641, 0.897),
        (512, 4608, 0.10, True, 0.5, 566, 0.882),
    )
)


def pruned_matrix(rows: int, columns: int, density: float, *, uneven: bool = False) -> Matrix:
    """Normal weights, in the uneven family with lognormal rows and columns, pruned."""
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((rows, columns), dtype=np.float32)
    if uneven:
        of_rows = np.exp(0.5 * rng.standard_normal(rows)).astype(np.float32)
        of_columns = np.exp(0.5 * rng.standard_normal(columns)).astype(np.float32)
        weights = weights * of_rows[:, None] * of_columns[None, :]
    order = np.argsort(-np.abs(weights).ravel(), kind="stable")
    weights.ravel()[order[round(density * rows * columns) :]] = 0
    return weights


def kept_l2(packed: PackedMatrix, matrix: Matrix) -> float:
    """The square root of kept squared norm over squared norm."""
    kept = sum(float((band.values.astype(np.float64) ** 2).sum()) for band in packed.bands)
    return math.sqrt(kept / float((matrix.astype(np.float64) ** 2).sum()))


def large_matrix(rows: int, columns: int, *, seed: int = 0) -> Matrix:
    """Normal weights of which a tenth stays, made row by row so that no second copy exists."""
    rng = np.random.default_rng(seed)
    weights = np.empty((rows, columns), dtype=np.float32)
    for row in weights:
        row[:] = rng.standard_normal(row.size, dtype=np.float32)
        row[np.abs(row) < 1.6448536] = 0  # a tenth of normal numbers is larger in magnitude
    return weights


def peak_bytes() -> int:
    """The largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
