"""What the user sees: tables, progress, one-line errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from systopack.training.devices import is_main_process
from systopack.training.events import EpochResult, Phase

console = Console(highlight=False)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)


def explain_error(sentence: str) -> None:
    """Print one sentence on stderr."""
    _errors.print(sentence, style="red", markup=False)


def say(text: str) -> None:
    """Print a line of plain text, however long."""
    console.print(text, markup=False, soft_wrap=True)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; every column but the first is aligned to the right."""
    drawn = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for index, name in enumerate(header):
        drawn.add_column(name, justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        drawn.add_row(*row)
    console.print(drawn)


class TrainingDisplay:
    """Shows a run: a live bar for the batches, and one line per finished epoch."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("batches"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not is_main_process(),
        )
        self._task = self._progress.add_task("starting", total=None)
        self._last: tuple[str, int] | None = None

    def __enter__(self) -> TrainingDisplay:
        self._progress.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._progress.stop()

    def on_batch(self, phase: Phase, done: int, total: int) -> None:
        """Move the bar."""
        self._progress.update(self._task, description=phase, completed=done, total=total)

    def on_epoch(self, result: EpochResult) -> None:
        """Print the epoch."""
        phase = f"{result.phase} {result.iteration}" if result.iteration else result.phase
        held_out = ""
        if result.held_out_accuracy_percent is not None:
            held_out = f"  held-out {result.held_out_accuracy_percent:6.2f} %"
        self._progress.console.print(
            f"epoch {result.epoch:3d}  {phase:10s}  loss {result.loss:.4f}  "
            f"train {result.train_accuracy_percent:6.2f} %{held_out}  "
            f"nonzeros {result.nonzeros:>9,}  cells {result.packed_cells:>9,}  "
            f"efficiency {result.packing_efficiency:.3f}",
            markup=False,
            soft_wrap=True,
        )
