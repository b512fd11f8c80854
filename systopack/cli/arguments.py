"""What is refused in a command line before any command reads it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from typer.core import TyperGroup

from systopack.errors import InvalidOptionError

_FILES = ("--out", "--trace")
_SUFFIXES = frozenset({".safetensors", ".spk", ".json", ".html", ".onnx", ".vcd"})


class CheckedGroup(TyperGroup):
    """The commands, with a look at their arguments as they were typed.

    A path object does not know any more whether it was empty or ended with a slash.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Check, then parse as always."""
        check_arguments(args)
        return super().parse_args(ctx, args)


def check_arguments(arguments: Sequence[str]) -> None:
    """Refuse empty arguments, and outputs that name a folder where a file is written.

    Raises:
        InvalidOptionError: there is one.
    """
    before = ""
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if not argument or (equals and not value and option.startswith("--")):
            raise InvalidOptionError(
                f"An argument is empty ({option or before or 'the first'}); give a value."
            )
        before = argument
    split = (argument.partition("=")[::2] for argument in arguments)
    for option, value in [*pairwise(arguments), *split]:
        if option in _FILES and value.endswith(("/", "/.")) and Path(value).suffix in _SUFFIXES:
            raise InvalidOptionError(
                f"{option} is '{value}', which names a folder; leave out what follows the file's "
                "name."
            )
