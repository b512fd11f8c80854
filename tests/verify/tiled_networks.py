"""Small networks that reach what random ones of few positions do not."""

import numpy as np

from systopack.network.network import PackedNetwork
from systopack.network.nodes import InputNode, MatrixLayer, PoolLayer, Residual
from systopack.packing.pack import dense, pack

WINDOW = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]


def layer(rng, name, source, rows, columns, size, *, alpha=8, residual=None, output=False):
    """A layer of stride 1 with random weights, half of them zero."""
    weights = rng.integers(-60, 61, (rows, len(columns))).astype(np.int8)
    weights[rng.random(weights.shape) < 0.5] = 0
    one = size == (1, 1)
    return MatrixLayer(
        name=name,
        source=source,
        kind="linear" if one else "convolution",
        matrix=dense(weights) if alpha == 1 else pack(weights, alpha=alpha, gamma=0.5),
        columns=np.array(columns, np.int32),
        bias=rng.integers(-900, 900, rows).astype(np.int32),
        stride=(1, 1),
        padding=(0,) * 4 if one else (1,) * 4,
        output_size=size,
        residual=residual,
        activation="none",
        clip=None,
        shift=None if output else np.full(rows, 7, np.uint8),
        exponent=-4,
    )


def pool(name, source, kind, kernel, size):
    """A pooling without overlap."""
    average = kind == "average"
    return PoolLayer(
        name=name,
        source=source,
        kind=kind,
        kernel=kernel,
        stride=kernel,
        padding=(0, 0, 0, 0),
        output_size=size,
        multiplier=16384 if average else 1,
        shift=16 if average else 0,
        exponent=-4,
    )


def pooled_network(seed, *, alpha=8, rows=6, channels=3):
    """Layers of whole words, pooled on their way out, and a residual that is added in place.

    Its positions are more than a block's where `plan_tiles` is given blocks of 16.
    """
    rng = np.random.default_rng(seed)
    image_rows = [(c, *move) for c in range(channels) for move in WINDOW]
    all_rows = [(c, *move) for c in range(rows) for move in WINDOW]
    residual = Residual(
        source="first pool",
        channels=np.arange(rows, dtype=np.int32),
        stride=(1, 1),
        shift=np.full(rows, 7, np.uint8),
    )
    flat = [(c, y, x) for c in range(rows) for y in range(2) for x in range(2)]
    nodes = (
        InputNode(
            name="input",
            shape=(channels, 13, 8),
            mean=(0.0,) * channels,
            std=(1.0,) * channels,
            exponent=-5,
        ),
        layer(rng, "first", "input", rows, image_rows, (13, 8), alpha=alpha),
        pool("first pool", "first", "max", (2, 2), (6, 4)),
        layer(rng, "second", "first pool", rows, all_rows, (6, 4), alpha=alpha, residual=residual),
        layer(rng, "third", "second", rows, all_rows, (6, 4), alpha=alpha),
        pool("third pool", "third", "average", (3, 2), (2, 2)),
        layer(rng, "logits", "third pool", 5, flat, (1, 1), alpha=alpha, output=True),
    )
    return PackedNetwork(name="pooled", nodes=nodes)


def deep_network(seed, *, size=(2, 3), channels=2, rows=9, alpha=8):
    """Two convolutions of few positions and two linear layers: many tiles, short visits."""
    rng = np.random.default_rng(seed)
    image = InputNode(
        name="input",
        shape=(channels, *size),
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
        exponent=-5,
    )
    first = [(c, *move) for c in range(channels) for move in WINDOW]
    second = [(c, *move) for c in range(rows) for move in WINDOW]
    flat = [(c, y, x) for c in range(rows) for y in range(size[0]) for x in range(size[1])]
    single = [(c, 0, 0) for c in range(rows)]
    nodes = (
        image,
        layer(rng, "first", "input", rows, first, size, alpha=alpha),
        layer(rng, "second", "first", rows, second, size, alpha=alpha),
        layer(rng, "third", "second", rows, flat, (1, 1), alpha=alpha),
        layer(rng, "logits", "third", 5, single, (1, 1), alpha=alpha, output=True),
    )
    return PackedNetwork(name="deep", nodes=nodes)
