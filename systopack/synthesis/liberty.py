"""Read a standard cell library: by its name, from its TOML file of facts, or from a Liberty file.

A Liberty file is parsed by `libparse` in a process of its own, since a damaged file can take the
parser's process down.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from systopack.errors import InvalidFileError, InvalidOptionError, SystopackError, one_line
from systopack.files import gunzip, read_file
from systopack.synthesis.facts import DEFAULT_LIBRARY, FOLDER, LibraryFacts, known_facts, read_facts
from systopack.synthesis.liberty_tree import library_of
from systopack.synthesis.library import Library

BUNDLED = FOLDER / "sky130hd_tt.lib.gz"
_SECONDS = 120
UNPACKED_LIMIT = 256 << 20  # bytes unpacked; the largest libraries in use have a tenth of that
_DEEPEST = 32  # groups inside groups
_READ = """
import json, os, sys
try:
    import libparse
except ImportError:
    sys.exit(3)
stream = open(sys.argv[1])  # the parser closes it
tree = libparse.LibertyParser(stream).ast
def plain(node):
    return [node.id, node.value, list(node.args), [plain(child) for child in node.children]]
json.dump(plain(tree), sys.stdout)
sys.stdout.flush()
os._exit(0)
"""


def open_library(choice: str = DEFAULT_LIBRARY, *, power: bool = True) -> Library:
    """Open a library as a user names it.

    Args:
        choice: the name of a library that comes with the package, a TOML file of facts, or a
            Liberty file, whose facts are found by its name where the package knows it.
        power: demand internal energies and leakage.

    Raises:
        InvalidOptionError: the facts name no Liberty file.
        InvalidFileError: a file cannot be read, see `read_library`.
    """
    named = known_facts().get(choice)
    if named is None and not choice.endswith(".toml"):
        return read_library(choice, power=power)
    facts = named or read_facts(Path(choice))
    if facts.liberty is None:
        raise InvalidOptionError(
            f"Library '{choice}' comes without a Liberty file; give yours, for instance "
            f"{facts.name}.lib.gz."
        )
    return read_library(facts.liberty, power=power, facts=facts)


def read_library(
    path: Path | str = BUNDLED, *, power: bool = True, facts: LibraryFacts | None = None
) -> Library:
    """Read a Liberty file, plain or gzipped.

    Args:
        path: the file; the default is the bundled sky130 high-density library, typical corner.
        power: demand internal energies and leakage.
        facts: of the library; None: those that the package knows.

    Raises:
        InvalidFileError: the file or libparse is missing, the file is damaged, has no usable cells,
            lacks the power data demanded, or does not fit its facts.
    """
    library = _read(Path(path).resolve(), Path(path).stat().st_mtime_ns if _exists(path) else 0)
    if facts is not None:
        library = replace(library, facts=facts)
    _check_facts(library)
    if power:
        lacking = [
            cell.name
            for cell in library.cells.values()
            if cell.kind == "flip-flop" and not cell.pins[cell.clock].power
        ]
        some = any(pin.power for cell in library.cells.values() for pin in cell.pins.values())
        if lacking or not some:
            raise InvalidFileError(
                f"'{path}' has no internal power for "
                f"{'the clock of ' + repr(lacking[0]) if some else 'any cell'}, so energy cannot "
                "be computed; take a Liberty file with power tables, or ask for area alone."
            )
    return library


def _check_facts(library: Library) -> None:
    """Refuse facts of another library: cells that are not there, another voltage."""
    facts, corner = library.facts, library.corner
    for name in (facts.driver, facts.clock_buffer):
        if name is not None and name not in library.cells:
            raise InvalidFileError(
                f"The facts of '{facts.name}' name the cell '{name}', which '{library.path}' "
                "lacks; mend the facts or give another Liberty file."
            )
    if corner is not None and abs(corner.voltage_v - library.voltage_v) > 1e-6:
        raise InvalidFileError(
            f"The facts of '{facts.name}' say {corner.voltage_v:g} V for '{library.name}', but "
            f"'{library.path}' says {library.voltage_v:g} V; mend the facts or give another file."
        )


def _exists(path: Path | str) -> bool:
    return Path(path).is_file()


@lru_cache(maxsize=4)
def _read(path: Path, _changed: int) -> Library:
    content = gunzip(path, read_file(path, what="a Liberty file"), limit=UNPACKED_LIMIT)
    tree = _parse(path, content)
    try:
        return library_of(tree, path)
    except SystopackError:
        raise
    except Exception as error:  # content of any form
        raise InvalidFileError(
            f"'{path}' is not a Liberty file of tables as understood here "
            f"({type(error).__name__}: {one_line(error)}); take another."
        ) from error


def _parse(path: Path, content: bytes) -> Any:
    # The parser does not come back from a file that ends inside a group.
    if len(content) > UNPACKED_LIMIT:
        raise InvalidFileError(
            f"'{path}' has more than {UNPACKED_LIMIT >> 20} MiB; give a smaller Liberty file."
        )
    depth = deepest = 0
    for brace in re.findall(rb'/\*.*?\*/|"[^"]*"|[{}]', content, flags=re.DOTALL):
        depth += {b"{": 1, b"}": -1}.get(brace, 0)
        deepest = max(deepest, depth)
        if depth < 0:
            break
    if depth or not deepest:
        raise InvalidFileError(
            f"'{path}' is not a Liberty file, or damaged: its braces do not close; give another."
        )
    if deepest > _DEEPEST:
        raise InvalidFileError(
            f"'{path}' has groups inside groups {deepest} deep, but Liberty files have at most "
            f"{_DEEPEST}; give another."
        )
    with tempfile.NamedTemporaryFile(suffix=".lib") as stream:
        stream.write(content)
        stream.flush()
        try:
            result = subprocess.run(
                [sys.executable, "-c", _READ, stream.name],
                capture_output=True,
                check=False,
                timeout=_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise InvalidFileError(
                f"'{path}' was not read as a Liberty file within {_SECONDS} s; is it one?"
            ) from error
    if result.returncode == 3:
        raise InvalidFileError(
            "There is no libparse to read Liberty files with; install it with "
            "'pip install libparse'."
        )
    try:
        tree = json.loads(result.stdout) if result.returncode == 0 else None
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, list) or not tree or tree[0] != "library":
        raise InvalidFileError(f"'{path}' is not a Liberty file, or damaged; give another.")
    return tree
