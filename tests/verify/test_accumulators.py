"""Accumulators, weight bits, wide multiplexers and IL cells in whole networks."""

import numpy as np
import pytest

from systopack.hardware.array import Array
from systopack.network.network import PackedNetwork
from systopack.network.nodes import InputNode, MatrixLayer, PoolLayer
from systopack.packing.pack import dense, pack_groups
from systopack.verification.verify import verify


def small_network(rng: np.random.Generator, *, bits: int, alpha: int) -> PackedNetwork:
    """A 3 x 3 convolution, max pooling and a linear layer that fit 16-bit sums."""

    def matrix(rows, columns):
        weights = rng.integers(-3, 4, (rows, columns)).astype(np.int8)
        if alpha == 1:
            return dense(weights)
        return pack_groups(
            weights, [range(i, min(i + alpha, columns)) for i in range(0, columns, alpha)]
        )

    def layer(name, source, kind, rows, columns, size, padding, shift):
        return MatrixLayer(
            name=name,
            source=source,
            kind=kind,
            matrix=matrix(rows, len(columns)),
            columns=np.array(columns, np.int32),
            bias=rng.integers(-300, 300, rows).astype(np.int32),
            stride=(1, 1),
            padding=padding,
            output_size=size,
            residual=None,
            activation="none",
            clip=None,
            shift=shift,
            exponent=0,
        )

    window = [(c, dy, dx) for c in range(2) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    # Shifts beyond the accumulator's width are legal: everything rounds to 0 or -1.
    shift = np.array([2, 3, 4, 20, 31], np.uint8)
    image = InputNode(name="input", shape=(2, 5, 4), mean=(0.0,) * 2, std=(1.0,) * 2, exponent=0)
    pool = PoolLayer(
        name="pool",
        source="conv",
        kind="max",
        kernel=(2, 2),
        stride=(2, 2),
        padding=(0, 1, 0, 0),
        output_size=(3, 2),
        multiplier=1,
        shift=0,
        exponent=0,
    )
    flat = [(c, y, x) for c in range(5) for y in range(3) for x in range(2)]
    return PackedNetwork(
        name="small",
        accumulator_bits=bits,
        nodes=(
            image,
            layer("conv", "input", "convolution", 5, window, (5, 4), (1, 1, 1, 1), shift),
            pool,
            layer("linear", "pool", "linear", 3, flat, (1, 1), (0, 0, 0, 0), None),
        ),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "array",
    [
        Array(rows=4, columns=3, alpha=8, accumulator_bits=16),
        Array(rows=3, columns=2, alpha=16, accumulator_bits=16),
        Array(rows=9, columns=2, alpha=12),
        Array(rows=3, columns=4, alpha=1, cell="bit-serial"),
        Array(rows=20, columns=33, alpha=1, cell="balanced", accumulator_bits=16),
        Array(rows=5, columns=3, alpha=16, cell="bit-parallel", accumulator_bits=16),
        Array(rows=1, columns=1, alpha=1, cell="bit-parallel"),
        Array(rows=70, columns=2, alpha=5),
        Array(rows=6, columns=3, alpha=16, cell="bit-parallel"),
        Array(rows=3, columns=4, alpha=3, weight_bits=3),
        Array(rows=4, columns=2, alpha=4, weight_bits=3, cell="balanced"),
        Array(rows=4, columns=5, alpha=2, weight_bits=4, cell="bit-parallel", accumulator_bits=16),
    ],
    ids=lambda array: f"{array.label} {array.accumulator_bits} bits {array.weight_bits}",
)
def test_a_small_network_on_many_arrays(array):
    rng = np.random.default_rng(11)
    network = small_network(rng, bits=array.accumulator_bits, alpha=array.alpha)
    images = rng.integers(-128, 128, (3, *network.input.shape)).astype(np.int8)
    result = verify(network, images, array=array)
    assert result.passed, str(result.difference)
