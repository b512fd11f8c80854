"""Write a folder of files as a whole: a reader sees all old files or all new ones, never a mixture.

All files are written and flushed in a folder beside the target, which then takes its place. A list
of their digests, `MANIFEST.sha256`, goes with them (`sha256sum -c MANIFEST.sha256`); by it a later
writing knows which files are its own to replace. A folder with files and without such a list is
somebody else's and is not written to; what was added to a written folder is kept.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from systopack.errors import InvalidFileError
from systopack.files import check_writable, current_umask, explain
from systopack.folders.staged import digest_of, fill, listed

MANIFEST = "MANIFEST.sha256"


def write_folder(
    folder: Path | str, contents: Mapping[str, bytes | str], *, force: bool = False
) -> tuple[Path, ...]:
    """Replace the files that were written to a folder before by new ones, in one step.

    Args:
        folder: made where it is missing, with its parents.
        contents: file name -> content; a name may lead into folders inside.
        force: replace files of these names, whoever wrote them.

    Returns:
        The files, in the order given.

    Raises:
        InvalidFileError: the folder is a file, cannot be written, or the disk is full; or a file
            of somebody else would be lost. The folder is then as it was before.
    """
    check_folder(folder, force=force)
    target = Path(folder).resolve()
    staged: Path | None = None
    try:
        if not force:
            _check_names(folder, contents)
        target.parent.mkdir(parents=True, exist_ok=True)
        fixed = target.exists() and _is_fixed(target)
        place = target if fixed else target.parent
        staged = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=place))
        data = {n: c.encode() if isinstance(c, str) else c for n, c in contents.items()}
        fill(staged, data, listing=MANIFEST)
        os.chmod(staged, 0o777 & ~current_umask())
        if fixed:
            _move_in(staged, target, contents)
        elif target.exists():
            _exchange(staged, target, contents)
        else:
            os.rename(staged, target)
            staged = None
    except OSError as error:
        raise InvalidFileError(explain(folder, error)) from error
    finally:
        if staged is not None:
            shutil.rmtree(staged, ignore_errors=True)
    return tuple(Path(folder) / name for name in contents)


def check_folder(folder: Path | str, *, force: bool = False) -> None:
    """Find out before work begins whether `write_folder` could write a folder.

    Args:
        force: see `write_folder`.

    Raises:
        InvalidFileError: it is a file or cannot be written; or it holds files, but none that
            `write_folder` wrote, or such that were changed since.
    """
    target = Path(folder)
    check_writable(target, folder=True)
    try:
        if force or not target.exists() or not any(target.iterdir()):
            return
        if not (target / MANIFEST).is_file():
            raise InvalidFileError(
                f"'{folder}' holds files that no earlier run wrote; choose another folder with "
                "--out."
            )
        for name, digest in _listed(target).items():
            path = target / name
            if path.exists() and digest_of(path.read_bytes()) != digest:
                raise InvalidFileError(
                    f"'{path}' was changed since it was written; choose another folder with --out."
                )
    except OSError as error:
        raise InvalidFileError(explain(folder, error)) from error


def _check_names(folder: Path | str, contents: Mapping[str, bytes | str]) -> None:
    """Refuse to replace a file that stands in a written folder, but was put there by others."""
    own = _listed(Path(folder))
    for name in contents:
        if name not in own and os.path.lexists(Path(folder) / name):
            raise InvalidFileError(
                f"'{Path(folder) / name}' exists, and no earlier run wrote it; choose another "
                "folder with --out."
            )


def _is_fixed(target: Path) -> bool:
    """Whether a folder cannot give its place to another: a mount, or where somebody works."""
    return (
        os.path.ismount(target)
        or not os.access(target.parent, os.W_OK)
        or Path.cwd().is_relative_to(target)
    )


def _move_in(staged: Path, target: Path, contents: Mapping[str, bytes | str]) -> None:
    """File by file, all of them on the disk already, so that no write can fail on the way."""
    old = set(_listed(target)) - set(contents)
    for name in (*contents, MANIFEST):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(staged / name, target / name)
    for name in old:
        (target / name).unlink(missing_ok=True)


def _exchange(staged: Path, target: Path, contents: Mapping[str, bytes | str]) -> None:
    """Put a full folder in the place of an older one; files of others move into it."""
    own = {MANIFEST, *contents, *_listed(target)}
    foreign = [
        path.relative_to(target)
        for path in sorted(target.rglob("*"))
        if not path.is_dir() or path.is_symlink()
        if str(path.relative_to(target)) not in own
    ]
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.old-", dir=target.parent))
    os.rename(target, aside / "folder")
    try:
        os.rename(staged, target)
    except OSError:
        os.rename(aside / "folder", target)
        aside.rmdir()
        raise
    for path in foreign:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        os.rename(aside / "folder" / path, target / path)
    shutil.rmtree(aside, ignore_errors=True)


def _listed(folder: Path) -> dict[str, str]:
    """The files that an earlier writing left in a folder, and their digests."""
    try:
        found = listed((folder / MANIFEST).read_text())
    except (OSError, ValueError):
        return {}
    return {name: digest for name, digest in found.items() if _is_inside(name)}


def _is_inside(name: str) -> bool:
    """Whether a listed name leads to a place in the folder; others are not ours to remove."""
    return bool(name) and not Path(name).is_absolute() and ".." not in Path(name).parts
