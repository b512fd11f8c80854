"""What a column group may be: at most `alpha` columns, at most `gamma` conflicts a row."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from systopack.errors import InvalidOptionError

ALPHA_LIMIT = 256  # a channel index is stored in one byte


@dataclass(frozen=True, kw_only=True)
class PackingRule:
    """The two limits of column combining (ASPLOS 2019, section 3).

    Args:
        alpha: largest group size, 1..256.
        gamma: conflicts allowed in a group, as an average per row; a number or decimal text,
            0 <= gamma <= alpha - 1. A float counts as the decimal number it prints as.

    Raises:
        InvalidOptionError: a limit is out of its range or not a finite number.
    """

    alpha: int
    gamma: Decimal

    def __init__(self, *, alpha: Any, gamma: Any) -> None:
        object.__setattr__(self, "alpha", _checked_alpha(alpha))
        object.__setattr__(self, "gamma", _checked_gamma(gamma, self.alpha))

    def conflicts_allowed(self, rows: int) -> int:
        """`floor(gamma * rows)`, computed in exact decimal arithmetic."""
        return int(self.gamma * rows)


def _checked_alpha(alpha: Any) -> int:
    # Anything integral is fine (numpy integers too), bools and fractions are not.
    try:
        value = int(alpha)
        valid = not isinstance(alpha, bool) and value == alpha and 1 <= value <= ALPHA_LIMIT
    except (TypeError, ValueError, OverflowError):
        valid = False
    if not valid:
        raise InvalidOptionError(
            f"alpha is {alpha}, but a column group holds 1 to {ALPHA_LIMIT} columns; "
            "give a whole number in that range, for instance 8."
        )
    return value


def _checked_gamma(gamma: Any, alpha: int) -> Decimal:
    try:
        value = Decimal(str(gamma))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not 0 <= value <= alpha - 1:
        raise InvalidOptionError(
            f"gamma is {gamma}, but with alpha {alpha} it must be a number from 0 to {alpha - 1}; "
            "it is the average number of conflicts allowed per row of a group, for instance 0.5."
        )
    return value
