"""One run of a command: what it reads and writes, its record, and what it says on stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from systopack.cli import console
from systopack.cli.outputs import claim, claim_folder
from systopack.errors import InvalidOptionError
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
        self._record = Path()

    def __enter__(self) -> Job:
        self._before, console.console.quiet = console.console.quiet, self._silent
        return self

    def __exit__(self, *_: Any) -> None:
        console.console.quiet = self._before

    def writes(self, *outputs: Path, suffix: str, reads: Iterable[Source] = ()) -> None:
        """Claim files to write, with the record beside the first one.

        Args:
            suffix: that they must have.
            reads: files that are read; names and None are passed over.

        Raises:
            InvalidOptionError, InvalidFileError: see `outputs.claim`.
        """
        for output in outputs:
            check_suffix("--out", output, suffix)
        self._claim(reads, outputs, record_path(outputs[0], self.kind))

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
            files: names of the other files that are written there and are no whole of their own.

        Raises:
            InvalidOptionError, InvalidFileError: see `outputs.claim_folder`.
        """
        names = tuple(files)
        self._note(reads, tuple(folder / name for name in names), folder / f"{self.kind}.json")
        claim_folder(self.kind, folder, inputs=self._inputs.values(), files=names, force=self.force)

    def fills_whole(self, folder: Path, *, reads: Iterable[Source] = ()) -> None:
        """Claim a folder that is written in one step, with a list of its files and no record.

        Raises:
            InvalidFileError: see `folder.check_folder`.
        """
        self._note(reads, (), folder)
        check_folder(folder, force=self.force)

    def _claim(self, reads: Iterable[Source], outputs: tuple[Path, ...], record: Path) -> None:
        self._note(reads, outputs, record)
        claim(
            self.kind,
            inputs=self._inputs.values(),
            outputs=outputs,
            record=record,
            force=self.force,
        )

    def _note(self, reads: Iterable[Source], outputs: tuple[Path, ...], record: Path) -> None:
        self._inputs = {
            str(source): network_file(Path(source)) for source in reads if source is not None
        }
        self._outputs, self._record = outputs, record

    def record(
        self,
        figures: Mapping[str, Any],
        configuration: Mapping[str, Any] | None = None,
        *,
        seed: int | None = None,
        kind: str | None = None,
    ) -> Record:
        """The record of what was done, with the digests of what was read and written.

        Args:
            kind: where it says more than the command's name, for instance `synthesize-asic`.
        """
        return Record(
            kind=kind or self.kind,
            figures=figures,
            configuration=configuration or {},
            seed=seed,
            inputs={name: sha256_of_file(f) for name, f in self._inputs.items() if f.is_file()},
            outputs={str(f): sha256_of_file(f) for f in self._outputs if f.is_file()},
        )

    def write(
        self,
        figures: Mapping[str, Any],
        configuration: Mapping[str, Any] | None = None,
        *,
        seed: int | None = None,
        kind: str | None = None,
    ) -> None:
        """Write the record, and say what was written; see `record`."""
        if not is_main_process():
            return
        record = self.record(figures, configuration, seed=seed, kind=kind)
        record.write(self._record)
        self._show(record)
        console.say(f"wrote {' and '.join(str(path) for path in (*self._outputs, self._record))}")

    def show(
        self, figures: Mapping[str, Any], configuration: Mapping[str, Any] | None = None
    ) -> None:
        """The record of a command that writes none; with `--json` it is shown."""
        self._show(self.record(figures, configuration))

    def look(
        self,
        figures: Mapping[str, Any],
        configuration: Mapping[str, Any] | None = None,
        *,
        reads: Iterable[Source] = (),
    ) -> None:
        """The record of a command that only looks; with `--json` it is shown."""
        self._note(reads, (), Path())
        self.show(figures, configuration)

    def show_file(self) -> None:
        """With `--json` show the record that the work itself has written."""
        if self._as_json:
            sys.stdout.write(self._record.read_text())

    def _show(self, record: Record) -> None:
        if self._as_json:
            sys.stdout.write(record.to_json())


def check_suffix(flag: str, path: Path, suffix: str) -> None:
    """Refuse an output path with another suffix.

    Raises:
        InvalidOptionError: it has.
    """
    if path.suffix != suffix:
        raise InvalidOptionError(
            f"{flag} is '{path}', but this command writes {suffix} files there."
        )
