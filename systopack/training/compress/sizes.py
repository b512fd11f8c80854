"""Which size to try next: from what short trainings lost, and what full runs lost.

A size is a share of the dense cells, or of the dense streamed words. A short training loses more
than a full run at the same size; how much more is a guess until the first full run has told.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_RECOVERED = 0.7  # share of a probe's loss that a full run is expected not to have
_LARGEST = 0.95  # beyond it hardly anything would be packed
_LEAST_STEP = 1.15  # a missed size grows by this factor at least
_WORTH_IT = 0.9  # a smaller size is tried where it is at most this factor of one that was met
_RATIOS = (0.1, 2.0)  # a full run's loss over the probes' at its size: never taken beyond
_TELLING = 0.3  # points that the probes must have lost for that ratio to mean anything


@dataclass(frozen=True, kw_only=True)
class Point:
    """A size and the accuracy that a network of it lost.

    Args:
        size: share of the dense one, above 0 to 1.
        loss_points: percentage points of the held-out images, negative where it is better.
    """

    size: float
    loss_points: float


def next_probe(probes: Sequence[Point], *, least: float, allowed: float) -> float:
    """The middle, by factors, between the smallest size that will do and the largest that will not.

    Args:
        probes: that were made.
        least: size that there is.
        allowed: points that a full run may lose.
    """
    low, high = least, 1.0
    for probe in probes:
        if probe.loss_points <= expected_of_probe(allowed):
            high = min(high, probe.size)
        else:
            low = max(low, probe.size)
    return math.sqrt(low * max(low, high))


def expected_of_probe(allowed: float) -> float:
    """What a probe may lose at a size at which a full run is expected to lose `allowed` points."""
    return allowed / (1 - _RECOVERED)


def next_size(
    probes: Sequence[Point], runs: Sequence[Point], *, least: float, allowed: float
) -> float | None:
    """The size of the next full run; None where none is worth it.

    Args:
        probes: at least one.
        runs: full ones that were made.
        least: size that there is.
        allowed: points that a run may lose.
    """
    if not runs:
        return max(least, min(_LARGEST, _size_for(probes, expected_of_probe(allowed))))
    size = _size_for(probes, allowed / _ratio(probes, runs[-1]))
    missed = max((run.size for run in runs if run.loss_points > allowed), default=0.0)
    met = min((run.size for run in runs if run.loss_points <= allowed), default=None)
    if met is None:
        largest = max(least, _LARGEST)
        return None if missed >= largest else min(largest, max(size, missed * _LEAST_STEP))
    size = max(size, least, missed * _LEAST_STEP)
    return size if size <= met * _WORTH_IT else None


def _ratio(probes: Sequence[Point], run: Point) -> float:
    """How much of the probes' loss a full run still had."""
    of_probes = _loss_at(probes, run.size)
    if of_probes < _TELLING:
        return 1.0
    return min(max(run.loss_points / of_probes, _RATIOS[0]), _RATIOS[1])


def _curve(probes: Sequence[Point]) -> list[tuple[float, float]]:
    """Logarithm of the size and loss, by rising size; a larger network never loses more."""
    points = sorted((math.log(probe.size), probe.loss_points) for probe in probes)
    curve = [(0.0, 0.0)]
    for place, loss in reversed(points):
        curve.append((min(place, 0.0), max(loss, curve[-1][1])))
    return curve[::-1]


def _loss_at(probes: Sequence[Point], size: float) -> float:
    curve = _curve(probes)
    place = math.log(size)
    for (left, high), (right, low) in pairwise(curve):
        if left <= place <= right:
            part = (place - left) / (right - left) if right > left else 1.0
            return high + part * (low - high)
    return curve[0][1]


def _size_for(probes: Sequence[Point], allowed: float) -> float:
    """The least size at which the probes lose at most `allowed`; none below the smallest probe."""
    curve = _curve(probes)
    if curve[0][1] <= allowed:
        return math.exp(curve[0][0])
    for (left, high), (right, low) in pairwise(curve):
        if low <= allowed < high:
            return math.exp(left + (right - left) * (high - allowed) / (high - low))
    return 1.0
