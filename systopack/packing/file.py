"""Packed filter matrices as tensors, and as one safetensors file of their own."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from systopack.codec import from_plain, to_plain
from systopack.errors import InvalidFileError, InvalidMatrixError
from systopack.fields import MalformedError, parse_json
from systopack.files import open_file, write_stream_atomically
from systopack.packing.matrix import PackedBand, PackedMatrix
from systopack.tensor_bytes import framed, type_name

_KEY = "systopack_packed"
_VERSION = 1
_MALFORMED = (OSError, ValueError, KeyError, TypeError, AttributeError)
Named = tuple[str, PackedMatrix, str]


@dataclass(frozen=True, kw_only=True)
class _Matrix:
    """What the header tells of one matrix."""

    columns: int
    bands: int
    note: str


@dataclass(frozen=True, kw_only=True)
class _Header:
    version: int
    matrices: Mapping[str, _Matrix]


class Tensors(Protocol):
    """Tensors by name."""

    def __getitem__(self, name: str, /) -> NDArray[Any]:
        """The tensor of that name; KeyError where there is none."""


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
    write_matrices(
        path,
        ((name, matrix, content.notes.get(name, "")) for name, matrix in content.matrices.items()),
    )


def write_matrices(path: Path | str, matrices: Iterable[Named]) -> None:
    """Write packed matrices one after another, each with its name and a note, atomically.

    Only one of them has to be in memory at a time: their tensors wait in unnamed files beside
    `path`, one for each size of number, until all are known and the header can be written.

    Raises:
        InvalidFileError: the folder cannot be written or the disk is full; no file is left.
    """
    folder = Path(path).parent

    def write(stream: IO[bytes]) -> None:
        header: dict[str, _Matrix] = {}
        entries: list[tuple[str, dict[str, Any], int]] = []
        with ExitStack() as stack:
            waiting: dict[int, IO[bytes]] = {}
            for name, matrix, note in matrices:
                header[name] = _Matrix(columns=matrix.columns, bands=len(matrix.bands), note=note)
                for tensor_name, tensor in matrix_to_tensors(name, matrix).items():
                    size = tensor.dtype.itemsize
                    if size not in waiting:
                        waiting[size] = stack.enter_context(tempfile.TemporaryFile(dir=folder))
                    begin = waiting[size].tell()
                    waiting[size].write(np.ascontiguousarray(tensor).data)
                    entry = {
                        "dtype": type_name(tensor.dtype),
                        "shape": tensor.shape,
                        "data_offsets": [begin, waiting[size].tell()],
                    }
                    entries.append((tensor_name, entry, size))
            start = 0
            for size in sorted(waiting, reverse=True):  # so that every number is aligned
                for _, entry, own_size in entries:
                    if own_size == size:
                        entry["data_offsets"] = [start + at for at in entry["data_offsets"]]
                start += waiting[size].tell()
            metadata = json.dumps(to_plain(_Header(version=_VERSION, matrices=header)))
            content = {"__metadata__": {_KEY: metadata}} | {n: e for n, e, _ in entries}
            stream.write(framed(json.dumps(content)))
            for size in sorted(waiting, reverse=True):
                waiting[size].seek(0)
                shutil.copyfileobj(waiting[size], stream, 1 << 20)

    write_stream_atomically(path, write)


def load_matrices(path: Path | str) -> PackedFile:
    """Read what `save_matrices` wrote.

    Raises:
        InvalidFileError: the file is missing, damaged or holds something else.
    """
    found = list(read_matrices(path))
    return PackedFile(
        matrices={name: matrix for name, matrix, _ in found},
        notes={name: note for name, _, note in found},
    )


def read_matrices(path: Path | str) -> Iterator[Named]:
    """Read packed matrices one after another, each with its name and its note.

    Raises:
        InvalidFileError: the file is missing, damaged or holds something else.
    """
    from safetensors import SafetensorError, safe_open

    open_file(path, what="packed matrices (.safetensors)").close()
    try:
        with safe_open(path, framework="numpy") as reader:
            tensors = _Tensors(reader)
            plain = parse_json((reader.metadata() or {})[_KEY])
            header: _Header = from_plain(_Header, plain, "the header")
            if header.version != _VERSION:
                raise MalformedError("another version")
            for name, about in header.matrices.items():
                if not 1 <= about.bands <= len(reader.keys()):
                    raise MalformedError(f"{about.bands} bands")
                matrix = matrix_from_tensors(
                    name, tensors, columns=about.columns, bands=about.bands
                )
                yield name, matrix, about.note
            if tensors.left:
                raise MalformedError("tensors that belong to no matrix")
    except (SafetensorError, InvalidMatrixError, *_MALFORMED) as error:
        raise InvalidFileError(
            f"'{path}' does not hold packed matrices, or is damaged; make it with 'systopack pack'."
        ) from error


class _Tensors:
    """The tensors of an open file by name, each read when it is asked for."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self.left = set(reader.keys())  # not asked for yet

    def __getitem__(self, name: str) -> NDArray[Any]:
        self.left.discard(name)
        tensor: NDArray[Any] = self._reader.get_tensor(name)
        return tensor


def _band(name: str, tensors: Tensors) -> PackedBand:
    sizes = tensors[f"{name}/group_sizes"]
    members = tensors[f"{name}/group_columns"]
    for array in (sizes, members):
        if array.dtype != np.int32 or array.ndim != 1:
            raise ValueError(f"the groups of '{name}' are {array.dtype}, not lists of int32")
    if (sizes < 1).any() or int(sizes.sum()) != members.size:
        raise ValueError(f"the groups of '{name}' do not add up")
    parts = np.split(members, np.cumsum(sizes)[:-1]) if sizes.size else []
    return PackedBand(
        groups=tuple(tuple(part.tolist()) for part in parts),
        values=tensors[f"{name}/values"],
        channels=tensors[f"{name}/channels"],
    )
