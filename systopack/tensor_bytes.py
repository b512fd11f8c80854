"""Tensors as safetensors bytes: written in one form, and a reader that trusts nothing.

Equal tensors and metadata give equal bytes, whatever library is installed: the header lists the
metadata first and the tensors by size of their numbers, then by name, without a space; it is
filled up with spaces to a multiple of 8 bytes. Any safetensors library reads such a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from math import prod
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from systopack.codec import from_plain
from systopack.fields import MalformedError, parse_json, shown

Tensors = dict[str, NDArray[Any]]
HEADER_LIMIT = 1 << 27  # bytes; safetensors' own limit is near
_DTYPES = {  # in the order in which they are stored
    "U64": "<u8",
    "I64": "<i8",
    "F64": "<f8",
    "F32": "<f4",
    "U32": "<u4",
    "I32": "<i4",
    "F16": "<f2",
    "U16": "<u2",
    "I16": "<i2",
    "I8": "|i1",
    "U8": "|u1",
}
_NAMES = {text: name for name, text in _DTYPES.items()}
_ORDER = {name: place for place, name in enumerate(_DTYPES)}


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """What the header tells of one tensor."""

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


def write_tensors(tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> bytes:
    """The bytes of a file with these tensors and texts."""
    named = sorted(
        ((type_name(array.dtype), name) for name, array in tensors.items()),
        key=lambda entry: (_ORDER[entry[0]], entry[1]),
    )
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    parts: list[bytes] = []
    at = 0
    for dtype, name in named:
        part = np.ascontiguousarray(tensors[name]).astype(_DTYPES[dtype], copy=False).tobytes()
        header[name] = {
            "dtype": dtype,
            "shape": list(tensors[name].shape),
            "data_offsets": [at, at + len(part)],
        }
        at += len(part)
        parts.append(part)
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":"))
    return b"".join([framed(text), *parts])


def type_name(dtype: np.dtype[Any]) -> str:
    """What safetensors calls a type of numbers."""
    return _NAMES[dtype.newbyteorder("<").str]


def framed(header: str) -> bytes:
    """The start of a file: the length of its header, and the header with spaces up to 8 bytes."""
    text = header.encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def read_header(stream: IO[bytes]) -> tuple[dict[str, Any], int]:
    """The header of a file, and where its tensors begin.

    Returns:
        The tensors by name and the texts under `__metadata__`, and the first byte after them.

    Raises:
        MalformedError: it is no safetensors file.
    """
    start = stream.read(8)
    length = int.from_bytes(start, "little")
    text = stream.read(length) if len(start) == 8 and length <= HEADER_LIMIT else b""
    if len(start) < 8 or len(text) != length:
        raise MalformedError("the file is shorter than it says")
    header: Any = parse_json(text)
    texts = header.get("__metadata__", {}) if isinstance(header, dict) else None
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise MalformedError("the header is no object with texts")
    return dict(header), 8 + length


def texts_of(content: bytes) -> dict[str, str]:
    """The texts of a file, empty where it has none.

    Raises:
        MalformedError: the bytes are no safetensors file.
    """
    return dict(read_header(BytesIO(content))[0].get("__metadata__", {}))


def read_tensors(content: bytes) -> tuple[dict[str, str], Tensors]:
    """The texts and tensors of a file; the tensors are read-only.

    Raises:
        MalformedError: the bytes are no safetensors file, or tensors overlap or leave gaps.
    """
    header, start = read_header(BytesIO(content))
    metadata: dict[str, str] = header.pop("__metadata__", {})
    tensors: Tensors = {}
    spans: list[tuple[int, int]] = []
    for name, entry in header.items():
        about: _Entry = from_plain(_Entry, entry, f"tensor {shown(name)}")
        if about.dtype not in _DTYPES:
            raise MalformedError(f"tensor {shown(name)} is of the unknown type {about.dtype!a}")
        dtype, shape = np.dtype(_DTYPES[about.dtype]), about.shape
        begin, end = about.data_offsets
        size = prod(shape) * dtype.itemsize
        inside = 0 <= begin <= end <= len(content) - start
        if len(shape) > 8 or min(shape, default=0) < 0 or not inside or end - begin != size:
            raise MalformedError(f"tensor {shown(name)} does not lie in the file as it says")
        try:
            flat = np.frombuffer(content[start + begin : start + end], dtype=dtype)
            tensors[name] = flat.reshape(shape)
        except (ValueError, OverflowError):  # such as (2**63, 0)
            raise MalformedError(f"tensor {shown(name)} has an impossible shape") from None
        spans.append((begin, end))
    at = 0
    for begin, end in sorted(spans):
        if begin != at:
            raise MalformedError("tensors overlap or leave gaps")
        at = end
    if at != len(content) - start:
        raise MalformedError("bytes follow the last tensor")
    return metadata, tensors
