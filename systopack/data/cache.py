"""Decoded image sets on disk: one sealed safetensors file each, checked when read.

The file's name holds a key over path, size and time of every source file, so a changed source
is decoded anew; it stands in the file too, so that a file under another's name is noticed. What
is damaged, swapped or older counts as absent: the set is decoded anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO

import numpy as np

from systopack.codec import from_plain, to_plain
from systopack.data.images import ImageData
from systopack.errors import InvalidFileError, SystopackError, SystopackWarning
from systopack.fields import parse_json
from systopack.files import write_stream_atomically
from systopack.folders.cache import user_cache
from systopack.sealed import check_seal, sealed_header

CACHE_VERSION = 2
_ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
_TYPES = {"uint8": "U8", "int64": "I64"}


@dataclass(frozen=True, kw_only=True)
class _About:
    """What a file tells of its set; fields as in `ImageData`."""

    version: int
    file: str
    name: str
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    sha256: str
    flip: bool


_SHARED = tuple(item.name for item in fields(_About))[2:]


def default_cache_dir() -> Path:
    """`$SYSTOPACK_CACHE`, or `systopack` in the platform's folder for caches.

    Raises:
        InvalidFileError: neither is known.
    """
    return Path(os.environ.get("SYSTOPACK_CACHE") or user_cache())


def cache_file(folder: Path, name: str, sources: Iterable[Path]) -> Path:
    """The place of the decoded set with these source files.

    Args:
        folder: the cache folder.
        name: of the data set; characters unfit for a file name become `-`.
        sources: the files it was read from; they must exist.
    """
    key = hashlib.sha256(f"{CACHE_VERSION}\n{name}\n".encode())
    for path in sources:
        status = path.stat()
        key.update(f"{path.resolve()}\n{status.st_size}\n{status.st_mtime_ns}\n".encode())
    readable = re.sub(r"[^\w.-]+", "-", name)[:60]
    return folder / f"{readable}-{key.hexdigest()[:16]}.safetensors"


def write_cache(path: Path, data: ImageData) -> None:
    """Write a decoded set atomically; where that fails, warn and go on without the cache."""
    arrays = {key: getattr(data, key) for key in _ARRAYS}
    header: dict[str, object] = {}
    end = 0
    for key, array in arrays.items():
        start, end = end, end + array.nbytes
        header[key] = {
            "dtype": _TYPES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [start, end],
        }
    own = {name: getattr(data, name) for name in _SHARED}
    about = _About(version=CACHE_VERSION, file=path.name, **own)
    header["__metadata__"] = {"systopack": json.dumps(to_plain(about))}
    blocks = [np.ascontiguousarray(array).data.cast("B") for array in arrays.values()]

    def write(stream: IO[bytes]) -> None:
        # Straight from the arrays: the safetensors library would copy the whole set first.
        stream.write(sealed_header(header, blocks))
        for block in blocks:
            stream.write(block)

    try:
        write_stream_atomically(path, write)
    except InvalidFileError as error:
        warnings.warn(
            f"The decoded images are not cached, so the next run decodes them again: {error}",
            SystopackWarning,
            stacklevel=2,
        )


def read_cache(path: Path) -> ImageData | None:
    """Read a decoded set; None where the file is absent, damaged or of another version."""
    from safetensors import SafetensorError, safe_open

    try:
        if not path.is_file():
            return None
        check_seal(path, name=path, what="a decoded set")
        with safe_open(path, framework="numpy") as file:
            plain = parse_json(file.metadata()["systopack"])
            about: _About = from_plain(_About, plain, "what the set is")
            if about.version != CACHE_VERSION or about.file != path.name:
                return None
            own = {name: getattr(about, name) for name in _SHARED}
            return ImageData(**own, **{key: file.get_tensor(key) for key in _ARRAYS})
    except (SafetensorError, SystopackError, OSError, LookupError, TypeError, ValueError):
        return None
