"""The register of grouping policies and what a policy is asked for."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidOptionError
from systopack.packing.problem import GroupingProblem


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a policy is asked for.

    Args:
        groups: so many groups with the most squared norm kept; None: as few groups as it can.
        seed: of everything random.
        deadline: a `time.monotonic()` value to stop at; None: the policy's own budget of
            iterations, so that the same seed gives the same groups.
        fewest_at_any_cost: spend squared norm on fewer groups (only `best` looks at it).
    """

    groups: int | None = None
    seed: int = 0
    deadline: float | None = None
    fewest_at_any_cost: bool = False


# Those that can be asked for a number of groups (`Entry.aims`), for whom does not import them.
AIMING_POLICIES = ("least-loss", "assignment", "polish", "refine", "best")
Policy = Callable[[GroupingProblem, Request], NDArray[np.int64]]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A registered policy.

    Args:
        run: the function.
        aims: whether it can be asked for a number of groups.
    """

    run: Policy
    aims: bool


_REGISTER: dict[str, Entry] = {}


def register(name: str, *, aims: bool) -> Callable[[Policy], Policy]:
    """Register the function below under a name."""

    def add(run: Policy) -> Policy:
        _REGISTER[name] = Entry(run=run, aims=aims)
        return run

    return add


@cache
def policy_names() -> tuple[str, ...]:
    """The names of all policies, in alphabetical order."""
    package = importlib.import_module("systopack.packing.policies")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"systopack.packing.policies.{module.name}")
    return tuple(sorted(_REGISTER))


def policy_named(name: str) -> Entry:
    """Look a policy up.

    Raises:
        InvalidOptionError: there is none of that name.
    """
    names = policy_names()
    if name not in names:
        raise InvalidOptionError(
            f"There is no grouping policy '{name}'; choose one of {', '.join(names)}."
        )
    return _REGISTER[name]
