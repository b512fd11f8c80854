"""Run yosys (the `pyosys` wheel) on Verilog, cached by content.

A run has a process of its own, so that a fault of the tool cannot take the caller along, and works
in an empty folder: sources and other inputs lie there under their own names, outputs are the files
it leaves. A run is found again by the sha256 of everything that goes into it, in
`$XDG_CACHE_HOME/systopack/yosys` (default `~/.cache`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from systopack.errors import InvalidFileError

_RUN = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for command in sys.argv[1:]:
    libyosys.run_pass(command, design)
"""
_LOG = "yosys.log"


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
    parameters: Mapping[str, int] | None = None,
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
        parameters: values of the top module's parameters.
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
    script = [
        *(f"read_verilog -sv {source.name}" for source in sources),
        f"hierarchy -check -top {top}{chosen}",
        *commands,
    ]
    digest = hashlib.sha256()
    for part in (version, repr(script), repr(sorted(outputs))):
        digest.update(part.encode() + b"\0")
    for name, path in files.items():
        digest.update(name.encode() + b"\0" + _content(path) + b"\0")
    kept = _cache_folder() / f"{top}-{digest.hexdigest()[:32]}"
    if not kept.exists():
        with tempfile.TemporaryDirectory(prefix="systopack-yosys-") as name:
            folder = Path(name)
            for file_name, path in files.items():
                shutil.copyfile(path, folder / file_name)
            log = _call(script, folder, top=top, timeout_s=timeout_s, on_line=on_line)
            missing = [output for output in outputs if not (folder / output).is_file()]
            if missing:
                raise InvalidFileError(
                    f"yosys ended without writing '{missing[0]}' for '{top}'; its last line was: "
                    f"{_last_line(log)}"
                )
            _keep(folder, log, outputs, kept)
        return _read(kept, outputs, cached=False)
    return _read(kept, outputs, cached=True)


def _call(
    script: Sequence[str],
    folder: Path,
    *,
    top: str,
    timeout_s: float,
    on_line: Callable[[str], None] | None,
) -> str:
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN, *script],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # its children, ABC for one, end with it
    )
    expired = threading.Event()

    def give_up() -> None:
        expired.set()
        _end(process)

    timer = threading.Timer(timeout_s, give_up)
    timer.start()
    lines = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if on_line is not None:
                on_line(line.rstrip("\n"))
        status = process.wait()
    finally:
        timer.cancel()
        _end(process)
    log = "".join(lines)
    if expired.is_set():
        raise InvalidFileError(
            f"yosys did not end within {timeout_s:g} s on '{top}'; give it a smaller design."
        )
    if status:
        if "No module named 'pyosys'" in log:
            raise InvalidFileError(
                "There is no yosys to synthesize with; install it with 'pip install pyosys'."
            )
        found = [line.strip() for line in log.splitlines() if "ERROR" in line]
        words = (found or [_last_line(log)])[0].removeprefix("ERROR: ").rstrip(".")
        raise InvalidFileError(
            f"yosys refused '{top}' with status {status}: {words}; mend the input and run again."
        )
    return log


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        process.wait()


def _by_name(paths: Sequence[Path]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in paths:
        if path.name in files:
            raise InvalidFileError(
                f"'{files[path.name]}' and '{path}' have the same name, but yosys reads both from "
                "one folder; rename one."
            )
        if not path.name.isascii() or not path.name.isprintable() or " " in path.name:
            raise InvalidFileError(
                f"'{path}' has a name that yosys cannot read; use letters, digits, '-', '_', '.'."
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


def _keep(folder: Path, log: str, outputs: Sequence[str], place: Path) -> None:
    """Put the results into the cache in one step."""
    staged = Path(tempfile.mkdtemp(prefix=".staged-", dir=place.parent))
    for output in outputs:
        shutil.copyfile(folder / output, staged / output)
    (staged / _LOG).write_text(log)
    try:
        os.rename(staged, place)
    except OSError:  # another process was first, with the same content
        shutil.rmtree(staged, ignore_errors=True)


def _read(place: Path, outputs: Sequence[str], *, cached: bool) -> YosysRun:
    return YosysRun(
        log=_content(place / _LOG).decode(errors="replace"),
        files={output: _content(place / output) for output in outputs},
        cached=cached,
    )


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / "systopack" / "yosys"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidFileError(
            f"'{folder}' cannot be made: {error.strerror}; set XDG_CACHE_HOME to a folder that can."
        ) from error
    return folder
