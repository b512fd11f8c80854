"""Sealed safetensors files: a sha256 over all that is in them, checked before anything is used.

The seal is one more entry of the file's metadata. It covers the header, metadata and the other
entries included, and every byte of the tensors; so one flipped bit, a file cut short, bytes added
at the end, or a file that another program wrote are all found. It tells damage, not malice.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from systopack.errors import InvalidFileError
from systopack.files import sha256_of
from systopack.tensor_bytes import framed, read_header

_SEAL = "systopack_sha256"
_METADATA = "__metadata__"
_BLOCK = 1 << 20


def sealed_header(header: Mapping[str, Any], blocks: Iterable[bytes | memoryview]) -> bytes:
    """The start of a sealed file, to be followed by the blocks.

    Args:
        header: of the format: tensor name -> dtype, shape, offsets; metadata are texts.
        blocks: the bytes of all tensors in the order of their offsets.
    """
    metadata = {**header.get(_METADATA, {}), _SEAL: _digest(header, blocks)}
    return framed(json.dumps({**header, _METADATA: metadata}))


def sealed(content: bytes) -> bytes:
    """A safetensors file with its seal.

    Args:
        content: a whole file, as the safetensors library makes it.
    """
    header, start = read_header(io.BytesIO(content))
    data = memoryview(content)[start:]
    return b"".join([sealed_header(header, [data]), data])


def check_seal(source: Path | str | bytes, *, name: Path | str, what: str) -> None:
    """Refuse a file that is not exactly as it was written.

    Args:
        source: the file, or its content.
        name: of the file, for messages.
        what: it should be, for messages: "a checkpoint".

    Raises:
        InvalidFileError: there is no such file, it has no seal, or it was changed.
    """
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as stream:
            header, _ = read_header(stream)
            found = header.get(_METADATA, {}).get(_SEAL)
            whole = found == _digest(header, iter(lambda: stream.read(_BLOCK), b""))
    except (OSError, ValueError) as error:
        raise InvalidFileError(
            f"'{name}' is damaged or not {what} made by systopack; make it anew or copy it again."
        ) from error
    if found is None:
        raise InvalidFileError(
            f"'{name}' has no checksum, so it is not {what} made by systopack; make it anew."
        )
    if not whole:
        raise InvalidFileError(
            f"'{name}' is damaged: its checksum is that of another content; make it anew or copy "
            "it again."
        )


def _digest(header: Mapping[str, Any], blocks: Iterable[bytes | memoryview]) -> str:
    metadata = {key: text for key, text in header.get(_METADATA, {}).items() if key != _SEAL}
    text = json.dumps({**header, _METADATA: metadata}, sort_keys=True)
    return sha256_of(chain([text.encode()], blocks))
