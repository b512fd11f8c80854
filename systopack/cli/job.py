"""One run of a command: what it reads and writes, its record, and what it says on stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from systopack.cli import console
from systopack.cli.outputs import claim
from systopack.errors import InvalidOptionError
from systopack.files import check_writable
from systopack.folders.output import check_folder
from systopack.network.packaged import network_file, record_beside
from systopack.options import Options, option
from systopack.records import Record, record_path, sha256_of_file
from systopack.training.devices import is_main_process

_GENERAL = "General"
Source = Path | str | None


class Common(Options):
    """What every command has."""

    quiet: bool = option(
        False, "Say nothing on stdout; warnings and errors stay.", group=_GENERAL, flag="-q --quiet"
    )
    as_json: bool = option(
        False, "Write the record to stdout, and nothing else.", group=_GENERAL, flag="--json"
    )


class Force(Options):
    """What every command has that writes files."""

    force: bool = option(
        False,
        "Replace existing files, whoever wrote them; never an input, nor the record of another "
        "command.",
        group=_GENERAL,
    )


class Job:
    """What a command declares before it works, and what it leaves behind.

    Args:
        kind: of its record: the command's name.
        quiet, as_json, force: see `Common` and `Force`.
    """

    def __init__(
        self, kind: str, *, quiet: bool = False, as_json: bool = False, force: bool = False
    ) -> None:
        self.kind = kind
        self.force = force
        self._as_json = as_json
        self._silent = quiet or as_json
        self._inputs: dict[str, Path] = {}
        self._outputs: tuple[Path, ...] = ()
        self._record: Path | None = None

    def __enter__(self) -> Job:
        self._before, console.console.quiet = console.console.quiet, self._silent
        return self

    def __exit__(self, *_: Any) -> None:
        console.console.quiet = self._before

    def reads(self, *sources: Source) -> None:
        """Note what is read; None is passed over, and names stand for files of the package."""
        self._inputs = {
            str(source): network_file(Path(source)) for source in sources if source is not None
        }

    def writes(self, output: Path, *, suffix: str, reads: Iterable[Source] = ()) -> None:
        """Claim a file to write, with the record beside it.

        Raises:
            InvalidOptionError, InvalidFileError: see `outputs.claim`; or it has another suffix.
        """
        check_suffix("--out", output, suffix)
        self._claim(reads, (output,), record_path(output, self.kind))

    def tells(
        self,
        about: Path | str,
        *,
        out: Path | None,
        reads: Iterable[Source] = (),
        outputs: Iterable[Path] = (),
    ) -> None:
        """Claim a record about a file that is read.

        Args:
            about: the file, or the name of a network of the package.
            out: the record; None: beside the file.
            reads: further files that are read.
            outputs: files that are written too.

        Raises:
            InvalidOptionError, InvalidFileError: see `outputs.claim`.
        """
        record = out or record_beside(Path(about), self.kind)
        check_suffix("--out", record, ".json")
        self._claim([about, *reads], tuple(outputs), record)

    def fills(
        self, folder: Path, *, reads: Iterable[Source] = (), files: Iterable[str] = ()
    ) -> None:
        """Claim a folder with the record in it.

        Args:
            files: names of other files that are written there.

        Raises:
            InvalidOptionError, InvalidFileError: see `outputs.claim`.
        """
        check_writable(folder, folder=True)
        self._claim(reads, tuple(folder / name for name in files), folder / f"{self.kind}.json")

    def fills_whole(self, folder: Path, *, reads: Iterable[Source] = ()) -> None:
        """Claim a folder that is written in one step, with a list of its files and no record.

        Raises:
            InvalidFileError: see `folder.check_folder`.
        """
        self.reads(*reads)
        check_folder(folder, force=self.force)

    def _claim(self, reads: Iterable[Source], outputs: tuple[Path, ...], record: Path) -> None:
        self.reads(*reads)
        inputs = self._inputs.values()
        claim(self.kind, inputs=inputs, outputs=outputs, record=record, force=self.force)
        self._outputs, self._record = outputs, record

    def write(
        self,
        figures: Mapping[str, Any],
        configuration: Mapping[str, Any] | None = None,
        *,
        seed: int | None = None,
        kind: str | None = None,
    ) -> None:
        """Write the record, where one was claimed, and say so; with `--json` show it.

        Args:
            kind: where it says more than the command's name, for instance `synthesize-asic`.
        """
        if not is_main_process():
            return
        record = Record(
            kind=kind or self.kind,
            figures=figures,
            configuration=configuration or {},
            seed=seed,
            inputs={name: sha256_of_file(f) for name, f in self._inputs.items() if f.is_file()},
            outputs={str(f): sha256_of_file(f) for f in self._outputs if f.is_file()},
        )
        if self._record is not None:
            record.write(self._record)
            console.say(f"wrote {' and '.join(map(str, (*self._outputs, self._record)))}")
        self._show(record.to_json())

    def show(
        self, figures: Mapping[str, Any], configuration: Mapping[str, Any] | None = None
    ) -> None:
        """With `--json` show the record of a command that writes none."""
        self._record = None
        self.write(figures, configuration)

    def show_written(self) -> None:
        """With `--json` show the record that the work itself has written."""
        if self._record is not None:
            self._show(self._record.read_text())

    def _show(self, text: str) -> None:
        if self._as_json:
            sys.stdout.write(text)


def check_suffix(flag: str, path: Path, suffix: str) -> None:
    """Refuse an output path with another suffix.

    Raises:
        InvalidOptionError: it has.
    """
    if path.suffix != suffix:
        raise InvalidOptionError(
            f"{flag} is '{path}', but this command writes {suffix} files there."
        )
