"""The learning rate of a run, by a short range test, and the watch over a run that diverges.

How large a rate a network stands depends on its norms, its depth and the loss: one without batch
norm, or with it folded into its convolutions, breaks at a tenth of what a residual network likes.
So rates are tried, from large to small, for a few steps each from the same weights; half of the
largest one that never makes the loss worse than no training is taken (a range test as by
L. Smith, Cyclical Learning Rates for Training Neural Networks, 2017).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from systopack.errors import TrainingError

RATES: tuple[float, ...] = tuple(0.1 * 0.5**halvings for halvings in range(12))
_STEPS = 24  # of one test, looked at in three parts
_PARTS = 3
_GLANCE = 6  # steps on which a run is measured whose rate is given
_SLACK = 0.05  # a loss may rise by so much of that of a network that answers all images alike
_RISE = 0.5  # ... an epoch's loss by so much before the run counts as diverging, from the
_FORGIVEN = 1  # epoch after this one on: a first epoch may be bad and heal
_HOPELESS = 10.0  # ... but not so bad
_PATIENCE = 3  # epochs after which a network must do better than answer all images alike


class Trial(Protocol):
    """What can be trained for a few steps and put back."""

    def try_rate(self, rate: float, *, steps: int, number: int) -> list[float]:
        """Losses of steps at one rate."""

    def untrained(self, *, steps: int, number: int) -> tuple[list[float], float]:
        """Losses without training, and that of a network that answers all images alike."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What a run is measured by.

    Args:
        untrained: the losses of each part of a test without training.
        blind: the loss of a network that answers all images alike.
    """

    untrained: tuple[float, ...]
    blind: float


def baseline(trial: Trial, *, number: int, whole: bool) -> Baseline:
    """Measure the losses without training.

    Args:
        trial: a pruned network that is about to be trained.
        number: of its next epoch.
        whole: on all batches of a test, as `find_rate` needs it, not only on a few.
    """
    losses, blind = trial.untrained(steps=_STEPS if whole else _GLANCE, number=number)
    return Baseline(untrained=_parts(losses), blind=blind)


def find_rate(trial: Trial, against: Baseline, *, number: int, largest: float = RATES[0]) -> float:
    """Half of the largest rate at which the loss never rises above that without training.

    Args:
        trial, number: as in `baseline`.
        against: measured there.
        largest: no larger one is tried.

    Returns:
        One of `RATES`, halved.

    Raises:
        TrainingError: every rate makes it worse.
    """
    allowed = [loss + _SLACK * against.blind for loss in against.untrained]
    for rate in (rate for rate in RATES if rate <= largest):
        reached = _parts(trial.try_rate(rate, steps=_STEPS, number=number))
        if all(loss <= limit for loss, limit in zip(reached, allowed, strict=True)):
            return rate / 2
    raise TrainingError(
        f"Every learning rate from {min(RATES[0], largest):g} down to {RATES[-1]:.2g} makes the "
        "loss worse in the first steps: the layers of the network differ too much in magnitude, or "
        "it was pruned too far at once; train it with batch norm or weight decay, prune less, or "
        "give a smaller --learning-rate."
    )


def check_progress(
    loss: float, against: Baseline, *, rate: float, epoch: int, since_pruning: int
) -> None:
    """Refuse to go on with a run that diverges.

    Args:
        loss: mean of the last epoch.
        against: measured after the last pruning.
        rate: the learning rate of the run.
        epoch: number of that epoch, from 1.
        since_pruning: epochs trained since then.

    Raises:
        TrainingError: the loss rose, or is still that of a network that answers all images alike.
    """
    before = sum(against.untrained) / len(against.untrained)
    # Where a network that answers all images alike has no loss, there is nothing to learn.
    rise = (loss - before) / against.blind if against.blind > 0 else 0.0
    risen = rise > (_RISE if since_pruning > _FORGIVEN else _HOPELESS)
    blind = since_pruning >= _PATIENCE and loss > (1 - _SLACK) * against.blind > 0
    if not math.isfinite(loss) or risen or blind:
        raise TrainingError(
            f"Training diverges at --learning-rate {rate:g}: the loss is {loss:.3g} after epoch "
            f"{epoch}, was {before:.3g} before training, and is {against.blind:.3g} for a network "
            "that answers every image alike; start again with a smaller --learning-rate, or from a "
            "model that is trained longer or pruned less."
        )


def _parts(losses: list[float]) -> tuple[float, ...]:
    """The mean of each part of a test; infinite where a loss is no number."""
    size = max(1, math.ceil(len(losses) / _PARTS))
    means = (
        sum(losses[start : start + size]) / len(losses[start : start + size])
        for start in range(0, len(losses), size)
    )
    return tuple(mean if math.isfinite(mean) else math.inf for mean in means)
