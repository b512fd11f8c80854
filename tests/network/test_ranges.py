"""Bounds of tensors and accumulators: no image exceeds them, and a narrow accumulator never wraps."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systopack.errors import InvalidNetworkError
from systopack.network.network import PackedNetwork
from systopack.network.nodes import InputNode, MatrixLayer
from systopack.network.ranges import bounds
from systopack.network.reference import quantize_images, run
from systopack.packing.pack import dense
from tests.networks import random_network


def two_pixels(weights, bias, *, bits=32, exponent=-7, shift=None, activation="none"):
    """One linear layer on an image of 1 x 2 pixels, 0..1 on the scale 2 ** exponent."""
    weights = np.array(weights, dtype=np.int8)
    layer = MatrixLayer(
        name="fc",
        source="input",
        kind="linear",
        matrix=dense(weights),
        columns=np.array([[0, 0, 0], [0, 0, 1]], dtype=np.int32),
        bias=np.array(bias, dtype=np.int32),
        stride=(1, 1),
        padding=(0, 0, 0, 0),
        output_size=(1, 1),
        residual=None,
        activation=activation,
        clip=None,
        shift=None if shift is None else np.array(shift, dtype=np.uint8),
        exponent=exponent,
    )
    image = InputNode(name="input", shape=(1, 1, 2), mean=(0.0,), std=(1.0,), exponent=-7)
    return PackedNetwork(name="two", nodes=(image, layer), accumulator_bits=bits)


def test_bounds_typed_out_by_hand():
    found = bounds(two_pixels([[3, -2], [0, 5]], [10, -7], shift=[1, 3], activation="relu"))
    assert (found.tensors["input"].low.tolist(), found.tensors["input"].high.tolist()) == (
        [0],
        [127],
    )
    # Row 0: 10 - 2 * 127 .. 10 + 3 * 127; row 1: -7 .. -7 + 5 * 127.
    assert found.accumulators["fc"] == (-244, 628)
    assert found.tensors["fc"].low.tolist() == [0, 0]
    assert found.tensors["fc"].high.tolist() == [127, 78]  # 391 / 2 saturates, 628 / 8 = 78.5


@given(st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=60, deadline=None)
def test_no_image_exceeds_the_bounds(seed, extreme):
    rng = np.random.default_rng(seed)
    network = random_network(rng, concatenations=True)
    pixels = rng.integers(0, 256, (20, *network.input.shape))
    if extreme:
        pixels = np.where(pixels < 128, 0, 255)
    tensors = run(network, quantize_images(network, pixels.astype(np.uint8)), keep=network.by_name)
    found = bounds(network).tensors
    for name, values in tensors.items():
        channels = np.moveaxis(values, 1, 0).reshape(values.shape[1], -1)
        assert (channels >= found[name].low[:, None]).all(), name
        assert (channels <= found[name].high[:, None]).all(), name


@given(
    st.lists(st.tuples(st.integers(-128, 127), st.integers(-128, 127)), min_size=1, max_size=3),
    st.integers(-40_000, 40_000),
)
@settings(max_examples=60, deadline=None)
def test_sixteen_bits_are_accepted_exactly_where_no_image_wraps(weights, bias):
    table = two_pixels([[1, 1]], [0]).input.table[0].astype(int)
    ends = list(itertools.product((table.min(), table.max()), repeat=2))
    biases = [bias] * len(weights)
    sums = [
        part
        for (first, second), (a, b) in itertools.product(weights, ends)
        for part in (bias, bias + first * a, bias + second * b, bias + first * a + second * b)
    ]
    fits = min(sums) >= -(2**15) and max(sums) < 2**15
    if not fits:
        with pytest.raises(InvalidNetworkError, match=r"'fc'.*16 bits"):
            two_pixels(weights, biases, bits=16)
        return
    network = two_pixels(weights, biases, bits=16)
    every = np.array(list(itertools.product(range(0, 256, 5), repeat=2)), dtype=np.uint8)
    logits = run(network, quantize_images(network, every.reshape(-1, 1, 1, 2)))["fc"]
    exact = table[every] @ np.array(weights).T + bias
    assert np.array_equal(logits.reshape(len(every), -1), exact)
