"""Sizes that are given for single layers: `NAME=SHARE` of the dense cells."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from systopack.errors import InvalidOptionError
from systopack.names import printable

_ROUNDING = 1e-6  # of a group: a share that was computed as groups over columns gives the groups


def shares_of(layers: Sequence[str], names: Collection[str]) -> dict[str, float]:
    """Layer name -> share of its dense cells, of the layers that are named.

    Args:
        layers: `NAME=SHARE`, with * and ? in the name.
        names: of the layers with weights.

    Raises:
        InvalidOptionError: a text is something else, fits no layer, or names one a second time.
    """
    found: dict[str, float] = {}
    for text in layers:
        pattern, share = _parsed(text)
        fitting = [name for name in names if fnmatchcase(name, pattern)]
        if not fitting:
            known = ", ".join(sorted(names)[:8])
            raise InvalidOptionError(
                f"--layer is '{printable(text)}', but no layer has such a name; the layers with "
                f"weights are {known}{' ...' if len(names) > 8 else ''}."
            )
        twice = sorted(set(fitting) & set(found))
        if twice:
            raise InvalidOptionError(
                f"--layer is '{printable(text)}', but layer '{twice[0]}' has a size already; name "
                "each layer once."
            )
        found |= dict.fromkeys(fitting, share)
    return found


def layer_share(name: str, groups: int, columns: int) -> str:
    """The text that gives a layer exactly so many column groups."""
    escaped = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
    return f"{escaped}={groups / columns!r}"


def groups_at(name: str, share: float, *, columns: int, fewest: int, alpha: int) -> int:
    """The column groups of each row band that a share of a layer's cells allows.

    Args:
        name: of the layer.
        share: of its dense cells, above 0 to 1.
        columns: of its filter matrix.
        fewest: groups that `alpha` allows.

    Raises:
        InvalidOptionError: it allows fewer.
    """
    groups = math.floor(share * columns + _ROUNDING)
    if groups < fewest:
        least = math.ceil(1000 * fewest / columns) / 1000
        raise InvalidOptionError(
            f"--layer gives '{name}' {share:g} of its cells, but with --alpha {alpha} it needs at "
            f"least {least:g}; allow more or raise --alpha."
        )
    return groups


def _parsed(text: str) -> tuple[str, float]:
    pattern, _, number = text.rpartition("=")
    try:
        share = float(number)
    except ValueError:
        share = math.nan
    if not pattern or not 0 < share <= 1:
        raise InvalidOptionError(
            f"--layer is '{printable(text)}', but it must be NAME=SHARE with a share of the dense "
            "cells above 0 and at most 1, for instance conv1=0.5."
        )
    return pattern, share
