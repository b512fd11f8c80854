"""Exports, each compared by somebody else's runtime with our own outputs."""

import numpy as np
import onnx
import pytest
import torch

from systopack.data.batches import normalised
from systopack.data.open import open_data
from systopack.export.float_model import to_onnx, write_onnx, write_state_dict
from systopack.export.qonnx import to_qonnx, write_qonnx
from systopack.frontend.onnx_file import load_onnx
from systopack.frontend.onnx_runtime import run_onnx
from systopack.network.nodes import PoolLayer
from systopack.network.reference import quantize_images, run
from systopack.nn import zoo
from systopack.packing.rule import PackingRule
from systopack.training.model import TrainedModel
from systopack.training.one_shot import combine_once
from tests.frontend.models import NAMES, SHAPE, build
from tests.frontend.test_coverage import data, images, trained
from tests.networks import random_images, random_network
from tests.real import eight_bit, small_set

pytest.importorskip("onnxruntime")


def packed(name):
    return combine_once(trained(name), rule=PackingRule(alpha=4, gamma=0.5), rho=0.5)


def zoo_model(name):
    torch.manual_seed(0)
    shape = zoo.entry(name).input_shape
    return TrainedModel(
        architecture=name,
        class_names=tuple("0123456789"),
        mean=(0.13,) * shape[0],
        std=(0.31,) * shape[0],
        state=zoo.build(name, classes=10).state_dict(),
    )


@pytest.mark.parametrize("name", NAMES)
def test_onnx_computes_what_the_packed_model_computes(name, tmp_path):
    model = packed(name)
    batch = torch.randn(4, *SHAPE)
    with torch.no_grad():
        expected = model.to_module().eval()(batch).numpy()
        if model.graph.ending == "log_softmax":
            expected = torch.from_numpy(expected).log_softmax(1).numpy()
    got = run_onnx(to_onnx(model), batch.numpy(), batch=4)
    assert np.allclose(got, expected, atol=1e-4 * (1 + np.abs(expected).max()))
    write_onnx(model, tmp_path / "m.onnx")
    again, shape = load_onnx(tmp_path / "m.onnx", input_shape=None)
    assert shape == SHAPE
    assert again.state_dict().keys() >= model.graph.weighted_ops.keys()


@pytest.mark.parametrize("name", ["lenet5-shift", "resnet20-shift-small", "resnet20"])
def test_onnx_of_zoo_models(name):
    model = zoo_model(name)
    batch = torch.randn(2, *model.input_shape)
    with torch.no_grad():
        expected = model.to_module().eval()(batch).numpy()
    got = run_onnx(to_onnx(model), batch.numpy(), batch=2)
    assert np.allclose(got, expected, atol=1e-4 * (1 + np.abs(expected).max()))


def test_the_state_dict_loads_into_the_users_own_class(tmp_path):
    from safetensors.torch import load_file

    model = packed("dense block")
    write_state_dict(model, tmp_path / "s.safetensors")
    own = build("dense block")
    own.load_state_dict(load_file(tmp_path / "s.safetensors"))
    batch = torch.randn(4, *SHAPE)
    with torch.no_grad():
        assert torch.allclose(own(batch), model.to_module().eval()(batch), atol=1e-5)
    assert (own.body.a.weight == 0).float().mean() > 0.4


def by_qonnx(model, image):
    """The output of QONNX's own executor."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    wrapped = ModelWrapper(model).transform(InferShapes())
    return execute_onnx(wrapped, {"images": image})[wrapped.graph.output[0].name]


def integers(network, pixels):
    """Logits of the integer reference and of QONNX's own executor, as integers."""
    node = network.input
    real = quantize_images(network, pixels) * np.float32(2.0**node.exponent)
    expected = run(network, quantize_images(network, pixels))[network.output.name]
    got = [by_qonnx(to_qonnx(network), image[None]) for image in real]
    return expected.reshape(len(real), -1), np.concatenate(got) * 2.0**-network.output.exponent


@pytest.mark.parametrize("name", NAMES)
def test_qonnx_gives_the_integers_of_the_reference(name):
    pytest.importorskip("qonnx")
    network = eight_bit(packed(name), data(), images=20).network
    expected, got = integers(network, images(3)[0])
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("seed", range(12))
def test_qonnx_of_random_networks(seed):
    pytest.importorskip("qonnx")
    rng = np.random.default_rng(seed)
    network = random_network(rng, layers=3, concatenations=True)
    if any(isinstance(n, PoolLayer) and n.kind == "average" for n in network.nodes):
        return  # their random multipliers need more bits than float32 has
    images = random_images(rng, network, 2)
    expected = run(network, images)[network.output.name].reshape(2, -1)
    for image, logits in zip(images, expected, strict=True):
        real = (image * 2.0**network.input.exponent).astype(np.float32)[None]
        got = by_qonnx(to_qonnx(network), real) * 2.0**-network.output.exponent
        assert np.array_equal(got[0], logits)


def test_qonnx_of_lenet_on_digits(tmp_path):
    pytest.importorskip("qonnx")
    digits = small_set(open_data("sample"), train=100, test=4)
    model = combine_once(zoo_model("lenet5-shift"), rule=PackingRule(alpha=8, gamma=0.5), rho=0.2)
    network = eight_bit(model, digits, images=50).network
    write_qonnx(network, tmp_path / "m.onnx")
    written = onnx.load(tmp_path / "m.onnx")
    images = normalised(digits.test_images, mean=network.input.mean, std=network.input.std)
    expected = run(network, quantize_images(network, digits.test_images))[network.output.name]
    for image, logits in zip(images.split(1), expected, strict=True):
        real = image.contiguous().numpy()
        got = by_qonnx(written, real)
        assert np.array_equal(got.ravel() * 2.0**-network.output.exponent, logits.ravel())
