"""Options as models: every option is declared once, with its type, range, default and help.

A model is frozen and strict. The command line is made from the models (`systopack.cli.builder`),
files of settings and calls from Python are checked by them, and all three say the same sentence
about a value that is not allowed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from systopack.errors import InvalidOptionError
from systopack.fields import shown
from systopack.files import read_file

_SETTINGS_BYTES = 1 << 14
GROUP = "Options"  # where an option stands in the help when it says nothing else


class Options(BaseModel):
    """Options that belong together; a model of a command, or a part of one."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, strict=True, defer_build=True
    )

    @property
    def given(self) -> dict[str, Any]:
        """The options that were given, whatever their values; the others have their defaults."""
        return {name: getattr(self, name) for name in self.model_fields_set}


Chosen = TypeVar("Chosen", bound=BaseModel)


def option(
    default: Any,
    text: str,
    *,
    group: str = GROUP,
    flag: str | None = None,
    shown_default: str | None = None,
    hidden: bool = False,
    **bounds: Any,
) -> Any:
    """A field of `Options`.

    Args:
        default: `...` where the option must be given.
        text: the help, a clause or sentences.
        group: the heading in the help under which it stands.
        flag: on the command line, where it is not the field's name; `-o --out` for two.
        shown_default: in the help, where the default is None: what it means.
        hidden: not an option of the command line; of files of settings and of Python alone.
        bounds: `gt`, `ge`, `lt`, `le` of pydantic.
    """
    extra: dict[str, Any] = {
        "group": group,
        "flag": flag,
        "shown_default": shown_default,
        "hidden": hidden,
    }
    return Field(default, description=text, json_schema_extra={"option": extra}, **bounds)


def argument(text: str, *, default: Any = ...) -> Any:
    """A field of `Options` that stands on the command line without a name."""
    return Field(default, description=text, json_schema_extra={"option": {"argument": True}})


def checked(kind: type[Chosen], /, **options: Any) -> Chosen:
    """Build options, turning pydantic's report into one sentence.

    Raises:
        InvalidOptionError: naming the option, the value and the rule.
    """
    try:
        return kind(**options)
    except ValidationError as error:
        name, value, rule = _flaw(kind, error)
        raise InvalidOptionError(f"{flag_of(kind, name)} is {value}, but it must be {rule}.") from (
            error
        )


def check_file(kind: type[BaseModel], content: Mapping[str, Any], path: Path) -> None:
    """Check the options that a file gives.

    Raises:
        InvalidOptionError: naming the file, the key, the value and the rule.
    """
    try:
        kind(**content)
    except ValidationError as error:
        name, value, rule = _flaw(kind, error)
        raise InvalidOptionError(
            f"'{path}' sets {name} to {value}, but it must be {rule}."
        ) from error


def settings_from(
    kind: type[Chosen],
    config: Path | None,
    given: Mapping[str, Any],
    *,
    base: Mapping[str, Any] | None = None,
) -> Chosen:
    """Build options from defaults, then `base`, then a TOML file, then those that were given.

    Raises:
        InvalidFileError, InvalidOptionError: the file cannot be read, or a value is not allowed.
    """
    return checked(kind, **{**(base or {}), **read_settings(kind, config), **given})


def read_settings(kind: type[BaseModel], config: Path | None) -> dict[str, Any]:
    """The options in a TOML file; none without a file.

    Raises:
        InvalidFileError, InvalidOptionError: the file cannot be read, or sets what is no option.
    """
    if config is None:
        return {}
    content = read_toml(config)
    unknown = sorted(set(content) - set(kind.model_fields))
    if unknown:
        raise InvalidOptionError(
            f"'{config}' sets {shown(unknown[0])}, which is no setting here; known are "
            f"{', '.join(kind.model_fields)}."
        )
    content = {name: tuple(v) if isinstance(v, list) else v for name, v in content.items()}
    check_file(kind, content, config)
    return content


def read_toml(config: Path) -> dict[str, Any]:
    """The content of a short TOML file, not checked any further.

    Raises:
        InvalidFileError, InvalidOptionError: it cannot be read, is too long, or no TOML.
    """
    text = read_file(config, what="a TOML file of settings")
    if len(text) > _SETTINGS_BYTES:  # a parser takes the square of a key's length
        raise InvalidOptionError(
            f"'{config}' has {len(text):,} bytes, but a file of settings has at most "
            f"{_SETTINGS_BYTES:,}; keep only settings in it."
        )
    try:
        content = tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:  # also numbers of too many digits
        reason = str(error)
        if isinstance(error, RecursionError):
            reason = "it is nested too deeply"
        elif not isinstance(error, tomllib.TOMLDecodeError | UnicodeDecodeError):
            reason = "it holds an integer of too many digits"
        raise InvalidOptionError(f"'{config}' is not valid TOML: {reason}.") from error
    return content


def refuse_idle(
    given: Collection[str], idle: Iterable[str], why: str, *, kind: type[BaseModel] | None = None
) -> None:
    """Refuse options that would change nothing, so that nobody relies on one.

    Args:
        given: what was given, by name.
        idle: names of options without effect.
        why: for instance "without --data no image is counted".
        kind: the model that they are of, where their flags are not their names.

    Raises:
        InvalidOptionError: one of them was given.
    """
    for name in idle:
        if name in given:
            flag = flag_of(kind or Options, name)
            raise InvalidOptionError(f"{flag} would change nothing: {why}; leave {flag} out.")


def properties_of(kind: type[BaseModel], name: str) -> dict[str, Any]:
    """How a field stands on the command line: what `option` and `argument` were told."""
    field = kind.model_fields.get(name)
    extra = None if field is None else field.json_schema_extra
    found = extra.get("option") if isinstance(extra, dict) else None
    return dict(found) if isinstance(found, dict) else {}


def flag_of(kind: type[BaseModel], name: str) -> str:
    """The long name of a field on the command line."""
    flags = properties_of(kind, name).get("flag") or "--" + name.replace("_", "-")
    return str(flags).split()[-1]


def bounds_of(kind: type[BaseModel], name: str) -> str:
    """The range of a number in words; empty where it has none."""
    field = kind.model_fields[name]
    inner = [part for choice in get_args(field.annotation) for part in get_args(choice)[1:]]
    limits = [
        *field.metadata,
        *(limit for part in inner for limit in getattr(part, "metadata", ())),
    ]
    words = (("gt", "above"), ("ge", "at least"), ("lt", "below"), ("le", "at most"))
    return " and ".join(
        f"{word} {getattr(limit, key):,}"
        for limit in limits
        for key, word in words
        if hasattr(limit, key)
    )


def _flaw(kind: type[BaseModel], error: ValidationError) -> tuple[str, str, str]:
    """Name, value and rule of the first option that is wrong."""
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else "option"
    field = kind.model_json_schema()["properties"].get(name)
    return name, shown(first["input"]), "one that exists" if field is None else _rule(field)


_BOUNDS = {
    "exclusiveMinimum": "above",
    "minimum": "at least",
    "exclusiveMaximum": "below",
    "maximum": "at most",
}
_KINDS = {"integer": "a whole number", "number": "a finite number", "boolean": "true or false"}
_NULL = {"type": "null"}


def _rule(schema: Mapping[str, Any]) -> str:
    """What a value of a JSON schema may be, in words."""
    if "anyOf" in schema:
        return " or ".join(_rule(choice) for choice in schema["anyOf"] if choice != _NULL)
    if "items" in schema:
        return _rule(schema["items"])
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if values is not None:
        return " or ".join(
            f"'{value}'" if isinstance(value, str) else str(value) for value in values
        )
    kind = _KINDS.get(schema.get("type", ""), "a text")
    bounds = [f"{word} {schema[key]:,}" for key, word in _BOUNDS.items() if key in schema]
    return f"{kind} {' and '.join(bounds)}".rstrip()
