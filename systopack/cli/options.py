"""Options that several commands share, and how they meet a TOML file of settings."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel

from systopack.errors import InvalidOptionError
from systopack.fields import shown
from systopack.files import read_file
from systopack.training.settings import check_file, checked

_SETTINGS_BYTES = 1 << 14

Settings = TypeVar("Settings", bound=BaseModel)

DataOption = Annotated[
    str,
    typer.Option(
        "--data",
        help="'sample' (bundled digits), a folder of parquet files, or a Hugging Face hub id.",
    ),
]
FractionOption = Annotated[
    float, typer.Option(help="Class-balanced share of the training images to read, 0..1.")
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Go on from the checkpoint of an interrupted run.")
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="TOML file of settings; options win over it.")
]
AcceleratorOption = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
DevicesOption = Annotated[int, typer.Option(help="Processes (GPUs) on this machine.")]
NodesOption = Annotated[int, typer.Option(help="Machines.")]
PrecisionOption = Annotated[str, typer.Option(help="auto, 32-true or bf16-mixed.")]
ArrayOption = Annotated[
    str,
    typer.Option(
        "--array",
        help="The array: a name of 'systopack arrays', a .toml file, or a size such as 16x16.",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="key=value: a field of the array that is to differ; repeatable."),
]


def default(settings: type[BaseModel], name: str) -> str:
    """The default of a setting, for help texts."""
    return f"\\[default: {settings.model_fields[name].default}]"


def settings_from(
    kind: type[Settings],
    config: Path | None,
    options: dict[str, Any],
    *,
    base: Mapping[str, Any] | None = None,
) -> Settings:
    """Build settings from defaults, then `base`, then the TOML file, then the given options.

    Raises:
        InvalidFileError, InvalidOptionError: the file cannot be read, or a value is not allowed.
    """
    merged: dict[str, Any] = dict(base or {})
    merged |= read_settings(kind, config)
    merged |= {name: value for name, value in options.items() if value is not None}
    return checked(kind, **merged)


def read_settings(kind: type[BaseModel], config: Path | None) -> dict[str, Any]:
    """The settings in a TOML file; none without a file.

    Raises:
        InvalidFileError, InvalidOptionError: the file cannot be read, or sets what is no setting.
    """
    if config is None:
        return {}
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
    unknown = sorted(set(content) - set(kind.model_fields))
    if unknown:
        raise InvalidOptionError(
            f"'{config}' sets {shown(unknown[0])}, which is no setting here; known are "
            f"{', '.join(kind.model_fields)}."
        )
    check_file(kind, content, config)
    return content


def check_out(out: Path, suffix: str, *, option: str = "--out") -> Path:
    """Refuse an output path with another suffix.

    Raises:
        InvalidOptionError: it has.
    """
    if out.suffix != suffix:
        raise InvalidOptionError(
            f"{option} is '{out}', but this command writes {suffix} files there."
        )
    return out
