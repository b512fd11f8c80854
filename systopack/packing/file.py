"""Packed filter matrices as tensors, and as one safetensors file of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidFileError
from systopack.files import read_file, write_atomically
from systopack.packing.matrix import PackedBand, PackedMatrix

_KEY = "systopack_packed"
_VERSION = 1
Tensors = Mapping[str, NDArray[Any]]


def matrix_to_tensors(prefix: str, matrix: PackedMatrix) -> dict[str, NDArray[Any]]:
    """Name and return the arrays of a packed matrix.

    For band i: `PREFIX/bandI/values` and `/channels` (rows, groups), `/group_sizes` (groups,) and
    `/group_columns`, the columns of all groups one after another, both int32.
    """
    tensors: dict[str, NDArray[Any]] = {}
    for index, band in enumerate(matrix.bands):
        name = f"{prefix}/band{index}"
        tensors[f"{name}/values"] = band.values
        tensors[f"{name}/channels"] = band.channels
        tensors[f"{name}/group_sizes"] = np.array(
            [len(group) for group in band.groups], dtype=np.int32
        )
        tensors[f"{name}/group_columns"] = np.array(
            [column for group in band.groups for column in group], dtype=np.int32
        )
    return tensors


def matrix_from_tensors(prefix: str, tensors: Tensors, *, columns: int, bands: int) -> PackedMatrix:
    """The reverse of `matrix_to_tensors`; every rule of the type is checked.

    Raises:
        KeyError, ValueError: a tensor is missing or the groups do not add up.
        InvalidMatrixError: a rule of `PackedMatrix` is broken.
    """
    return PackedMatrix(
        columns=columns,
        bands=tuple(_band(f"{prefix}/band{index}", tensors) for index in range(bands)),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class PackedFile:
    """Packed matrices by name, and what is known of each (its lower bound, as text)."""

    matrices: Mapping[str, PackedMatrix]
    notes: Mapping[str, str] = field(default_factory=dict)


def save_matrices(content: PackedFile, path: Path | str) -> None:
    """Write packed matrices by name to one safetensors file, atomically."""
    from safetensors.numpy import save

    tensors: dict[str, NDArray[Any]] = {}
    header = {}
    for name, matrix in content.matrices.items():
        tensors |= matrix_to_tensors(name, matrix)
        header[name] = {
            "columns": matrix.columns,
            "bands": len(matrix.bands),
            "note": content.notes.get(name, ""),
        }
    metadata = {"version": _VERSION, "matrices": header}
    write_atomically(path, save(tensors, metadata={_KEY: json.dumps(metadata)}))


def load_matrices(path: Path | str) -> PackedFile:
    """Read what `save_matrices` wrote.

    Raises:
        InvalidFileError: the file is missing, damaged or holds something else.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.numpy import load

    content = read_file(path, what="packed matrices (.safetensors)")
    try:
        tensors = load(content)
        with safe_open(path, framework="numpy") as reader:
            header = json.loads((reader.metadata() or {})[_KEY])
        if header["version"] != _VERSION:
            raise ValueError(f"version {header['version']}")
        shapes = header["matrices"]
        return PackedFile(
            matrices={
                name: matrix_from_tensors(
                    name, tensors, columns=int(shape["columns"]), bands=int(shape["bands"])
                )
                for name, shape in shapes.items()
            },
            notes={name: str(shape["note"]) for name, shape in shapes.items()},
        )
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise InvalidFileError(
            f"'{path}' does not hold packed matrices, or is damaged; make it with 'systopack pack'."
        ) from error


def _band(name: str, tensors: Tensors) -> PackedBand:
    sizes = tensors[f"{name}/group_sizes"]
    members = tensors[f"{name}/group_columns"]
    if (sizes < 1).any() or int(sizes.sum()) != members.size:
        raise ValueError(f"the groups of '{name}' do not add up")
    parts = np.split(members, np.cumsum(sizes)[:-1]) if sizes.size else []
    return PackedBand(
        groups=tuple(tuple(part.tolist()) for part in parts),
        values=tensors[f"{name}/values"],
        channels=tensors[f"{name}/channels"],
    )
