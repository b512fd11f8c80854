"""Run a reader on many files in a child process that may die, and say how each went."""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from systopack.errors import SystopackError

CPU_S = 10
MEMORY_MB = 1024
_AT_ONCE = 100  # files of one child


def outcomes(read: Callable[[Path], object], files: Sequence[Path]) -> dict[str, str]:
    """What went wrong, by file; a file that is read, or refused in one sentence, is not in it.

    Args:
        read: reads a file and checks what it gives; AssertionError: that was wrong.
        files: read in order, in children of `_AT_ONCE` files.
    """
    wrong: dict[str, str] = {}
    for start in range(0, len(files), _AT_ONCE):
        waiting = list(files[start : start + _AT_ONCE])
        while waiting:
            done, found = _child(read, waiting)
            wrong.update(found)
            if done == len(waiting):
                break
            wrong.setdefault(waiting[done].name, "the process died")
            waiting = waiting[done + 1 :]
    return wrong


def _child(read: Callable[[Path], object], files: Sequence[Path]) -> tuple[int, dict[str, str]]:
    """How many files were read before the child ended, and what went wrong with which."""
    receiving, sending = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(receiving)
        with os.fdopen(sending, "w") as stream:
            try:
                _silence()
                for path in files:
                    stream.write(json.dumps([path.name, _one(read, path)]) + "\n")
                    stream.flush()
            finally:
                stream.flush()
                os._exit(0)
    os.close(sending)
    with os.fdopen(receiving) as stream:
        lines = [json.loads(line) for line in stream]
    _, status = os.waitpid(pid, 0)
    wrong = {name: text for name, text in lines if text}
    if os.WIFSIGNALED(status) and len(lines) < len(files):
        wrong[files[len(lines)].name] = signal.Signals(os.WTERMSIG(status)).name
    return len(lines), wrong


def _one(read: Callable[[Path], object], path: Path) -> str:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, CPU_S)  # its signal ends the process
    text = ""
    try:
        read(path)
    except SystopackError as error:
        text = "not one sentence" if "\n" in str(error) or len(str(error)) > 1500 else ""
    except BaseException as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {str(error)[:200]} ({frame.filename}:{frame.lineno})"
    signal.setitimer(signal.ITIMER_PROF, 0)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    if grown > MEMORY_MB:
        text = text or f"took {grown:.0f} MB"
    if time.process_time() - start > CPU_S:
        text = text or "took too long"
    return text


def _silence() -> None:
    faulthandler.disable()  # the child is meant to crash
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
