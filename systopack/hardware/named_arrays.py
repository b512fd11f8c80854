"""Arrays by name, by size and from TOML files: the one way to say an array.

A named array is a design point: its figures (area, clock, energy, throughput, accuracy) are all
quoted of the same one. A researcher changes a field of it with `key=value`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from systopack.errors import InvalidFileError, InvalidOptionError
from systopack.hardware.array import Array

DEFAULT_ARRAY = "compact-32x32"  # the design point of the headline (README.md)
_SIZE = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", re.ASCII)
_FILE_LIMIT_BYTES = 1 << 16
_TYPES = {field.name: type(field.default) for field in fields(Array)}


@dataclass(frozen=True, kw_only=True)
class NamedArray:
    """A design point.

    Args:
        array: what it is.
        purpose: one line for a list.
    """

    array: Array
    purpose: str


NAMED_ARRAYS: Mapping[str, NamedArray] = {
    "paper-32x32": NamedArray(
        array=Array(),
        purpose="the paper's array: fully systolic bit-serial cells with a multiplexer of 8",
    ),
    "compact-32x32": NamedArray(
        array=Array(
            cell="bit-serial-compact",
            input_fanout=16,
            cells_per_stage=8,
            weight_buffers=1,
        ),
        purpose="least energy on silicon: the fewest flip-flops, weights swapped with the words",
    ),
    "parallel-32x32": NamedArray(
        array=Array(cell="bit-parallel"),
        purpose="8-bit multipliers, a word per cycle",
    ),
    "parallel-compact-32x32": NamedArray(
        array=Array(
            cell="bit-parallel-compact",
            input_fanout=32,
            cells_per_stage=8,
            weight_buffers=1,
        ),
        purpose="least area x time and energy of a word: multipliers, 8 cells' products as one",
    ),
    "balanced-32x32": NamedArray(
        array=Array(cell="balanced"),
        purpose="the paper's balanced bit-serial cells, a word in 32 cycles",
    ),
    "fpga-ecp5": NamedArray(
        array=Array(
            rows=16,
            columns=8,
            cell="bit-parallel-compact",
            input_fanout=4,
            cells_per_stage=2,
            weight_buffers=1,
        ),
        purpose="cells in the multipliers of an LFE5U-85F, a word per cycle",
    ),
    "tiny-8x8": NamedArray(
        array=Array(rows=8, columns=8),
        purpose="the smallest useful array: a first run, a small FPGA",
    ),
}


def array_from(
    text: str = DEFAULT_ARRAY, changes: Sequence[str] = (), *, accumulator_bits: int | None = None
) -> Array:
    """An array from what a user writes.

    Args:
        text: a name of `NAMED_ARRAYS`, a TOML file with fields of `Array`, or ROWSxCOLUMNS for the
            default array of another size; no more rows and columns than it has share registers.
        changes: `key=value` for each field that is to differ.
        accumulator_bits: of the network that is to run, unless the file or `changes` say it.

    Raises:
        InvalidOptionError: there is no such array or field, or a value is outside its range.
        InvalidFileError: the file cannot be read or is not such a file.

    >>> array_from("16x4", ["alpha=4"]).label
    'bit-serial-compact 16x4 alpha 4, input fanout 16, cells per stage 4, weight buffers 1'
    """
    array, said = _base(text)
    values: dict[str, int | str] = {}
    if accumulator_bits is not None and "accumulator_bits" not in said:
        values["accumulator_bits"] = accumulator_bits
    for change in changes:
        key, equals, value = change.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or key not in _TYPES:
            raise InvalidOptionError(
                f"'{change}' changes nothing of an array; write key=value with one of "
                f"{', '.join(_TYPES)}."
            )
        values[key] = _number(key, value.strip()) if _TYPES[key] is int else value.strip()
    return replace(array, **values)  # type: ignore[arg-type]


def array_toml(array: Array) -> str:
    """The array as a TOML file that `array_from` reads."""
    lines = (
        f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value}"
        for name, value in asdict(array).items()
    )
    return "\n".join(lines) + "\n"


def _base(text: str) -> tuple[Array, set[str]]:
    """The array without changes, and the fields that a file says."""
    if text in NAMED_ARRAYS:
        return NAMED_ARRAYS[text].array, set()
    size = _SIZE.fullmatch(text)
    if size:
        default = NAMED_ARRAYS[DEFAULT_ARRAY].array
        rows, columns = int(size[1]), int(size[2])
        shared: dict[str, Any] = {
            "input_fanout": min(default.input_fanout, rows),
            "cells_per_stage": min(default.cells_per_stage, columns),
        }
        return replace(default, rows=rows, columns=columns, **shared), set()
    if text.endswith(".toml"):
        return _read(Path(text))
    raise InvalidOptionError(
        f"There is no array '{text}'; give one of {', '.join(NAMED_ARRAYS)}, a size such as 16x8, "
        "or a .toml file."
    )


def _read(path: Path) -> tuple[Array, set[str]]:
    try:
        with path.open("rb") as file:
            content = file.read(_FILE_LIMIT_BYTES + 1)
        values = tomllib.loads(content.decode()) if len(content) <= _FILE_LIMIT_BYTES else None
    except OSError as error:
        raise InvalidFileError(
            f"'{path}' cannot be read ({error.strerror}); give an array's .toml file."
        ) from error
    except (ValueError, RecursionError) as error:
        raise InvalidFileError(f"'{path}' is no TOML file ({error}); mend it.") from error
    if values is None:
        raise InvalidFileError(
            f"'{path}' is longer than {_FILE_LIMIT_BYTES} bytes, but an array is a few lines; give "
            "another file."
        )
    if not values:
        raise InvalidFileError(
            f"'{path}' says nothing of an array; give at least one of {', '.join(_TYPES)}."
        )
    for key, value in values.items():
        if key not in _TYPES:
            raise InvalidFileError(
                f"'{path}' has the key '{key}', but an array has {', '.join(_TYPES)}; mend it."
            )
        if type(value) is not _TYPES[key]:
            kind = "a whole number" if _TYPES[key] is int else "a text"
            raise InvalidFileError(f"'{path}': {key} is {value!r}, but it is {kind}; mend it.")
    try:
        return Array(**values), set(values)
    except InvalidOptionError as error:
        raise InvalidFileError(f"'{path}' describes no array: {error}") from error


def _number(key: str, text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,9}", text, re.ASCII):
        raise InvalidOptionError(f"{key} is '{text}', but it must be a whole number.")
    return int(text)
