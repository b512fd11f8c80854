"""Powers of two between layers, so that the channels of a tensor use its scale alike.

A tensor has one scale, so a channel of small range loses its low bits. Holding channel c of a
tensor 2**k times as large - its row of weights and its bias times 2**k, the columns that read it
times 2**-k - changes no output, since ReLU, pooling, concatenation and addition commute with it.
In integers it costs nothing: the row's requantization shift takes it up.

More bits for a channel's activations are fewer bits for the weights that read it. The rounding
noise of both falls on the rows that read the channel; the factors balance the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from systopack.frontend.graph import ConcatOp, LayerGraph, MatrixOp, PoolOp
from systopack.quantization.sharing import highest_of_shared
from systopack.quantization.statistics import Reals, TensorStatistics, Weights

_ROUNDS = 16
_STEP_LIMIT = 40.0  # powers of two; wider spreads are dead channels in all but name

Factors = Mapping[str, NDArray[np.int64]]  # tensor -> k of every channel, shape (C,)


def no_factors(graph: LayerGraph) -> Factors:
    """Every channel as large as in the model."""
    return {name: np.zeros(count, dtype=np.int64) for name, count in graph.channels.items()}


def equalize(
    graph: LayerGraph, weights: Weights, statistics: Mapping[str, TensorStatistics]
) -> Factors:
    """The power of two by which every channel is held larger than in the model.

    Channels that pooling, concatenation or addition tie together share one factor. Images and
    logits keep theirs, and so do all channels tied to them. No channel becomes larger than the
    largest of its tensor was, so that nothing is clipped that was not before.

    Args:
        weights: filter matrices and biases, batch norm folded.
        statistics: of every tensor, on the calibration images.
    """
    places = _places(graph)
    classes, fixed = _classes(graph, places)
    largest = np.concatenate([statistics[name].largest for name in places])
    room = _room(places, classes, largest, _peaks(graph, places, largest), len(fixed))
    exponents = np.zeros(len(fixed))
    layers = [_Layer.of(op, weights, statistics) for op in graph.matrix_ops]
    for _ in range(_ROUNDS):
        channels = exponents[classes]
        peaks = _peaks(graph, places, largest * np.exp2(channels))
        noise = np.zeros((2, len(classes)))  # of the activations, and of the weights that read them
        for layer in layers:
            layer.add_noise(noise, places, channels, peaks)
        activations, rounding = (
            np.bincount(classes, weights=part, minlength=len(fixed)) for part in noise
        )
        known = (activations > 0) & (rounding > 0) & ~fixed
        change = np.zeros(len(fixed))
        # Noise a * 4**-k + b * 4**k is least at k = log2(a / b) / 4.
        change[known] = np.log2(activations[known] / rounding[known]) / 4
        exponents = np.minimum(np.clip(change, -_STEP_LIMIT, _STEP_LIMIT), room)
        exponents[fixed] = 0
    whole = np.minimum(np.rint(exponents), room).astype(np.int64)[classes]
    return {name: whole[place] for name, place in places.items()}


def equalized_weights(graph: LayerGraph, weights: Weights, factors: Factors) -> Weights:
    """Filter matrices and biases of the same function on equalized tensors."""
    import torch

    result = {}
    for op in graph.matrix_ops:
        matrix, bias = weights[op.name]
        rows = torch.from_numpy(factors[op.name]).double()
        columns = torch.from_numpy(factors[op.source][op.columns[:, 0]]).double()
        scale = torch.exp2(rows[:, None] - columns)
        result[op.name] = (
            matrix.detach().cpu().double() * scale,
            bias.detach().cpu().double() * torch.exp2(rows),
        )
    return result


def equalized_statistics(
    statistics: Mapping[str, TensorStatistics], factors: Factors
) -> dict[str, TensorStatistics]:
    """What the calibration images show of the equalized tensors."""
    return {
        name: found.times(np.exp2(factors[name].astype(np.float64)))
        for name, found in statistics.items()
    }


@dataclass(frozen=True, kw_only=True, eq=False)
class _Layer:
    """What a layer's rounding noise is made of; matrices of shape (N, M)."""

    op: MatrixOp
    magnitudes: Reals
    present: Reals  # 1 where there is a weight
    mean_square: Reals  # of the source's channels

    @staticmethod
    def of(op: MatrixOp, weights: Weights, statistics: Mapping[str, TensorStatistics]) -> _Layer:
        magnitudes = np.abs(weights[op.name][0].detach().cpu().double().numpy())
        return _Layer(
            op=op,
            magnitudes=magnitudes,
            present=(magnitudes > 0).astype(np.float64),
            mean_square=statistics[op.source].mean_square,
        )

    def add_noise(
        self,
        noise: Reals,
        places: Mapping[str, slice],
        channels: Reals,
        peaks: Mapping[str, float],
    ) -> None:
        """Add this layer's noise for the channels that it reads.

        It counts against the layer's output: a row's noise over the square of the tensor's peak.
        """
        op = self.op
        source, rows = places[op.source], np.exp2(2 * channels[places[op.name]])
        if peaks[op.name] == 0:
            return
        share = rows / peaks[op.name] ** 2
        read = op.columns[:, 0]
        columns = np.exp2(-channels[source])[read]
        peak = (self.magnitudes * columns).max(axis=1, initial=0.0)
        count = source.stop - source.start
        by_column = share @ self.magnitudes**2 * peaks[op.source] ** 2
        noise[0, source] += np.bincount(read, weights=by_column, minlength=count)
        by_column = (share * peak**2) @ self.present * self.mean_square[read]
        noise[1, source] += np.bincount(read, weights=by_column, minlength=count)
        if op.residual is not None:
            operand, chosen = places[op.residual.source], op.residual.channels
            added = share[chosen >= 0] * peaks[op.residual.source] ** 2
            noise[0, operand] += np.bincount(
                chosen[chosen >= 0], weights=added, minlength=operand.stop - operand.start
            )


def _places(graph: LayerGraph) -> dict[str, slice]:
    """Where the channels of each tensor stand among all channels of the network."""
    places, start = {}, 0
    for name, count in graph.channels.items():
        places[name] = slice(start, start + count)
        start += count
    return places


def _classes(
    graph: LayerGraph, places: Mapping[str, slice]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The class of each channel: those of one class share a factor; and which keep theirs."""
    pairs: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for op in graph.ops:
        own = np.arange(places[op.name].start, places[op.name].stop)
        if isinstance(op, PoolOp):
            pairs.append((own, own - own[0] + places[op.source].start))
        elif isinstance(op, ConcatOp):
            starts = np.array([places[source].start for source in op.sources])
            pairs.append(_tied(own, starts[op.operands], op.channels))
        elif op.residual is not None:
            start = places[op.residual.source].start
            pairs.append(_tied(own, np.full(len(own), start), op.residual.channels))
    total = sum(graph.channels.values())
    first, second = (
        np.concatenate([np.empty(0, dtype=np.int64), *(pair[side] for pair in pairs)])
        for side in range(2)
    )
    links = coo_array((np.ones(len(first)), (first, second)), shape=(total, total))
    count, classes = connected_components(links, directed=False)
    fixed = np.zeros(count, dtype=np.bool_)
    for name in ("input", graph.ops[-1].name):
        fixed[classes[places[name]]] = True
    return classes.astype(np.int64), fixed


def _tied(
    own: NDArray[np.int64], starts: NDArray[np.int64], channels: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    present = channels >= 0
    return own[present], (starts + channels)[present]


def _peaks(graph: LayerGraph, places: Mapping[str, slice], largest: Reals) -> dict[str, float]:
    """Largest magnitude on the scale of each tensor."""
    own = {name: float(largest[place].max(initial=0.0)) for name, place in places.items()}
    return highest_of_shared(graph, own)


def _room(
    places: Mapping[str, slice],
    classes: NDArray[np.int64],
    largest: Reals,
    peaks: Mapping[str, float],
    count: int,
) -> Reals:
    """How far each class may grow until a channel reaches the peak of its scale; dead ones: 0."""
    every = np.concatenate([np.full(p.stop - p.start, peaks[name]) for name, p in places.items()])
    alive = largest > 0
    growth = np.full(len(largest), np.inf)
    growth[alive] = np.floor(np.log2(every[alive] / largest[alive]))
    room = np.full(count, np.inf)
    np.minimum.at(room, classes, growth)
    room[np.isinf(room)] = 0
    return room
