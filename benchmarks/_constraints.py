"""What a sparse accelerator lets weights be, as masks of a trained network's filter matrices."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from _bench import SIZE
from numpy.typing import NDArray

from systopack.frontend.graph import LayerGraph, MatrixOp
from systopack.packing.matrix import PackedMatrix
from systopack.packing.objective import MostNorm
from systopack.packing.pack import pack
from systopack.packing.pruning import magnitude_mask
from systopack.training.allocation import Choice, allocate

BLOCK = 8  # input channels of a block, where nothing else is said
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Weights:
    """A trained network's weights, and what they are worth.

    Args:
        graph: the layers.
        matrices: layer name -> filter matrix (N, M).
        sensitivity: layer name -> (N, M): what a unit of squared weight is predicted to cost.
        seed: of the packing policy.
    """

    graph: LayerGraph
    matrices: Mapping[str, NDArray[Any]]
    sensitivity: Mapping[str, NDArray[np.float64]]
    seed: int

    def __iter__(self) -> Any:
        """Layer and filter matrix, one after the other."""
        return ((op, self.matrices[op.name]) for op in self.graph.weighted_ops.values())


Projection = Callable[[Weights], dict[str, Mask]]


def channel_fastest(columns: NDArray[Any]) -> NDArray[np.int64]:
    """The order of columns (channel, dy, dx) in which the channels of a tap are neighbours."""
    return np.asarray(np.lexsort((columns[:, 0], columns[:, 2], columns[:, 1])), dtype=np.int64)


def channels_of(columns: NDArray[Any]) -> int:
    """How many input channels a layer reads."""
    return len(np.unique(columns[:, 0]))


def has_blocks(op: MatrixOp) -> bool:
    """Whether a layer has at least a block of input channels; one that has not stays dense."""
    return channels_of(np.asarray(op.columns)) >= BLOCK


def block_mask(matrix: NDArray[Any], columns: NDArray[Any], *, n: int, m: int) -> Mask:
    """The `n` largest of every `m` neighbouring input channels, of each filter and tap.

    Args:
        matrix: shape (N, M); every tap has all channels.
        columns: shape (M, 3): channel, dy, dx of each column.
        n, m: of magnitudes that are equal the first channels stay; a last block may be short.
    """
    order, channels = channel_fastest(columns), channels_of(columns)
    ranked = np.abs(matrix[:, order]).reshape(len(matrix), -1, channels)
    short = -channels % m
    ranked = np.pad(ranked, ((0, 0), (0, 0), (0, short)), constant_values=-1.0)
    blocks = ranked.reshape(*ranked.shape[:2], -1, m)
    places = np.argsort(-blocks, axis=3, kind="stable")[..., :n]
    chosen = np.zeros(blocks.shape, dtype=np.bool_)
    np.put_along_axis(chosen, places, True, axis=3)
    mask = np.empty(matrix.shape, dtype=np.bool_)
    mask[:, order] = chosen.reshape(ranked.shape)[..., :channels].reshape(matrix.shape)
    return mask


def n_of_m(n: int, m: int) -> Projection:
    """At most `n` weights in every block of `m` input channels."""

    def project(weights: Weights) -> dict[str, Mask]:
        return {
            op.name: block_mask(matrix, np.asarray(op.columns), n=n, m=m)
            if has_blocks(op)
            else np.ones(matrix.shape, dtype=np.bool_)
            for op, matrix in weights
        }

    return project


def variable_blocks(*, cells: float, words_ratio: float) -> Projection:
    """At most k weights in every block of 8, k allotted to the layers as column groups are.

    Args:
        cells: share of all weights that the blocks may hold.
        words_ratio: times fewer words that units of SIZE filters read, k a block, than dense.
    """

    def project(weights: Weights) -> dict[str, Mask]:
        choices: dict[str, list[Choice]] = {}
        masks: dict[tuple[str, int], Mask] = {}
        dense = 0
        for op, matrix in weights:
            columns = np.asarray(op.columns)
            blocks = len(columns) / BLOCK  # of all taps; layers with blocks have whole ones
            lost = weights.sensitivity[op.name] * np.square(matrix.astype(np.float64))
            for k in range(1, BLOCK + 1) if has_blocks(op) else (BLOCK,):
                masks[op.name, k] = block_mask(matrix, columns, n=k, m=BLOCK)
                groups = math.ceil(blocks * k)
                words = -(-op.rows // SIZE) * groups * op.positions
                choices.setdefault(op.name, []).append(
                    Choice(
                        groups=k,
                        cells=op.rows * groups,
                        streamed_words=words,
                        loss=float(lost[~masks[op.name, k]].sum()),
                    )
                )
            dense += words
        total = sum(of_layer[-1].cells for of_layer in choices.values())
        allotted = allocate(
            choices,
            cells=math.floor(cells * total),
            streamed_words=math.floor(dense / words_ratio),
        )
        return {name: masks[name, choice.groups] for name, choice in allotted.items()}

    return project


def largest(share: float) -> Projection:
    """The largest weights of every layer that has a block of input channels."""

    def project(weights: Weights) -> dict[str, Mask]:
        return {
            op.name: magnitude_mask(matrix, keep=math.ceil(share * matrix.size))
            if has_blocks(op)
            else np.ones(matrix.shape, dtype=np.bool_)
            for op, matrix in weights
        }

    return project


def kept_groups(weights: Weights, *, alpha: int, kept: int) -> dict[str, PackedMatrix]:
    """Groups of `alpha` columns that keep more than one weight a row; no layer that stays dense."""
    return {
        op.name: pack(
            matrix,
            alpha=alpha,
            gamma=alpha - 1,
            kept=kept,
            policy="polish",
            objective=MostNorm(groups=math.ceil(matrix.shape[1] / alpha)),
            band_rows=SIZE,
            seed=weights.seed,
        )
        for op, matrix in weights
        if has_blocks(op)
    }


def more_kept(*, alpha: int, kept: int) -> Projection:
    """Groups of up to `alpha` columns that keep `kept` weights a row."""

    def project(weights: Weights) -> dict[str, Mask]:
        groups = kept_groups(weights, alpha=alpha, kept=kept)
        return {
            op.name: groups[op.name].to_dense() != 0
            if op.name in groups
            else np.ones(matrix.shape, dtype=np.bool_)
            for op, matrix in weights
        }

    return project


def thinner(share: float) -> Projection:
    """A ResNet-20 with fewer channels: a share of those of every layer, by their weights' norm.

    What is left is a smaller dense network: a channel that no mask lets be read is none.
    """

    def project(weights: Weights) -> dict[str, Mask]:
        rows = {op.name: np.square(matrix).sum(axis=1) for op, matrix in weights}
        reads = {
            op.name: np.square(matrix).reshape(op.rows, -1, _taps(op)).sum(axis=(0, 2))
            for op, matrix in weights
        }
        kept_rows: dict[str, NDArray[np.int64]] = {}
        kept_reads = {"conv1": np.arange(3)}
        stream, before = np.empty(0, dtype=np.int64), 0  # the channels of the stage before
        for stage in (1, 2, 3):
            blocks = [f"layer{stage}.{block}" for block in range(3)]
            writers = (["conv1"] if stage == 1 else []) + [f"{block}.conv2" for block in blocks]
            readers = [f"{block}.conv1" for block in blocks][stage > 1 :]
            readers.append("linear" if stage == 3 else f"layer{stage + 1}.0.conv1")
            score = sum(rows[name] for name in writers) + sum(reads[name] for name in readers)
            count, added = round(share * len(score)), (len(score) - before) // 2
            if before:  # the shortcut adds as many channels of zeros on both sides
                score[added : added + before] = -np.inf
                score[stream + added] = np.inf
            before, stream = len(score), _most(score, count)
            kept_rows |= dict.fromkeys(writers, stream)
            kept_reads |= dict.fromkeys(readers, stream)
            for block in blocks:
                inner = rows[f"{block}.conv1"] + reads[f"{block}.conv2"]
                chosen = _most(inner, round(share * len(inner)))
                kept_rows[f"{block}.conv1"] = kept_reads[f"{block}.conv2"] = chosen
        kept_rows["linear"] = np.arange(len(rows["linear"]))
        return {op.name: _square(op, kept_rows[op.name], kept_reads[op.name]) for op, _ in weights}

    return project


def _taps(op: MatrixOp) -> int:
    return len(op.columns) // channels_of(np.asarray(op.columns))


def _most(score: NDArray[Any], count: int) -> NDArray[np.int64]:
    return np.sort(np.argsort(-score, kind="stable")[:count])


def _square(op: MatrixOp, rows: NDArray[np.int64], channels: NDArray[np.int64]) -> Mask:
    mask = np.zeros((op.rows, len(op.columns)), dtype=np.bool_)
    mask[np.ix_(rows, np.flatnonzero(np.isin(np.asarray(op.columns)[:, 0], channels)))] = True
    return mask
