"""Which column of the array a column group runs on, so that each one reads few input channels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from systopack.network.network import PackedNetwork
from systopack.network.nodes import MatrixLayer, Node
from systopack.packing.matrix import PackedBand, PackedMatrix
from systopack.packing.pack import pack


def order_groups(network: PackedNetwork, *, columns: int) -> PackedNetwork:
    """Reorder the column groups of each layer for an array of so many columns.

    Group g runs on array column g mod `columns`, whose streams share the words that they read.
    Where a channel has several columns (k x k windows, linear layers on feature maps), groups that
    read the same channels go to the same array column, so fewer words enter it. The output stays
    as it is, integer for integer; on arrays of other sizes the network runs as well.

    Args:
        network: dense or packed.
        columns: of the array, at least 1.

    Raises:
        InvalidNetworkError: partial sums in the new order can overflow the accumulator.
    """
    return replace(network, nodes=tuple(_ordered(node, columns) for node in network.nodes))


def fit_groups(network: PackedNetwork, *, columns: int, alpha: int) -> PackedNetwork:
    """Deal the weights of a packed network to an array of another number of columns.

    Layers with one column for each channel are grouped anew without pruning anything where that
    takes fewer column tiles, then `spread_groups` and `order_groups` follow.

    Args:
        network: dense or packed.
        columns: of the array, at least 1.
        alpha: channels a cell chooses from, 1..256.
    """
    nodes = tuple(_regrouped(node, columns, alpha) for node in network.nodes)
    spread = spread_groups(replace(network, nodes=nodes), columns=columns)
    return order_groups(spread, columns=columns)


def _regrouped(node: Node, columns: int, alpha: int) -> Node:
    if not isinstance(node, MatrixLayer) or _several_columns_a_channel(node):
        return node
    bands = []
    for band in node.matrix.bands:
        part = PackedMatrix(columns=node.matrix.columns, bands=(band,))
        again = pack(part.to_dense(), alpha=alpha, gamma=0, policy="best").bands[0]
        fewer = -(-len(again.groups) // columns) < -(-len(band.groups) // columns)
        bands.append(again if fewer else band)
    return replace(node, matrix=PackedMatrix(columns=node.matrix.columns, bands=tuple(bands)))


def spread_groups(network: PackedNetwork, *, columns: int) -> PackedNetwork:
    """Split column groups where the array has columns to spare, so that each reads less.

    A layer with one column for each channel, and fewer groups than its tiles have array columns,
    gets its largest groups split until they are filled or every group has one column. Tiles,
    streamed words and output stay as they are; channels spread over more array columns, each of
    which takes one word a cycle.

    Args:
        network: dense or packed.
        columns: of the array, at least 1.
    """
    return replace(network, nodes=tuple(_spread(node, columns) for node in network.nodes))


def _spread(node: Node, columns: int) -> Node:
    if not isinstance(node, MatrixLayer) or _several_columns_a_channel(node):
        return node
    bands = tuple(_spread_band(band, columns) for band in node.matrix.bands)
    return replace(node, matrix=PackedMatrix(columns=node.matrix.columns, bands=bands))


def _spread_band(band: PackedBand, columns: int) -> PackedBand:
    room = -(-len(band.groups) // columns) * columns
    parts = [(index, 0, len(group)) for index, group in enumerate(band.groups)]
    while len(parts) < room:
        index, start, stop = max(parts, key=lambda part: part[2] - part[1])
        if stop - start < 2:
            break
        middle = (start + stop) // 2
        parts.remove((index, start, stop))
        parts += [(index, start, middle), (index, middle, stop)]
    values = np.zeros((band.rows, len(parts)), dtype=band.values.dtype)
    channels = np.zeros((band.rows, len(parts)), dtype=np.uint8)
    for place, (index, start, stop) in enumerate(parts):
        taken = band.values[:, index] != 0
        taken &= (band.channels[:, index] >= start) & (band.channels[:, index] < stop)
        values[taken, place] = band.values[taken, index]
        channels[taken, place] = band.channels[taken, index] - start
    groups = tuple(band.groups[index][start:stop] for index, start, stop in parts)
    return PackedBand(groups=groups, values=values, channels=channels)


def _several_columns_a_channel(layer: MatrixLayer) -> bool:
    channels = layer.columns[:, 0]
    return len(np.unique(channels)) < len(channels)


def _ordered(node: Node, columns: int) -> Node:
    if not isinstance(node, MatrixLayer) or not _several_columns_a_channel(node):
        return node
    channels = node.columns[:, 0]
    bands = tuple(_ordered_band(band, channels, columns) for band in node.matrix.bands)
    return replace(node, matrix=PackedMatrix(columns=node.matrix.columns, bands=bands))


def _ordered_band(band: PackedBand, channels: NDArray[np.int32], columns: int) -> PackedBand:
    order = group_order(
        [channels[list(group)] for group in band.groups],
        channels=int(channels.max(initial=0)) + 1,
        columns=columns,
    )
    return PackedBand(
        groups=tuple(band.groups[index] for index in order),
        values=band.values[:, order],
        channels=band.channels[:, order],
    )


def group_order(
    groups: list[NDArray[np.int32]], *, channels: int, columns: int
) -> NDArray[np.int64]:
    """Deal groups to array columns, each next one to where it adds the fewest channels.

    Args:
        groups: the input channels of each group.
        channels: how many there are.
        columns: of the array.

    Returns:
        Shape (groups,): the group for each place; place p is on array column p mod `columns`.

    >>> two = [np.array([c]) for c in (0, 0, 1, 1)]
    >>> group_order(two, channels=2, columns=2).tolist()
    [0, 2, 1, 3]
    """
    reads = np.zeros((len(groups), channels), dtype=bool)
    for index, group in enumerate(groups):
        reads[index, group] = True
    left = np.ones(len(groups), dtype=bool)
    order = np.zeros(len(groups), dtype=np.int64)
    for column in range(min(columns, len(groups))):
        held = np.zeros(channels, dtype=bool)
        for place in range(column, len(groups), columns):
            candidates = np.flatnonzero(left)
            added = np.count_nonzero(reads[candidates] & ~held, axis=1)
            chosen = candidates[int(np.argmin(added))] if held.any() else candidates[0]
            order[place] = chosen
            held |= reads[chosen]
            left[chosen] = False
    return order
