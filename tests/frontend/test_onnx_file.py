"""ONNX files: what torch writes, what others write, and refusals by name."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from systopack.errors import InvalidFileError, InvalidNetworkError, InvalidOptionError
from systopack.frontend.capture import capture
from systopack.frontend.onnx_file import load_onnx
from tests.frontend.models import NAMES, SHAPE, build

pytest.importorskip("onnxruntime")


def written(path, nodes, weights, *, shape=("batch", 3, 8, 8), opset=17):
    """A hand-made file; its output is called logits."""
    rng = np.random.default_rng(0)
    arrays = {
        name: value if isinstance(value, np.ndarray) else rng.standard_normal(value).astype("f4")
        for name, value in weights.items()
    }
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "classes"])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_what_torch_writes_is_read(name, tmp_path):
    model = build(name)
    path = tmp_path / "m.onnx"
    images = torch.randn(1, *SHAPE)
    torch.onnx.export(model, (images,), path, dynamo=False)
    loaded, shape = load_onnx(path, input_shape=None)
    assert shape == SHAPE
    with torch.no_grad():
        assert torch.allclose(loaded(images), model(images), atol=1e-4)
    assert capture(loaded, shape).weighted_ops.keys() <= loaded.state_dict().keys()


def test_what_other_tools_write(tmp_path):
    """Uneven and automatic padding, a bias added afterwards, products without transposition."""
    nodes = [
        helper.make_node("Conv", ["images", "w1"], ["a"], "first", auto_pad="SAME_LOWER",
                         strides=[2, 2], kernel_shape=[3, 3]),
        helper.make_node("Add", ["a", "b1"], ["b"], "bias"),
        helper.make_node("Clip", ["b", "zero", "six"], ["c"], "clip"),
        helper.make_node("Pad", ["c", "pads"], ["d"], "pad"),
        helper.make_node("MaxPool", ["d"], ["e"], "pool", kernel_shape=[3, 3], pads=[0, 0, 1, 1]),
        helper.make_node("Shape", ["e"], ["s"], "shape"),
        helper.make_node("Gather", ["s", "first_axis"], ["batch"], "batch", axis=0),
        helper.make_node("Concat", ["batch", "rest"], ["target"], "target", axis=0),
        helper.make_node("Reshape", ["e", "target"], ["f"], "flatten"),
        helper.make_node("MatMul", ["f", "w2"], ["g"], "product"),
        helper.make_node("Add", ["b2", "g"], ["logits"], "offset"),
    ]  # fmt: skip
    weights = {
        "w1": (4, 3, 3, 3),
        "b1": (1, 4, 1, 1),
        "zero": np.array(0, "f4"),
        "six": np.array(6, "f4"),
        "pads": np.array([0, 0, 1, 0, 0, 0, 0, 1]),
        "first_axis": np.array([0]),
        "rest": np.array([-1]),
        "w2": (64, 5),
        "b2": (5,),
    }
    loaded, shape = load_onnx(written(tmp_path / "m.onnx", nodes, weights), input_shape=None)
    graph = capture(loaded, shape)
    assert [op.name for op in graph.ops] == ["first", "pool", "product"]
    assert graph.ops[0].padding == (1, 0, 1, 0)
    assert (graph.ops[0].bias, graph.ops[0].clip) == ("b1", (0.0, 6.0))
    assert loaded.state_dict()["w2"].shape == (5, 64)


def test_refusals_name_the_operation_and_the_node(tmp_path):
    nodes = [helper.make_node("Erf", ["images"], ["logits"], "/body/act/Erf")]
    with pytest.raises(InvalidNetworkError, match="'Erf' in '/body/act/Erf' is no operation"):
        load_onnx(written(tmp_path / "m.onnx", nodes, {}), input_shape=None)
    nodes = [helper.make_node("Sigmoid", ["images"], ["logits"], "/gate/Sigmoid")]
    loaded, shape = load_onnx(written(tmp_path / "m.onnx", nodes, {}), input_shape=None)
    with pytest.raises(InvalidNetworkError, match=r"'aten\.sigmoid' in 'gate\.Sigmoid'"):
        capture(loaded, shape)


def test_an_open_image_size_has_to_be_given(tmp_path):
    nodes = [
        helper.make_node("Conv", ["images", "w"], ["a"], "conv", kernel_shape=[3, 3]),
        helper.make_node("GlobalAveragePool", ["a"], ["b"], "mean"),
        helper.make_node("Flatten", ["b"], ["logits"], "flatten"),
    ]
    shape = ("batch", 3, "height", "width")
    path = written(tmp_path / "m.onnx", nodes, {"w": (4, 3, 3, 3)}, shape=shape)
    with pytest.raises(InvalidOptionError, match="--input-shape"):
        load_onnx(path, input_shape=None)
    assert load_onnx(path, input_shape=(3, 9, 10))[1] == (3, 9, 10)


def test_files_that_are_no_onnx(tmp_path):
    path = tmp_path / "m.onnx"
    with pytest.raises(InvalidFileError, match="There is no file"):
        load_onnx(path, input_shape=None)
    path.write_bytes(b"\x80\x04 something else")
    with pytest.raises(InvalidFileError, match="damaged"):
        load_onnx(path, input_shape=None)
