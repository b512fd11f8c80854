"""Quantized ONNX files: QDQ of ONNX Runtime, QCDQ of Brevitas, and QONNX."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from systopack.data.batches import normalised
from systopack.errors import InvalidNetworkError
from systopack.export.qonnx import to_qonnx
from systopack.frontend.module import graph_logits
from systopack.frontend.weights import filter_matrix
from systopack.network.reference import quantize_images
from systopack.network.reference import run as run_network
from systopack.packing.rule import PackingRule
from systopack.training.importing import ImportOptions, open_model
from systopack.training.one_shot import combine_once
from tests.frontend.test_coverage import data, images, trained
from tests.frontend.test_onnx_forms import CONV, RELU, made, node, tail
from tests.real import eight_bit

onnxruntime = pytest.importorskip("onnxruntime")
RNG = np.random.default_rng(2)
SHAPE = (3, 16, 16)


def opened(path):
    return open_model(str(path), options=ImportOptions(mean=(0.0,), std=(1.0,)))


def logits(trained, images):
    return graph_logits(trained.graph, trained.state, torch.from_numpy(images)).numpy()


def run(path, images):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: images})[0]


def network():
    """A net whose classes are far apart: each has an image of its own that it knows."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU6(),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(12 * 16, 10),
    ).eval()  # fmt: skip


@pytest.mark.parametrize("form", ["asymmetric", "per channel", "symmetric"])
def test_static_quantization_is_read_as_its_equivalent(form, tmp_path):
    from onnxruntime import quantization as ort

    given = RNG.standard_normal((200, *SHAPE)).astype("f4")

    class Reader(ort.CalibrationDataReader):
        def __init__(self):
            self.left = [image[None] for image in given]

        def get_next(self):
            return {"x": self.left.pop()} if self.left else None

    kinds = ort.QuantType
    options = {
        "asymmetric": {"activation_type": kinds.QUInt8, "weight_type": kinds.QUInt8},
        "per channel": {"activation_type": kinds.QInt8, "per_channel": True},
        "symmetric": {
            "activation_type": kinds.QInt8,
            "extra_options": {"ActivationSymmetric": True},
        },
    }[form]
    torch.onnx.export(
        network(), (torch.zeros(1, *SHAPE),), tmp_path / "f.onnx", dynamo=False,
        input_names=["x"], dynamic_axes={"x": {0: "n"}},
    )  # fmt: skip
    ort.quantize_static(tmp_path / "f.onnx", tmp_path / "q.onnx", Reader(), **options)
    read = opened(tmp_path / "q.onnx")
    expected, got = run(tmp_path / "q.onnx", given), logits(read, given)
    assert np.abs(got - expected).max() < 0.05 * np.ptp(expected)
    # Classes whose logits lie closer than two steps of their scale are a matter of rounding.
    best = np.sort(expected, axis=1)
    clear = best[:, -1] - best[:, -2] > 2 * np.ptp(expected) / 255
    same = expected.argmax(1) == got.argmax(1)
    assert clear.mean() > 0.8 and same[clear].mean() >= 0.99
    assert all(op.activation != "none" for op in read.graph.matrix_ops[:2])
    assert "chooses the scales of the tensors anew" in read.provenance["remarks"][0]


def pair(value, result, scale, zero, *, limits=()):
    """A quantizer and its counterpart."""
    middle = [node("Clip", [f"{result}_q", *limits], [f"{result}_c"])] if limits else []
    read = f"{result}_c" if limits else f"{result}_q"
    return [node("QuantizeLinear", [value, scale, zero], [f"{result}_q"], f"{result}_q"), *middle,
            node("DequantizeLinear", [read, scale, zero], [result], f"{result}_d")]  # fmt: skip


NUMBERS = {"s": np.float32(0.25), "z": np.uint8(0), "z8": np.int8(-128), "zi": np.int8(0),
           "low": np.int8(0), "high": np.int8(7)}  # fmt: skip
CUT = {
    "unsigned": (pair("c", "r", "s", "z"), (0.0, 63.75)),
    "signed with an offset": (pair("c", "r", "s", "z8"), (0.0, 63.75)),
    "signed": (pair("c", "r", "s", "zi"), None),
    "after a ReLU": ([RELU, *pair("r", "r2", "s", "z")], None),
    "of few bits": (pair("c", "r", "s", "zi", limits=("low", "high")), (0.0, 1.75)),
}


@pytest.mark.parametrize("name", CUT)
def test_what_a_quantizer_cuts_off_stays(name, tmp_path):
    nodes, clip = CUT[name]
    result = nodes[-1].output[0]
    trained = opened(made(tmp_path / "m.onnx", [CONV, *nodes, *tail(result)], NUMBERS))
    assert trained.graph.ops[0].clip == clip
    assert trained.graph.ops[0].activation == (
        "clip" if clip else "relu" if "ReLU" in name else "none"
    )
    assert len(trained.graph.ops) == 3


def test_images_of_8_bits_are_read(tmp_path):
    nodes = [node("DequantizeLinear", ["x", "s", "z1"], ["d"]),
             node("Conv", ["d", "w", "b"], ["c"], "conv", pads=[1, 1, 1, 1]), RELU, *tail("r")]  # fmt: skip
    path = made(tmp_path / "m.onnx", nodes, {**NUMBERS, "z1": np.uint8(3)})
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    onnx.save(model, path)
    trained = open_model(str(path), options=ImportOptions(mean=(0.0,), std=(1 / 255,)))
    pixels = RNG.integers(0, 256, (2, 3, 8, 8)).astype("u1")
    read = (pixels / 255 - np.array(trained.mean)[:, None, None]) / trained.std[0]
    assert np.allclose(logits(trained, read.astype("f4")), run(path, pixels), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", ["depthwise", "dense block"])
def test_what_export_writes_as_qonnx_is_read(name, tmp_path):
    """Its weights are the integers times their scales, and its logits those of the reference."""
    packed = combine_once(trained(name), rule=PackingRule(alpha=4, gamma=0.5), rho=0.5)
    network = eight_bit(packed, data(), images=20).network
    model = to_qonnx(network)
    onnx.save(model, tmp_path / "q.onnx")
    read = opened(tmp_path / "q.onnx")
    pixels, _ = images(20)
    given = normalised(pixels, mean=network.input.mean, std=network.input.std)
    words = run_network(network, quantize_images(network, pixels))[network.output.name]
    expected = words.reshape(20, -1) * 2.0**network.output.exponent
    got = logits(read, given.numpy())
    assert np.abs(got - expected).max() < 0.1 * np.ptp(expected)
    assert (got.argmax(1) == expected.argmax(1)).mean() >= 0.9
    for weight, op in read.graph.weighted_ops.items():
        real = filter_matrix(op, read.state[weight])
        top = real.abs().amax(1).clamp(min=1e-30)
        step = torch.exp2(torch.ceil(torch.log2(top / 128)))[:, None]
        assert torch.equal((real / step).round(), real / step), weight


def of_qonnx(path):
    """The file with the operations of QONNX declared."""
    model = onnx.load(path)
    model.opset_import.append(helper.make_opsetid("qonnx.custom_op.general", 1))
    onnx.save(model, path)
    return path


def quant(value, result, scale="s", zero="z0", bits="b8", **attributes):
    attributes = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND", **attributes}
    return node("Quant", [value, scale, zero, bits], [result], f"{result}_quant",
                domain="qonnx.custom_op.general", **attributes)  # fmt: skip


def test_quantizers_of_qonnx_by_hand(tmp_path):
    """Weights become the numbers that the integers stand for; a tensor keeps what is cut off."""
    numbers = {"s": np.float32(0.5), "z0": np.float32(0), "b8": np.float32(8), "b2": np.float32(2)}
    weights = {"k": np.array([0.3, -0.75, 1.25, -9, 9, 0, 0.74, 0.76], "f4").reshape(8, 1, 1, 1)}
    nodes = [
        quant("k", "kq", bits="b2"),
        node("Conv", ["x", "w", "b"], ["c"], "first", pads=[1, 1, 1, 1]),
        quant("c", "cq", signed=0),
        node("Conv", ["cq", "kq"], ["d"], "second", group=8),
        quant("d", "dq"),
        *tail("dq"),
    ]
    read = opened(of_qonnx(made(tmp_path / "m.onnx", nodes, {**numbers, **weights})))
    first, second = read.graph.ops[:2]
    assert first.clip == (0.0, 127.5) and second.activation == "none"
    # 2 bits hold -2 .. 1; a half is rounded to even.
    assert read.state[second.weight].ravel().tolist() == [0.5, -1.0, 0.5, -1.0, 0.5, 0.0, 0.5, 0.5]


def test_what_cannot_be_read_of_a_quantized_file_is_named(tmp_path):
    cases = {
        r"'BipolarQuant' in 'bi' makes signs": [
            node("BipolarQuant", ["c", "s"], ["r"], "bi", domain="qonnx.custom_op.general")],
        r"'DequantizeLinear' in 'dq' reads integers": [
            node("DequantizeLinear", ["c", "s"], ["r"], "dq")],
        r"'QLinearConv'.*QuantFormat\.QDQ": [
            node("QLinearConv", ["c", "s", "z", "w", "s", "z", "s", "z"], ["r"], "ql")],
    }  # fmt: skip
    for message, nodes in cases.items():
        path = of_qonnx(made(tmp_path / "m.onnx", [CONV, *nodes, *tail("r")], NUMBERS))
        with pytest.raises(InvalidNetworkError, match=message):
            opened(path)
