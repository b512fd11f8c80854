"""Random packed networks for property tests: small, of every shape, and hostile in their values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from systopack.network.network import PackedNetwork
from systopack.network.nodes import ConcatLayer, InputNode, MatrixLayer, PoolLayer, Residual
from systopack.packing.matrix import PackedMatrix
from systopack.packing.pack import dense, n_of_m, pack


def random_matrix(rng: np.random.Generator, rows: int, columns: int) -> PackedMatrix:
    """An int8 matrix, packed in a random way: dense, N:M, combined, or in several bands."""
    weights = rng.integers(-128, 128, (rows, columns)).astype(np.int8)
    weights[rng.random((rows, columns)) < rng.choice([0.0, 0.5, 0.9])] = 0
    way = int(rng.integers(4))
    if way == 0:
        return dense(weights)
    if way == 1:
        return n_of_m(weights, n=int(rng.integers(1, 3)), m=int(rng.integers(2, 5)))
    alpha = int(rng.integers(1, 9))
    gamma = float(rng.choice([0, 0.25, 0.5, 1])) if alpha > 1 else 0.0
    if way == 2 or rows < 2:
        return pack(weights, alpha=alpha, gamma=gamma)
    cut = int(rng.integers(1, rows))
    parts = (pack(part, alpha=alpha, gamma=gamma) for part in (weights[:cut], weights[cut:]))
    return PackedMatrix(columns=columns, bands=tuple(part.bands[0] for part in parts))


def random_network(
    rng: np.random.Generator, *, layers: int = 3, concatenations: bool = False
) -> PackedNetwork:
    """A chain of convolution, shift, pooling and residual layers, ended by a linear layer.

    With `concatenations` also chosen, doubled and shuffled channels of several tensors.
    """
    shape = (int(rng.integers(1, 5)), int(rng.integers(1, 7)), int(rng.integers(1, 7)))
    nodes: list[InputNode | MatrixLayer | PoolLayer | ConcatLayer] = [
        InputNode(
            name="input", shape=shape, mean=(0.5,) * shape[0], std=(0.25,) * shape[0], exponent=-5
        )
    ]
    shapes = {"input": shape}
    exponents = {"input": -5}
    for index in range(layers):
        source = nodes[-1].name
        name = f"layer{index}"
        node: MatrixLayer | PoolLayer
        if rng.random() < 0.25:
            node = _random_pool(rng, name, source, shapes[source])
            shapes[name] = (shapes[source][0], *node.output_size)
        else:
            node = _random_layer(rng, name, source, shapes, exponents)
            shapes[name] = (node.matrix.rows, *node.output_size)
        exponents[name] = node.exponent
        nodes.append(node)
        if concatenations and rng.random() < 0.7:
            nodes.append(_random_concat(rng, f"concat{index}", name, shapes, exponents))
    channels, height, width = shapes[nodes[-1].name]
    columns = _window_columns(channels, height, width, (0, 0, 0, 0))
    rows = int(rng.integers(1, 6))
    nodes.append(
        MatrixLayer(
            name="logits",
            source=nodes[-1].name,
            kind="linear",
            matrix=random_matrix(rng, rows, len(columns)),
            columns=columns,
            bias=rng.integers(-1000, 1000, rows).astype(np.int32),
            stride=(1, 1),
            padding=(0, 0, 0, 0),
            output_size=(1, 1),
            residual=None,
            activation="none",
            clip=None,
            shift=None,
            exponent=-12,
        )
    )
    return PackedNetwork(name="random", nodes=tuple(nodes))


def network_of_positions() -> PackedNetwork:
    """A pooling and a layer whose 2 x 3 positions are the results."""
    network = random_network(np.random.default_rng(0), layers=2)
    layer = replace(network.nodes[2], shift=None, activation="none", clip=None)
    return PackedNetwork(name="positions", nodes=(*network.nodes[:2], layer))


def random_images(rng: np.random.Generator, network: PackedNetwork, count: int) -> np.ndarray:
    """Int8 images over the whole range."""
    return rng.integers(-128, 128, (count, *network.input.shape)).astype(np.int8)


def _random_concat(rng, name, source, shapes, exponents) -> ConcatLayer:
    fitting = [
        other
        for other in shapes
        if shapes[other][1:] == shapes[source][1:] and exponents[other] == exponents[source]
    ]
    sources = [str(other) for other in rng.permutation(fitting)[: int(rng.integers(1, 4))]]
    count = int(rng.integers(1, 9))
    operands = rng.integers(0, len(sources), count).astype(np.int32)
    limits = np.array([shapes[other][0] for other in sources])[operands]
    shapes[name] = (count, *shapes[source][1:])
    exponents[name] = exponents[source]
    return ConcatLayer(
        name=name,
        sources=tuple(sources),
        operands=operands,
        channels=rng.integers(0, limits).astype(np.int32),
        output_size=shapes[source][1:],
        exponent=exponents[source],
    )


def _random_layer(rng, name, source, shapes, exponents) -> MatrixLayer:
    channels, height, width = shapes[source]
    rows = int(rng.integers(1, 8))
    stride = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    if rng.random() < 0.4:
        kind = "shift"
        moves = rng.integers(-1, 2, (2, channels))
        columns = np.stack([np.arange(channels), *moves], axis=1).astype(np.int32)
        (up, left), (down, right) = np.maximum(-moves.min(1), 0), np.maximum(moves.max(1), 0)
        padding = tuple(int(side) for side in (up, down, left, right))
        output = (-(-height // stride[0]), -(-width // stride[1]))
    else:
        kind = "convolution"
        kernel = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
        padding = tuple(int(p) for p in rng.integers(0, 3, 4))
        kernel = (
            min(kernel[0], height + padding[0] + padding[1]),
            min(kernel[1], width + padding[2] + padding[3]),
        )
        columns = _window_columns(channels, *kernel, padding)
        output = (
            (height + padding[0] + padding[1] - kernel[0]) // stride[0] + 1,
            (width + padding[2] + padding[3] - kernel[1]) // stride[1] + 1,
        )
    shift = rng.integers(4, 12, rows).astype(np.uint8)
    exponent = int(rng.integers(-4, 3))
    residual = None
    candidates = [other for other, (_, h, w) in shapes.items() if h >= output[0] and w >= output[1]]
    if candidates and rng.random() < 0.5:
        other = candidates[int(rng.integers(len(candidates)))]
        largest = shapes[other]
        amount = exponents[other] - (exponent - shift.astype(np.int64))
        if (amount >= 0).all() and (amount <= 31).all() and amount.max() <= 20:
            identity = largest[0] == rows
            residual = Residual(
                source=other,
                channels=np.arange(rows, dtype=np.int32)
                if identity
                else rng.integers(-1, largest[0], rows).astype(np.int32),
                stride=(
                    max(1, min(2, (largest[1] - 1) // max(output[0] - 1, 1))),
                    max(1, min(2, (largest[2] - 1) // max(output[1] - 1, 1))),
                ),
                shift=amount.astype(np.uint8),
            )
    activation = str(rng.choice(["none", "relu", "clip"]))
    clip = None
    if activation == "clip":
        clip = np.stack([np.zeros(rows), rng.integers(0, 60000, rows)], axis=1).astype(np.int32)
    return MatrixLayer(
        name=name,
        source=source,
        kind=kind,
        matrix=random_matrix(rng, rows, len(columns)),
        columns=columns,
        bias=rng.integers(-5000, 5000, rows).astype(np.int32),
        stride=stride,
        padding=padding,
        output_size=output,
        residual=residual,
        activation=activation,
        clip=clip,
        shift=shift,
        exponent=exponent,
    )


def _random_pool(rng, name, source, shape) -> PoolLayer:
    kind = str(rng.choice(["max", "average"]))
    kernel = (int(rng.integers(1, shape[1] + 1)), int(rng.integers(1, shape[2] + 1)))
    stride = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    padding = tuple(
        int(rng.integers(0, k)) if k > 1 else 0 for k in (kernel[0],) * 2 + (kernel[1],) * 2
    )
    output = (
        (shape[1] + padding[0] + padding[1] - kernel[0]) // stride[0] + 1,
        (shape[2] + padding[2] + padding[3] - kernel[1]) // stride[1] + 1,
    )
    average = kind == "average"
    return PoolLayer(
        name=name,
        source=source,
        kind=kind,
        kernel=kernel,
        stride=stride,
        padding=padding,
        output_size=output,
        multiplier=int(rng.integers(1, 32768)) if average else 1,
        shift=int(rng.integers(12, 20)) if average else 0,
        exponent=-4,
    )


def _window_columns(channels, height, width, padding) -> np.ndarray:
    grid = np.mgrid[:channels, :height, :width].reshape(3, -1).T
    return (grid - [0, padding[0], padding[2]]).astype(np.int32)


networks = st.builds(
    lambda seed, layers: random_network(np.random.default_rng(seed), layers=layers),
    st.integers(0, 2**32),
    st.integers(1, 5),
)

concatenated_networks = st.builds(
    lambda seed, layers: random_network(
        np.random.default_rng(seed), layers=layers, concatenations=True
    ),
    st.integers(0, 2**32),
    st.integers(1, 5),
)
