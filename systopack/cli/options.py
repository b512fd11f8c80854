"""For `systopack synthesize` alone, until it is made from models."""

from __future__ import annotations

from typing import Annotated

import typer

ArrayOption = Annotated[
    str, typer.Option("--array", help="The array: a name, a .toml file, or rows x columns.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="key=value: a field of the array that is to differ; repeatable."),
]
