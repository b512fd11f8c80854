"""What a packing is to be best at."""

from __future__ import annotations

from dataclasses import dataclass

from systopack.errors import InvalidOptionError


@dataclass(frozen=True, kw_only=True)
class FewestGroups:
    """As few groups as the rule allows, then as much squared norm as they can keep.

    Args:
        at_any_cost: let `best` spend squared norm on fewer groups; by default it stops where less
            squared norm would be kept than by the simple policy that needs the fewest groups.
    """

    at_any_cost: bool = False


@dataclass(frozen=True, kw_only=True)
class MostNorm:
    """As much squared norm as can be kept in a given number of groups: what training wants.

    With importances the squared norm is importance times squared weight, so the squared norm lost
    is twice the expected rise of the loss (Y. LeCun and others, Optimal Brain Damage, 1990).

    Args:
        groups: groups of each row band, at least 1.

    Raises:
        InvalidOptionError: fewer than one group.
    """

    groups: int

    def __post_init__(self) -> None:
        if self.groups < 1:
            raise InvalidOptionError(f"{self.groups} groups hold no column; give at least 1.")


@dataclass(frozen=True, kw_only=True)
class FewestTiles:
    """As few tiles as the rule allows; the last array columns are filled with groups.

    Args:
        columns: array columns, at least 1. Groups up to a multiple of it cost nothing.

    Raises:
        InvalidOptionError: no columns.
    """

    columns: int

    def __post_init__(self) -> None:
        if self.columns < 1:
            raise InvalidOptionError(
                f"An array of {self.columns} columns holds no group; give at least 1."
            )


Objective = FewestGroups | MostNorm | FewestTiles


def parse_objective(text: str) -> Objective:
    """Read an objective: `groups`, `groups!` (at any cost), `norm:17` or `tiles:32`.

    Raises:
        InvalidOptionError: it is none of these.
    """
    kind, _, number = text.partition(":")
    if text == "groups":
        return FewestGroups()
    if text == "groups!":
        return FewestGroups(at_any_cost=True)
    if kind in ("norm", "tiles") and number.isdecimal():
        return MostNorm(groups=int(number)) if kind == "norm" else FewestTiles(columns=int(number))
    raise InvalidOptionError(
        f"'{text}' is no objective; write groups, groups!, norm:GROUPS or tiles:COLUMNS."
    )
