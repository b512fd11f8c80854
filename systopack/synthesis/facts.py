"""What a Liberty file does not say about a library: one TOML file a library, read strictly.

The files in `libraries/` are examples for an own library's:

    name = "mylib"
    title = "what it is"
    licence = "its licence"
    liberty = "mylib_typical.lib.gz"   # beside the TOML file; may be left out
    node_nm = 28

    [cells]
    unused = ["*probe*"]               # patterns of cells that nothing is mapped to
    driver = "BUF_X2"                  # drives every input while gates are sized; may be left out
    load_ff = 2.0                      # at every output meanwhile
    clock_gate_flip_flops = 3          # with one enable, from which on a clock gate pays
    clock_buffer = "CLKBUF_X3"         # of the estimated clock tree; may be left out
    clock_buffer_pins = 16             # that one buffer drives

    [corners.NAME_IN_THE_LIBERTY_FILE]
    name = "typical"
    voltage_v = 0.9
    temperature_c = 25
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from systopack.codec import from_plain
from systopack.errors import InvalidFileError
from systopack.fields import MalformedError
from systopack.files import read_file

DEFAULT_LIBRARY = "sky130hd"
FOLDER = Path(__file__).parent / "libraries"
_PATTERN = re.compile(r"[A-Za-z0-9_$*?]+")  # goes into a command of yosys
_LARGEST = 1 << 14  # bytes; a parser takes the square of a key's length


@dataclass(frozen=True, kw_only=True)
class Corner:
    """One Liberty file of a library.

    Args:
        name: such as typical.
        voltage_v, temperature_c: that it holds for.
    """

    name: str
    voltage_v: float
    temperature_c: float

    def __str__(self) -> str:
        return f"{self.name}, {self.voltage_v:g} V, {self.temperature_c:g} C"


@dataclass(frozen=True, kw_only=True)
class LibraryFacts:
    """Facts of one library; the defaults are those of a library that nothing is known of.

    Args:
        name, title, licence: of the library.
        liberty: its Liberty file, None where only the user has it.
        node_nm: technology node, None where it is not known.
        corners: by the library's name in each Liberty file.
        unused: patterns of cells that nothing is mapped to, beside those the Liberty file excludes.
        driver: cell that drives every input while gates are sized.
        load_ff: at every output meanwhile.
        clock_gate_flip_flops: flip-flops with one enable, from which on a clock gate pays.
        clock_buffer: of the estimated clock tree, None: no tree can be estimated.
        clock_buffer_pins: that one buffer drives.
    """

    name: str
    title: str = "a library without facts"
    licence: str = "unknown"
    liberty: Path | None = None
    node_nm: float | None = None
    corners: Mapping[str, Corner] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    driver: str | None = None
    load_ff: float = 2.0
    clock_gate_flip_flops: int = 3
    clock_buffer: str | None = None
    clock_buffer_pins: int = 16


@cache
def known_facts() -> Mapping[str, LibraryFacts]:
    """The facts that come with the package, by the libraries' names."""
    return {facts.name: facts for facts in map(read_facts, sorted(FOLDER.glob("*.toml")))}


def facts_of(library: str) -> LibraryFacts:
    """The facts of a library by its name in the Liberty file, corner included."""
    return next(
        (facts for facts in known_facts().values() if library in facts.corners),
        LibraryFacts(name=library),
    )


def read_facts(path: Path) -> LibraryFacts:
    """Read the facts of one library.

    Raises:
        InvalidFileError: the file cannot be read, or says something else than facts.
    """
    content = read_file(path, what="a TOML file of a library's facts")
    try:
        if len(content) > _LARGEST:
            raise MalformedError(f"it has more than {_LARGEST:,} bytes")
        return _facts(tomllib.loads(content.decode()), path)
    except (ValueError, RecursionError) as error:  # also what tomllib and a decoder raise
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InvalidFileError(
            f"'{path}' does not hold a library's facts as they should be: {reason}; compare it "
            f"with '{FOLDER / 'sky130hd.toml'}'."
        ) from error


@dataclass(frozen=True, kw_only=True)
class _Cells:
    """The table [cells] of a file."""

    unused: tuple[str, ...]
    driver: str | None
    load_ff: float
    clock_gate_flip_flops: int
    clock_buffer: str | None
    clock_buffer_pins: int


@dataclass(frozen=True, kw_only=True)
class _File:
    """A file of facts."""

    name: str
    title: str
    licence: str
    liberty: str | None
    node_nm: float
    cells: _Cells
    corners: Mapping[str, Corner]


def _facts(content: Mapping[str, Any], path: Path) -> LibraryFacts:
    cells = content.get("cells")
    if isinstance(cells, Mapping):  # TOML has no null: what may be left out is
        content = {**content, "cells": {"driver": None, "clock_buffer": None, **cells}}
    file: _File = from_plain(_File, {"liberty": None, **content}, "the file")
    limits = [
        ("node_nm", file.node_nm, 0),
        ("load_ff", file.cells.load_ff, 0),
        ("clock_gate_flip_flops", file.cells.clock_gate_flip_flops, 0),
        ("clock_buffer_pins", file.cells.clock_buffer_pins, 1),
        *((f"voltage_v of {name}", corner.voltage_v, 0) for name, corner in file.corners.items()),
    ]
    for name, value, limit in limits:
        if value <= limit:
            raise MalformedError(f"{name} is {value}, not above {limit}")
    if not all(map(_PATTERN.fullmatch, file.cells.unused)):
        raise MalformedError("unused is not made of patterns of cells' names")
    return LibraryFacts(
        name=file.name,
        title=file.title,
        licence=file.licence,
        liberty=None if file.liberty is None else path.parent / file.liberty,
        node_nm=file.node_nm,
        corners=file.corners,
        **{field.name: getattr(file.cells, field.name) for field in fields(_Cells)},
    )
