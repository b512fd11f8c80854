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
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from systopack.codec import Rule, from_plain
from systopack.errors import InvalidFileError
from systopack.fields import MalformedError
from systopack.files import read_file

DEFAULT_LIBRARY = "sky130hd"
FOLDER = Path(__file__).parent / "libraries"
_PATTERN = re.compile(r"[A-Za-z0-9_$*?]+")  # goes into a command of yosys
_LARGEST = 1 << 14  # bytes; a parser takes the square of a key's length
AboveZero = Annotated[float, Rule(lambda value: value > 0, "above 0")]


def _are_patterns(texts: tuple[str, ...]) -> bool:
    return all(map(_PATTERN.fullmatch, texts))


@dataclass(frozen=True, kw_only=True)
class Corner:
    """One Liberty file of a library.

    Args:
        name: such as typical.
        voltage_v, temperature_c: that it holds for.
    """

    name: str
    voltage_v: AboveZero
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
    """The table [cells] of a file; fields as in `LibraryFacts`."""

    unused: Annotated[tuple[str, ...], Rule(_are_patterns, "made of patterns of cells' names")]
    driver: str | None
    load_ff: AboveZero
    clock_gate_flip_flops: Annotated[int, Rule(lambda count: count >= 1, "at least 1")]
    clock_buffer: str | None
    clock_buffer_pins: Annotated[int, Rule(lambda count: count >= 2, "at least 2")]


@dataclass(frozen=True, kw_only=True)
class _File:
    """The other entries of a file; what may be left out is None then."""

    name: str
    title: str
    licence: str
    liberty: str | None
    node_nm: AboveZero
    corners: dict[str, Corner]


def _facts(content: dict[str, Any], path: Path) -> LibraryFacts:
    table = from_plain(dict[str, Any], content.pop("cells", None), "[cells]")
    cells: _Cells = from_plain(_Cells, {"driver": None, "clock_buffer": None, **table}, "[cells]")
    whole: _File = from_plain(_File, {"liberty": None, **content}, "the file")
    return LibraryFacts(
        name=whole.name,
        title=whole.title,
        licence=whole.licence,
        liberty=None if whole.liberty is None else path.parent / whole.liberty,
        node_nm=whole.node_nm,
        corners=whole.corners,
        **vars(cells),
    )
