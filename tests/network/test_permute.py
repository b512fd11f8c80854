"""Row permutation: contiguous groups between layers (docs/method.md, section 1)."""

import numpy as np

from systopack.network.network import PackedNetwork
from systopack.network.nodes import InputNode, MatrixLayer, PoolLayer, Residual
from systopack.network.permute import count_streams_out_of_place, permute_rows
from systopack.network.reference import run
from systopack.packing.pack import pack


def pointwise(rng, name, source, inputs, outputs, *, residual=None, last=False):
    weights = rng.integers(-50, 51, (outputs, inputs)).astype(np.int8)
    weights[rng.random(weights.shape) < 0.8] = 0
    return MatrixLayer(
        name=name,
        source=source,
        kind="convolution",
        matrix=pack(weights, alpha=4, gamma=0.5),
        columns=np.stack([np.arange(inputs), *np.zeros((2, inputs))], axis=1).astype(np.int32),
        bias=rng.integers(-99, 99, outputs).astype(np.int32),
        stride=(1, 1),
        padding=(0, 0, 0, 0),
        output_size=(3, 3),
        residual=residual,
        activation="relu",
        clip=None,
        shift=None if last else rng.integers(4, 8, outputs).astype(np.uint8),
        exponent=0,
    )


def chain(rng, *, residual):
    image = InputNode(name="input", shape=(8, 3, 3), mean=(0.5,) * 8, std=(0.25,) * 8, exponent=-5)
    first = pointwise(rng, "first", "input", 8, 24)
    second = pointwise(rng, "second", "first", 24, 24)
    pool = PoolLayer(
        name="pool", source="second", kind="max", kernel=(3, 3), stride=(1, 1),
        padding=(1, 1, 1, 1), output_size=(3, 3), multiplier=1, shift=0, exponent=0,
    )  # fmt: skip
    operand = None
    if residual:
        operand = Residual(
            source="first",
            channels=np.arange(24, dtype=np.int32),
            stride=(1, 1),
            shift=np.full(24, 5, dtype=np.uint8),
        )
    third = pointwise(rng, "third", "pool", 24, 24, residual=operand)
    if operand is not None:  # the accumulator's scale must be the operand's
        third = MatrixLayer(**{**vars(third), "shift": np.full(24, 5, dtype=np.uint8)})
    last = pointwise(rng, "last", "third", 24, 10, last=True)
    return PackedNetwork(name="chain", nodes=(image, first, second, pool, third, last))


def test_a_chain_is_left_without_switch_boxes():
    rng = np.random.default_rng(0)
    network = chain(rng, residual=False)
    before = count_streams_out_of_place(network)
    after = count_streams_out_of_place(permute_rows(network))
    assert before["second"] and before["third"] and before["last"]
    assert {name: after[name] for name in ("second", "third", "last")} == {
        "second": 0,
        "third": 0,
        "last": 0,
    }


def test_residual_operands_move_with_their_rows():
    rng = np.random.default_rng(1)
    network = chain(rng, residual=True)
    permuted = permute_rows(network)
    images = rng.integers(-128, 128, (4, 8, 3, 3)).astype(np.int8)
    assert np.array_equal(run(network, images)["last"], run(permuted, images)["last"])
    before = sum(count_streams_out_of_place(network).values())
    assert sum(count_streams_out_of_place(permuted).values()) < before
    # Tensors joined by an identity residual addition share one order of channels.
    assert permuted.by_name["third"].residual.channels.tolist() == list(range(24))
    assert not np.array_equal(permuted.by_name["first"].bias, network.by_name["first"].bias)
