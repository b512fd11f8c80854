"""Run a synthesis tool in a process and a folder of its own.

A fault of the tool cannot take the caller along, and what it starts ends with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class ToolRun:
    """How a process ended.

    Args:
        status: its exit status, 0 where all went well.
        log: all that it printed, its children's words included.
        expired: whether it was stopped because its time was up.
    """

    status: int
    log: str
    expired: bool

    @property
    def complaint(self) -> str:
        """Its first line with an error, else its last line."""
        lines = [line.strip() for line in self.log.splitlines() if line.strip()]
        found = [line for line in lines if "ERROR" in line] or lines[-1:] or ["no message"]
        return found[0].removeprefix("ERROR: ").rstrip(".")


def run_python(
    code: str,
    arguments: Sequence[str],
    folder: Path,
    *,
    timeout_s: float | None = None,
    on_line: Callable[[str], None] | None = None,
) -> ToolRun:
    """Run Python code that calls a tool from a wheel, in a folder.

    Args:
        code: what `python -c` runs.
        arguments: its `sys.argv[1:]`.
        folder: its working directory.
        timeout_s: seconds before it is stopped; None: it may take as long as it wants.
        on_line: called with every line that it prints, for a display of progress.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # its children, yosys' ABC for one, end with it
    )
    expired = threading.Event()

    def give_up() -> None:
        expired.set()
        _end(process)

    timer = threading.Timer(timeout_s, give_up) if timeout_s is not None else None
    if timer is not None:
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
        if timer is not None:
            timer.cancel()
        _end(process)
    return ToolRun(status=status, log="".join(lines), expired=expired.is_set())


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        process.wait()
