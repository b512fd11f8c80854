"""Commands made from models of options.

A command is a function whose parameters are `Options` models and, last, a `Job`. `command` turns
every field of the models into an option or an argument of the command line: its type, range,
default, help and group stand in the model and nowhere else. The function gets the models back,
built and checked; `model.given` holds what stood on the command line.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import typer

from systopack.cli.job import Common, Force, Job
from systopack.options import GROUP, Options, bounds_of, checked, flag_of, properties_of

Function = TypeVar("Function", bound=Callable[..., None])


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command that was made.

    Args:
        app: the command line, or the group that it is in.
        name: of the command.
        function: what it runs.
        models: of its options, by the names of the function's parameters; those that every
            command has are the last.
    """

    app: typer.Typer
    name: str
    function: Callable[..., None]
    models: Mapping[str, type[Options]]


_PLAIN = (bool, int, float, str, Path)
_MADE: list[Command] = []


def command(
    app: typer.Typer,
    name: str,
    *,
    panel: str | None = None,
    writes: bool = True,
    record: str | None = None,
) -> Callable[[Function], Function]:
    """Add a function to the command line.

    Args:
        app: the command line, or a group of it.
        name: of the command.
        panel: heading under which the help lists the command.
        writes: whether it writes files; then it has `--force`.
        record: kind of its records; None: its name.
    """

    def register(function: Function) -> Function:
        models = models_of(function)
        common: dict[str, type[Options]] = {"common": Common}
        if writes:
            common["force"] = Force
        parameters = list(_parameters(name, {**models, **common}))
        both = {**models, **common}
        _MADE.append(Command(app=app, name=name, function=function, models=both))

        def run(context: typer.Context, **_: Any) -> None:
            built = {key: _built(kind, context) for key, kind in models.items()}
            general = {key: _built(kind, context).model_dump() for key, kind in common.items()}
            with Job(record or name, **general["common"], **general.get("force", {})) as job:
                function(**built, job=job)

        run.__doc__ = inspect.getdoc(function)
        run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                inspect.Parameter("context", _KEYWORD, annotation=typer.Context),
                *parameters,
            ]
        )
        app.command(name=name, rich_help_panel=panel)(run)
        return function

    return register


def commands_of(root: typer.Typer) -> dict[str, Command]:
    """The commands of a command line and its groups, by what is typed, in the order of the help."""
    groups = {id(group.typer_instance): f"{group.name} " for group in root.registered_groups}
    apps = {id(root): "", **groups}
    return {apps[id(made.app)] + made.name: made for made in _MADE if id(made.app) in apps}


def models_of(function: Callable[..., None]) -> dict[str, type[Options]]:
    """The models of a command's options, by the names of its parameters."""
    hints = get_type_hints(function)
    return {
        name: hints[name]
        for name in inspect.signature(function).parameters
        if issubclass(hints[name], Options)
    }


_KEYWORD = inspect.Parameter.KEYWORD_ONLY


def _parameters(
    command_name: str, models: Mapping[str, type[Options]]
) -> Iterator[inspect.Parameter]:
    """What typer reads: a parameter for every field."""
    seen: set[str] = set()
    for kind in models.values():
        for name, field in kind.model_fields.items():
            properties = properties_of(kind, name)
            if properties.get("hidden"):
                continue
            assert name not in seen, f"'{command_name}' has two options '{name}'"
            assert properties and field.description, f"'{name}' of '{command_name}' has no help"
            seen.add(name)
            read, choices = _read_as(field.annotation)
            yield inspect.Parameter(
                name,
                _KEYWORD,
                default=... if field.is_required() else _default(field.default),
                annotation=Annotated[read, _declared(kind, name, choices)],
            )


def _declared(kind: type[Options], name: str, choices: tuple[str, ...]) -> Any:
    """typer's declaration of a field."""
    field, properties = kind.model_fields[name], properties_of(kind, name)
    text = str(field.description)
    bounds = bounds_of(kind, name)
    if bounds:
        text = f"{text.rstrip('.')}; {bounds}."
    shown_default = properties.get("shown_default") or field.default is not None
    common: dict[str, Any] = {
        "help": text.replace("[", "\\["),
        "show_default": False if field.default is False or field.default == () else shown_default,
        "autocompletion": (lambda: list(choices)) if choices else None,
    }
    if choices:
        common["metavar"] = "|".join(choices)
    if properties.get("argument"):
        return typer.Argument(**common)
    flags = str(properties.get("flag") or flag_of(kind, name)).split()
    if field.default is True:
        flags[-1] += f"/--no-{flags[-1].removeprefix('--')}"
    return typer.Option(*flags, rich_help_panel=properties.get("group", GROUP), **common)


def _read_as(annotation: Any) -> tuple[Any, tuple[str, ...]]:
    """The type by which typer reads a value, and the texts that it may be where that is all."""
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [part for part in get_args(annotation) if part is not type(None)]
        if len(parts) > 1:  # a number, or one of some words
            return str | None, ()
        read, choices = _read_as(parts[0])
        return read | None, choices
    if get_origin(annotation) is Literal:
        values = get_args(annotation)
        return type(values[0]), tuple(map(str, values))
    if get_origin(annotation) is tuple:
        read, choices = _read_as(get_args(annotation)[0])
        return list[read], choices  # type: ignore[valid-type]
    assert annotation in _PLAIN, annotation
    return annotation, ()


def _default(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _built(kind: type[Options], context: typer.Context) -> Options:
    """The model with what stands on the command line."""
    given = {
        name: _value(kind.model_fields[name].annotation, context.params[name])
        for name in kind.model_fields
        if name in context.params and _stands_there(context, name)
    }
    return checked(kind, **given)


def _stands_there(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _value(annotation: Any, value: Any) -> Any:
    """A value as the model takes it."""
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, str) and _takes_numbers(annotation):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _takes_numbers(annotation: Any) -> bool:
    return annotation is float or any(map(_takes_numbers, get_args(annotation)))
