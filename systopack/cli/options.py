"""For `systopack synthesize` alone, until it is made from models."""

from __future__ import annotations

from typing import Annotated

import typer

from systopack.errors import InvalidOptionError

SizeOption = Annotated[str, typer.Option("--array", help="Rows x columns, for instance 32x32.")]
AlphaOption = Annotated[int, typer.Option(help="Channels a cell chooses from.")]
CellOption = Annotated[str, typer.Option(help="mx, il, bl or bit-parallel.")]


def array_size(text: str) -> tuple[int, int]:
    """Rows and columns from text such as 32x32."""
    rows, cross, columns = text.lower().partition("x")
    sizes = (rows, columns)
    if not (cross and all(size.isdecimal() and len(size) < 10 for size in sizes)):
        raise InvalidOptionError(f"--array is '{text}'; give rows x columns, for instance 32x32.")
    return int(rows), int(columns)
