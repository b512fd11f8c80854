"""What the user sees: tables, progress, one-line errors."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from systopack.errors import SystopackWarning
from systopack.names import printable
from systopack.training.devices import is_main_process
from systopack.training.events import EpochResult, Phase

_QUIET_S = 15.0  # without a line, where no bar is drawn

console = Console(highlight=False)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)


def explain_error(sentence: str) -> None:
    """Print one sentence on stderr, on one line."""
    _errors.print(printable(sentence), style="red", markup=False)


@contextmanager
def own_warnings() -> Iterator[None]:
    """Print systopack's own warnings as sentences; those of libraries are for programmers.

    With `python -W` or PYTHONWARNINGS all are shown, as Python shows them.
    """
    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", SystopackWarning)
            warnings.showwarning = lambda message, *_, **__: explain_error(f"Warning: {message}")
        yield


def say(text: str) -> None:
    """Print plain text, however long; what came from a file cannot act on the terminal."""
    console.print(printable(text, keep="\n"), markup=False, soft_wrap=True)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; every column but the first is aligned to the right."""
    drawn = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for index, name in enumerate(header):
        drawn.add_column(
            Text(printable(name)), justify="left" if index == 0 else "right", overflow="fold"
        )
    for row in rows:
        drawn.add_row(*(Text(printable(cell)) for cell in row))
    console.print(drawn)


class RowsDisplay:
    """Rows of a table printed as they come, over a live bar of the work done.

    Args:
        header: names of the columns; the first is aligned to the left, the others to the right.
        first_width: characters of the longest cell of the first column.
        total: work of all rows, in any unit.
    """

    def __init__(self, header: Sequence[str], *, first_width: int, total: int) -> None:
        self._widths = [max(first_width, len(header[0])), *(max(10, len(h)) for h in header[1:])]
        self._header = header
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=total)

    def __enter__(self) -> RowsDisplay:
        self._progress.start()
        self._print(self._header, style="bold")
        return self

    def __exit__(self, *_: Any) -> None:
        self._progress.stop()

    def on_begin(self, what: str) -> None:
        """Say beside the bar what is worked on."""
        self._progress.update(self._task, description=printable(what))

    def on_row(self, row: Sequence[str], *, work: int) -> None:
        """Print a row and move the bar."""
        self._print(row)
        self._progress.advance(self._task, work)

    def _print(self, row: Sequence[str], style: str | None = None) -> None:
        first, *others = (
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(
                zip(map(printable, row), self._widths, strict=True)
            )
        )
        self._progress.console.print(
            "  ".join([first, *others]).rstrip(), markup=False, soft_wrap=True, style=style
        )


class CountDisplay:
    """A live bar of how many things of one kind are done."""

    def __init__(self, what: str) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(what, total=None)

    def __enter__(self) -> CountDisplay:
        self._progress.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._progress.stop()

    def on_count(self, done: int, total: int) -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=done, total=total)


class TrainingDisplay:
    """Shows a run: a live bar for the batches, and one line per finished epoch."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("batches"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            transient=True,
            disable=not is_main_process(),
        )
        self._task = self._progress.add_task("starting", total=None, left="")
        self._left = ""
        self._told_s = time.monotonic()

    def __enter__(self) -> TrainingDisplay:
        self._progress.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._progress.stop()

    def on_batch(self, phase: Phase, done: int, total: int) -> None:
        """Move the bar; where there is none, print a line now and then."""
        self._progress.update(
            self._task, description=phase, completed=done, total=total, left=self._left
        )
        if not console.is_terminal and time.monotonic() - self._told_s > _QUIET_S:
            left = f", {self._left}" if self._left else ""
            self._print(f"{phase}: {done} of {total} batches{left}")

    def on_remaining(self, seconds: float) -> None:
        """Note how much time is left, for the bar and the lines."""
        self._left = f"about {_duration(seconds)} left"

    def on_table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table above the bar."""
        table(header, rows)
        self._told_s = time.monotonic()

    def on_epoch(self, result: EpochResult) -> None:
        """Print the epoch."""
        phase = f"{result.phase} {result.iteration}" if result.iteration else result.phase
        held_out = ""
        if result.held_out_accuracy_percent is not None:
            held_out = f"  held-out {result.held_out_accuracy_percent:6.2f} %"
            if result.dense_accuracy_percent is not None:
                held_out += f" (dense {result.dense_accuracy_percent:.2f} %)"
        self._print(
            f"epoch {result.epoch:3d}  {phase:10s}  loss {result.loss:.4f}  "
            f"train {result.train_accuracy_percent:6.2f} %{held_out}  "
            f"nonzeros {result.nonzeros:>9,}  cells {result.packed_cells:>9,}  "
            f"efficiency {result.packing_efficiency:.3f}"
        )

    def on_note(self, sentence: str) -> None:
        """Print the sentence above the bar."""
        self._print(sentence)

    def _print(self, text: str) -> None:
        self._told_s = time.monotonic()
        self._progress.console.print(text, markup=False, soft_wrap=True)


def _duration(seconds: float) -> str:
    """A time for people: seconds, minutes, then hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
