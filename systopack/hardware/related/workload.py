"""The common workload: one layer of a network with the real words of one image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.network.network import PackedNetwork
from systopack.network.nodes import MatrixLayer
from systopack.network.reference import column_words, run, wrap
from systopack.packing.matrix import PackedMatrix


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerWork:
    """A layer to run: N filters, M columns, T output positions.

    Args:
        name: the layer.
        matrix: its packed filter matrix, int8.
        words: shape (M, T), int8: the word of each column at each position.
        bias: shape (N,), int32.
        accumulator_bits: width at which sums wrap.
    """

    name: str
    matrix: PackedMatrix
    words: NDArray[np.int8]
    bias: NDArray[np.int32]
    accumulator_bits: int

    @property
    def weights(self) -> NDArray[np.int64]:
        """The filter matrix: shape (N, M)."""
        return self.matrix.to_dense().astype(np.int64)

    @property
    def positions(self) -> int:
        """Output positions T."""
        return int(self.words.shape[1])

    @property
    def products(self) -> int:
        """Products whose weight and word are not zero."""
        weights = np.count_nonzero(self.weights, axis=0)
        return int(weights @ np.count_nonzero(self.words, axis=1))

    def finish(self, sums: NDArray[np.int64]) -> NDArray[np.int64]:
        """Add the bias to sums of shape (N, T) and wrap."""
        return wrap(sums + self.bias.astype(np.int64)[:, None], self.accumulator_bits)


def layer_work(network: PackedNetwork, layer: MatrixLayer, source: NDArray[np.int8]) -> LayerWork:
    """The work of a layer whose input is `source`, shape (C, H, W), int8."""
    return LayerWork(
        name=layer.name,
        matrix=layer.matrix,
        words=column_words(layer, source[None])[0].astype(np.int8),
        bias=layer.bias,
        accumulator_bits=network.accumulator_bits,
    )


def network_work(network: PackedNetwork, image: NDArray[np.int8]) -> Iterator[LayerWork]:
    """The work of every layer for one image, shape (C, H, W), int8."""
    tensors = run(network, image[None], keep={layer.source for layer in network.layers})
    for layer in network.layers:
        yield layer_work(network, layer, tensors[layer.source][0])
