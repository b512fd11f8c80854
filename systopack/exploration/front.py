"""Pareto fronts: the points that no other one is at least as good as in all and better in one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from systopack.exploration.point import Point

# Whether more is better, of each figure that a front may be of.
BETTER_HIGH: Mapping[str, bool] = {
    "accuracy_percent": True,
    "norm_kept": True,
    "latency_cycles": False,
    "period_cycles": False,
    "energy_uj": False,
    "latency_us": False,
    "frames_per_s": True,
    "area_mm2": False,
}


@dataclass(frozen=True, kw_only=True)
class Front:
    """A front.

    Args:
        objectives: figures of it, of `BETTER_HIGH`.
        members: places of its points, ascending.
        among: how many points have all of these figures.
    """

    objectives: tuple[str, ...]
    members: tuple[int, ...]
    among: int


def front_of(points: Sequence[Point], objectives: Sequence[str]) -> Front:
    """The front of the points that have all objectives; alike ones are all on it.

    Args:
        points: any.
        objectives: names of `BETTER_HIGH`, at least one.
    """
    places = [
        place
        for place, point in enumerate(points)
        if all(point.figures.get(name) is not None for name in objectives)
    ]
    signs = [-1.0 if BETTER_HIGH[name] else 1.0 for name in objectives]
    costs = np.array(
        [
            [
                sign * float(points[place].figures[name] or 0)
                for name, sign in zip(objectives, signs, strict=True)
            ]
            for place in places
        ]
    ).reshape(len(places), len(objectives))
    members = tuple(
        place
        for place, cost in zip(places, costs, strict=True)
        if not ((costs <= cost).all(axis=1) & (costs < cost).any(axis=1)).any()
    )
    return Front(objectives=tuple(objectives), members=members, among=len(places))


def fronts_of(points: Sequence[Point], quality: str | None) -> dict[str, Front]:
    """The fronts of a run: of cycles, which all points have, and of what was measured.

    Args:
        points: all of them.
        quality: `accuracy_percent`, `norm_kept`, or None where no network is packed anew.
    """
    first = () if quality is None else (quality,)
    return {
        "cycles": front_of(points, (*first, "latency_cycles", "period_cycles")),
        "measured": front_of(
            points, (*first, "energy_uj", "latency_us", "frames_per_s", "area_mm2")
        ),
    }
