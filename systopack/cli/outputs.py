"""What a command may write: checked before any work begins.

No output replaces an input, and no record replaces anything but an earlier record of the same
command.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from systopack.errors import InvalidFileError, InvalidOptionError
from systopack.files import check_writable
from systopack.records import read_record


def claim(
    command: str,
    *,
    inputs: Iterable[Path | str | None] = (),
    outputs: Iterable[Path] = (),
    record: Path | None = None,
) -> None:
    """Refuse outputs that would destroy something, or that could not be written.

    Args:
        command: the command's name.
        inputs: files that it reads; None and names of models are passed over.
        outputs: files that it writes beside its record.
        record: its record.

    Raises:
        InvalidOptionError: an output is an input, another output or another command's record.
        InvalidFileError: an output cannot be written.
    """
    read = [Path(source) for source in inputs if source is not None]
    written = [*outputs, *([] if record is None else [record])]
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
    if record is not None:
        check_own_record(command, record)


def claim_folder(
    command: str,
    folder: Path,
    *,
    inputs: Iterable[Path | str | None] = (),
    files: Iterable[str] = (),
) -> None:
    """The same for a command that writes a folder, with its record `COMMAND.json` in it.

    Args:
        files: names of other files that it writes there; where one exists without the command's
            record, it is somebody else's and is kept.

    Raises:
        InvalidOptionError, InvalidFileError: see `claim`.
    """
    check_writable(folder, folder=True)
    record = folder / f"{command}.json"
    names = tuple(files)
    claim(command, inputs=inputs, outputs=[folder / name for name in names], record=record)
    strange = [name for name in names if (folder / name).exists()]
    if strange and not record.exists():
        raise InvalidOptionError(
            f"'{folder / strange[0]}' exists, and no earlier run of 'systopack {command}' wrote "
            "it; choose another folder with --out."
        )


def check_own_record(command: str, record: Path) -> None:
    """Refuse to replace a file that is no record of this command.

    Raises:
        InvalidOptionError: it is something else.
    """
    if not record.exists():
        return
    try:
        kind = str(read_record(record)["kind"])
    except InvalidFileError:
        kind = ""
    if kind != command and not kind.startswith(f"{command}-"):
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
    from systopack.training.checkpoint import checkpoint_path

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
