"""ONNX forms that become another at import: constants, channels last, averages at the border."""

import re

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto

from systopack.data.images import ImageData
from systopack.errors import InvalidNetworkError
from systopack.export.float_model import write_onnx
from systopack.frontend.capture import capture
from systopack.frontend.module import graph_logits
from systopack.frontend.onnx_file import load_onnx
from systopack.packing.rule import PackingRule
from systopack.quantization.quantize import reference_equals_model
from systopack.training.importing import ImportOptions, open_model
from systopack.training.model import load_model
from systopack.training.one_shot import combine_once
from tests.frontend.test_onnx_forms import CONV, RELU, made, node, tail, whole
from tests.real import eight_bit

onnxruntime = pytest.importorskip("onnxruntime")
RNG = np.random.default_rng(1)


def numbers(*shape, low=0.5, high=2.0):
    return RNG.uniform(low, high, shape).astype("f4")


def normal(*shape):
    return RNG.standard_normal(shape).astype("f4")


def agrees(path, *, last=False):
    """Read a file; the layers give what the runtime gives. The trained model."""
    trained = open_model(str(path), options=ImportOptions(mean=(0.25,), std=(0.5,)))
    pixels = RNG.uniform(0, 1, (4, *trained.graph.input_shape)).astype("f4")
    given = ((pixels - 0.25) / 0.5).astype("f4")
    mean, std = (np.array(part, "f4")[:, None, None] for part in (trained.mean, trained.std))
    read = torch.from_numpy((pixels - mean) / std)
    got = graph_logits(trained.graph, trained.state, read)
    got = (got.softmax(1) if trained.graph.ending == "softmax" else got).numpy()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    given = given.transpose(0, 2, 3, 1) if last else given
    given = given.astype({"tensor(double)": "f8", "tensor(float16)": "f2"}.get(entry.type, "f4"))
    expected = session.run(None, {entry.name: given})[0].reshape(4, -1)
    assert np.allclose(got, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
    return trained


def noise(trained):
    """Images to calibrate on."""
    pixels = RNG.integers(0, 256, (20, *trained.graph.input_shape)).astype("u1")
    labels = np.arange(20) % len(trained.class_names)
    return ImageData(name="noise", class_names=trained.class_names, train_images=pixels,
                     train_labels=labels, test_images=pixels, test_labels=labels,
                     mean=trained.mean, std=trained.std, sha256="0" * 64, flip=False)  # fmt: skip


def flat(value, weight="big"):
    return [node("Flatten", [value], ["f"], "flatten"), node("MatMul", ["f", weight], ["y"], "fc")]


POOLED = node("AveragePool", ["r"], ["a"], "average", kernel_shape=[3, 3], strides=[2, 2],
              auto_pad="SAME_UPPER")  # fmt: skip
BIG = {"big": normal(512, 5) / 8}
READ = {
    "frozen batch norm": (
        [CONV, node("Mul", ["c", "k"], ["m"], "scale"), node("Add", ["m", "o"], ["n"], "shift"),
         node("Relu", ["n"], ["r"]), *tail("r")],
        {"k": numbers(8, 1, 1), "o": normal(1, 8, 1, 1)}),
    "layer scale in a residual block": (
        [CONV, RELU, node("Conv", ["r", "w2"], ["c2"], "two", pads=[1, 1, 1, 1]),
         node("Mul", ["c2", "k"], ["m"], "scale"), node("Add", ["m", "r"], ["s"], "sum"),
         node("Relu", ["s"], ["t"]), *tail("t")],
        {"k": numbers(8, 1, 1), "w2": normal(8, 8, 3, 3) / 8}),
    "numbers after an activation": (
        [CONV, RELU, node("Sub", ["two", "r"], ["s"]), node("Div", ["s", "k"], ["d"]), *tail("d")],
        {"k": numbers(8, 1, 1), "two": np.float32(2)}),
    "two numbers that are computed with by turns": (
        [CONV, node("Neg", ["c"], ["n"]), node("Mul", ["two", "n"], ["m"]), *tail("m")],
        {"two": np.float32(2)}),
    "images divided by 255 and normalised": (
        [node("Div", ["x", "k"], ["d"], "by"), node("Sub", ["d", "m"], ["s"]),
         node("Div", ["s", "v"], ["n"]), node("Conv", ["n", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
         RELU, *tail("r")],
        {"k": np.float32(255), "m": numbers(3, 1, 1), "v": numbers(1, 3, 1, 1)}),
    "images turned round": (
        [node("Sub", ["one", "x"], ["n"]),
         node("Conv", ["n", "w", "b"], ["c"], "c", pads=[1, 1, 1, 1]), RELU, *tail("r")],
        {"one": np.float32(1)}),
    "images that are read twice": (
        [node("Mul", ["x", "k"], ["n"]), node("Conv", ["n", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
         node("Conv", ["x", "w"], ["d"], "other", pads=[1, 1, 1, 1]), node("Add", ["c", "d"], ["r"]),
         *tail("r")], {"k": np.float32(3)}),
    "a norm of a flattened image": (
        [CONV, RELU, node("Flatten", ["r"], ["f"]),
         node("BatchNormalization", ["f", "g", "h", "h", "g"], ["n"], "norm"),
         node("Dropout", ["n"], ["d"]), node("MatMul", ["d", "big"], ["y"])],
        {**BIG, "g": numbers(512), "h": normal(512)}),
    "a number for every value": (
        [CONV, RELU, node("Mul", ["r", "k"], ["m"]), node("Add", ["m", "o"], ["n"]), *flat("n")],
        {**BIG, "k": numbers(8, 8, 8), "o": normal(1, 1, 8)}),
    "Gemm with a bias of one row": (
        [CONV, RELU, *tail("r")[:2], node("Gemm", ["f", "wl", "o"], ["y"], alpha=0.5, beta=2.0)],
        {"o": normal(1, 5)}),
    "Gemm with one number": (
        [CONV, RELU, *tail("r")[:2], node("Gemm", ["f", "wl", "o"], ["y"], beta=0.5)],
        {"o": np.float32(3)}),
    "Gemm with a list of one": (
        [CONV, RELU, *tail("r")[:2], node("Gemm", ["f", "wl", "o"], ["y"])], {"o": normal(1)}),
    "sums of three": (
        [CONV, RELU, node("Conv", ["r", "w2"], ["d"], "two", pads=[1, 1, 1, 1]),
         node("Sum", ["c", "r", "d"], ["s"]), *tail("s")], {"w2": normal(8, 8, 3, 3) / 8}),
    "cut off on one side": (
        [CONV, node("Clip", ["c", "low"], ["d"]), node("Clip", ["d", "", "high"], ["e"]),
         node("Max", ["e", "low2"], ["g"]), node("Min", ["high2", "g"], ["h"]), *tail("h")],
        {"low": np.float32(-0.5), "high": np.float32(2), "low2": np.float32(-0.25),
         "high2": np.float32(1.5)}),
    "a mean over one side after the other": (
        [CONV, RELU, node("ReduceMean", ["r"], ["m"], axes=[3], keepdims=0),
         node("ReduceMean", ["m"], ["f"], axes=[2], keepdims=0),
         node("Gemm", ["f", "wl", "bl"], ["y"])], {}),
    "a maximum over one side, and a mean over the other": (
        [CONV, RELU, node("ReduceMax", ["r"], ["m"], axes=[2]),
         node("ReduceMean", ["m"], ["f"], axes=[3], keepdims=1), node("Flatten", ["f"], ["g"]),
         node("Gemm", ["g", "wl", "bl"], ["y"])], {}),
    "a mean of pixels in one row": (
        [CONV, RELU, node("Reshape", ["r", "s"], ["m"]),
         node("ReduceMean", ["m"], ["f"], axes=[-1], keepdims=0),
         node("Gemm", ["f", "wl", "bl"], ["y"])], {"s": whole(0, 8, -1)}),
    "a maximum among zeros": (
        [CONV, node("Pad", ["c", "q"], ["d"]),
         node("MaxPool", ["d"], ["r"], "max", kernel_shape=[3, 3], strides=[2, 2]), *tail("r")],
        {"q": whole(0, 0, 1, 1, 0, 0, 1, 1), "b": np.full(8, -3, "f4")}),
    "a padded image that is added to": (
        [CONV, node("Conv", ["x", "w"], ["v"], "valid"), node("Pad", ["v", "q"], ["d"]),
         node("Add", ["c", "d"], ["r"]), *tail("r")], {"q": whole(0, 0, 1, 1, 0, 0, 1, 1)}),
    "an average that leaves out padding, flattened": ([CONV, RELU, POOLED, *flat("a", "few")],
                                                      {"few": normal(128, 5)}),
    "an average whose padding no window touches": (
        [CONV, RELU, node("AveragePool", ["r"], ["a"], kernel_shape=[2, 2], strides=[2, 2],
                          pads=[0, 0, 1, 1]), *tail("a")], {}),
    "an average of the whole image and its padding": (
        [CONV, RELU, node("AveragePool", ["r"], ["a"], kernel_shape=[10, 9], pads=[1, 0, 1, 1]),
         *tail("a")], {}),
    "an average that counts its padding": (
        [CONV, RELU, node("AveragePool", ["r"], ["a"], kernel_shape=[3, 3], strides=[2, 2],
                          pads=[1, 1, 1, 0], count_include_pad=1), *tail("a")], {}),
    "part of a shape that is computed with": (
        [CONV, RELU, node("GlobalAveragePool", ["r"], ["p"]),
         node("Shape", ["p"], ["s"], start=1, end=-2), node("Concat", ["m", "s"], ["t"], axis=0),
         node("Reshape", ["p", "t"], ["f"]), node("Gemm", ["f", "wl", "bl"], ["y"])],
        {"m": whole(-1)}),
    "Caffe's Scale, and its softmax": (
        [CONV, node("BatchNormalization", ["c", "one", "zero", "h", "g"], ["n"], "norm"),
         node("Mul", ["n", "k"], ["m"]), node("Add", ["m", "o"], ["a"]), node("Relu", ["a"], ["r"]),
         *tail("r")[:2], node("Gemm", ["f", "wl", "bl"], ["z"]),
         node("Softmax", ["z"], ["y"], axis=1)],
        {"one": np.ones(8, "f4"), "zero": np.zeros(8, "f4"), "g": numbers(8), "h": normal(8),
         "k": numbers(8, 1, 1), "o": normal(8, 1, 1)}, 11),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_a_form_is_read(name, tmp_path):
    nodes, weights, *opset = READ[name]
    agrees(made(tmp_path / "m.onnx", nodes, weights, opset=opset[0] if opset else 17))


@pytest.mark.parametrize(
    "name", ["frozen batch norm", "a norm of a flattened image", "a maximum among zeros"]
)
def test_what_is_read_is_saved_exported_combined_and_quantized(name, tmp_path):
    nodes, weights, *_ = READ[name]
    trained = agrees(made(tmp_path / "m.onnx", nodes, weights))
    trained.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    images = torch.randn(3, 3, 8, 8)
    wanted = graph_logits(trained.graph, trained.state, images)
    assert torch.equal(graph_logits(again.graph, again.state, images), wanted)
    write_onnx(again, tmp_path / "again.onnx")
    session = onnxruntime.InferenceSession(
        tmp_path / "again.onnx", providers=["CPUExecutionProvider"]
    )
    assert np.allclose(session.run(None, {"images": images.numpy()})[0], wanted, atol=1e-3)
    combined = combine_once(again, rule=PackingRule(alpha=4, gamma=0.5), rho=0.9)
    data = noise(again)
    result = eight_bit(combined, data, images=20)
    differing = reference_equals_model(result, data.test_images[:6])
    assert differing == dict.fromkeys(differing, 0)


def test_what_scales_the_images_becomes_their_normalisation(tmp_path):
    nodes, weights, *_ = READ["images divided by 255 and normalised"]
    trained = agrees(made(tmp_path / "m.onnx", nodes, weights))
    # By hand: (x / 255 - m) / v of x = (p - 0.25) / 0.5 is (p - 0.25 - 127.5 m) / (127.5 v).
    m, v = (weights[name].ravel().astype("f8") for name in "mv")
    assert np.allclose(trained.mean, 0.25 + 127.5 * m)
    assert np.allclose(trained.std, 127.5 * v)
    assert len(trained.graph.ops) == 3  # convolution, mean, linear layer
    assert trained.provenance["in_no_layer"] == []


def channels_last(nodes, *, images="x"):
    """Convolutions between transpositions, as TensorFlow's exporters write them."""
    return [node("Transpose", [images], ["first"], "in", perm=[0, 3, 1, 2]), *nodes]


FIRST = node("Conv", ["first", "w", "b"], ["c"], "conv", pads=[1, 1, 1, 1])
LAST = {
    "transposed": (channels_last([FIRST, RELU, *tail("r")]), {}),
    "flattened in its own order": (
        channels_last([FIRST, RELU, node("Transpose", ["r"], ["t"], perm=[0, 2, 3, 1]),
                       node("Reshape", ["t", "s"], ["f"]), node("MatMul", ["f", "big"], ["y"])]),
        {**BIG, "s": whole(-1, 512)}),
    "rescaled and padded before it is transposed": (
        [node("Mul", ["x", "k"], ["m"], "by"), node("Sub", ["m", "o"], ["n"]),
         node("Pad", ["n", "q"], ["d"]), *channels_last([], images="d"),
         node("Conv", ["first", "w", "b"], ["c"], "conv", strides=[2, 2]), RELU, *tail("r")],
        {"k": np.float32(1 / 255), "o": numbers(3), "q": whole(0, 0, 0, 0, 0, 1, 1, 0)}),
    "biases, sums, means, parts and their union with channels last": (
        [node("Transpose", ["x"], ["first"], "in", perm=[0, 3, 1, 2]), FIRST,
         node("Transpose", ["c"], ["t"], perm=[0, 2, 3, 1]), node("Add", ["t", "k"], ["u"]),
         node("Relu", ["u"], ["v"]), node("Transpose", ["v"], ["b1"], perm=[0, 3, 1, 2]),
         node("Conv", ["b1", "w2"], ["b2"], pads=[1, 1, 1, 1]),
         node("Transpose", ["b2"], ["b3"], perm=[0, 2, 3, 1]), node("Add", ["b3", "v"], ["s"]),
         node("Split", ["s", "parts"], ["s1", "s2"], axis=3),
         node("Concat", ["s2", "s1"], ["z"], axis=-1), node("Mul", ["z", "k"], ["g"]),
         node("ReduceMean", ["g"], ["f"], axes=[1, 2], keepdims=0),
         node("Gemm", ["f", "wl", "bl"], ["y"])],
        {"k": numbers(8), "w2": normal(8, 8, 3, 3) / 8, "parts": whole(3, 5)}),
    "one channel moved by a reshaping": (
        [node("Reshape", ["x", "s"], ["first"]), FIRST, RELU, *tail("r")],
        {"s": whole(-1, 1, 8, 8), "w": normal(8, 1, 3, 3)}),
    "nothing but a flattening": (
        [node("Flatten", ["x"], ["f"]), node("MatMul", ["f", "w2"], ["g"]), node("Relu", ["g"],
         ["h"]), node("MatMul", ["h", "wl"], ["y"])], {"w2": normal(192, 8)}),
}  # fmt: skip


@pytest.mark.parametrize("name", LAST)
def test_images_with_channels_last_are_read(name, tmp_path):
    nodes, weights = LAST[name]
    channels = 1 if name.startswith("one channel") else 3
    path = made(tmp_path / "m.onnx", nodes, weights, shape=("n", 8, 8, channels))
    trained = agrees(path, last=True)
    assert trained.graph.input_shape == (channels, 8, 8)


def test_pixels_that_are_cast_are_read(tmp_path):
    nodes = [
        node("Cast", ["x"], ["n"], to=1),
        *channels_last([FIRST, RELU, *tail("r")], images="n"),
    ]
    path = made(tmp_path / "m.onnx", nodes, shape=("n", 8, 8, 3))
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    onnx.save(model, path)
    trained = open_model(str(path), options=ImportOptions(mean=(0.0,), std=(1 / 255,)))
    pixels = RNG.integers(0, 256, (2, 3, 8, 8)).astype("u1")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    expected = session.run(None, {"x": pixels.transpose(0, 2, 3, 1)})[0]
    got = graph_logits(trained.graph, trained.state, torch.from_numpy(pixels).float())
    assert np.allclose(got.numpy(), expected, rtol=1e-4, atol=1e-3)


def test_an_average_that_changes_at_the_border_is_refused_where_nothing_takes_it_in(tmp_path):
    nodes = [CONV, RELU, POOLED, *tail("a")]
    with pytest.raises(InvalidNetworkError, match=r"in 'average'.*ZeroPadding2D"):
        module, shape = load_onnx(made(tmp_path / "m.onnx", nodes), input_shape=None)
        capture(module, shape)


SECOND = node("Conv", ["g", "w2"], ["d"], "second", pads=[1, 1, 1, 1])
UNKNOWN = {
    "an unknown operation": ([node("Erf", ["r"], ["g"], "gelu/Erf")], {}, "'Erf' in 'gelu/Erf'"),
    "one with a parameter": (
        [node("MatMul", ["gain", "r"], ["g"], "mix")], {"gain": normal(8, 8)},
        "'MatMul' in 'mix'.*'gain'"),
    "one of another size": (
        [node("Resize", ["r", "", "sizes"], ["g"], "up", mode="nearest")],
        {"sizes": np.array([1, 1, 2, 2], "f4")}, "'Resize' in 'up'"),
    "an attention over pixels": (
        [node("Reshape", ["r", "rows"], ["p1"]), node("Transpose", ["p1"], ["q"], perm=[0, 2, 1]),
         node("MatMul", ["p1", "q"], ["s"], "scores"), node("Softmax", ["s"], ["a"]),
         node("MatMul", ["a", "p1"], ["v"], "values"), node("Reshape", ["v", "back"], ["g"])],
        {"rows": whole(0, 8, 64), "back": whole(0, 8, 8, 8)}, "'MatMul' in 'scores'"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_part_of_a_file_with_unknown_operations_is_packed(name, tmp_path):
    nodes, weights, message = UNKNOWN[name]
    weights = {**weights, "w2": normal(8, 8, 3, 3)}
    path = made(tmp_path / "m.onnx", [CONV, RELU, *nodes, SECOND, *tail("d")], weights, opset=18)
    options = {"mean": (0.25,), "std": (0.5,)}
    with pytest.raises(InvalidNetworkError, match=r"pack the other layers with --partial"):
        open_model(str(path), options=ImportOptions(**options))
    trained = open_model(str(path), options=ImportOptions(**options, partial=True))
    assert {op.name for op in trained.graph.ops} == {"conv", "second", "fc"}
    assert re.search(message, "; ".join(trained.left_out))
    images = normal(3, 3, 8, 8)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        got = trained.to_module()(torch.from_numpy(images)).numpy()
    assert np.allclose(got, session.run(None, {"x": images})[0], rtol=1e-3, atol=1e-3)


def test_layers_before_an_unknown_operation_are_not_retrained(tmp_path):
    nodes = [CONV, RELU, node("Erf", ["r"], ["g"], "erf"), *tail("g")]
    path = made(tmp_path / "m.onnx", nodes)
    options = ImportOptions(mean=(0.25,), std=(0.5,), partial=True)
    module = open_model(str(path), options=options).to_module().train()
    with pytest.raises(InvalidNetworkError, match=r"'Erf' in 'erf'.*cannot be retrained"):
        module(torch.randn(2, 3, 8, 8)).sum().backward()
