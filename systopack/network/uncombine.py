"""A packed network without its column combining: the same weights, a group for every column."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from systopack.network.network import PackedNetwork
from systopack.network.nodes import MatrixLayer
from systopack.packing.matrix import PackedBand, PackedMatrix


def uncombined(network: PackedNetwork) -> PackedNetwork:
    """The same sparse weights, an array column for each column that a band has weights in."""
    return replace(
        network,
        nodes=tuple(
            replace(node, matrix=_uncombined(node.matrix))
            if isinstance(node, MatrixLayer)
            else node
            for node in network.nodes
        ),
    )


def _uncombined(matrix: PackedMatrix) -> PackedMatrix:
    bands = []
    for band in matrix.bands:
        row, column, value = band.columns_of_cells()
        used, place = np.unique(column, return_inverse=True)
        values = np.zeros((band.rows, len(used)), dtype=band.values.dtype)
        values[row, place] = value
        bands.append(
            PackedBand(
                groups=tuple((int(one),) for one in used),
                values=values,
                channels=np.zeros(values.shape, np.uint8),
            )
        )
    return PackedMatrix(columns=matrix.columns, bands=tuple(bands))
