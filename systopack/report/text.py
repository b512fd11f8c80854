"""How numbers are written in a report, everywhere the same."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

ABSENT = "–"


def number(value: float | None, unit: str = "") -> str:
    """Write a number: integers with separators, percent with two decimals, others short.

    >>> number(405536), number(97.4, "%"), number(0.00123456), number(None)
    ('405,536', '97.40', '0.001235', '–')
    """
    if value is None or not math.isfinite(value):
        return ABSENT
    if isinstance(value, int):
        return f"{value:,}"
    if unit == "%":
        return f"{value:.2f}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def signed(value: int) -> str:
    """Write an integer with a minus sign as wide as a digit.

    >>> signed(-1520), signed(7)
    ('−1,520', '7')
    """
    return f"{value:,}".replace("-", "−")


def ratio(value: float | None) -> str:
    """Write a ratio with three decimals, or three digits where it is small.

    >>> ratio(0.12718), ratio(0.00012718), ratio(None)
    ('0.127', '0.000127', '–')
    """
    if value is None or not math.isfinite(value):
        return ABSENT
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.1 else f"{value:.3g}"


def percent(share: float | None) -> str:
    """Write a share 0..1 in percent, one decimal; None as absent."""
    return ABSENT if share is None or not math.isfinite(share) else f"{100 * share:.1f}"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table, line by line.

    >>> markdown_table(["layer", "tiles"], [["conv1", "2"]])
    ['| layer | tiles |', '|---|---|', '| conv1 | 2 |']
    """
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows)]


def flatten(content: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Turn nested plain data into (dotted name, text) pairs, in the given order.

    >>> flatten({"alpha": 8, "data": {"name": "sample", "seeds": [1, 2]}})
    [('alpha', '8'), ('data.name', 'sample'), ('data.seeds', '1, 2')]
    """
    pairs: list[tuple[str, str]] = []
    for key, value in content.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            pairs += flatten(value, f"{name}.") if value else [(name, ABSENT)]
        elif _is_list(value) and any(isinstance(item, Mapping) or _is_list(item) for item in value):
            pairs += flatten({str(index): item for index, item in enumerate(value)}, f"{name}.")
        else:
            pairs.append((name, _plain(value)))
    return pairs


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _plain(value: Any) -> str:
    if _is_list(value):
        return ", ".join(_plain(item) for item in value) or ABSENT
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
