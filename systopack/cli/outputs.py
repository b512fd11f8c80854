"""What a command may write: checked before any work begins.

No output replaces an input. What exists already is replaced only where it is an earlier output of
the same command: a record of that command, and a file whose digest such a record holds.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from systopack.cli.references import referred_files
from systopack.errors import InvalidFileError, InvalidOptionError
from systopack.files import check_writable, checkpoint_path
from systopack.records import read_record, sha256_of_file


def claim(
    command: str,
    *,
    inputs: Iterable[Path | str | None] = (),
    outputs: Iterable[Path] = (),
    record: Path,
    force: bool = False,
) -> None:
    """Refuse outputs that would destroy something, or that could not be written.

    Args:
        command: the command's name.
        inputs: files that it reads, with all files that they refer to; None and names of models
            are passed over.
        outputs: files that it writes beside its record.
        record: its record.
        force: replace what exists; never an input, nor the record of another command.

    Raises:
        InvalidOptionError: an output is an input, another output, or exists and is no earlier
            output of the same command.
        InvalidFileError: an output cannot be written.
    """
    written = [*outputs, record]
    read = [Path(source) for source in inputs if source is not None]
    if any(map(os.path.exists, written)):  # only what exists can be an input
        read += chain.from_iterable(map(referred_files, tuple(read)))
    for number, output in enumerate(written):
        for source in read:
            if _same(output, source):
                raise InvalidOptionError(
                    f"'{output}' is to be written, but is also the input '{source}'; choose "
                    "another name with --out."
                )
        if any(_same(output, other) for other in written[:number]):
            raise InvalidOptionError(
                f"'{output}' is to be written twice; choose another name with --out."
            )
        check_writable(output)
    check_own_record(command, record, force=force)
    for output in () if force else written[:-1]:
        _check_own_output(command, output, record)


def _check_own_output(command: str, output: Path, record: Path) -> None:
    """Refuse to replace a file that this command did not write, or that was changed since."""
    if not os.path.exists(output):  # or its name is too long
        return
    digests: set[str] = set()
    if os.path.exists(record):
        named = read_record(record).get("outputs", {})
        digests = {digest for name, digest in named.items() if Path(name).name == output.name}
    if not output.is_file() or sha256_of_file(output) not in digests:
        raise InvalidOptionError(
            f"'{output}' exists, and no record of 'systopack {command}' beside it says that it "
            "wrote this content; choose another name with --out, or replace it with --force."
        )


def claim_folder(
    command: str,
    folder: Path,
    *,
    inputs: Iterable[Path | str | None] = (),
    files: Iterable[str] = (),
    force: bool = False,
) -> None:
    """The same for a command that writes a folder, with its record `COMMAND.json` in it.

    Args:
        files: names of other files that it writes there.
        force: see `claim`.

    Raises:
        InvalidOptionError, InvalidFileError: see `claim`.
    """
    check_writable(folder, folder=True)
    claim(
        command,
        inputs=inputs,
        outputs=[folder / name for name in files],
        record=folder / f"{command}.json",
        force=force,
    )


def check_own_record(command: str, record: Path, *, force: bool = False) -> None:
    """Refuse to replace a file that is no record of this command; with `force`, other records.

    Raises:
        InvalidOptionError: it is something else.
    """
    if not record.exists():
        return
    try:
        kind = str(read_record(record)["kind"])
    except InvalidFileError:
        kind = ""
    foreign = kind != command and not kind.startswith(f"{command}-")
    if foreign and (kind or not force):
        what = f"a record of '{kind}'" if kind else "no record of systopack"
        raise InvalidOptionError(
            f"The record would be written to '{record}', which exists and is {what}; move that "
            "file away, or choose another name with --out."
        )


def check_resume(resume: bool, out: Path) -> None:
    """Refuse `--resume` where there is nothing to go on from.

    Raises:
        InvalidOptionError: there is no checkpoint.
    """
    checkpoint = checkpoint_path(out)
    if resume and not checkpoint.exists():
        raise InvalidOptionError(
            f"--resume goes on from '{checkpoint}', which does not exist; leave --resume out to "
            "start anew."
        )


def _same(first: Path, second: Path) -> bool:
    """Whether two paths are one file, by symbolic or hard links too."""
    try:
        return first.samefile(second)
    except (OSError, ValueError):  # one of them does not exist
        return first.resolve() == second.resolve()
