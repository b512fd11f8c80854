"""One iteration's pruning, steps 1 to 3 of docs/method.md, section 2."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.frontend.graph import LayerGraph
from systopack.packing.bounds import Gap, group_gap
from systopack.packing.matrix import Groups, PackedMatrix
from systopack.packing.objective import MostNorm
from systopack.packing.pack import dense, pack, pack_groups
from systopack.packing.pruning import magnitude_mask
from systopack.packing.rule import PackingRule
from systopack.training.allocation import (
    TileSize,
    allocate,
    choices_of,
    fewest_groups,
    layer_choices,
    streamed_words,
)
from systopack.training.layer_shares import groups_at

Matrices = Mapping[str, NDArray[Any]]
_NO_SHARES: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, eq=False)
class Combined:
    """What one iteration leaves of the filter matrices.

    Args:
        matrices: layer name -> packed filter matrix.
        gaps: layer name -> its groups against the fewest that alpha and gamma allow; empty where
            the number of groups was given.
    """

    matrices: Mapping[str, PackedMatrix]
    gaps: Mapping[str, Gap]


def prune_and_combine(
    matrices: Matrices,
    *,
    beta: float,
    target: int,
    rule: PackingRule,
    policy: str = "dense-column-first",
    band_rows: int | None = None,
    seed: int = 0,
    blocks: Mapping[str, NDArray[np.int64]] | None = None,
) -> Combined:
    """Prune every layer's smallest weights, group its columns and prune the conflicts.

    Each layer loses the `beta` share of its remaining weights. Where that would leave fewer than
    `target` weights in all, the share is such that exactly `target` stay before conflicts.

    Args:
        matrices: layer name -> filter matrix (N, M); zeros are pruned weights.
        beta: 0..1.
        target: nonzero weights wanted in the whole network.
        rule: alpha and gamma.
        policy: how columns are grouped, see `packing.pack.pack`.
        band_rows: rows that share column groups; None: all rows of a layer.
        seed: of the policy.
        blocks: layer name -> which columns may share a group, see `packing.pack.pack`; layers
            that are not named have no blocks.
    """
    kept = weights_to_keep(
        {name: int(np.count_nonzero(matrix)) for name, matrix in matrices.items()},
        beta=beta,
        target=target,
    )
    packed, gaps = {}, {}
    for name, matrix in matrices.items():
        pruned = np.where(magnitude_mask(matrix, keep=kept[name]), matrix, 0)
        packed[name] = pack(
            pruned,
            alpha=rule.alpha,
            gamma=float(rule.gamma),
            policy=policy,
            band_rows=band_rows,
            seed=seed,
            blocks=None if blocks is None else blocks.get(name),
        )
        gaps[name] = group_gap(packed[name], pruned, alpha=rule.alpha, gamma=float(rule.gamma))
    return Combined(matrices=packed, gaps=gaps)


def channel_blocks(graph: LayerGraph, *, channels: int) -> dict[str, NDArray[np.int64]]:
    """Blocks of columns, for layers in which an input channel has several columns.

    Args:
        graph: the layers.
        channels: neighbouring input channels of a block, at least 1.

    Returns:
        Layer name -> shape (M,): the block of each column.
    """
    blocks = {}
    for op in graph.weighted_ops.values():
        channel = np.asarray(op.columns)[:, 0].astype(np.int64)
        if len(np.unique(channel)) < len(channel):
            blocks[op.name] = channel // channels
    return blocks


def prune_within_budget(matrices: Matrices, *, share: float) -> Combined:
    """Keep the `share` of largest weights of every layer, each column a group of its own.

    Args:
        matrices: layer name -> filter matrix (N, M).
        share: of all N * M weights, 0..1; layers that have fewer left keep those.
    """
    return Combined(
        matrices={
            name: dense(
                np.where(magnitude_mask(matrix, keep=math.ceil(share * matrix.size)), matrix, 0)
            )
            for name, matrix in matrices.items()
        },
        gaps={},
    )


def combine_within_budgets(
    matrices: Matrices,
    graph: LayerGraph,
    *,
    sensitivity: Mapping[str, NDArray[np.float64]],
    importance: Mapping[str, NDArray[np.float64]] | None,
    alpha: int,
    cells: float | None,
    streamed_words_ratio: float | None,
    tile: TileSize,
    policy: str,
    band_rows: int,
    seed: int = 0,
    shares: Mapping[str, float] = _NO_SHARES,
) -> Combined:
    """Allot column groups to the layers, then pack each to its number with most energy kept.

    Conflicts are not limited: column-combine pruning alone brings the layers to their size.

    Args:
        matrices: layer name -> filter matrix (N, M); zeros are pruned weights.
        graph: the layers; the budgets are about those with weights.
        sensitivity: layer name -> (N, M): what a unit of squared weight is predicted to cost;
            compares the layers with one another. Those of `shares` need none.
        importance: layer name -> (N, M): which weights survive inside a layer; None: the largest.
        alpha: largest group size.
        cells: share of the dense cells allowed, 0..1; None: any.
        streamed_words_ratio: times fewer streamed words than dense, at least 1; None: any number.
        tile: the array on which words are counted.
        policy: how columns are grouped; one that can be asked for a number of groups.
        band_rows: rows that share column groups.
        seed: of the policy.
        shares: layer name -> share of its dense cells, of layers whose size is given.

    Raises:
        InvalidOptionError: the budgets are too small for this alpha.
    """
    where: dict[str, Any] = {"band_rows": band_rows, "tile": tile}
    choices = {}
    for op in graph.weighted_ops.values():
        matrix = matrices[op.name]
        if op.name in shares:
            fewest = fewest_groups(matrix, alpha=alpha, band_rows=band_rows)
            groups = groups_at(
                op.name, shares[op.name], columns=matrix.shape[1], fewest=fewest, alpha=alpha
            )
            given = choices_of(op.rows, [groups], [0.0], positions=op.positions, **where)
            choices[op.name] = given
            continue
        choices[op.name] = layer_choices(
            matrix, sensitivity[op.name], positions=op.positions, alpha=alpha, seed=seed, **where
        )
    dense_cells, dense_words = dense_size(graph, tile=tile)
    allotted = allocate(
        choices,
        cells=None if cells is None else math.floor(cells * dense_cells),
        streamed_words=(
            None if streamed_words_ratio is None else math.floor(dense_words / streamed_words_ratio)
        ),
    )
    packed = {
        name: pack_to(
            matrix,
            allotted[name].groups,
            alpha=alpha,
            policy=policy,
            band_rows=band_rows,
            importance=None if importance is None else importance[name],
            seed=seed,
        )
        for name, matrix in matrices.items()
    }
    return Combined(matrices=packed, gaps={})


def dense_size(graph: LayerGraph, *, tile: TileSize) -> tuple[int, int]:
    """Dense cells and streamed words of the layers with weights."""
    ops = graph.weighted_ops.values()
    words = (
        streamed_words(
            rows=op.rows,
            groups=len(op.columns),
            positions=op.positions,
            band_rows=op.rows,
            tile=tile,
        )
        for op in ops
    )
    return sum(op.rows * len(op.columns) for op in ops), sum(words)


def pack_to(
    matrix: NDArray[Any],
    groups: int,
    *,
    alpha: int,
    policy: str,
    band_rows: int,
    importance: NDArray[np.float64] | None = None,
    seed: int = 0,
) -> PackedMatrix:
    """Pack a filter matrix to a number of groups with the most squared norm kept.

    Args:
        matrix: shape (N, M).
        groups: of each row band; a group a column leaves the matrix as it is.
        alpha, policy, band_rows, importance, seed: as in `packing.pack.pack`.
    """
    if groups >= matrix.shape[1]:
        return dense(matrix)
    return pack(
        matrix,
        alpha=alpha,
        gamma=alpha - 1,
        policy=policy,
        objective=MostNorm(groups=groups),
        band_rows=band_rows,
        importance=importance,
        seed=seed,
    )


def weights_to_keep(nonzeros: Mapping[str, int], *, beta: float, target: int) -> dict[str, int]:
    """How many weights each layer keeps; see `prune_and_combine`."""
    kept = {name: count - int(beta * count) for name, count in nonzeros.items()}
    total = sum(nonzeros.values())
    if sum(kept.values()) >= target or target >= total:
        return kept if target < total else dict(nonzeros)
    # The last iteration: the same share of every layer, largest remainders make it exact.
    exact = {name: count * target / total for name, count in nonzeros.items()}
    kept = {name: int(share) for name, share in exact.items()}
    missing = target - sum(kept.values())
    by_remainder = sorted(exact, key=lambda name: kept[name] - exact[name])
    for name in by_remainder[:missing]:
        kept[name] += 1
    return kept


def combine_with_groups(
    matrix: NDArray[Any], bands: tuple[tuple[int, Groups], ...]
) -> PackedMatrix:
    """Column-combine prune a filter matrix whose row bands and groups are known."""
    packed = []
    start = 0
    for rows, groups in bands:
        packed.append(pack_groups(matrix[start : start + rows], groups).bands[0])
        start += rows
    return PackedMatrix(columns=matrix.shape[1], bands=tuple(packed))
