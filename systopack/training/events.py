"""What a run tells its observer; the command line draws it, tests collect it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Phase = Literal["train", "joint", "fine-tune", "quantize"]


@dataclass(frozen=True, kw_only=True)
class EpochResult:
    """One finished epoch.

    Args:
        phase: what kind of epoch it was.
        iteration: of the joint optimization, from 1; 0 outside.
        epoch: epochs finished in the whole run, from 1.
        loss: mean training loss.
        train_accuracy_percent: on the training images as they were seen.
        held_out_accuracy_percent: on the held-out images; None where there are none.
        nonzeros: weights of filter matrices that are not zero.
        packed_cells: sum over layers of rows times groups; dense cells before any grouping.
        packing_efficiency: nonzeros over packed cells.
        learning_rate: at the end of the epoch.
        dense_accuracy_percent: of the dense model on the held-out images, where a run packs one.
    """

    phase: Phase
    iteration: int
    epoch: int
    loss: float
    train_accuracy_percent: float
    held_out_accuracy_percent: float | None
    nonzeros: int
    packed_cells: int
    packing_efficiency: float
    learning_rate: float
    dense_accuracy_percent: float | None = None


class Observer(Protocol):
    """Follows a run. Called on the main process only."""

    def on_batch(self, phase: Phase, done: int, total: int) -> None:
        """`done` of `total` batches of the present epoch are finished."""

    def on_epoch(self, result: EpochResult) -> None:
        """An epoch is finished and its checkpoint is on the disk."""

    def on_note(self, sentence: str) -> None:
        """Something was found out that the user should read."""


class SearchObserver(Observer, Protocol):
    """Follows a search, which is made of many runs."""

    def on_table(self, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        """Something was measured that is a table."""

    def on_remaining(self, seconds: float) -> None:
        """About so much time is left of the whole, as it is planned now."""


class SilentObserver:
    """Says nothing."""

    def on_batch(self, phase: Phase, done: int, total: int) -> None:
        """Ignore it."""

    def on_epoch(self, result: EpochResult) -> None:
        """Ignore it."""

    def on_note(self, sentence: str) -> None:
        """Ignore it."""

    def on_table(self, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        """Ignore it."""

    def on_remaining(self, seconds: float) -> None:
        """Ignore it."""
