"""Packed matrices in a file: written one after another, read one after another."""

from __future__ import annotations

import gc
import json
import weakref

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from systopack.errors import InvalidFileError
from systopack.packing.file import (
    PackedFile,
    load_matrices,
    read_matrices,
    save_matrices,
    write_matrices,
)
from systopack.packing.pack import pack

DTYPES = (np.int8, np.int16, np.int32, np.int64, np.float32, np.float64)


def packed(dtype=np.float32, rows=5, seed=0, **options):
    matrix = np.random.default_rng(seed).integers(-3, 4, (rows, 7)).astype(dtype)
    return pack(matrix, alpha=3, gamma=1, **options)


def test_what_is_saved_is_loaded(tmp_path):
    path = tmp_path / "p.safetensors"
    matrices = {f"a/{np.dtype(d)}": packed(d, band_rows=2) for d in DTYPES}
    matrices["empty"] = pack(np.zeros((2, 3)), alpha=2, gamma=0)
    save_matrices(PackedFile(matrices=matrices, notes={"empty": "0 groups"}), path)
    found = load_matrices(path)
    assert list(found.matrices) == list(matrices)
    assert found.notes["empty"] == "0 groups"
    for name, matrix in matrices.items():
        again = found.matrices[name]
        assert again.dtype == matrix.dtype
        assert [band.groups for band in again.bands] == [band.groups for band in matrix.bands]
        assert np.array_equal(again.to_dense(), matrix.to_dense())


def test_every_number_is_aligned_and_others_can_read_it(tmp_path):
    path = tmp_path / "p.safetensors"
    matrices = {str(np.dtype(d)): packed(d, rows=3) for d in DTYPES}
    save_matrices(PackedFile(matrices=matrices), path)
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    assert length % 8 == 0
    header = json.loads(content[8 : 8 + length])
    tensors = load_file(path)
    assert set(tensors) == set(header) - {"__metadata__"}
    for name, tensor in tensors.items():
        assert header[name]["data_offsets"][0] % tensor.dtype.itemsize == 0


def test_one_matrix_is_in_memory_at_a_time(tmp_path):
    alive = []

    def matrices():
        for seed in range(4):
            gc.collect()
            assert sum(reference() is not None for reference in alive) <= 1
            matrix = packed(seed=seed)
            alive.append(weakref.ref(matrix))
            yield f"m{seed}", matrix, ""
            del matrix

    write_matrices(tmp_path / "p.safetensors", matrices())
    assert [name for name, _, _ in read_matrices(tmp_path / "p.safetensors")] == [
        *("m0", "m1", "m2", "m3")
    ]


def test_what_stops_half_way_leaves_the_old_file(tmp_path):
    path = tmp_path / "p.safetensors"
    path.write_text("old")

    def matrices():
        yield "a", packed(), ""
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_matrices(path, matrices())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def changed(path, **header):
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as reader:
        metadata = json.loads(reader.metadata()["systopack_packed"])
    save_file(load_file(path), path, {"systopack_packed": json.dumps(metadata | header)})


@pytest.mark.parametrize(
    "header",
    [
        {"version": 2},
        {"matrices": []},
        {"matrices": {"other": {"columns": 7, "bands": 1, "note": ""}}},
        {"matrices": {"a": {"columns": 7, "bands": 10**9, "note": ""}}},
        {"matrices": {"a": {"columns": 2, "bands": 1, "note": ""}}},
        {"matrices": {"a": {"columns": 7}}},
    ],
)
def test_headers_that_lie(tmp_path, header):
    path = tmp_path / "p.safetensors"
    save_matrices(PackedFile(matrices={"a": packed()}), path)
    changed(path, **header)
    with pytest.raises(InvalidFileError, match=r"p\.safetensors' does not hold packed matrices"):
        load_matrices(path)


def test_files_that_hold_something_else(tmp_path):
    path = tmp_path / "p.safetensors"
    with pytest.raises(InvalidFileError, match="There is no file"):
        load_matrices(path)
    for content in (b"", b"\xff" * 64):
        path.write_bytes(content)
        with pytest.raises(InvalidFileError, match="does not hold packed matrices"):
            load_matrices(path)
    save_file({"w": np.ones((2, 2))}, path)
    with pytest.raises(InvalidFileError, match="does not hold packed matrices"):
        load_matrices(path)
