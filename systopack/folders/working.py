"""Working folders of tools, which do not outlive the process that made them for long.

A process that is killed cannot clean up. Its lock on the folder ends with it, so the next one that
makes a working folder removes what nobody holds, in whatever container that process ran.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import weakref
from pathlib import Path
from types import TracebackType

from systopack.errors import InvalidFileError
from systopack.folders.cache import private_folder

_LOCK = ".lock"


class WorkingFolder:
    """An empty folder of this process' own, removed at the end of a `with`, or when forgotten.

    Args:
        purpose: the beginning of its name.

    Raises:
        InvalidFileError: it cannot be made.
    """

    def __init__(self, purpose: str) -> None:
        base = private_folder("work")
        _sweep(base)
        try:
            self.path, lock = _make(base, purpose)
        except OSError as error:
            raise InvalidFileError(
                f"No working folder can be made in '{base}': {error.strerror}; free some space, or "
                "set XDG_CACHE_HOME to a folder that can be written."
            ) from error
        self._remove = weakref.finalize(self, _end, self.path, lock)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cleanup()

    def cleanup(self) -> None:
        """Remove the folder and all in it."""
        self._remove()


def _make(base: Path, purpose: str) -> tuple[Path, int]:
    """The folder, and the descriptor that holds its lock."""
    while True:
        path = base / f"{purpose}-{secrets.token_hex(8)}"
        lock = path.with_name(path.name + _LOCK)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:  # nobody swept it away in between
                path.mkdir(mode=0o700)
                return path, descriptor
        except BlockingIOError:
            pass
        except OSError:
            os.close(descriptor)
            lock.unlink(missing_ok=True)
            raise
        os.close(descriptor)


def _end(path: Path, descriptor: int) -> None:
    shutil.rmtree(path, ignore_errors=True)
    path.with_name(path.name + _LOCK).unlink(missing_ok=True)
    os.close(descriptor)


def _sweep(base: Path) -> None:
    """Remove the folders whose processes have ended without doing so."""
    for lock in base.glob(f"*{_LOCK}"):
        try:
            descriptor = os.open(lock, os.O_RDWR)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # its process lives
            os.close(descriptor)
            continue
        _end(lock.with_name(lock.name.removesuffix(_LOCK)), descriptor)
