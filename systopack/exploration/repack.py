"""A packed network, pruned and packed anew without training."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidOptionError
from systopack.network.network import PackedNetwork
from systopack.network.nodes import MatrixLayer, Node
from systopack.network.permute import permute_rows
from systopack.packing.matrix import PackedBand, PackedMatrix
from systopack.packing.objective import FewestGroups, MostNorm, Objective
from systopack.packing.pack import pack
from systopack.packing.pruning import magnitude_mask


@dataclass(frozen=True, kw_only=True)
class Packing:
    """How every layer is packed.

    Args:
        alpha: largest column group, 1..16.
        gamma: conflicts per row of a group, 0..alpha - 1; None: 0.5, and with a budget any number.
        density: share of each layer's weights that stays before packing, by magnitude, 0..1.
        cells: share of the dense cells that each layer's may be; None: as few as alpha and gamma
            allow.
        words: times fewer column tiles than dense on an array of `columns`; None: no such budget.
        columns: of the array, for `words`.
        band_rows: rows that share column groups; None: all.
        policy: of `packing.pack.pack`.
    """

    alpha: int
    gamma: float | None = None
    density: float = 1.0
    cells: float | None = None
    words: float | None = None
    columns: int = 32
    band_rows: int | None = None
    policy: str = "least-loss"

    @property
    def conflicts(self) -> float:
        """The limit of conflicts per row."""
        if self.gamma is not None:
            return self.gamma
        budget = self.cells is not None or self.words is not None
        return self.alpha - 1 if budget else min(0.5, self.alpha - 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Repacked:
    """A network packed anew.

    Args:
        network: with the same nodes, scales and biases.
        norm_kept: share of the weights' squared norm that is left, 0..1, the mean of all layers.
    """

    network: PackedNetwork
    norm_kept: float


def repacked(network: PackedNetwork, packing: Packing) -> Repacked:
    """Prune by magnitude, group columns, prune what conflicts; rows are reordered as always.

    Args:
        network: dense or packed; what it has pruned stays pruned.
        packing: how.

    Raises:
        InvalidOptionError: gamma is above alpha - 1, or a budget cannot be kept.
    """
    nodes: list[Node] = []
    kept = []
    for node in network.nodes:
        if not isinstance(node, MatrixLayer):
            nodes.append(node)
            continue
        matrix, share = _layer(node, packing)
        nodes.append(replace(node, matrix=matrix))
        kept.append(share)
    changed = permute_rows(replace(network, nodes=tuple(nodes)))
    return Repacked(network=changed, norm_kept=float(np.mean(kept)))


def _layer(layer: MatrixLayer, packing: Packing) -> tuple[PackedMatrix, float]:
    """The matrix packed anew, and the share of its squared norm that is left."""
    integers = layer.matrix.to_dense()
    scale = _row_scales(layer)
    weights = integers * scale[:, None]
    before = float((weights**2).sum())
    keep = math.floor(packing.density * weights.size)
    weights = np.where(magnitude_mask(weights, keep=keep), weights, 0.0)
    packed = pack(
        weights,
        alpha=packing.alpha,
        gamma=packing.conflicts,
        policy=packing.policy,
        objective=_objective(layer, weights, packing),
        band_rows=packing.band_rows,
    )
    starts = np.cumsum([0, *(band.rows for band in packed.bands)])
    bands = tuple(
        _integers(band, scale[start : start + band.rows])
        for band, start in zip(packed.bands, starts, strict=False)
    )
    after = sum(float((band.values**2.0).sum()) for band in packed.bands)
    matrix = PackedMatrix(columns=packed.columns, bands=bands)
    return matrix, after / before if before else 1.0


def _row_scales(layer: MatrixLayer) -> NDArray[np.float64]:
    """Of the weights of each row, but for a factor of the layer: powers of two, shape (N,)."""
    if layer.shift is None:
        return np.ones(len(layer.bias))
    return np.exp2(-layer.shift.astype(np.float64))


def _integers(band: PackedBand, scale: NDArray[np.float64]) -> PackedBand:
    return replace(band, values=(band.values / scale[:, None]).astype(np.int8))


def _objective(layer: MatrixLayer, weights: NDArray[np.float64], packing: Packing) -> Objective:
    """So many groups as the budget allows, or as few as possible."""
    columns = weights.shape[1]
    limits = []
    if packing.cells is not None:
        limits.append(math.floor(packing.cells * columns))
    if packing.words is not None:
        tiles = -(-columns // packing.columns)
        limits.append(packing.columns * max(1, math.floor(tiles / packing.words)))
    if not limits:
        return FewestGroups()
    rows = weights.shape[0] if packing.band_rows is None else packing.band_rows
    occupied = max(
        int((weights[start : start + rows] != 0).any(axis=0).sum())
        for start in range(0, weights.shape[0], rows)
    )
    needed = -(-occupied // packing.alpha)
    if needed > min(limits):
        raise InvalidOptionError(
            f"Layer '{layer.name}' needs {needed} column groups at alpha {packing.alpha}, but the "
            f"budget leaves it {min(limits)}; allow more, or a larger alpha."
        )
    return MostNorm(groups=min(*limits, occupied) if occupied else 1)
