"""The filter matrices of a file, read one at a time: a .npy file, or every weight of .safetensors.

Only the header of a safetensors file is read at first, so a file may be larger than the memory.
"""

from __future__ import annotations

import io
import json
import math
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidFileError, InvalidOptionError
from systopack.files import open_file, read_file

_INDEX = ".safetensors.index.json"
# How the numbers of a safetensors file are read; BF16 is the upper half of F32, F8_E5M2 of F16.
_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "F8_E4M3": "u1", "F8_E5M2": "u1",
    "I8": "i1",
}  # fmt: skip
SCALED = ("F8_E4M3", "F8_E5M2", "I8")  # types whose weights are mostly stored without their scale


@dataclass(frozen=True, kw_only=True)
class Weight:
    """Where a weight is in its file.

    Args:
        name: its name, unique in the file.
        shape: as stored: two sizes, or four of a k x k convolution.
        dtype: `F64`, `F32`, `F16`, `BF16`, `F8_E4M3`, `F8_E5M2` or `I8`; `npy` for the matrix of
            a .npy file.
        offset: of its first byte in the file.
        file: that holds it: the one that was opened, or a part of it.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    offset: int
    file: Path

    @property
    def cells(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True, kw_only=True)
class WeightFile:
    """The weights of a file that are filter matrices.

    Args:
        path: the file.
        weights: its weights in order of their names.
        left_out: tensors that are no filter matrix: name, type and shape of each.
    """

    path: Path
    weights: tuple[Weight, ...]
    left_out: tuple[str, ...]

    def read(self, weight: Weight) -> NDArray[Any]:
        """Read one weight as a matrix (filters, columns); all but F64 become float32.

        Raises:
            InvalidFileError: the file has become shorter, or cannot be read.
        """
        if weight.dtype == "npy":
            return _npy(self.path)
        with open_file(weight.file, what="a .safetensors file") as stream:
            stream.seek(weight.offset)
            stored = np.fromfile(stream, dtype=_DTYPES[weight.dtype], count=weight.cells)
        if stored.size != weight.cells:
            raise InvalidFileError(
                f"'{self.path}' ends inside '{weight.name}'; it has changed while it was read."
            )
        return _numbers(stored.reshape(weight.shape[0], -1), weight.dtype)


def open_weights(path: Path | str, *, only: tuple[str, ...] = ()) -> WeightFile:
    """List the filter matrices of a file; of the weights themselves nothing is read.

    Args:
        path: a .npy matrix, or a .safetensors file, every 2-D or 4-D tensor of which is a weight
            where its type is one of `Weight`'s; or the .safetensors.index.json of a file in
            several parts.
        only: patterns such as `*.mlp.*`; a weight is listed if one of them fits its name.

    Raises:
        InvalidFileError: the file is missing, damaged, of another kind or without a weight.
        InvalidOptionError: no weight fits a pattern.
    """
    path = Path(path)
    if path.suffix == ".npy":
        matrix = _npy(path)
        found = [Weight(name=path.stem, shape=matrix.shape, dtype="npy", offset=0, file=path)]
        left_out: list[str] = []
    elif path.suffix == ".safetensors":
        found, left_out = _listed(path)
    elif path.name.endswith(_INDEX):
        found, left_out = _parts(path)
    else:
        raise InvalidFileError(
            f"'{path}' is neither .npy nor .safetensors, nor the {_INDEX} of a file in parts; "
            "convert it first."
        )
    if not found:
        raise InvalidFileError(
            f"'{path}' holds no 2-D or 4-D weight to pack; its tensors are "
            f"{some(left_out) or 'none at all'}."
        )
    for pattern in only:
        if not any(fnmatchcase(weight.name, pattern) for weight in found):
            raise InvalidOptionError(
                f"No weight of '{path}' fits '{pattern}'; it holds "
                f"{some([weight.name for weight in found])}."
            )
    chosen = [
        weight
        for weight in sorted(found, key=lambda weight: weight.name)
        if not only or any(fnmatchcase(weight.name, pattern) for pattern in only)
    ]
    return WeightFile(path=path, weights=tuple(chosen), left_out=tuple(sorted(left_out)))


def _numbers(stored: NDArray[Any], dtype: str) -> NDArray[Any]:
    """What the bytes of a type stand for, float64 or float32."""
    if dtype == "F8_E4M3":
        return np.asarray(_e4m3()[stored])
    if dtype == "F8_E5M2":
        return (stored.astype(np.uint16) << 8).view(np.float16).astype(np.float32)
    if dtype == "BF16":
        wide = stored.astype(np.uint32)
        wide <<= 16
        return wide.view(np.float32)
    return stored if dtype == "F64" else stored.astype(np.float32, copy=False)


def _e4m3() -> NDArray[np.float32]:
    """The 256 numbers of a sign, four bits of exponent and three of fraction; shape (256,)."""
    magnitudes = np.arange(128)
    exponents, fractions = magnitudes >> 3, (magnitudes & 7) / 8
    lowest = np.ldexp(fractions, -6)
    values = np.where(exponents == 0, lowest, np.ldexp(1 + fractions, exponents - 7))
    values[127] = np.nan  # it has no infinity
    return np.concatenate([values, -values]).astype(np.float32)


def some(names: list[str]) -> str:
    """The first names of many, for messages, and how many more there are."""
    listed = ", ".join(f"'{name}'" for name in sorted(names)[:3])
    return f"{listed} and {len(names) - 3} more" if len(names) > 3 else listed


def _npy(path: Path) -> NDArray[Any]:
    """A .npy file of real numbers, as long as its header says."""
    content = read_file(path, what="a .npy matrix")
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        if version not in ((1, 0), (2, 0), (3, 0)):
            raise ValueError(f"version {version}")
        read_header = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read_header(stream)
        sizes = [size for size in shape if type(size) is int and size >= 0]
        if dtype.kind in "cSUMmV":
            raise InvalidFileError(
                f"'{path}' holds values of the type {dtype}; a filter matrix has real numbers, "
                "so convert it, for instance by .astype(numpy.float32)."
            )
        if dtype.kind not in "fiub" or len(sizes) != len(shape):
            raise ValueError(f"shape {shape} of {dtype}")
        cells = math.prod(sizes)
        if cells * dtype.itemsize != len(content) - stream.tell():
            raise ValueError(f"{cells} numbers in {len(content) - stream.tell()} bytes")
        flat = np.frombuffer(content, dtype=dtype, offset=stream.tell())
        return flat.reshape(shape, order="F" if fortran else "C").copy()
    except InvalidFileError:
        raise
    # The header is Python text, which numpy parses; what it raises there depends on the text.
    except Exception as error:
        raise _no_npy(path) from error


def _no_npy(path: Path) -> InvalidFileError:
    return InvalidFileError(
        f"'{path}' is not a .npy file of plain numbers; save it with numpy.save."
    )


def _listed(path: Path) -> tuple[list[Weight], list[str]]:
    """The weights of a safetensors file, and the names of its other tensors."""
    from safetensors import safe_open

    with open_file(path, what="a .safetensors file") as stream:
        try:
            with safe_open(path, framework="numpy"):  # it checks the header and every offset
                pass
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(length))
            header.pop("__metadata__", None)
            weights: list[Weight] = []
            left_out: list[str] = []
            for name, entry in header.items():
                weight = Weight(
                    name=name,
                    shape=tuple(int(size) for size in entry["shape"]),
                    dtype=str(entry["dtype"]),
                    offset=8 + length + int(entry["data_offsets"][0]),
                    file=path,
                )
                if len(weight.shape) in (2, 4) and weight.dtype in _DTYPES and weight.cells:
                    weights.append(weight)
                else:
                    left_out.append(f"{name} ({weight.dtype} {list(weight.shape)})")
        # The library and json each judge content of any form.
        except Exception as error:
            raise InvalidFileError(
                f"'{path}' is not a valid .safetensors file, or is damaged; save it anew."
            ) from error
    return weights, left_out


def _parts(path: Path) -> tuple[list[Weight], list[str]]:
    """The weights of a file in parts, which its index lists by the part that holds each."""
    content = read_file(path, what="an index of weights")
    try:
        places = json.loads(content)["weight_map"]
        files = sorted({str(name) for name in places.values()})
        if not files or any(Path(name).name != name or not name for name in files):
            raise ValueError("a part that is not in the same folder")
    except Exception as error:  # content of any form
        raise InvalidFileError(
            f"'{path}' is no index of a .safetensors file in parts, or is damaged; get it again."
        ) from error
    weights: list[Weight] = []
    left_out: list[str] = []
    for name in files:
        found, others = _listed(path.with_name(name))
        weights += found
        left_out += others
    held = {weight.name: weight.file.name for weight in weights}
    wrong = [n for n, at in held.items() if places.get(n) != at]
    if wrong or len(held) != len(weights):
        raise InvalidFileError(
            f"'{path}' does not name the part of '{wrong[0]}'; get the index and its parts again."
            if wrong
            else f"The parts of '{path}' hold a weight twice; get them again."
        )
    return weights, left_out
