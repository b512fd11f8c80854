"""How long steps take, and how much time is left of a search."""

from __future__ import annotations

import time

from systopack.training.events import EpochResult, Phase, SearchObserver


class Watch:
    """Follows the runs of a search, passes on what the user should see, and tells what is left.

    Args:
        observer: of the user.
        step_s: seconds of a step, where they are known from before; else 0.
    """

    def __init__(self, observer: SearchObserver, *, step_s: float) -> None:
        self._observer = observer
        self._known_s = step_s
        self._steps = 0
        self._seconds = 0.0
        self._last: float | None = None
        self._of_stage = self._of_epoch = 0
        self._done = 0
        self._later_s = 0.0
        self._probing = False

    @property
    def step_s(self) -> float:
        """Seconds of a step of training, held-out images after an epoch included; 0: not known."""
        return self._seconds / self._steps if self._steps else self._known_s

    def begin(self, *, steps: int, later_s: float, probing: bool) -> None:
        """A run begins.

        Args:
            steps: that it has.
            later_s: seconds that what comes after it is expected to take.
            probing: a short training, of which epochs and notes are not told.
        """
        self._of_stage, self._done, self._last = steps, 0, None
        self._later_s, self._probing = later_s, probing

    def on_batch(self, phase: Phase, done: int, total: int) -> None:
        """Count the step, tell it and what is left."""
        now = time.monotonic()
        if self._last is not None:
            self._steps += 1
            self._seconds += now - self._last
        self._last = now
        self._done += 1
        self._of_epoch = total
        if self.step_s:
            left = max(0, self._of_stage - self._done) * self.step_s
            self._observer.on_remaining(left + self._later_s)
        self._observer.on_batch(phase, done, total)

    def on_epoch(self, result: EpochResult) -> None:
        """Tell an epoch of a full run."""
        if not self._probing:
            self._done = result.epoch * self._of_epoch  # those before a resume too
            self._observer.on_epoch(result)

    def know(self, step_s: float) -> None:
        """Take the seconds of a step from before, until they are measured."""
        self._known_s = step_s

    def on_note(self, sentence: str) -> None:
        """Tell a sentence about a full run."""
        if not self._probing:
            self._observer.on_note(sentence)

    def say(self, sentence: str) -> None:
        """Tell a sentence about the search."""
        self._observer.on_note(sentence)

    def table(self, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        """Tell what was measured."""
        self._observer.on_table(header, rows)
