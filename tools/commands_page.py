"""The options of all commands in docs/command-line.md, from the models they are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from systopack.cli.builder import Command, commands_of
from systopack.cli.job import Common, Force
from systopack.cli.main import app
from systopack.options import Options, bounds_of, flag_of, properties_of


def blocks() -> Mapping[str, Sequence[str]]:
    """A section per command, the options of all commands first."""
    lines = ["### All commands", "", *_rows(Common), *_rows(Force)]
    for name, made in commands_of(app).items():
        lines += ["", f"### {name}", "", *_command(made)]
    return {"options": lines}


def _command(made: Command) -> list[str]:
    first = str(made.function.__doc__).split("\n\n")[0]
    rows = [" ".join(first.split()), ""]
    for kind in made.models.values():
        if kind not in (Common, Force):
            rows += _rows(kind)
    return rows


def _rows(kind: type[Options]) -> list[str]:
    rows = []
    for name, field in kind.model_fields.items():
        properties = properties_of(kind, name)
        if properties.get("hidden"):
            continue
        text = str(field.description).rstrip(".")
        if bounds_of(kind, name):
            text += f"; {bounds_of(kind, name)}"
        default = properties.get("shown_default")
        if default is None and field.default not in (None, ()) and not field.is_required():
            default = f"`{field.default}`"
        if field.is_required() and not properties.get("argument"):
            default = "must be given"
        if field.default is False:
            default = None
        flag = properties.get("flag") or flag_of(kind, name)
        shown = name.upper() if properties.get("argument") else ", ".join(flag.split())
        told = f" [{default}]" if default is not None else ""
        rows.append(f"- `{shown}`: {text}.{told}")
    return rows
