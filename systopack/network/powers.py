"""A network whose weights are rounded to powers of two, on the scales that it has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from systopack.network.network import PackedNetwork
from systopack.network.nodes import MatrixLayer
from systopack.packing.matrix import PackedBand, PackedMatrix
from systopack.packing.powers import nearest_power_of_two


def with_powers_of_two(network: PackedNetwork) -> PackedNetwork:
    """The same network with every weight the nearest of +-1, +-2 .. +-64 and -128.

    Scales, biases and groups stay, so it is for measuring hardware with weights of a real network:
    `systopack quantize --weights power-of-two` chooses scales for such weights, and loses less.

    Raises:
        InvalidNetworkError: an accumulator could overflow with the rounded weights.
    """
    nodes = [
        replace(node, matrix=_rounded(node.matrix)) if isinstance(node, MatrixLayer) else node
        for node in network.nodes
    ]
    return replace(network, nodes=tuple(nodes))


def _rounded(matrix: PackedMatrix) -> PackedMatrix:
    bands = [
        PackedBand(
            groups=band.groups,
            values=nearest_power_of_two(band.values.astype(np.float64)).astype(np.int8),
            channels=band.channels,
        )
        for band in matrix.bands
    ]
    return PackedMatrix(columns=matrix.columns, bands=tuple(bands))
