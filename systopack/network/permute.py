"""Row permutation over a whole network, so that no switch box is left between two layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from systopack.network.network import PackedNetwork
from systopack.network.nodes import ConcatLayer, InputNode, MatrixLayer, Node
from systopack.packing.matrix import PackedBand, PackedMatrix
from systopack.packing.permutation import contiguous_order, streams_out_of_place

Order = NDArray[np.int64]


def permute_rows(network: PackedNetwork) -> PackedNetwork:
    """Reorder the filters of each layer for the column groups of the layers that read them.

    The output of the network stays as it is, integer for integer. Tensors joined by identity
    residual additions share one permutation; column indices and residual operands of following
    layers move with it. Rows stay within their row band. A space whose present order leaves
    fewer streams out of place keeps it.
    """
    spaces = _channel_spaces(network)
    orders: dict[str, Order] = {}
    for space in dict.fromkeys(spaces.values()):
        members = [name for name, of in spaces.items() if of == space]
        channels = network.shapes[members[0]][0]
        identity = np.arange(channels, dtype=np.int64)
        if network.input.name in members or network.output.name in members:
            orders[space] = identity
            continue
        groups = [
            group
            for layer in network.layers
            if layer.source in members
            for group in channels_of_groups(layer)
        ]
        order = contiguous_order(groups, channels)
        order = order[np.argsort(_segments(network, members, channels)[order], kind="stable")]
        better = streams_out_of_place(_moved(groups, order)) < streams_out_of_place(groups)
        orders[space] = order if better else identity
    nodes = tuple(_permute_node(node, spaces, orders) for node in network.nodes)
    return replace(network, nodes=nodes)


def count_streams_out_of_place(network: PackedNetwork) -> Mapping[str, int]:
    """For each layer the input streams that do not arrive beside the others of their group."""
    return {layer.name: streams_out_of_place(channels_of_groups(layer)) for layer in network.layers}


def channels_of_groups(layer: MatrixLayer) -> list[NDArray[np.int32]]:
    """The input channels of each column group, over all bands."""
    return [layer.columns[list(group), 0] for band in layer.matrix.bands for group in band.groups]


def _channel_spaces(network: PackedNetwork) -> dict[str, str]:
    """For each tensor the first tensor that must keep the same order of channels."""
    spaces: dict[str, str] = {}
    for node in network.nodes:
        spaces[node.name] = node.name
        joined: str | None = None
        if isinstance(node, MatrixLayer):
            residual = node.residual
            if residual is not None and _is_identity(residual.channels, network, residual.source):
                joined = residual.source
        elif not isinstance(node, InputNode | ConcatLayer):
            joined = node.source
        if joined is not None:
            spaces[node.name] = spaces[joined]
    return spaces


def _is_identity(channels: NDArray[np.int32], network: PackedNetwork, source: str) -> bool:
    return bool(np.array_equal(channels, np.arange(network.shapes[source][0])))


def _segments(network: PackedNetwork, members: list[str], channels: int) -> NDArray[np.int64]:
    """The part of the rows that each channel must stay in, from the bands of its producers."""
    starts = np.zeros(channels, dtype=np.int64)
    for layer in network.layers:
        if layer.name in members:
            starts[list(layer.matrix.row_starts)] = 1
    return np.cumsum(starts)


def _moved(groups: list[NDArray[np.int32]], order: Order) -> list[NDArray[np.int64]]:
    position = _inverse(order)
    return [position[group] for group in groups]


def _inverse(order: Order) -> Order:
    inverse = np.empty_like(order)
    inverse[order] = np.arange(len(order))
    return inverse


def _permute_node(node: Node, spaces: dict[str, str], orders: dict[str, Order]) -> Node:
    if isinstance(node, MatrixLayer):
        return _permute_layer(node, spaces, orders)
    if not isinstance(node, ConcatLayer):
        return node
    own = orders[spaces[node.name]]
    operands, channels = node.operands[own], node.channels[own]
    moved = channels.copy()
    for index, source in enumerate(node.sources):
        chosen = (operands == index) & (channels >= 0)
        moved[chosen] = _inverse(orders[spaces[source]])[channels[chosen]]
    return replace(node, operands=operands, channels=moved)


def _permute_layer(layer: MatrixLayer, spaces: dict[str, str], orders: dict[str, Order]) -> Node:
    rows = orders[spaces[layer.name]]
    columns = layer.columns.copy()
    columns[:, 0] = _inverse(orders[spaces[layer.source]])[columns[:, 0]]
    residual = layer.residual
    if residual is not None:
        channels = residual.channels[rows]
        position = _inverse(orders[spaces[residual.source]])
        moved = np.where(channels < 0, -1, position[np.maximum(channels, 0)])
        residual = replace(residual, channels=moved.astype(np.int32), shift=residual.shift[rows])
    bands = tuple(
        PackedBand(
            groups=band.groups,
            values=band.values[rows[start : start + band.rows] - start],
            channels=band.channels[rows[start : start + band.rows] - start],
        )
        for start, band in zip(layer.matrix.row_starts, layer.matrix.bands, strict=True)
    )
    return replace(
        layer,
        matrix=PackedMatrix(columns=layer.matrix.columns, bands=bands),
        columns=columns,
        bias=layer.bias[rows],
        residual=residual,
        clip=None if layer.clip is None else layer.clip[rows],
        shift=None if layer.shift is None else layer.shift[rows],
    )
