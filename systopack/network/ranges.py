"""How far every tensor and every accumulator can go, whatever the image.

The bounds start from the table of the input's 256 pixel values and pass from node to node;
requantization saturates, so no tensor leaves int8. Nothing is taken from calibration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.network.graph import NetworkGraph
from systopack.network.nodes import ConcatLayer, InputNode, MatrixLayer, PoolLayer, Range
from systopack.packing.matrix import PackedBand

Integers = NDArray[np.int64]
_BLOCK_ELEMENTS = 1 << 20  # weights of a layer that are looked at together


@dataclass(frozen=True, kw_only=True, eq=False)
class Bounds:
    """Lowest and highest integer of every channel, both of shape (C,)."""

    low: NDArray[Any]
    high: NDArray[Any]

    def of(self, channels: NDArray[np.int32]) -> Bounds:
        """The bounds of a choice of channels; channel -1 is zero."""
        chosen, absent = np.maximum(channels, 0), channels < 0
        return Bounds(
            low=np.where(absent, 0, self.low[chosen]), high=np.where(absent, 0, self.high[chosen])
        )

    def with_zero(self) -> Bounds:
        """The bounds where the value may also be 0."""
        return Bounds(low=np.minimum(self.low, 0), high=np.maximum(self.high, 0))


def joined(
    parts: Sequence[Bounds], operands: NDArray[np.int32], channels: NDArray[np.int32]
) -> Bounds:
    """The bounds of channels that come from several tensors, as in `ConcatLayer`.

    Args:
        parts: of each source.
        operands: shape (C,): which source; channels: shape (C,): which channel of it, -1: zero.
    """
    low, high = (np.zeros(len(channels), dtype=parts[0].low.dtype) for _ in range(2))
    for index, part in enumerate(parts):
        chosen = operands == index
        found = part.of(channels[chosen])
        low[chosen], high[chosen] = found.low, found.high
    return Bounds(low=low, high=high)


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkBounds:
    """What no image can exceed.

    Args:
        tensors: tensor name -> bounds of its channels.
        accumulators: layer name -> lowest and highest value that any accumulator takes: after the
            bias, after any part of the products in any order, and after the residual operand.
    """

    tensors: Mapping[str, Bounds]
    accumulators: Mapping[str, Range]


def bounds(network: NetworkGraph) -> NetworkBounds:
    """Bound every tensor and every accumulator of a network.

    They are interval bounds: each weight meets the worst value of its channel, all at once, so
    they hold on an array of any size and for any order of the column groups.
    """
    tensors: dict[str, Bounds] = {}
    accumulators: dict[str, Range] = {}
    for node in network.nodes:
        if isinstance(node, InputNode):
            table = node.table.astype(np.int64)
            tensors[node.name] = Bounds(low=table.min(axis=1), high=table.max(axis=1))
        elif isinstance(node, MatrixLayer):
            tensors[node.name], accumulators[node.name] = _matrix(node, tensors)
        elif isinstance(node, ConcatLayer):
            parts = [tensors[source] for source in node.sources]
            tensors[node.name] = joined(parts, node.operands, node.channels)
        else:
            tensors[node.name] = _pool(node, tensors[node.source])
    return NetworkBounds(tensors=tensors, accumulators=accumulators)


def accumulator_bounds(network: NetworkGraph) -> Mapping[str, Range]:
    """Lowest and highest value that any accumulator of each layer can take; see `bounds`."""
    return bounds(network).accumulators


def _matrix(layer: MatrixLayer, tensors: Mapping[str, Bounds]) -> tuple[Bounds, Range]:
    source = tensors[layer.source]
    if any(layer.padding):
        source = source.with_zero()
    columns = source.of(layer.columns[:, 0])
    bias = layer.bias.astype(np.int64)
    final = [np.empty(len(bias), dtype=np.int64) for _ in range(2)]
    reached = [np.empty(len(bias), dtype=np.int64) for _ in range(2)]
    for start, band in zip(layer.matrix.row_starts, layer.matrix.bands, strict=True):
        step = max(1, _BLOCK_ELEMENTS // max(1, len(band.groups)))
        for first in range(0, band.rows, step):
            rows = slice(first, min(first + step, band.rows))
            down, up = _products(band, rows, columns)
            place = slice(start + rows.start, start + rows.stop)
            final[0][place], final[1][place] = down.sum(axis=1), up.sum(axis=1)
            # In any order: all products that lower the sum may come before one that raises it.
            reached[0][place] = np.minimum(down, 0).sum(axis=1)
            reached[1][place] = np.maximum(up, 0).sum(axis=1)
    low, high = bias + final[0], bias + final[1]
    lowest, highest = int((bias + reached[0]).min()), int((bias + reached[1]).max())
    if layer.residual is not None:
        operand = tensors[layer.residual.source].of(layer.residual.channels)
        scale = 1 << layer.residual.shift.astype(np.int64)
        low, high = low + operand.low * scale, high + operand.high * scale
        lowest, highest = min(lowest, int(low.min())), max(highest, int(high.max()))
    return _output(layer, Bounds(low=low, high=high)), (lowest, highest)


def _products(band: PackedBand, rows: slice, columns: Bounds) -> tuple[Integers, Integers]:
    """Smallest and largest product of every packed cell of some rows, shape (rows, groups)."""
    groups = np.arange(len(band.groups))
    chosen = band.group_table[groups, band.channels[rows]]
    weights = band.values[rows].astype(np.int64)
    ends = weights * columns.low[chosen], weights * columns.high[chosen]
    return np.minimum(*ends), np.maximum(*ends)


def _output(layer: MatrixLayer, sums: Bounds) -> Bounds:
    """Activation and requantization of the ends; both rise monotonically."""

    def end(values: Integers) -> Integers:
        if layer.activation == "relu":
            values = np.maximum(values, 0)
        elif layer.clip is not None:
            values = np.clip(values, layer.clip[:, 0], layer.clip[:, 1])
        if layer.shift is None:
            return values
        return _saturated(values.astype(np.float64) * np.exp2(-layer.shift.astype(np.float64)))

    return Bounds(low=end(sums.low), high=end(sums.high))


def _pool(layer: PoolLayer, source: Bounds) -> Bounds:
    if layer.kind == "max":
        return source
    if any(layer.padding):
        source = source.with_zero()
    factor = layer.kernel[0] * layer.kernel[1] * layer.multiplier
    low, high = (
        _saturated(end.astype(np.float64) * factor * 2.0**-layer.shift)
        for end in (source.low, source.high)
    )
    return Bounds(low=low, high=high)


def _saturated(values: NDArray[np.floating[Any]]) -> Integers:
    """Rounded to nearest, ties to even, and saturated to int8."""
    whole: Integers = np.clip(np.rint(values), -128, 127).astype(np.int64)
    return whole
