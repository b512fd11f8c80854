"""Arrays by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array

DEFAULT_ARRAY = "paper-32x32"
NAMED_ARRAYS: dict[str, Any] = {DEFAULT_ARRAY: SimpleNamespace(array=Array(), purpose="")}


def array_from(
    text: str = DEFAULT_ARRAY, changes: Sequence[str] = (), *, accumulator_bits: int | None = None
) -> Array:
    """The array that a text stands for."""
    if text in NAMED_ARRAYS:
        found: Array = NAMED_ARRAYS[text].array
    else:
        rows, cross, columns = text.lower().partition("x")
        sizes = (rows, columns)
        if not (cross and all(size.isdecimal() and len(size) < 10 for size in sizes)):
            raise InvalidOptionError(f"--array is '{text}'; give rows x columns, such as 32x32.")
        found = Array(rows=int(rows), columns=int(columns))
    found = replace(found, accumulator_bits=accumulator_bits or 32)
    for change in changes:
        name, _, value = change.partition("=")
        old = getattr(found, name)
        new = value == "true" if isinstance(old, bool) else type(old)(value)
        found = replace(found, **{name: new})
    return found
