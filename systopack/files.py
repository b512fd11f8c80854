"""Write files so that a reader sees either the old content or the new, never half of it."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
import zlib
from collections.abc import Callable, Iterable
from io import BufferedReader
from pathlib import Path
from typing import IO

from systopack.errors import InvalidFileError


def write_atomically(path: Path | str, content: bytes | str) -> None:
    """Replace the file at `path` by `content` in one step.

    The content goes to a temporary file in the same folder, is flushed to the disk and renamed.
    Missing parent folders are made.

    Raises:
        InvalidFileError: the folder cannot be written or the disk is full; no file is left.
    """
    data = content.encode() if isinstance(content, str) else content

    def write(stream: IO[bytes]) -> None:
        stream.write(data)

    write_stream_atomically(path, write)


def write_stream_atomically(path: Path | str, write: Callable[[IO[bytes]], None]) -> None:
    """Like `write_atomically`, for content that `write` produces piece by piece."""
    target = Path(path)
    temporary = ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with os.fdopen(descriptor, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o666 & ~current_umask())
        os.replace(temporary, target)
        temporary = ""
    except OSError as error:
        raise InvalidFileError(explain(target, error)) from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def checkpoint_path(out: Path) -> Path:
    """Where the checkpoint of a run that will write `out` lies: a file, or a folder."""
    return out.with_name(out.name + ".checkpoint")


def check_writable(path: Path | str, *, folder: bool = False) -> None:
    """Find out before work begins whether a file, or files in a folder, could be written.

    Nothing is left behind, no folder is made.

    Raises:
        InvalidFileError: it could not, or the path is already something else.
    """
    target = Path(path)
    try:
        if target.exists() and target.is_dir() != folder:
            kind = "a folder" if target.is_dir() else "a file"
            raise InvalidFileError(f"'{target}' is {kind} already; choose another name with --out.")
        place = target if folder else target.parent
        while not place.exists() and place != place.parent:
            place = place.parent
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=place)
        os.close(descriptor)
        os.unlink(temporary)
    except OSError as error:
        raise InvalidFileError(explain(target, error)) from error


def open_file(path: Path | str, *, what: str) -> BufferedReader:
    """Open a file that a user named, to read it piece by piece.

    Raises:
        InvalidFileError: it does not exist, cannot be read, or is a device or a pipe, which may
            never end; `what` says what was expected.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a folder, a device, a pipe: endless or never
            raise InvalidFileError(
                f"'{path}' is a device, a pipe or a folder and no regular file; give the path of "
                f"{what}."
            )
        return open(path, "rb")
    except ValueError as error:  # a name with a zero byte in it
        raise InvalidFileError(
            f"There is no file {str(path)!a}; give the path of {what}."
        ) from error
    except FileNotFoundError as error:
        raise InvalidFileError(f"There is no file '{path}'; give the path of {what}.") from error
    except OSError as error:
        raise InvalidFileError(
            f"'{path}' cannot be read as {what}: {error.strerror or error}."
        ) from error


def read_file(path: Path | str, *, what: str) -> bytes:
    """Read a whole file that a user named.

    Raises:
        InvalidFileError: it does not exist or cannot be read; `what` says what was expected.
    """
    with open_file(path, what=what) as stream:
        try:
            return stream.read()
        except OSError as error:
            raise InvalidFileError(
                f"'{path}' cannot be read as {what}: {error.strerror or error}."
            ) from error
        except MemoryError as error:
            raise InvalidFileError(
                f"'{path}' is larger than the memory, too large for {what}."
            ) from error


def gunzip(path: Path | str, content: bytes, *, limit: int) -> bytes:
    """Unpack gzip content, of which a few bytes can stand for any number.

    Args:
        path: of the file, for messages.
        content: plain content is given back as it is.
        limit: bytes to unpack at most.

    Raises:
        InvalidFileError: it is damaged, or larger.
    """
    unpacked = bytearray()
    while content[:2] == b"\x1f\x8b":
        stream = zlib.decompressobj(wbits=31)
        try:
            unpacked += stream.decompress(content, limit + 1 - len(unpacked))
        except zlib.error as error:
            raise InvalidFileError(
                f"'{path}' is a damaged gzip file: {error}; get it again."
            ) from error
        if len(unpacked) > limit:
            raise InvalidFileError(
                f"'{path}' unpacks to more than {limit >> 20} MiB; give a smaller file."
            )
        if not stream.eof:
            raise InvalidFileError(f"'{path}' is a gzip file that ends early; get it again.")
        content = stream.unused_data
        if content[:2] != b"\x1f\x8b":
            return bytes(unpacked)
    return content


def sha256_of(blocks: Iterable[bytes | memoryview]) -> str:
    """The sha256 of bytes that come in blocks, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def is_pickle(content: bytes) -> bool:
    """Whether bytes begin as a Python pickle, or as a zip file that torch keeps one in.

    A safetensors file begins with the length of its header, which can look like the first byte of
    a pickle; its header begins with a brace.
    """
    if content[:4] == b"PK\x03\x04":
        return True
    if content[8:9] == b"{" and content[4:8] == bytes(4):
        return False
    return content[:1] == b"\x80" and content[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")


def current_umask() -> int:
    """The permissions that new files of this process do not get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def explain(target: Path | str, error: OSError) -> str:
    """One sentence on why a file or folder could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"The disk is full, so nothing was written to '{target}'; free some space and run "
            "again."
        )
    reason = error.strerror or str(error)
    return f"'{target}' cannot be written: {reason}; choose another place with --out."
