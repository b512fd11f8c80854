"""Boolean expressions of a Liberty file as truth tables."""

from __future__ import annotations

import re
from collections.abc import Sequence

from systopack.errors import InvalidFileError

_TOKEN = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_\[\]]*|[01()!'&*|+^])")
VARIABLES_LIMIT = 10
_DEEPEST = 100  # parentheses and negations inside each other


def truth_table(expression: str, names: Sequence[str]) -> int:
    """The truth table of a Liberty expression.

    Args:
        expression: names, 0, 1, parentheses, ! and ' (not), ^ (xor), & * or a space (and),
            | + (or), binding in this order.
        names: the variables; bit i of a row's number is the value of `names[i]`.

    Returns:
        Bit n is the value in row n, n = 0..2**len(names)-1.

    Raises:
        InvalidFileError: the text is no expression, or names something else.

    >>> bin(truth_table("!(A1 & A2)", ["A1", "A2"]))
    '0b111'
    """
    if len(names) > VARIABLES_LIMIT:
        raise InvalidFileError(
            f"The function '{expression}' has {len(names)} inputs, but cells of at most "
            f"{VARIABLES_LIMIT} are understood; take the cell out of the Liberty file."
        )
    return _Parser(expression, names).whole()


def variable_table(index: int, count: int) -> int:
    """The truth table of variable `index` among `count`."""
    table = 0
    for row in range(1 << count):
        table |= ((row >> index) & 1) << row
    return table


class _Parser:
    def __init__(self, expression: str, names: Sequence[str]) -> None:
        self._text = expression
        self._tokens = _tokens(expression)
        self._at = 0
        self._depth = 0
        self._all = (1 << (1 << len(names))) - 1
        self._values = {name: variable_table(i, len(names)) for i, name in enumerate(names)}

    def whole(self) -> int:
        value = self._or()
        if self._at != len(self._tokens):
            raise self._error()
        return value

    def _error(self) -> InvalidFileError:
        return InvalidFileError(
            f"'{self._text[:80]}' is not a Boolean expression of a Liberty file over "
            f"{', '.join(self._values) or 'no pins'}; mend the file."
        )

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _or(self) -> int:
        value = self._and()
        while self._next() in ("|", "+") and self._next():
            self._at += 1
            value |= self._and()
        return value

    def _and(self) -> int:
        value = self._xor()
        while self._next() and self._next() not in ("|", "+", ")"):
            if self._next() in ("&", "*"):
                self._at += 1
            value &= self._xor()
        return value

    def _xor(self) -> int:
        value = self._not()
        while self._next() == "^":
            self._at += 1
            value ^= self._not()
        return value

    def _not(self) -> int:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error()
        value = self._operand()
        self._depth -= 1
        return value

    def _operand(self) -> int:
        token = self._next()
        self._at += 1
        if token == "!":
            return self._all & ~self._not()
        if token == "(":
            value = self._or()
            if self._next() != ")":
                raise self._error()
            self._at += 1
        elif token in ("0", "1"):
            value = self._all * int(token)
        elif token in self._values:
            value = self._values[token]
        else:
            raise self._error()
        while self._next() == "'":
            self._at += 1
            value = self._all & ~value
        return value


def _tokens(expression: str) -> list[str]:
    found, at = [], 0
    while at < len(expression.rstrip()):
        match = _TOKEN.match(expression, at)
        if match is None:
            raise InvalidFileError(
                f"'{expression[:80]}' is not a Boolean expression of a Liberty file; mend the file."
            )
        found.append(match.group(1))
        at = match.end()
    return found
