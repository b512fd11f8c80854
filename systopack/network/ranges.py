"""How far every accumulator can go, over every prefix of the tile order."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from systopack.network.network import PackedNetwork
from systopack.network.nodes import MatrixLayer, Range


def accumulator_bounds(network: PackedNetwork) -> Mapping[str, Range]:
    """Lowest and highest value that any accumulator of each layer can take.

    Partial sums enter with the bias at the left edge and pass the column groups in order, so the
    prefixes of that order are all values an accumulator takes, on an array of any size. The
    residual operand comes last. Inputs lie in the ranges stored with the network; where a
    column can read padding, 0 counts too.
    """
    return {layer.name: _layer_bounds(network, layer) for layer in network.layers}


def _layer_bounds(network: PackedNetwork, layer: MatrixLayer) -> Range:
    low, high = network.ranges[layer.source]
    if any(layer.padding):
        low, high = min(low, 0), max(high, 0)
    lows: list[NDArray[np.int64]] = []
    highs: list[NDArray[np.int64]] = []
    lowest: int = int(layer.bias.min())
    highest: int = int(layer.bias.max())
    for start, band in zip(layer.matrix.row_starts, layer.matrix.bands, strict=True):
        bias = layer.bias[start : start + band.rows].astype(np.int64)
        weights = band.values.astype(np.int64)
        # One running sum per row; row-wise so that memory stays that of the band.
        down = bias[:, None] + np.cumsum(np.minimum(weights * low, weights * high), axis=1)
        up = bias[:, None] + np.cumsum(np.maximum(weights * low, weights * high), axis=1)
        if weights.shape[1]:
            lowest = min(lowest, int(down.min()))
            highest = max(highest, int(up.max()))
        lows.append(down[:, -1] if weights.shape[1] else bias)
        highs.append(up[:, -1] if weights.shape[1] else bias)
    if layer.residual is not None:
        residual_low, residual_high = network.ranges[layer.residual.source]
        scale = np.where(layer.residual.channels < 0, 0, 1 << layer.residual.shift.astype(np.int64))
        lowest = min(lowest, int((np.concatenate(lows) + residual_low * scale).min()))
        highest = max(highest, int((np.concatenate(highs) + residual_high * scale).max()))
    return lowest, highest
