"""Tiles and cycles of one layer, dense and packed, on arrays of several sizes."""

import numpy as np

from systopack.hardware.array import Array
from systopack.hardware.cycles import count_cycles
from systopack.network.network import PackedNetwork
from systopack.network.nodes import InputNode, MatrixLayer
from systopack.packing.matrix import PackedMatrix
from systopack.packing.pack import dense, pack


def one_layer(matrix: PackedMatrix) -> PackedNetwork:
    """A pointwise convolution on 8 x 8 images with this filter matrix."""
    channels = np.arange(matrix.columns)
    layer = MatrixLayer(
        name="conv",
        source="input",
        kind="convolution",
        matrix=matrix,
        columns=np.stack([channels, 0 * channels, 0 * channels], axis=1).astype(np.int32),
        bias=np.zeros(matrix.rows, dtype=np.int32),
        stride=(1, 1),
        padding=(0, 0, 0, 0),
        output_size=(8, 8),
        residual=None,
        activation="relu",
        clip=None,
        shift=np.full(matrix.rows, 7, dtype=np.uint8),
        exponent=-4,
    )
    size = matrix.columns
    image = InputNode(
        name="input", shape=(size, 8, 8), mean=(0.5,) * size, std=(0.25,) * size, exponent=-5
    )
    return PackedNetwork(name="one layer", nodes=(image, layer))


rng = np.random.default_rng(0)
weights = rng.integers(-127, 128, (96, 94)).astype(np.int8)
weights[rng.random(weights.shape) > 0.16] = 0

for size in (8, 16, 32):
    for name, matrix in (("dense", dense(weights)), ("packed", pack(weights, alpha=8, gamma=0.5))):
        counted = count_cycles(one_layer(matrix), array=Array(rows=size, columns=size, alpha=8))
        print(f"{size} x {size} {name:6s} {counted.tiles:4d} tiles {counted.cycles:7,d} cycles")
