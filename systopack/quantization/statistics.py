"""What calibration images show of every tensor: samples, extremes and mean squares by channel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from systopack.frontend.execute import execute
from systopack.frontend.graph import LayerGraph, MatrixOp
from systopack.frontend.weights import stored_weight

_SAMPLES_PER_BATCH = 1 << 16  # of a tensor, over all its channels

Weights = Mapping[str, tuple[Tensor, Tensor]]  # layer -> filter matrix (N, M), bias (N,)
Reals = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class TensorStatistics:
    """One tensor over all calibration images.

    Args:
        samples: shape (C, S): evenly spaced values of each channel.
        low, high: shape (C,): the extremes of each channel.
        count: values of each channel that were seen.
    """

    samples: Reals
    low: Reals
    high: Reals
    count: int

    @property
    def largest(self) -> Reals:
        """Largest magnitude of each channel, shape (C,)."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    @property
    def mean_square(self) -> Reals:
        """Mean of the squares of each channel, shape (C,)."""
        return np.asarray(np.square(self.samples).mean(axis=1))

    @property
    def variance(self) -> Reals:
        """Variance of each channel, shape (C,)."""
        return np.asarray(self.samples.var(axis=1))

    @property
    def unseen(self) -> tuple[Reals, float]:
        """Values that other images may hold, and how often one comes among the samples.

        A new value leaves the extremes of n values once in n times, and then by about a standard
        deviation. Where few were seen that is often, and saturation would cut it off.
        """
        spread = np.sqrt(self.variance)
        beyond = np.concatenate([np.where(self.low < 0, self.low - spread, 0), self.high + spread])
        return beyond, self.samples.shape[1] / self.count

    def times(self, factor: Reals) -> TensorStatistics:
        """The same images where channel c is `factor[c]` times as large; factors positive."""
        return TensorStatistics(
            samples=self.samples * factor[:, None],
            low=self.low * factor,
            high=self.high * factor,
            count=self.count,
        )


def float_tensors(graph: LayerGraph, weights: Weights, images: Tensor) -> dict[str, Tensor]:
    """Every tensor of the float model by name.

    Args:
        weights: filter matrices and biases, batch norm folded.
        images: normalised, shape (B, C, H, W).
    """

    def weights_of(op: MatrixOp) -> tuple[Tensor, Tensor]:
        matrix, bias = weights[op.name]
        return stored_weight(op, matrix), bias

    return execute(graph, images, weights_of=weights_of)


def observe(
    graph: LayerGraph, weights: Weights, batches: Iterable[Tensor]
) -> Mapping[str, TensorStatistics]:
    """Run the float model and keep what scales are chosen from.

    Args:
        weights: filter matrices and biases, batch norm folded.
        batches: normalised images, shape (B, C, H, W); at least one batch.

    Returns:
        Tensor name -> statistics, for the input and every layer.
    """
    parts: dict[str, list[tuple[Reals, Reals, Reals]]] = {}
    counts: dict[str, int] = {}
    with torch.inference_mode():
        for images in batches:
            for name, tensor in float_tensors(graph, weights, images).items():
                parts.setdefault(name, []).append(_of_batch(tensor))
                values = tensor.numel() // tensor.shape[1]
                counts[name] = counts.get(name, 0) + values
    return {
        name: TensorStatistics(
            samples=np.concatenate([samples for samples, _, _ in found], axis=1),
            low=np.min([low for _, low, _ in found], axis=0),
            high=np.max([high for _, _, high in found], axis=0),
            count=counts[name],
        )
        for name, found in parts.items()
    }


def _of_batch(tensor: Tensor) -> tuple[Reals, Reals, Reals]:
    flat = tensor.transpose(0, 1).flatten(1)
    # An odd step, so that images of even width are not sampled in the same columns alone.
    step = max(1, tensor.numel() // _SAMPLES_PER_BATCH) | 1
    ends = flat.aminmax(dim=1)
    return tuple(part.cpu().double().numpy() for part in (flat[:, ::step], ends.min, ends.max))  # type: ignore[return-value]
