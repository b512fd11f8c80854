"""LeNet-5-Shift (docs/method.md, section 7) with random weights, packed."""

import numpy as np

from systopack.network.network import PackedNetwork
from systopack.network.nodes import InputNode, MatrixLayer, PoolLayer
from systopack.packing.pack import pack


def random_lenet5_shift(rng: np.random.Generator, *, density: float) -> PackedNetwork:
    """The five layers and two poolings with sparse random weights, alpha 8, gamma 0.5."""

    def layer(name, source, kind, rows, columns, size, padding=(0, 0, 0, 0), shift=8):
        weights = rng.integers(-127, 128, (rows, len(columns))).astype(np.int8)
        weights[rng.random(weights.shape) > density] = 0
        raw = shift is None
        return MatrixLayer(
            name=name,
            source=source,
            kind=kind,
            matrix=pack(weights, alpha=8, gamma=0.5),
            columns=np.asarray(columns, np.int32),
            bias=rng.integers(-2000, 2000, rows).astype(np.int32),
            stride=(1, 1),
            padding=padding,
            output_size=size,
            residual=None,
            activation="none" if raw else "relu",
            clip=None,
            shift=None if raw else np.full(rows, shift, np.uint8),
            exponent=-4,
        )

    def pool(name, source, size):
        return PoolLayer(
            name=name,
            source=source,
            kind="max",
            kernel=(2, 2),
            stride=(2, 2),
            padding=(0, 0, 0, 0),
            output_size=size,
            multiplier=1,
            shift=0,
            exponent=-4,
        )

    image = InputNode(name="input", shape=(1, 28, 28), mean=(0.0,), std=(1.0,), exponent=-5)
    window = [(0, dy, dx) for dy in range(-2, 3) for dx in range(-2, 3)]
    shifts = [(channel, channel % 3 - 1, channel // 3 % 3 - 1) for channel in range(32)]
    flat = [(c, y, x) for c in range(64) for y in range(7) for x in range(7)]
    return PackedNetwork(
        name="lenet5-shift",
        nodes=(
            image,
            layer("conv1", "input", "convolution", 32, window, (28, 28), (2, 2, 2, 2)),
            pool("pool1", "conv1", (14, 14)),
            layer("conv2", "pool1", "shift", 64, shifts, (14, 14), (1, 1, 1, 1)),
            pool("pool2", "conv2", (7, 7)),
            layer("linear1", "pool2", "linear", 128, flat, (1, 1), shift=10),
            layer(
                "linear2",
                "linear1",
                "linear",
                10,
                [(c, 0, 0) for c in range(128)],
                (1, 1),
                shift=None,
            ),
        ),
    )
