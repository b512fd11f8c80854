"""Weights of a file, one at a time: every type of number, every damage."""

from __future__ import annotations

import json
import os
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from systopack.errors import InvalidFileError, InvalidOptionError, SystopackError
from systopack.packing.layers import LayerOptions, pack_layer
from systopack.packing.rule import PackingRule
from systopack.packing.weights import open_weights


def tensor_file(path, header, data=b""):
    """A safetensors file of any header."""
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + data)
    return path


@pytest.fixture
def mixed(tmp_path):
    torch.manual_seed(0)
    tensors = {
        "half": torch.randn(6, 5).to(torch.bfloat16),
        "short": torch.randn(4, 3).to(torch.float16),
        "float": torch.randn(3, 4),
        "double": torch.randn(2, 2, dtype=torch.float64),
        "kernel": torch.randn(4, 2, 3, 3),
        "norm": torch.ones(7),
        "ids": torch.ones(3, 3, dtype=torch.int64),
        "none": torch.ones(0, 3),
    }
    save_file(tensors, tmp_path / "m.safetensors", metadata={"format": "pt"})
    return tmp_path / "m.safetensors", tensors


def test_every_type_is_read_exactly(mixed):
    path, tensors = mixed
    file = open_weights(path)
    assert [weight.name for weight in file.weights] == [
        *("double", "float", "half", "kernel", "short")
    ]
    assert file.left_out == ("ids (I64 [3, 3])", "none (F32 [0, 3])", "norm (F32 [7])")
    for weight in file.weights:
        stored = tensors[weight.name].double().numpy().reshape(weight.shape[0], -1)
        matrix = file.read(weight)
        assert matrix.dtype == (np.float64 if weight.name == "double" else np.float32)
        assert np.array_equal(matrix, stored)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_numbers_of_eight_bits_are_those_of_torch(dtype, tmp_path):
    every = torch.arange(256, dtype=torch.uint8).view(dtype).reshape(16, 16)
    save_file({"w": every}, tmp_path / "m.safetensors")
    file = open_weights(tmp_path / "m.safetensors")
    assert np.array_equal(file.read(file.weights[0]), every.float().numpy(), equal_nan=True)


def test_whole_numbers_of_eight_bits_and_what_is_left_out(tmp_path):
    whole = torch.arange(-128, 128, dtype=torch.int8).reshape(16, 16)
    bits = torch.ones(4, 4, dtype=torch.uint8)  # of weights of four bits, two in each
    save_file({"w": whole, "q": bits}, tmp_path / "m.safetensors")
    file = open_weights(tmp_path / "m.safetensors")
    assert np.array_equal(file.read(file.weights[0]), whole.numpy())
    assert file.read(file.weights[0]).dtype == np.float32
    assert file.left_out == ("q (U8 [4, 4])",)


def test_patterns_choose(mixed):
    path, _ = mixed
    names = [weight.name for weight in open_weights(path, only=("*l*", "half")).weights]
    assert names == ["double", "float", "half", "kernel"]
    with pytest.raises(InvalidOptionError, match=r"fits 'q\*'; it holds 'double'.* and 2 more"):
        open_weights(path, only=("f*", "q*"))


ENTRY = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
DAMAGE = {
    "nothing": lambda path: path.write_bytes(b""),
    "a short length": lambda path: path.write_bytes(b"\x01\x00"),
    "a huge length": lambda path: path.write_bytes(b"\xff" * 8 + b"{}"),
    "a pickle": lambda path: path.write_bytes(pickle.dumps({"w": 1})),
    "text": lambda path: tensor_file(path, b"hello"),
    "a list": lambda path: tensor_file(path, []),
    "a number": lambda path: tensor_file(path, {"w": 3}),
    "no data": lambda path: tensor_file(path, {"w": ENTRY}),
    "an overlap": lambda path: tensor_file(path, {"w": ENTRY, "v": ENTRY}, bytes(16)),
    "a wrong size": lambda path: tensor_file(path, {"w": ENTRY | {"shape": [3, 2]}}, bytes(16)),
    "a negative size": lambda path: tensor_file(
        path, {"w": ENTRY | {"shape": [-2, -2]}}, bytes(16)
    ),
    "a huge size": lambda path: tensor_file(
        path, {"w": ENTRY | {"shape": [2**40, 2**40]}}, bytes(16)
    ),
    "a strange type": lambda path: tensor_file(path, {"w": ENTRY | {"dtype": "X9"}}, bytes(16)),
    "a fraction": lambda path: tensor_file(path, {"w": ENTRY | {"shape": [2.5, 2]}}, bytes(16)),
    "no offsets": lambda path: tensor_file(path, {"w": {"dtype": "F32", "shape": [1, 1]}}),
    "deep nesting": lambda path: tensor_file(path, b"[" * 100_000),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_files_are_refused(tmp_path, name):
    path = tmp_path / "w.safetensors"
    DAMAGE[name](path)
    with pytest.raises(InvalidFileError, match=r"w\.safetensors' is not a valid .*\.$"):
        open_weights(path)


def huge_npy(path):
    np.save(path, np.ones((2, 2)))
    path.write_bytes(path.read_bytes().replace(b"(2, 2), }    ", b"(2**9, 2), }"))


NPY = {
    "nothing": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("1 2 3"),
    "objects": lambda path: np.save(path, np.array([[{}]], object), allow_pickle=True),
    "a pickle": lambda path: path.write_bytes(pickle.dumps([1, 2])),
    "an archive": lambda path: np.savez(path.open("wb"), a=np.ones((2, 2))),
    "a formula": huge_npy,
    "an end too soon": lambda path: (
        np.save(path, np.ones((9, 9))),
        path.write_bytes(path.read_bytes()[:-8]),
    ),
}


@pytest.mark.parametrize("name", NPY)
def test_bad_npy_files_are_refused(tmp_path, name):
    path = tmp_path / "w.npy"
    NPY[name](path)
    with pytest.raises(InvalidFileError, match=r"w\.npy' is not a \.npy file of plain numbers"):
        open_weights(path)


def test_files_of_another_kind(tmp_path):
    (tmp_path / "d.safetensors").mkdir()
    tensor_file(tmp_path / "e.safetensors", {})
    for name, words in {
        "none.safetensors": "There is no file",
        "d.safetensors": "a folder",
        "e.safetensors": "none at all",
        "m.txt": "neither .npy nor .safetensors",
    }.items():
        with pytest.raises(InvalidFileError, match=words):
            open_weights(tmp_path / name)


def test_a_file_that_shrinks_meanwhile(mixed):
    path, _ = mixed
    file = open_weights(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InvalidFileError, match="has changed while it was read"):
        for weight in file.weights:
            file.read(weight)


def test_a_layer_with_its_figures(tmp_path):
    np.save(tmp_path / "w.npy", np.array([[1.0, 0, 0, 2], [0, 3, 0, 0], [1, 0, 0, 4]], ">f4"))
    file = open_weights(tmp_path / "w.npy")
    options = LayerOptions(rule=PackingRule(alpha=4, gamma=1), bound="exact")
    layer = pack_layer(file, file.weights[0], options)
    assert layer.matrix.groups == ((0, 1, 3),)
    assert layer.matrix.dtype == np.dtype("=f4")
    assert layer.squared_norm_kept == pytest.approx(29 / 31)
    assert str(layer.gap) == "1 groups, proven optimal (columns)"
    half = LayerOptions(rule=options.rule, density=1 / 4, bound="none")
    layer = pack_layer(file, file.weights[0], half)
    assert layer.matrix.to_dense().sum() == 9  # the three largest: 2, 3 and 4
    assert (layer.gap, layer.squared_norm_kept) == (None, 1)


def test_an_error_names_its_layer(tmp_path):
    tensors = {"good": torch.ones(2, 2), "poor": torch.tensor([[1.0, float("nan")]])}
    save_file(tensors, tmp_path / "m.safetensors")
    file = open_weights(tmp_path / "m.safetensors")
    options = LayerOptions(rule=PackingRule(alpha=2, gamma=0))
    assert len(pack_layer(file, file.weights[0], options).matrix.groups) == 2
    with pytest.raises(SystopackError, match="'poor': The filter matrix holds nan at row 0"):
        pack_layer(file, file.weights[1], options)


@pytest.mark.parametrize("bad", [{"policy": "magic"}, {"density": 0}, {"bound": "best"}])
def test_options_that_make_no_sense(bad):
    with pytest.raises(InvalidOptionError, match=r"\.$"):
        LayerOptions(rule=PackingRule(alpha=2, gamma=0), **bad)


def test_a_file_in_parts_is_read_by_its_index(tmp_path):
    places, right = {}, {}
    for number in (1, 2):
        name = f"model-{number}-of-2.safetensors"
        right[f"layer{number}.w"] = torch.randn(6, 5)
        save_file({f"layer{number}.w": right[f"layer{number}.w"]}, tmp_path / name)
        places[f"layer{number}.w"] = name
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    file = open_weights(index)
    assert [weight.name for weight in file.weights] == list(right)
    for weight in file.weights:
        assert np.array_equal(file.read(weight), right[weight.name].numpy())
    for wrong in ({"layer1.w": "../x.safetensors"}, {"layer1.w": 5}, {}, "[" * 5000):
        index.write_text(wrong if isinstance(wrong, str) else json.dumps({"weight_map": wrong}))
        with pytest.raises(InvalidFileError):
            open_weights(index)
    index.write_text(json.dumps({"weight_map": {"layer1.w": places["layer2.w"]}}))
    with pytest.raises(InvalidFileError, match="does not name the part"):
        open_weights(index)


def test_numbers_of_other_types_are_named(tmp_path):
    save_file({"w8": torch.ones(4, 4, dtype=torch.uint8)}, tmp_path / "m.safetensors")
    with pytest.raises(InvalidFileError, match=r"'w8 \(U8 \[4, 4\]\)'"):
        open_weights(tmp_path / "m.safetensors")


def test_devices_and_pipes_are_refused_unread(tmp_path):
    os.mkfifo(tmp_path / "pipe.npy")
    (tmp_path / "zero.npy").symlink_to("/dev/zero")
    for name in ("pipe.npy", "zero.npy"):
        with pytest.raises(InvalidFileError, match="device, a pipe"):
            open_weights(tmp_path / name)
