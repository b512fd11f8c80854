"""For `systopack synthesize` alone, until it is made from models."""

from __future__ import annotations

from typing import cast

import typer

from systopack.options import refuse_idle

__all__ = ["NO_CONTEXT", "given", "refuse_idle"]

NO_CONTEXT = cast(typer.Context, None)


def given(context: typer.Context) -> frozenset[str]:
    """The parameters that stand on the command line, by their names in the function."""
    if context is NO_CONTEXT:
        return frozenset()
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return frozenset(
        name for name, source in sources.items() if source and source.name == "COMMANDLINE"
    )
