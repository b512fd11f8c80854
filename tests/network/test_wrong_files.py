"""Files with a right digest and a wrong content: every type, field and tensor must be as saved."""

import copy
import dataclasses
import pickle
import struct

import numpy as np
import pytest

from systopack.errors import InvalidFileError, InvalidNetworkError, SystopackError
from systopack.files import is_pickle
from systopack.network.file import load, load_with_sha256, save, to_bytes
from systopack.network.network import PackedNetwork
from systopack.network.nodes import ConcatLayer, InputNode, MatrixLayer, PoolLayer
from systopack.packing.pack import dense
from tests.network.spk_files import build, parse, sealed
from tests.networks import random_network


def small_network(name="net", **changes):
    """Input, a 3 x 3 convolution, pooling, a concatenation and logits; one layer may be changed."""
    rng = np.random.default_rng(1)
    window = np.mgrid[:2, :3, :3].reshape(3, -1).T - [0, 1, 1]
    common = {"padding": (0, 0, 0, 0), "stride": (1, 1), "residual": None, "clip": None}
    conv = MatrixLayer(
        **{**common, "padding": (1, 1, 1, 1)},
        name="conv",
        source="input",
        kind="convolution",
        matrix=dense(rng.integers(1, 9, (3, 18)).astype(np.int8)),
        columns=window.astype(np.int32),
        bias=np.zeros(3, np.int32),
        output_size=(4, 4),
        activation="relu",
        shift=np.full(3, 7, np.uint8),
        exponent=-4,
    )
    pool = PoolLayer(
        name="pool",
        source="conv",
        kind="average",
        kernel=(2, 2),
        stride=(2, 2),
        padding=(0, 0, 0, 0),
        output_size=(2, 2),
        multiplier=8192,
        shift=15,
        exponent=-4,
    )
    concat = ConcatLayer(
        name="concat",
        sources=("pool",),
        operands=np.zeros(2, np.int32),
        channels=np.array([2, 0], np.int32),
        output_size=(2, 2),
        exponent=-4,
    )
    grid = np.mgrid[:2, :2, :2].reshape(3, -1).T
    logits = MatrixLayer(
        **common,
        name="logits",
        source="concat",
        kind="linear",
        matrix=dense(rng.integers(-9, 9, (2, 8)).astype(np.int8)),
        columns=grid.astype(np.int32),
        bias=np.zeros(2, np.int32),
        output_size=(1, 1),
        activation="none",
        shift=None,
        exponent=-9,
    )
    image = InputNode(name="input", shape=(2, 4, 4), mean=(0.5, 0.5), std=(0.25, 0.25), exponent=-5)
    nodes = [image, conv, pool, concat, logits]
    nodes = [dataclasses.replace(node, **changes.pop(node.name, {})) for node in nodes]
    return PackedNetwork(name=name, nodes=tuple(nodes), class_names=("a", "b"), **changes)


def in_node(index, key, value):
    return lambda header, tensors: header["nodes"][index].__setitem__(key, value)


def in_header(key, value):
    return lambda header, tensors: header.__setitem__(key, value)


def as_type(name, dtype):
    return lambda header, tensors: tensors.__setitem__(name, tensors[name].astype(dtype))


def column_of_group(value):
    """One packed column named by a fraction that numpy would cut off."""

    def change(header, tensors):
        columns = tensors["logits/band0/group_columns"].astype(np.float64)
        columns[1] = value(columns[0])
        tensors["logits/band0/group_columns"] = columns

    return change


WRONG = {
    "fractional stride": in_node(1, "stride", [1.9, 1.9]),
    "whole float": in_node(1, "stride", [1.0, 1.0]),
    "bool for a number": in_node(1, "stride", [True, True]),
    "text for a number": in_node(1, "exponent", "-4"),
    "float exponent": in_node(0, "exponent", -5.5),
    "a range of old": in_node(1, "range", [0, 127]),
    "huge number": in_node(2, "multiplier", 10**400),
    "number of 65 bits": in_node(0, "shape", [2, 2**64, 4]),
    "whole mean": in_node(0, "mean", [0, 0]),
    "text mean": in_node(0, "mean", ["0.5", "0.5"]),
    "unknown field": in_node(1, "dilation", [2, 2]),
    "unknown field in the header": in_header("evil", 1),
    "null name": in_header("name", None),
    "number for a name": in_header("name", 7),
    "text for a list": in_header("class_names", "ab"),
    "numbers for class names": in_header("class_names", [0, 1]),
    "number in the history": in_header("history", {"a": 1}),
    "bits as text": in_header("accumulator_bits", "32"),
    "bits as float": in_header("accumulator_bits", 32.0),
    "true version": in_header("format_version", True),
    "old version": in_header("format_version", 1),
    "unknown kind": in_node(1, "kind", "attention"),
    "kind as list": in_node(1, "kind", ["convolution"]),
    "unknown type": in_node(1, "type", "Matrix"),
    "bands as text": in_node(1, "bands", "1"),
    "no bands": in_node(1, "bands", 0),
    "a million bands": in_node(1, "bands", 10**6),
    "spare tensor": lambda header, tensors: tensors.update(evil=np.zeros(4, np.int8)),
    "spare clip": lambda header, tensors: tensors.update({"conv/clip": np.zeros((3, 2), np.int32)}),
    "missing tensor": lambda header, tensors: tensors.pop("conv/bias"),
    "missing field": lambda header, tensors: header["nodes"][1].pop("stride"),
    "wide bias": as_type("conv/bias", np.int64),
    "float bias": as_type("conv/bias", np.float32),
    "signed shift": as_type("conv/shift", np.int8),
    "float values": as_type("conv/band0/values", np.float32),
    "wide values": as_type("conv/band0/values", np.int16),
    "wide channels": as_type("conv/band0/channels", np.int32),
    "wide sizes": as_type("conv/band0/group_sizes", np.int64),
    "wide columns of groups": as_type("conv/band0/group_columns", np.int64),
    "wide columns": as_type("conv/columns", np.int64),
    "float operands": as_type("concat/operands", np.float32),
    "stored twice as a fraction": column_of_group(lambda column: column + 0.5),
    "column that is not a number": column_of_group(lambda column: np.nan),
    "infinite column": column_of_group(lambda column: np.inf),
    "column beside a bias": lambda header, tensors: tensors.update(
        {"conv/bias": tensors["conv/bias"][:, None]}
    ),
    "line break in the name": in_header("name", "a\nmodule evil; endmodule"),
    "escape in the name": in_header("name", "a\x1b[2J"),
    "half a character": in_header("name", "\ud800"),
    "turned direction": in_header("class_names", ["a", "\u202eb"]),
    "control character in the history": in_header("history", {"a": "b\x00"}),
    "very long name": in_header("name", "a" * 5000),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_content_is_refused_in_one_line(tmp_path, case):
    header, tensors = parse(to_bytes(small_network())[0])
    WRONG[case](header, tensors)
    path = tmp_path / "wrong.spk"
    path.write_bytes(build(header, tensors))
    with pytest.raises(SystopackError) as refused:
        load(path)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 1500


def test_the_same_content_in_another_layout_is_accepted(tmp_path):
    network = small_network()
    content = build(*parse(to_bytes(network)[0]))
    (tmp_path / "net.spk").write_bytes(content)
    again, digest = load_with_sha256(tmp_path / "net.spk")
    assert to_bytes(again) == to_bytes(network)
    assert digest.encode() in content


TEXTS = {
    "deep": "[" * 100_000,
    "not JSON": "{",
    "not an object": "[1]",
    "infinite": '{"format_version": Infinity}',
    "beyond floats": '{"format_version": 2e999}',
    "many digits": '{"format_version": ' + "9" * 5000 + "}",
    "twice": '{"format_version": 2, "format_version": 2}',
    "surrogates as digest": '{"format_version": 2, "sha256": "' + "\\ud800" * 64 + '"}',
}


@pytest.mark.parametrize("case", TEXTS)
def test_headers_that_are_no_plain_json(tmp_path, case):
    _, tensors = parse(to_bytes(small_network())[0])
    (tmp_path / "wrong.spk").write_bytes(build({}, tensors, text=TEXTS[case]))
    with pytest.raises(InvalidFileError, match="damaged or not a packed network"):
        load(tmp_path / "wrong.spk")


def test_tensors_that_overlap_or_lie_outside(tmp_path):
    content = to_bytes(small_network())[0]
    (length,) = struct.unpack("<Q", content[:8])
    outer = content[8 : 8 + length]
    for old, new in (
        (b'"shape":[3,18]', b'"shape":[18,3]'),
        (b'"shape":[3,18]', b'"shape":[54,1]'),
        (b'"data_offsets":[0,', b'"data_offsets":[4,'),
        (b'"dtype":"I32"', b'"dtype":"F32"'),
    ):
        assert old in outer
        header = outer.replace(old, new, 1)
        blank = b"".join([struct.pack("<Q", len(header)), header, content[8 + length :]])
        digest = parse(content)[0]["sha256"].encode()
        (tmp_path / "wrong.spk").write_bytes(sealed(blank.replace(digest, b"0" * 64, 1)))
        with pytest.raises(SystopackError):
            load(tmp_path / "wrong.spk")


BOMBS = {
    "image": in_node(0, "shape", [1, 10**9, 10**9]),
    "long image": in_node(0, "shape", [2, 10**6, 10**3]),
    "padding": in_node(1, "padding", [30000] * 4),
    "padding that no window reaches": in_node(1, "padding", [200] * 4),
    "stride": in_node(1, "stride", [10**6, 10**6]),
    "output": in_node(1, "output_size", [10**9, 10**9]),
    "window": lambda header, tensors: header["nodes"][2].update(
        kernel=[6000, 6000], padding=[5999] * 4, output_size=[3, 3]
    ),
    "nodes": lambda header, tensors: header.update(nodes=header["nodes"] * 1000),
}


@pytest.mark.parametrize("case", BOMBS)
def test_small_files_cannot_ask_for_much(tmp_path, case):
    header, tensors = parse(to_bytes(small_network())[0])
    BOMBS[case](header, copy.deepcopy(tensors))
    (tmp_path / "bomb.spk").write_bytes(build(header, tensors))
    with pytest.raises(InvalidNetworkError):
        load(tmp_path / "bomb.spk")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"conv": {"stride": (1.0, 1)}}, "stride 1.0"),
        ({"conv": {"padding": (1, 1, 1)}}, "tuple of 4"),
        ({"conv": {"exponent": True}}, "exponent True"),
        ({"input": {"shape": (2, 4096, 4096)}}, "limits are"),
        ({"pool": {"multiplier": 8192.0}}, "multiplier 8192.0"),
        ({"history": {"a": "b\x07"}}, "U\\+0007"),
        ({"name": "a\u202eb"}, "U\\+202E"),
        ({"name": 5}, "no text"),
    ],
)
def test_networks_made_in_python_follow_the_same_rules(changes, words):
    with pytest.raises(InvalidNetworkError, match=words):
        small_network(**changes)


def test_names_that_would_be_stored_as_one_are_refused(tmp_path):
    network = small_network()
    nodes = [
        dataclasses.replace(node, name="conv/band0") if isinstance(node, ConcatLayer) else node
        for node in network.nodes
    ]
    nodes[-1] = dataclasses.replace(nodes[-1], source="conv/band0")
    clash = PackedNetwork(name="clash", nodes=tuple(nodes))
    with pytest.raises(InvalidNetworkError, match="under the name 'conv/band0/channels'"):
        save(clash, tmp_path / "clash.spk")
    assert not (tmp_path / "clash.spk").exists()


def test_pickles_are_told_from_headers_that_begin_like_one(tmp_path):
    for protocol in range(2, 6):
        assert is_pickle(pickle.dumps([1, 2.5, "a" * 1000], protocol=protocol))
    assert is_pickle(b"PK\x03\x04" + bytes(30))
    for seed in range(300):
        content = to_bytes(random_network(np.random.default_rng(seed), layers=1))[0]
        longer = build(*parse(content))
        for bytes_ in (content, longer, b"\x80\x04\0\0\0\0\0\0{", b"\x80\x02\0\0\0\0\0\0{"):
            assert not is_pickle(bytes_)


def test_other_files_of_ours_are_named(tmp_path):
    from safetensors.numpy import save as save_tensors

    for key, words in (("systopack_model", "trained model"), ("systopack_packed", "matrices")):
        path = tmp_path / f"{key}.safetensors"
        path.write_bytes(save_tensors({"a": np.zeros(3)}, metadata={key: "{}" + " " * 50}))
        with pytest.raises(InvalidFileError, match=words):
            load(path)


@pytest.mark.parametrize("shape", [(4, 65536, 1), (4, 1, 4097), (1, 4097, 4)])
def test_images_keep_to_the_limit_that_the_format_states(shape):
    network = small_network()
    wide = dataclasses.replace(
        network.input, shape=shape, mean=(0.5,) * shape[0], std=(0.5,) * shape[0]
    )
    with pytest.raises(InvalidNetworkError, match=r"side of .*; the limit is 4,096"):
        dataclasses.replace(network, nodes=(wide, *network.nodes[1:]))
