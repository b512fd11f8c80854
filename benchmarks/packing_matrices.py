"""The matrices that the packing benchmarks share, made by one recipe."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.packing.matrix import PackedMatrix

ALPHA = 8


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


def _case(
    size: tuple[int, int], density: float, uneven: bool, gamma: float, trial: tuple[int, float]
) -> Case:
    return Case(
        rows=size[0],
        columns=size[1],
        density=density,
        uneven=uneven,
        gamma=gamma,
        trial_groups=trial[0],
        trial_l2=trial[1],
    )


CASES = (
    _case((96, 94), 0.16, False, 0, (44, 1.0)),
    _case((96, 94), 0.16, False, 0.25, (15, 0.915)),
    _case((96, 94), 0.16, False, 0.5, (12, 0.876)),
    _case((512, 512), 0.15, False, 0.25, (82, 0.890)),
    _case((512, 4608), 0.10, False, 0.5, (576, 0.930)),
    _case((96, 94), 0.16, True, 0.25, (19, 0.924)),
    _case((96, 94), 0.16, True, 0.5, (14, 0.885)),
    _case((256, 256), 0.15, True, 0.25, (51, 0.921)),
    _case((256, 256), 0.15, True, 0.5, (36, 0.876)),
    _case((512, 4608), 0.10, True, 0.25, (641, 0.897)),
    _case((512, 4608), 0.10, True, 0.5, (566, 0.882)),
)


def pruned_matrix(
    rows: int, columns: int, density: float, *, uneven: bool = False
) -> NDArray[np.float32]:
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


def kept_l2(packed: PackedMatrix, matrix: NDArray[np.float32]) -> float:
    """The square root of kept squared norm over squared norm."""
    kept = sum(float((band.values.astype(np.float64) ** 2).sum()) for band in packed.bands)
    return math.sqrt(kept / float((matrix.astype(np.float64) ** 2).sum()))
