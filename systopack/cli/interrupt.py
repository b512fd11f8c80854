"""What Ctrl-C does to a run that writes checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from systopack.cli import console


class interruptible:  # noqa: N801 - reads as a word in `with interruptible(out):`
    """On Ctrl-C say how to go on, and exit with 130."""

    def __init__(self, out: Path) -> None:
        self._out = out

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            from systopack.training.checkpoint import checkpoint_path

            checkpoint = checkpoint_path(self._out)
            where = "no epoch was finished, so there is no checkpoint; run the command again"
            if checkpoint.exists():
                where = f"the last checkpoint is '{checkpoint}'; run it again with --resume"
            console.explain_error(f"Interrupted; {where}.")
            raise typer.Exit(130)
