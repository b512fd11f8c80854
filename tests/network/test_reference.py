"""The fast integer reference against the definition, cell by cell."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from systopack.network.network import PackedNetwork
from systopack.network.nodes import MatrixLayer
from systopack.network.reference import accumulate_by_cells, run, wrap
from tests.networks import networks, random_images


def naive_layer(network: PackedNetwork, layer: MatrixLayer, tensors: dict) -> np.ndarray:
    """docs/method.md, section 3, on Python integers, one output word at a time."""
    source = tensors[layer.source]
    weights = layer.matrix.to_dense()
    out = np.zeros((len(source), layer.matrix.rows, *layer.output_size), np.int64)
    for b, n, y, x in np.ndindex(*out.shape):
        acc = int(layer.bias[n])
        for m, (c, dy, dx) in enumerate(layer.columns):
            row, column = y * layer.stride[0] + dy, x * layer.stride[1] + dx
            if 0 <= row < source.shape[2] and 0 <= column < source.shape[3]:
                acc += int(weights[n, m]) * int(source[b, c, row, column])
        residual = layer.residual
        if residual is not None and residual.channels[n] >= 0:
            operand = tensors[residual.source][
                b, residual.channels[n], y * residual.stride[0], x * residual.stride[1]
            ]
            acc += int(operand) << int(residual.shift[n])
        half = 1 << (network.accumulator_bits - 1)
        acc = (acc + half) % (2 * half) - half
        if layer.activation == "relu":
            acc = max(acc, 0)
        elif layer.activation == "clip":
            acc = min(max(acc, int(layer.clip[n, 0])), int(layer.clip[n, 1]))
        if layer.shift is not None:
            step = 1 << int(layer.shift[n])
            quotient, rest = divmod(acc, step)
            quotient += int(2 * rest > step or (2 * rest == step and quotient % 2 == 1))
            acc = min(max(quotient, -128), 127)
        out[b, n, y, x] = acc
    return out


@settings(max_examples=30, deadline=None)
@given(networks, st.integers(0, 1000))
def test_every_layer_equals_the_method_word_for_word(network, seed):
    images = random_images(np.random.default_rng(seed), network, 2)
    tensors = run(network, images, keep=network.by_name)
    for layer in network.layers:
        expected = naive_layer(network, layer, dict(tensors))
        assert np.array_equal(tensors[layer.name], expected), layer.name


@settings(max_examples=50, deadline=None)
@given(networks, st.integers(0, 1000))
def test_packed_cells_give_the_same_sums_as_the_unpacked_matrix(network, seed):
    images = random_images(np.random.default_rng(seed), network, 2)
    tensors = run(network, images, keep=network.by_name)
    for layer in network.layers:
        if layer.residual is None and layer.activation == "none" and layer.shift is None:
            sums = accumulate_by_cells(network, layer, tensors[layer.source].swapaxes(0, 1))
            assert np.array_equal(sums.swapaxes(0, 1), tensors[layer.name])


def test_wrap_is_twos_complement():
    values = np.array([0, 32767, 32768, -32768, -32769, 65536 + 5])
    assert wrap(values, 16).tolist() == [0, 32767, -32768, -32768, 32767, 5]
