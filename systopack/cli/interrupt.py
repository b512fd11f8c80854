"""What Ctrl-C does to a run that writes checkpoints."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Any

import typer

from systopack.cli import console

_AGAIN_S = 2.0


class interruptible:  # noqa: N801 - reads as a word in `with interruptible(out):`
    """On Ctrl-C say how to go on, and exit with 130.

    A KeyboardInterrupt can be lost where Python ignores exceptions (in finalizers, in callbacks of
    libraries); it is raised again every two seconds until the run has ended.
    """

    def __init__(self, out: Path) -> None:
        self._out = out

    def __enter__(self) -> None:
        self._before = {
            number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGALRM)
        }

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            from systopack.training.checkpoint import checkpoint_path

            checkpoint = checkpoint_path(self._out)
            where = "no epoch was finished, so there is no checkpoint; run the command again"
            if checkpoint.exists():
                where = f"the last checkpoint is '{checkpoint}'; run it again with --resume"
            console.explain_error(f"Interrupted; {where}.")
            raise typer.Exit(130)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
    raise KeyboardInterrupt
