"""Run yosys (the `pyosys` wheel) on Verilog, cached by content.

A run has a process of its own and works in an empty folder: sources and other inputs lie there
under their own names, outputs are the files it leaves. A run is found again by the sha256 of
everything that goes into it.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from systopack.errors import InvalidFileError
from systopack.folders.cache import keep_entry, private_folder, read_entry
from systopack.folders.working import WorkingFolder
from systopack.synthesis.tools import run_python

_RUN = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for command in sys.argv[1:]:
    libyosys.run_pass(command, design)
"""
_LOG = "yosys.log"
# A command of yosys ends at a semicolon, and some commands run a shell.
_FILE_NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*")


@dataclass(frozen=True, kw_only=True)
class YosysRun:
    """What a run of yosys left.

    Args:
        log: all that it printed, its children's words included.
        files: name -> content of each output asked for.
        cached: whether it came from the cache.
    """

    log: str
    files: Mapping[str, bytes]
    cached: bool

    def text(self, name: str) -> str:
        """An output file as text."""
        return self.files[name].decode(errors="replace")


def yosys_version() -> str:
    """The version of pyosys.

    Raises:
        InvalidFileError: it is not installed; the message has the line that installs it.
    """
    try:
        return metadata.version("pyosys")
    except metadata.PackageNotFoundError as error:
        raise InvalidFileError(
            "There is no yosys to synthesize with; install it with 'pip install pyosys'."
        ) from error


def run_yosys(
    *,
    top: str,
    sources: Sequence[Path],
    commands: Sequence[str],
    models: Sequence[str] = (),
    parameters: Mapping[str, int] | None = None,
    defines: Sequence[str] = (),
    outputs: Sequence[str] = (),
    inputs: Sequence[Path] = (),
    timeout_s: float = 7200.0,
    on_line: Callable[[str], None] | None = None,
) -> YosysRun:
    """Read Verilog, choose the top module and its parameters, and run commands on the design.

    Args:
        top: the top module.
        sources: Verilog files; they are read with `read_verilog -sv` in this order.
        commands: yosys commands, run after `hierarchy -top`; they name sources, inputs and outputs
            by file name alone.
        models: of cells in the sources, files of yosys' own folder, such as +/ecp5/cells_sim.v.
        parameters: values of the top module's parameters.
        defines: macros that the sources find defined.
        outputs: names of the files that the commands write and the caller wants.
        inputs: other files that the commands read, a Liberty file for instance.
        timeout_s: seconds before the run is given up.
        on_line: called with every line that yosys prints, for a display of progress.

    Raises:
        InvalidFileError: pyosys is missing, a file cannot be read, two files have the same name,
            yosys refuses the design, does not end in time, or leaves out an output.
    """
    version = yosys_version()
    files = _by_name([*sources, *inputs])
    chosen = "".join(f" -chparam {name} {value}" for name, value in (parameters or {}).items())
    macros = "".join(f" -D{name}" for name in defines)
    script = [
        *(f"read_verilog -sv -DNO_INCLUDES {model}" for model in models),
        *(f"read_verilog -sv{macros} {source.name}" for source in sources),
        f"hierarchy -check -top {top}{chosen}",
        *commands,
    ]
    digest = hashlib.sha256()
    for part in (version, repr(script), repr(sorted(outputs))):
        digest.update(part.encode() + b"\0")
    for name, path in files.items():
        digest.update(name.encode() + b"\0" + _content(path) + b"\0")
    entry = private_folder("yosys") / f"{top}-{digest.hexdigest()[:32]}"
    names = [*outputs, _LOG]
    found = read_entry(entry, names)
    cached = found is not None
    if found is None:
        with WorkingFolder("yosys") as folder:
            for file_name, path in files.items():
                shutil.copyfile(path, folder / file_name)
            printed = _call(script, folder, top=top, timeout_s=timeout_s, on_line=on_line)
            missing = [output for output in outputs if not (folder / output).is_file()]
            if missing:
                raise InvalidFileError(
                    f"yosys ended without writing '{missing[0]}' for '{top}'; its last line was: "
                    f"{_last_line(printed)}"
                )
            (folder / _LOG).write_text(printed)
            found = {name: _content(folder / name) for name in names}
            keep_entry(entry, {name: folder / name for name in names})
    log = found.pop(_LOG).decode(errors="replace")
    return YosysRun(log=log, files=found, cached=cached)


def _call(
    script: Sequence[str],
    folder: Path,
    *,
    top: str,
    timeout_s: float,
    on_line: Callable[[str], None] | None,
) -> str:
    run = run_python(_RUN, script, folder, timeout_s=timeout_s, on_line=on_line)
    if run.expired:
        raise InvalidFileError(
            f"yosys did not end within {timeout_s:g} s on '{top}'; give it a smaller design."
        )
    if run.status:
        if "No module named 'pyosys'" in run.log:
            raise InvalidFileError(
                "There is no yosys to synthesize with; install it with 'pip install pyosys'."
            )
        raise InvalidFileError(
            f"yosys refused '{top}' with status {run.status}: {run.complaint}; mend the input and "
            "run again."
        )
    return run.log


def _by_name(paths: Sequence[Path]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in paths:
        if path.name in files:
            raise InvalidFileError(
                f"'{files[path.name]}' and '{path}' have the same name, but yosys reads both from "
                "one folder; rename one."
            )
        if _FILE_NAME.fullmatch(path.name) is None:
            raise InvalidFileError(
                f"'{path}' has a name that yosys cannot read; use letters, digits, '-', '_', '.', "
                "and no '-' in front."
            )
        files[path.name] = path
    return files


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidFileError(
            f"'{path}' cannot be read for synthesis: {error.strerror or error}."
        ) from error


def _last_line(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1] if lines else "none"
