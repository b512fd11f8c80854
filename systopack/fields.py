"""Plain data (JSON) of others, none of it taken for granted; `codec` makes values of it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

from systopack.names import TEXT_LIMIT, flaw_of


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
