"""Pack the weights of a file one at a time, each with its figures."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidOptionError, SystopackError
from systopack.packing.bounds import Gap, group_gap
from systopack.packing.checks import checked_matrix
from systopack.packing.matrix import PackedMatrix
from systopack.packing.objective import FewestGroups, Objective
from systopack.packing.pack import pack
from systopack.packing.policies.registry import policy_named
from systopack.packing.pruning import magnitude_mask
from systopack.packing.rule import PackingRule
from systopack.packing.weights import Weight, WeightFile

Bounding = Literal["quick", "exact", "none"]


@dataclass(frozen=True, kw_only=True)
class LayerOptions:
    """How every layer is pruned, packed and compared with its lower bound.

    Args:
        rule: the limits of a group.
        policy, objective, seed, time_limit_s, band_rows: as in `pack`; limits count per layer.
        density: share of the weights of a layer that stays before packing, by magnitude, above 0
            and at most 1; None keeps them all.
        bound: lower bound on the groups: `quick` needs no search, `exact` also solves the set
            cover where that is within reach (seconds), `none` leaves it out.

    Raises:
        InvalidOptionError: a value out of range.
    """

    rule: PackingRule
    policy: str = "least-loss"
    objective: Objective = field(default_factory=FewestGroups)
    seed: int = 0
    time_limit_s: float | None = None
    band_rows: int | None = None
    density: float | None = None
    bound: Bounding = "quick"

    def __post_init__(self) -> None:
        policy_named(self.policy)
        if self.density is not None and not 0 < self.density <= 1:
            raise InvalidOptionError(
                f"--density is {self.density}, but it is a share of the weights, above 0 and at "
                "most 1."
            )
        if self.bound not in ("quick", "exact", "none"):
            raise InvalidOptionError(f"--bound is '{self.bound}'; write quick, exact or none.")


@dataclass(frozen=True, kw_only=True, eq=False)
class PackedLayer:
    """A packed layer and what became of it.

    Args:
        name: of the weight.
        matrix: the packed matrix.
        gap: its groups against the lower bound; None where none was asked for.
        squared_norm_kept: share, 0..1, of the squared norm after pruning to the density.
        seconds_s: that packing took.
    """

    name: str
    matrix: PackedMatrix
    gap: Gap | None
    squared_norm_kept: float
    seconds_s: float


def pack_layer(file: WeightFile, weight: Weight, options: LayerOptions) -> PackedLayer:
    """Read, prune and pack one weight of a file.

    Raises:
        SystopackError: see `WeightFile.read` and `pack`; the sentence begins with the name.
    """
    try:
        return _packed(weight.name, file.read(weight), options)
    except SystopackError as error:
        raise type(error)(f"'{weight.name}': {error}") from error


def figures_of(layer: PackedLayer, *, array: tuple[int, int]) -> dict[str, Any]:
    """What became of a weight; tiles are counted on an array of (rows, columns)."""
    rows, columns = array
    matrix, gap = layer.matrix, layer.gap
    return {
        "rows": matrix.rows,
        "columns": matrix.columns,
        "groups": [len(band.groups) for band in matrix.bands],
        "groups_lower_bound": None if gap is None else gap.bound,
        "groups_proven_optimal": None if gap is None else gap.optimal,
        "gap_percent": None if gap is None else gap.gap_percent,
        "nonzeros": matrix.nonzeros,
        "packed_cells": matrix.packed_cells,
        "packing_efficiency": matrix.packing_efficiency,
        "squared_norm_kept": layer.squared_norm_kept,
        "tiles": matrix.tile_count(rows=rows, columns=columns),
        "dense_tiles": -(-matrix.rows // rows) * -(-matrix.columns // columns),
        "pack_s": layer.seconds_s,
    }


def _packed(name: str, weights: NDArray[Any], options: LayerOptions) -> PackedLayer:
    matrix = checked_matrix(weights)
    if options.density is not None:
        matrix[~magnitude_mask(matrix, keep=round(options.density * matrix.size))] = 0
    began = time.perf_counter()
    packed = pack(
        matrix,
        alpha=options.rule.alpha,
        gamma=float(options.rule.gamma),
        policy=options.policy,
        objective=options.objective,
        seed=options.seed,
        time_limit_s=options.time_limit_s,
        band_rows=options.band_rows,
    )
    seconds = time.perf_counter() - began
    gap = None
    if options.bound != "none":
        gap = group_gap(
            packed,
            matrix,
            alpha=options.rule.alpha,
            gamma=float(options.rule.gamma),
            exact=options.bound == "exact",
        )
    squared_norm = _squared_norm(matrix)
    kept = sum(_squared_norm(band.values) for band in packed.bands)
    return PackedLayer(
        name=name,
        matrix=packed,
        gap=gap,
        squared_norm_kept=kept / squared_norm if squared_norm else 1.0,
        seconds_s=seconds,
    )


def _squared_norm(values: NDArray[Any]) -> float:
    """The sum of squares, row by row so that no second matrix is made."""
    return sum(float(np.square(row, dtype=np.float64).sum()) for row in values)
