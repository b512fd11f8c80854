"""How many words are not zero: real activations of a network, column by column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidOptionError
from systopack.network.network import PackedNetwork
from systopack.network.nodes import MatrixLayer
from systopack.network.reference import column_words, run


@dataclass(frozen=True, kw_only=True, eq=False)
class Activity:
    """Words that are not zero, the mean of some images.

    Args:
        images: how many.
        nonzero_words: by layer, shape (M,), float64: words of each column of its filter matrix
            that are not zero in one image, 0..positions.
    """

    images: int
    nonzero_words: Mapping[str, NDArray[np.float64]]

    def density(self, layer: MatrixLayer) -> float:
        """Share of words that are not zero, over the columns with a weight; 0..1."""
        used = layer.matrix.to_dense().any(axis=0)
        words = self.nonzero_words[layer.name][used]
        return float(words.mean() / layer.positions) if words.size else 0.0


def measure_activity(network: PackedNetwork, images: NDArray[np.int8]) -> Activity:
    """Run images through the integer reference and count words that are not zero.

    Args:
        images: shape (B, C, H, W), int8, at least one.

    Raises:
        InvalidOptionError: no image.
    """
    if not len(images):
        raise InvalidOptionError("Activity needs at least one image; give some.")
    counts = {layer.name: np.zeros(len(layer.columns)) for layer in network.layers}
    sources = {layer.source for layer in network.layers}
    for image in images:
        tensors = run(network, image[None], keep=sources)
        for layer in network.layers:
            words = column_words(layer, tensors[layer.source])[0]
            counts[layer.name] += np.count_nonzero(words, axis=1)
    return Activity(
        images=len(images),
        nonzero_words={name: count / len(images) for name, count in counts.items()},
    )


def full_activity(network: PackedNetwork) -> Activity:
    """No word is zero: the upper bound, where no images are at hand."""
    return Activity(
        images=0,
        nonzero_words={
            layer.name: np.full(len(layer.columns), float(layer.positions))
            for layer in network.layers
        },
    )


def active_products(layer: MatrixLayer, nonzero_words: NDArray[np.float64]) -> float:
    """Products of one image whose weight and whose word are not zero."""
    total = 0.0
    for band in layer.matrix.bands:
        _, column, _ = band.columns_of_cells()
        total += float(nonzero_words[column].sum())
    return total
