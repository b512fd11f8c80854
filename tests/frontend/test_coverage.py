"""Every covered kind of model: captured, trained, packed, quantized, and equal bit for bit."""

import numpy as np
import pytest
import torch

from systopack.data.images import ImageData
from systopack.frontend.capture import capture, capture_parts
from systopack.frontend.graph import ConcatOp, MatrixOp
from systopack.frontend.graph_file import graph_from_json, graph_to_json
from systopack.frontend.module import GraphModule
from systopack.frontend.weights import filter_matrix, stored_weight
from systopack.network.permute import permute_rows
from systopack.network.reference import classify
from systopack.packing.rule import PackingRule
from systopack.quantization.quantize import reference_equals_model
from systopack.training.model import TrainedModel
from systopack.training.one_shot import combine_once
from tests.frontend.models import NAMES, SHAPE, Classifier, build
from tests.real import eight_bit


def images(count):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, *SHAPE)).astype(np.uint8)
    return pixels, rng.integers(0, 3, count)


def data():
    pixels, labels = images(40)
    return ImageData(
        name="noise",
        class_names=("a", "b", "c"),
        train_images=pixels,
        train_labels=labels,
        test_images=pixels,
        test_labels=labels,
        mean=(0.5,) * SHAPE[0],
        std=(0.25,) * SHAPE[0],
        sha256="0" * 64,
        flip=False,
    )


def trained(name):
    model = build(name)
    return TrainedModel(
        architecture=name,
        class_names=("a", "b", "c"),
        mean=(0.5,) * SHAPE[0],
        std=(0.25,) * SHAPE[0],
        state=model.state_dict(),
        graph=capture(model, SHAPE),
    )


@pytest.mark.parametrize("name", NAMES)
def test_reference_and_quantized_model_are_equal(name):
    model = combine_once(trained(name), rule=PackingRule(alpha=4, gamma=0.5), rho=0.5)
    result = eight_bit(model, data(), images=20)
    pixels, _ = images(6)
    differing = reference_equals_model(result, pixels)
    assert differing == dict.fromkeys(differing, 0)
    permuted = permute_rows(result.network)
    assert np.array_equal(classify(permuted, pixels), classify(result.network, pixels))


@pytest.mark.parametrize("name", NAMES)
def test_the_graph_trains_as_the_model_does(name):
    model = build(name)
    ours = GraphModule(capture(model, SHAPE), model.state_dict())
    assert list(ours.state_dict()) and set(ours.state_dict()) == set(model.state_dict())
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    batch, labels = torch.randn(8, *SHAPE), torch.arange(8) % 3
    gradients = []
    for trains in (model.train(), ours.train()):
        torch.nn.functional.cross_entropy(trains(batch), labels).backward()
        gradients.append({name: p.grad for name, p in trains.named_parameters()})
    assert gradients[0].keys() == gradients[1].keys()
    for key, gradient in gradients[0].items():
        assert torch.allclose(gradient, gradients[1][key], atol=2e-4), key
    for key, buffer in model.named_buffers():
        if not key.endswith("num_batches_tracked"):
            assert torch.allclose(buffer, dict(ours.named_buffers())[key], atol=1e-5), key


@pytest.mark.parametrize("name", NAMES)
def test_the_graph_survives_its_file(name):
    graph = capture(build(name), SHAPE)
    header, tensors = graph_to_json(graph)
    again = graph_from_json(header, tensors)
    for ours, theirs in zip(graph.ops, again.ops, strict=True):
        for key, value in vars(ours).items():
            other = getattr(theirs, key)
            if isinstance(value, np.ndarray):
                assert np.array_equal(value, other)
            elif key == "residual" and value is not None:
                assert np.array_equal(value.channels, other.channels)
            elif key != "is_identity":
                assert value == other, (ours.name, key)


def test_a_depthwise_convolution_packs_without_a_conflict():
    op = capture(build("depthwise"), SHAPE).ops[1]
    assert isinstance(op, MatrixOp) and op.groups == 4
    weight = build("depthwise").state_dict()["body.2.weight"]
    matrix = filter_matrix(op, weight)
    assert matrix.shape == (4, 36)
    assert matrix[1].nonzero().ravel().tolist() == list(range(9, 18))
    assert torch.equal(stored_weight(op, matrix), weight)
    assert op.columns[9].tolist() == [1, -1, -1]
    packed = combine_once(trained("depthwise"), rule=PackingRule(alpha=4, gamma=0), rho=1.0)
    assert torch.equal(packed.state["body.2.weight"], weight)
    ((rows, groups),) = packed.groups["body.2"]
    assert (rows, len(groups)) == (4, 9)


def test_an_activation_moves_behind_pooling_and_concatenation():
    ops = {op.name: op for op in capture(build("pool before activation"), SHAPE).ops}
    assert ops["body.a"].activation == "relu"
    graph = capture(build("split"), SHAPE)
    chosen = [op for op in graph.ops if isinstance(op, ConcatOp)]
    assert chosen[0].channels.tolist() == [4, 5, 6, 7]


def test_parts_of_a_model_with_an_operation_that_cannot_be_lowered():
    body = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.GELU(), torch.nn.Conv2d(8, 6, 1), torch.nn.ReLU()
    )
    graph, refusals = capture_parts(Classifier(body, 6).eval(), SHAPE)
    assert set(graph.weighted_ops) == {"body.0.weight", "body.2.weight", "linear.weight"}
    assert [(refusal.layer, refusal.operation) for refusal in refusals] == [("body.1", "aten.gelu")]


def a_model():
    """A callable, for tests that open one by name."""
    return build("split")
