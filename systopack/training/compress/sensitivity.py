"""What each layer alone costs when it is packed, before any training, and what a size costs then.

Each layer is packed to a few numbers of groups while all others stay dense, and the network's
answers to held-out images are compared with the dense network's. The divergence of the answers
adds up over the layers better than the accuracy, so it decides; the accuracy is what people read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from systopack.frontend.graph import LayerGraph, MatrixOp
from systopack.frontend.weights import filter_matrix, stored_weight
from systopack.training.allocation import (
    Choice,
    TileSize,
    choices_of,
    fewest_groups,
    group_counts,
)
from systopack.training.combining import pack_to
from systopack.training.session import outputs

_WORST = 1e3  # divergence of answers that are no numbers, or far from any
_STEPS = 4  # numbers of groups that a layer is tried at, from the fewest, by equal factors


@dataclass(frozen=True, kw_only=True)
class LayerSensitivity:
    """A layer packed alone.

    Args:
        name: of the layer.
        rows, columns: of its filter matrix.
        groups: numbers of groups that it was tried at, rising; none where it cannot be packed.
        lost_points: accuracy lost at each, in percentage points of the images looked at.
        divergences: mean Kullback-Leibler divergence from the dense network's answers at each.
    """

    name: str
    rows: int
    columns: int
    groups: tuple[int, ...]
    lost_points: tuple[float, ...]
    divergences: tuple[float, ...]

    def predicted(self, groups: NDArray[np.int64]) -> list[float]:
        """The divergence at numbers of groups: between measured ones, never rising, 0 at the end.

        Args:
            groups: shape (n,), from the least that was measured to a group a column.
        """
        measured = np.maximum.accumulate([0.0, *reversed(self.divergences)])[::-1]
        places = np.log([*self.groups, self.columns])
        return [float(value) for value in np.interp(np.log(groups), places, measured)]


@dataclass(frozen=True, kw_only=True)
class Packing:
    """How the layers are packed, in all that a search tries.

    Args:
        alpha: largest group size.
        band_rows: rows that share column groups.
        tile: the array on which words are counted.
        policy, seed: how columns are grouped.
        fixed: layer name -> groups, of the layers whose size is given.
    """

    alpha: int
    band_rows: int
    tile: TileSize
    policy: str
    seed: int
    fixed: Mapping[str, int]


def measure_layers(
    module: nn.Module,
    graph: LayerGraph,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    *,
    packing: Packing,
    normalization: Mapping[str, Any],
) -> tuple[LayerSensitivity, ...]:
    """Pack each layer alone at several numbers of groups; the module is as before afterwards.

    Args:
        module: the dense model on its device.
        graph: its layers.
        images, labels: held out; at least one.
        packing: how layers are packed; those of a fixed size are passed over.
        normalization: `mean`, `std` and `device` of the images.
    """
    dense = outputs(module, images, **normalization)
    right = (dense.argmax(dim=1).numpy() == labels).mean()
    parameters = dict(module.named_parameters())
    found = []
    for weight, op in graph.weighted_ops.items():
        if op.name in packing.fixed:
            continue
        parameter = parameters[weight]
        before = parameter.detach().clone()
        matrix = filter_matrix(op, before).cpu().float().numpy()
        counts = _tried(matrix, packing)
        lost, divergences = [], []
        for groups in counts:
            with torch.no_grad():
                parameter.copy_(_packed_weight(matrix, op, groups, packing))
            answers = outputs(module, images, **normalization)
            lost.append(100 * float(right - (answers.argmax(dim=1).numpy() == labels).mean()))
            divergences.append(_divergence(dense, answers))
            with torch.no_grad():
                parameter.copy_(before)
        found.append(
            LayerSensitivity(
                name=op.name,
                rows=op.rows,
                columns=len(op.columns),
                groups=tuple(counts),
                lost_points=tuple(lost),
                divergences=tuple(divergences),
            )
        )
    return tuple(found)


def search_choices(
    graph: LayerGraph,
    matrices: Mapping[str, NDArray[Any]],
    table: tuple[LayerSensitivity, ...],
    packing: Packing,
) -> dict[str, tuple[Choice, ...]]:
    """What each layer costs and is predicted to lose at each number of groups worth looking at.

    Args:
        graph: the layers.
        matrices: layer name -> filter matrix (N, M).
        table: of the layers whose size is free.
        packing: how layers are packed.
    """
    known = {one.name: one for one in table}
    choices = {}
    for op in graph.weighted_ops.values():
        if op.name in packing.fixed:
            counts, losses = [packing.fixed[op.name]], [0.0]
        else:
            counts = group_counts(
                matrices[op.name],
                alpha=packing.alpha,
                band_rows=packing.band_rows,
                tile=packing.tile,
            )
            losses = known[op.name].predicted(np.array(counts))
        choices[op.name] = choices_of(
            op.rows,
            counts,
            losses,
            positions=op.positions,
            band_rows=packing.band_rows,
            tile=packing.tile,
        )
    return choices


def table_rows(
    table: tuple[LayerSensitivity, ...],
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and rows of the table that a user reads: points lost at each share of the cells."""
    most = max((len(one.groups) for one in table), default=0)
    rows = []
    for one in table:
        cells = [
            f"{groups / one.columns:.2f}: {lost:+.1f}"
            for groups, lost in zip(one.groups, one.lost_points, strict=True)
        ]
        cells += ["-"] * (most - len(cells))
        rows.append((one.name, f"{one.rows} x {one.columns}", *cells))
    header = ("layer alone", "size", "cells: points lost", *("",) * (most - 1))
    return header[: 2 + most], rows


def _tried(matrix: NDArray[Any], packing: Packing) -> list[int]:
    """Numbers of groups from the fewest by equal factors towards a group a column."""
    columns = matrix.shape[1]
    fewest = fewest_groups(matrix, alpha=packing.alpha, band_rows=packing.band_rows)
    ratio = columns / fewest
    counts = {math.ceil(fewest * ratio ** (step / _STEPS) - 1e-9) for step in range(_STEPS)}
    return sorted(count for count in counts if count < columns)


def _packed_weight(matrix: NDArray[Any], op: MatrixOp, groups: int, packing: Packing) -> Tensor:
    """The weight of a layer that is packed to a number of groups."""
    packed = pack_to(
        matrix,
        groups,
        alpha=packing.alpha,
        policy=packing.policy,
        band_rows=packing.band_rows,
        seed=packing.seed,
    )
    return stored_weight(op, torch.from_numpy(packed.to_dense()))


def _divergence(dense: Tensor, answers: Tensor) -> float:
    """Mean Kullback-Leibler divergence of answers from the dense ones, at least 0."""
    target = F.log_softmax(dense.double(), dim=1)
    given = F.log_softmax(answers.double(), dim=1)
    found = F.kl_div(given, target, reduction="batchmean", log_target=True)
    return min(max(0.0, float(found)), _WORST) if bool(torch.isfinite(found)) else _WORST
