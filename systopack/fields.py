"""Read plain data (JSON) with exactly the types it should have: a bool is no integer, 1 no text.

A reader takes each field it knows and then calls `end`, so that a field nobody reads is refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, TypeVar

from systopack.names import NAME_LIMIT, TEXT_LIMIT, flaw_of

_INTEGER_LIMIT = 1 << 63
Choice = TypeVar("Choice", bound=str)


class MalformedError(ValueError):
    """Plain data that is not what it should be; the reader of the file names the file."""


def parse_json(text: bytes | str) -> Any:
    """JSON without what only Python accepts: no NaN or infinity, no key twice, no deep nesting.

    Raises:
        MalformedError: it is something else.
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except RecursionError:
        raise MalformedError("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise MalformedError("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise MalformedError(f"it is not JSON ({error.msg} at {error.pos:,})") from None
    except MalformedError:
        raise
    except ValueError:  # an integer of more digits than Python converts
        raise MalformedError("it holds an integer of too many digits") from None


class Fields:
    """The fields of one JSON object.

    Args:
        content: what JSON gave.
        what: what it is, for messages.

    Raises:
        MalformedError: here and in every method, naming the field.
    """

    def __init__(self, content: object, what: str) -> None:
        if not isinstance(content, Mapping):
            raise MalformedError(f"{what} is {shown(content)}, not an object")
        self._content = content
        self._what = what
        self._left = set(content)

    def __contains__(self, key: str) -> bool:
        return key in self._content

    def value(self, key: str) -> Any:
        """Anything."""
        if key not in self._content:
            raise MalformedError(f"{self._what} lacks '{key}'")
        self._left.discard(key)
        return self._content[key]

    def integer(self, key: str) -> int:
        """A whole number of at most 64 bits."""
        return self._integer(key, self.value(key))

    def integers(self, key: str, count: int) -> tuple[int, ...]:
        """A list of so many whole numbers."""
        values = self.items(key)
        if len(values) != count:
            self.refuse(key, f"{count} whole numbers")
        return tuple(self._integer(key, value) for value in values)

    def sizes(self, key: str, *, most: int) -> tuple[int, ...]:
        """A list of at most so many whole numbers above 0."""
        values = self.integers(key, len(self.items(key)))
        if len(values) > most or min(values, default=1) < 1:
            self.refuse(key, f"at most {most} numbers above 0")
        return values

    def optional_text(self, key: str) -> str | None:
        """A text or null."""
        return None if self.value(key) is None else self.text(key)

    def pair(self, key: str) -> tuple[int, int]:
        """Two whole numbers."""
        first, second = self.integers(key, 2)
        return first, second

    def triple(self, key: str) -> tuple[int, int, int]:
        """Three whole numbers."""
        first, second, third = self.integers(key, 3)
        return first, second, third

    def four(self, key: str) -> tuple[int, int, int, int]:
        """Four whole numbers."""
        first, second, third, fourth = self.integers(key, 4)
        return first, second, third, fourth

    def numbers(self, key: str) -> tuple[float, ...]:
        """A list of finite numbers."""
        return tuple(self._number(key, value) for value in self.items(key))

    def number(self, key: str) -> float:
        """A finite number."""
        return self._number(key, self.value(key))

    def text(self, key: str) -> str:
        """A name: a short text without control characters."""
        return self._text(key, self.value(key))

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of names."""
        return tuple(self._text(key, value) for value in self.items(key))

    def texts_by_name(self, key: str) -> dict[str, str]:
        """An object of names and texts, which may be longer."""
        content = self.value(key)
        if not isinstance(content, Mapping):
            self.refuse(key, "an object of texts")
        return {
            self._text(key, name): self._text(key, value, limit=TEXT_LIMIT)
            for name, value in content.items()
        }

    def texts_of_keys(self) -> tuple[str, ...]:
        """The names of all fields, where they are names of things."""
        self._left.clear()
        return tuple(self._text("names", name) for name in self._content)

    def choice(self, key: str, options: Iterable[Choice]) -> Choice:
        """One of some texts."""
        value = self.value(key)
        found = [option for option in options if isinstance(value, str) and value == option]
        if not found:
            self.refuse(key, f"one of {', '.join(options)}")
        return found[0]

    def end(self) -> None:
        """Refuse fields that nobody has read."""
        if self._left:
            raise MalformedError(f"{self._what} has the unknown {shown(min(self._left))}")

    def refuse(self, key: str, wanted: str) -> NoReturn:
        """Say what should be there."""
        raise MalformedError(
            f"'{key}' of {self._what} is {shown(self._content[key])}, not {wanted}"
        )

    def items(self, key: str) -> list[Any]:
        """A list of anything."""
        value = self.value(key)
        if not isinstance(value, list | tuple):
            self.refuse(key, "a list")
        return list(value)

    def _integer(self, key: str, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= _INTEGER_LIMIT:
            self.refuse(key, "made of whole numbers")
        return value

    def _number(self, key: str, value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            self.refuse(key, "made of numbers")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self.refuse(key, "made of finite numbers")
        return number

    def _text(self, key: str, value: object, *, limit: int = NAME_LIMIT) -> str:
        if not isinstance(value, str):
            self.refuse(key, "text")
        flaw = flaw_of(value, limit=limit)
        if flaw is not None:
            raise MalformedError(f"'{key}' of {self._what} {flaw}")
        return value


def check_plain(content: object, what: str, *, depth: int = 32) -> None:
    """Check data that is kept as it is: JSON's own types, clean texts, finite numbers.

    Raises:
        MalformedError: it holds something else.
    """
    if depth < 0:
        raise MalformedError(f"{what} is nested too deeply")
    if isinstance(content, Mapping):
        for key, value in content.items():
            check_plain(key, what, depth=depth - 1)
            check_plain(value, what, depth=depth - 1)
    elif isinstance(content, list | tuple):
        for value in content:
            check_plain(value, what, depth=depth - 1)
    elif isinstance(content, str):
        flaw = flaw_of(content, limit=TEXT_LIMIT)
        if flaw is not None:
            raise MalformedError(f"a text in {what} {flaw}")
    elif isinstance(content, float) and not math.isfinite(content):
        raise MalformedError(f"a number in {what} is not finite")
    elif content is not None and not isinstance(content, bool | int | float):
        raise MalformedError(f"{what} holds {type(content).__name__}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise MalformedError(f"the key {shown(key)} is there twice")
        found[key] = value
    return found


def _refuse_constant(text: str) -> NoReturn:
    raise MalformedError(f"it holds {text}, which is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise MalformedError(f"it holds {text[:40]}, which no number of 64 bits can hold")
    return number


def shown(value: object) -> str:
    """A short form of a value for a message, always one line."""
    try:
        text = ascii(value)
    except (RecursionError, ValueError):  # nested deeply, or an integer of very many digits
        text = f"a large {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."
