"""Results of tools, kept in folders that only their owner reads, and trusted only by digest.

An entry is a folder of files and a list of their digests. The digest of a file covers the entry's
name, which callers make of everything that goes in, so that a file of another entry, a damaged one
and one of other origin are all noticed; such an entry is thrown away and made anew.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from systopack.errors import InvalidFileError
from systopack.folders.staged import digest_of, fill, flush, listed

_DIGESTS = "SHA256SUMS"


def user_cache() -> Path:
    """Where the platform keeps what can be made anew: `$XDG_CACHE_HOME/systopack` on Linux.

    Raises:
        InvalidFileError: the user has no home folder.
    """
    from platformdirs import user_cache_path

    try:
        place = user_cache_path("systopack", appauthor=False)
    except RuntimeError:  # as newer versions of the library say it
        place = Path()
    if not place.is_absolute():
        raise InvalidFileError(
            "There is no home folder to keep results of tools in; set HOME, or XDG_CACHE_HOME to a "
            "folder that can be written."
        )
    return place


def private_folder(tool: str) -> Path:
    """The tool's part of `user_cache`, made where it is missing, for its owner alone.

    A folder that others could write to is emptied first: nothing in it can be trusted.

    Raises:
        InvalidFileError: it cannot be made, or belongs to somebody else.
    """
    folder = user_cache() / tool
    try:
        folder.mkdir(parents=True, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISLNK(found.st_mode) or found.st_uid != os.geteuid():
            raise InvalidFileError(
                f"'{folder}' is a link or belongs to another user, so what lies in it cannot be "
                "trusted; set XDG_CACHE_HOME to a folder of your own."
            )
        if found.st_mode & 0o022:
            for entry in folder.iterdir():
                _remove(entry)
        if stat.S_IMODE(found.st_mode) != 0o700:
            folder.chmod(0o700)
    except OSError as error:
        raise InvalidFileError(
            f"'{folder}' cannot be made private: {error.strerror}; set XDG_CACHE_HOME to a folder "
            "of your own."
        ) from error
    return folder


def read_entry(entry: Path, names: Iterable[str]) -> dict[str, bytes] | None:
    """The files of an entry; None where it is missing, damaged or not what it says.

    An entry that is not right is removed, so that `keep_entry` can make it anew.
    """
    if not entry.exists():
        return None
    try:
        digests = listed(_content(entry / _DIGESTS).decode())
        files = {name: _content(entry / name) for name in names}
    except (OSError, ValueError):
        _remove(entry)
        return None
    for name, data in files.items():
        if digests.get(name) != digest_of(data, owner=f"{entry.name}/{name}"):
            _remove(entry)
            return None
    return files


def keep_entry(entry: Path, files: Mapping[str, Path]) -> None:
    """Put files into the cache as one new entry, in one step; they are on the disk before.

    Where another process was first, its entry, of the same content, stays.

    Raises:
        InvalidFileError: the disk is full or cannot be written; no half entry is left.
    """
    staged = None
    try:
        # A name that no other process takes, in this container or another.
        staged = Path(tempfile.mkdtemp(prefix=".staged-", dir=entry.parent))
        contents = {name: path.read_bytes() for name, path in files.items()}
        fill(staged, contents, listing=_DIGESTS, owner=entry.name)
        try:
            os.rename(staged, entry)
            staged = None
        except OSError:
            if not entry.is_dir():
                raise
        flush(entry.parent)
    except OSError as error:
        raise InvalidFileError(
            f"'{entry}' cannot be kept: {error.strerror or error}; free some space, or set "
            "XDG_CACHE_HOME to a folder that can be written."
        ) from error
    finally:
        if staged is not None:
            _remove(staged)


def _content(path: Path) -> bytes:
    """Of an ordinary file of the user's own."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise ValueError(path)
        return stream.read()


def _remove(path: Path) -> None:
    """Away with it, whatever it is; another process may be faster."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
