"""Steps of a file that stand for an operation which cannot be lowered, and why each cannot."""

from __future__ import annotations

from typing import Any

from systopack.frontend.reading.state import Arguments, Reading, Refusal, RefusedError, Rule
from systopack.frontend.reading.view import View

REFUSALS: dict[int, Refusal] = {}  # by the number that stands in the program


def _opaque(reading: Reading, node: Any, arguments: Arguments) -> View:
    raise RefusedError(REFUSALS[arguments["number"]])


RULES: dict[str, Rule] = {"systopack.opaque": _opaque}
