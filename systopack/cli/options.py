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
SizeOption = Annotated[
    str, typer.Option("--array", help="Rows x columns of the array, for instance 32x32.")
]
RowsPerRegisterOption = Annotated[
    int, typer.Option(help="Rows that share an input register; 1: fully systolic.")
]
LeanOption = Annotated[
    bool, typer.Option("--compact", help="mx and il: cells with the fewest flip-flops.")
]
ColumnsPerRegisterOption = Annotated[
    int, typer.Option(help="Compact cells that add to a partial sum in one cycle.")
]
ColumnsPerAccumulatorOption = Annotated[
    int, typer.Option(help="Compact cells whose products add up in one accumulator, 1 or 2.")
]
BankPartsOption = Annotated[
    int,
    typer.Option(help="Memories of an activation bank, 1, 2 or 4; each takes a byte a cycle."),
]
WeightBuffersOption = Annotated[
    int,
    typer.Option(
        help="Weights a cell holds. 2: the next tile's are loaded ahead; 1: they come with its "
        "first words."
    ),
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


def array_size(text: str) -> tuple[int, int]:
    """Rows and columns from text such as 32x32.

    Raises:
        InvalidOptionError: the text is something else.
    """
    rows, cross, columns = text.lower().partition("x")
    sizes = (rows, columns)
    if not (cross and all(size.isdecimal() and len(size) < 10 for size in sizes)):
        raise InvalidOptionError(f"--array is '{text}'; give rows x columns, for instance 32x32.")
    return int(rows), int(columns)


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
