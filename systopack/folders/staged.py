"""Fill a folder that nobody sees yet, with a list of the digests of its files, onto the disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from systopack.files import sha256_of


def digest_of(data: bytes, *, owner: str = "") -> str:
    """The sha256 of a file, 64 hexadecimal digits.

    Args:
        owner: what the file belongs to; a file of another owner then has another digest.
    """
    return sha256_of([f"{owner}\0".encode() if owner else b"", data])


def fill(staged: Path, contents: Mapping[str, bytes], *, listing: str, owner: str = "") -> None:
    """Write files and the list of their digests, and flush them and their folders.

    Args:
        staged: the folder.
        contents: file name -> content; a name may lead into folders inside.
        listing: the name of the list, which `sha256sum -c` reads where there is no owner.
        owner: of the files; their digests cover it and their names.

    Raises:
        OSError: a file cannot be written.
    """
    lines = []
    for name, data in contents.items():
        lines.append(f"{digest_of(data, owner=owner and f'{owner}/{name}')}  {name}\n")
        _write(staged / name, data)
    _write(staged / listing, "".join(lines).encode())
    for place, _, _ in os.walk(staged):
        flush(Path(place))


def listed(content: str) -> dict[str, str]:
    """File name -> digest, from the content of a list."""
    entries = (line.partition("  ") for line in content.splitlines())
    return {name: digest for digest, _, name in entries}


def flush(folder: Path) -> None:
    """Put the names in a folder onto the disk.

    Raises:
        OSError: it cannot be done.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
