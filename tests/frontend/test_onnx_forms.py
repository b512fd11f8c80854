"""ONNX files of many forms: read as the ONNX runtime computes them, or refused in one sentence."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from systopack.errors import InvalidFileError, InvalidNetworkError, SystopackError
from systopack.frontend.capture import capture
from systopack.frontend.onnx_file import load_onnx
from systopack.frontend.onnx_folding import FOLDED, Fixed, Folder
from systopack.training.importing import ImportOptions, open_model

onnxruntime = pytest.importorskip("onnxruntime")
node = helper.make_node
RNG = np.random.default_rng(0)
WEIGHTS = {
    "w": RNG.standard_normal((8, 3, 3, 3)).astype("f4") / 4,
    "b": RNG.standard_normal(8).astype("f4"),
    "wl": RNG.standard_normal((8, 5)).astype("f4"),
    "bl": RNG.standard_normal(5).astype("f4"),
}
CONV = node("Conv", ["x", "w", "b"], ["c"], "conv", pads=[1, 1, 1, 1])
RELU = node("Relu", ["c"], ["r"], "relu")


def tail(value):
    return [
        node("GlobalAveragePool", [value], ["p"], "mean"),
        node("Flatten", ["p"], ["f"], "flatten"),
        node("Gemm", ["f", "wl", "bl"], ["y"], "fc"),
    ]


def made(path, nodes, weights=None, *, shape=("n", 3, 8, 8), opset=17, kind=TensorProto.FLOAT,
         axes=2):  # fmt: skip
    tensors = [
        numpy_helper.from_array(np.asarray(array), name)
        for name, array in {**WEIGHTS, **(weights or {})}.items()
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [info("x", kind, shape)], [info("y", kind, tuple("abcd"[:axes]))], tensors
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, path)
    return path


def whole(*numbers):
    return np.array(numbers, dtype=np.int64)


READ = {
    "Dropout with its mask": (
        [CONV, RELU, node("Dropout", ["r"], ["d", "mask"], "drop", ratio=0.5), *tail("d")], {}, 7),
    "part of a shape": (
        [CONV, RELU, node("GlobalAveragePool", ["r"], ["p"]),
         node("Shape", ["p"], ["s"], start=0, end=1), node("Concat", ["s", "m"], ["t"], axis=0),
         node("Reshape", ["p", "t"], ["f"]), node("Gemm", ["f", "wl", "bl"], ["y"])],
        {"m": whole(-1)}, 17),
    "channels last before the linear layer": (
        [CONV, RELU, node("Transpose", ["r"], ["t"], perm=[0, 2, 3, 1]),
         node("Flatten", ["t"], ["f"]), node("MatMul", ["f", "big"], ["y"])],
        {"big": RNG.standard_normal((512, 5)).astype("f4")}, 17),
    "Gemm with factors": (
        [CONV, RELU, *tail("r")[:2],
         node("Gemm", ["f", "wl", "bl"], ["y"], "fc", alpha=2.0, beta=-0.5)], {}, 17),
    "numbers of a channel after a norm": (
        [CONV, node("Mul", ["c", "k"], ["m"], "scale"), node("Add", ["o", "m"], ["a"], "offset"),
         node("Sub", ["a", "o"], ["a2"]), node("Div", ["a2", "k"], ["a3"]),
         node("Relu", ["a3"], ["r"]), *tail("r")],
        {"k": np.linspace(0.5, 2, 8, dtype="f4").reshape(1, 8, 1, 1),
         "o": np.linspace(-1, 2, 8, dtype="f4").reshape(8, 1, 1)}, 17),
    "a maximum with padding of values of both signs": (
        [CONV, node("MaxPool", ["c"], ["r"], "max", kernel_shape=[3, 3], strides=[2, 2],
                    pads=[0, 0, 1, 1]), *tail("r")], {}, 17),
    "a window padded by more than half": (
        [CONV, node("MaxPool", ["c"], ["r"], "max", kernel_shape=[2, 3], strides=[1, 1],
                    pads=[1, 2, 1, 2]), *tail("r")], {}, 17),
    "Sum, Max with zero, Pad on axes": (
        [node("Pad", ["x", "pads", "", "axes"], ["xp"], "pad"),
         node("Conv", ["xp", "w", "b"], ["c"], "conv"), node("Max", ["c", "zero"], ["r"]),
         node("Sum", ["r", "r"], ["s"], "sum"), *tail("s")],
        {"pads": whole(1, 1, 1, 1), "axes": whole(2, 3), "zero": np.float32(0)}, 18),
    "one tensor for all that is equal": (
        [node("Conv", ["x", "w"], ["c"], "conv", pads=[1, 1, 1, 1]),
         node("BatchNormalization", ["c", "one", "zero", "zero", "one"], ["n"], "norm"),
         node("Relu", ["n"], ["r"]), *tail("r")],
        {"one": np.ones(8, "f4"), "zero": np.zeros(8, "f4")}, 17),
    "one weight for two layers": (
        [CONV, RELU, node("Conv", ["r", "w2"], ["c2"], "mid_a", pads=[1, 1, 1, 1]),
         node("Relu", ["c2"], ["r2"]), node("Conv", ["r2", "w2"], ["c3"], "mid_b",
                                            pads=[1, 1, 1, 1]), *tail("c3")],
        {"w2": RNG.standard_normal((8, 8, 3, 3)).astype("f4") / 8}, 17),
    "stored weights of 8 bits": (
        [node("DequantizeLinear", ["q", "s", "z"], ["w8"], axis=0),
         node("Conv", ["x", "w8", "b"], ["c"], "conv", pads=[1, 1, 1, 1]), RELU, *tail("r")],
        {"q": RNG.integers(-99, 99, (8, 3, 3, 3)).astype(np.int8),
         "s": np.linspace(0.01, 0.02, 8, dtype="f4"), "z": np.arange(8, dtype=np.int8)}, 17),
    "a softmax of old, over channels": (
        [CONV, node("GlobalAveragePool", ["c"], ["p"]), node("Softmax", ["p"], ["y"])], {}, 11),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_a_legal_form_is_read(name, tmp_path):
    nodes, weights, opset = READ[name]
    axes = 4 if nodes[-1].op_type == "Softmax" else 2
    path = made(tmp_path / "m.onnx", nodes, weights, opset=opset, axes=axes)
    module, shape = load_onnx(path, input_shape=None)
    capture(module, shape)
    images = RNG.standard_normal((2, 3, 8, 8)).astype("f4")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    expected = session.run(None, {"x": images})[0]
    with torch.no_grad():
        assert np.allclose(module(torch.from_numpy(images)).numpy(), expected, atol=1e-4)


KINDS = [TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("outside", [False, True])
def test_other_types_are_read_as_float32(kind, outside, tmp_path):
    """Throughout, or between two casts, as converters write models that keep their own ends."""
    to = helper.tensor_dtype_to_np_dtype(kind)
    weights = {name: array.astype(to) for name, array in WEIGHTS.items()}
    weights |= {"k": np.array(0.5, to), "six": np.array(6, to)}
    body = [node("Mul", ["c", "k"], ["m"]), node("Clip", ["m", "", "six"], ["r"]), *tail("r")]
    nodes = [CONV, *body]
    if outside:
        body[-1].output[0] = "z"
        nodes = [node("Cast", ["x"], ["xc"], to=kind),
                 node("Conv", ["xc", "w", "b"], ["c"], "conv", pads=[1, 1, 1, 1]),
                 *body, node("Cast", ["z"], ["y"], to=TensorProto.FLOAT)]  # fmt: skip
    given = TensorProto.FLOAT if outside else kind
    module, shape = load_onnx(
        made(tmp_path / "m.onnx", nodes, weights, kind=given), input_shape=None
    )
    single = {name: array.astype("f4") for name, array in weights.items()}
    body[-1].output[0] = "y"
    plain, _ = load_onnx(made(tmp_path / "f.onnx", [CONV, *body], single), input_shape=None)
    assert len(capture(module, shape).ops) == 3
    images = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        assert torch.allclose(module(images), plain(images), atol=2e-3)


def test_two_layers_of_one_weight_have_a_copy_each(tmp_path):
    nodes, weights, _ = READ["one weight for two layers"]
    trained = open_model(
        str(made(tmp_path / "m.onnx", nodes, weights)),
        options=ImportOptions(mean=(0.5,), std=(0.25,)),
    )
    mid = [op.weight for op in trained.graph.matrix_ops if op.name.startswith("mid")]
    assert mid == ["w2", "w2_2"]
    assert torch.equal(trained.state["w2"], trained.state["w2_2"])


BODY = helper.make_graph([node("Relu", ["c"], ["o"])], "b", [],
                         [helper.make_tensor_value_info("o", TensorProto.FLOAT, None)])  # fmt: skip
BIG = whole(10**6, 10**6)
CONSTANT = {
    "ConstantOfShape": (node("ConstantOfShape", ["k"], ["z"], "z"), {"k": BIG}),
    "Expand": (node("Expand", ["e", "k"], ["z"], "z"), {"k": BIG, "e": np.ones((1, 1), "f4")}),
    "Tile": (node("Tile", ["e", "k"], ["z"], "z"), {"k": BIG, "e": np.ones((1, 1), "f4")}),
    "Range": (node("Range", ["e0", "e1", "e2"], ["z"], "z"),
              {"e0": np.int64(0), "e1": np.int64(10**11), "e2": np.int64(1)}),
    "Gather": (node("Gather", ["e", "k"], ["z"], "z"), {"k": whole(99), "e": np.ones(3, "f4")}),
    "MatMul": (node("MatMul", ["w", "wl"], ["z"], "z"), {}),
    "RandomNormal": (node("RandomNormal", [], ["z"], "z", shape=[10**5, 10**5]), {}),
    "Div": (node("Div", ["k", "e"], ["z"], "z"), {"k": whole(1), "e": whole(0)}),
    "Reshape": (node("Reshape", ["w", "k"], ["z"], "z"), {"k": whole(7, 7)}),
}  # fmt: skip


@pytest.mark.parametrize("name", CONSTANT)
def test_folding_is_named_and_bounded(name, tmp_path):
    first, weights = CONSTANT[name]
    path = made(tmp_path / "m.onnx", [first, CONV, RELU, *tail("r")], weights)
    with pytest.raises(InvalidNetworkError, match=f"'{name}' in 'z', which reads stored numbers"):
        load_onnx(path, input_shape=None)


def test_doubling_is_bounded_however_long_it_goes_on(tmp_path):
    doubling = [node("Concat", [f"t{i}", f"t{i}"], [f"t{i + 1}"], f"t{i}", axis=0)
                for i in range(40)]  # fmt: skip
    path = made(tmp_path / "m.onnx", [*doubling, CONV, RELU, *tail("r")], {"t0": np.ones(1, "f4")})
    with pytest.raises(InvalidNetworkError, match="more than the file explains"):
        load_onnx(path, input_shape=None)


FOLDING = {
    "Div": ([whole(-7, 7, 9), whole(2, -2, 3)], {}, [-3, -3, 3]),
    "Slice": ([whole(0, 1, 2, 3), whole(-1), whole(-9), whole(0), whole(-1)], {}, [3, 2, 1, 0]),
    "Range": ([np.float32(0), np.float32(1), np.float32(0.25)], {}, [0, 0.25, 0.5, 0.75]),
    "Where": ([np.array([True, False]), whole(1, 2), whole(3, 4)], {}, [1, 4]),
    "Unsqueeze": ([whole(5)], {"axes": [0]}, [[5]]),
    "ReduceProd": ([whole(2, 3, 4)], {"keepdims": 0}, 24),
    "QuantizeLinear": ([np.array([-9.0, 0.75, 1.25], "f4"), np.float32(0.5), np.int8(1)], {},
                       [-17, 3, 3]),
    "Clip": ([np.array([-2.0, 0.5], "f4"), np.float32(-1)], {}, [-1, 0.5]),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLDING)
def test_folding_by_hand(name):
    inputs, attributes, expected = FOLDING[name]
    names = [f"i{number}" for number in range(len(inputs))]
    made = node(name, names, ["y"], **attributes)
    fixed = Fixed(node=made, place="", inputs=[np.asarray(i) for i in inputs],
                  attributes=attributes, opset=12)  # fmt: skip
    assert np.array_equal(Folder(0).fold(fixed)[0], expected)
    assert name in FOLDED


REFUSED = {
    "control flow": (
        [CONV, node("If", ["yes"], ["y"], "if", then_branch=BODY, else_branch=BODY)],
        {"yes": np.array(True)}, "'If' in 'if' holds a graph of its own"),
    "another domain": ([node("Quant", ["x", "k", "k", "k"], ["y"], "q", domain="qonnx.custom")],
                       {"k": np.float32(1)}, "domain 'qonnx.custom'.*floating point"),
    "a dropout's mask that is read": (
        [CONV, node("Dropout", ["c"], ["d", "mask"], "drop"), node("Relu", ["mask"], ["y"])], {},
        "mask that is read|damaged"),
    "a batch that is folded in": (
        [CONV, node("Reshape", ["c", "k"], ["y"], "r")], {"k": whole(1, -1)}, "must stay apart"),
    "a huge padding": ([node("Conv", ["x", "w"], ["y"], "c", pads=[10**6] * 4)], {},
                       "numbers are taken in one|cannot be run"),
    "a window of nothing": ([node("MaxPool", ["x"], ["y"], "m", kernel_shape=[0, 0])], {}, "'m'"),
    "text": ([CONV, node("Relu", ["c"], ["y"])], {"t": np.array(["a"], dtype=object)}, "text"),
    "no numbers": ([node("Slice", ["x", "k", "k"], ["s"]), node("Conv", ["s", "w"], ["y"], "c")],
                   {"k": whole(1)}, "."),
    "an infinite weight": ([CONV, RELU, *tail("r")], {"b": np.full(8, np.inf, "f4")}, "infinite"),
    "an unknown input": ([node("Relu", ["nothing"], ["y"], "r")], {}, "nothing"),
    "images moved": ([node("Transpose", ["x"], ["y"], "t")], {}, "'Transpose' in 't' moves"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_be_read_is_refused_in_one_sentence(name, tmp_path):
    nodes, weights, message = REFUSED[name]
    path = made(tmp_path / "m.onnx", nodes, weights)
    with pytest.raises(SystopackError, match=message) as caught:
        load_onnx(path, input_shape=None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(-1, 3, -8, 8), (1, 3, 10**5, 10**5), (2**40, 3, 8, 8), (1, 3)])
def test_sizes_of_images(shape, tmp_path):
    path = made(tmp_path / "m.onnx", [CONV, RELU, *tail("r")], shape=shape)
    with pytest.raises(SystopackError):
        load_onnx(path, input_shape=None)


@pytest.mark.parametrize("place", ["/etc/passwd", "../w.bin", "/dev/zero", "missing", "link"])
def test_weights_beside_the_model_stay_beside_it(place, tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    (tmp_path / "w.bin").write_bytes(bytes(864))
    (folder / "link").symlink_to(tmp_path / "w.bin")
    path = made(folder / "m.onnx", [CONV, RELU, *tail("r")])
    model = onnx.load(path)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InvalidFileError, match=r"beside it|no file"):
        load_onnx(path, input_shape=None)
    (folder / "link").unlink()
    (folder / "link").write_bytes(WEIGHTS["w"].tobytes())
    if place == "link":
        assert load_onnx(path, input_shape=None)[1] == (3, 8, 8)


def test_a_misread_of_small_outputs_is_caught(tmp_path, monkeypatch):
    """A maximum that pads with zeros is a misread where values are below zero."""
    from systopack.frontend import onnx_steps

    def zeros(call):
        return lambda images: torch.nn.functional.max_pool2d(
            torch.nn.functional.pad(images, (0, 1, 0, 1)), 3, 2
        )

    nodes, _, _ = READ["a maximum with padding of values of both signs"]
    small = {"wl": WEIGHTS["wl"] * np.float32(1e-6), "bl": WEIGHTS["bl"] * np.float32(1e-6)}
    path = made(tmp_path / "m.onnx", nodes, small)
    load_onnx(path, input_shape=None)
    monkeypatch.setitem(onnx_steps.TRANSLATIONS, "MaxPool", zeros)
    with pytest.raises(InvalidNetworkError, match="does not compute what the ONNX runtime"):
        load_onnx(path, input_shape=None)
