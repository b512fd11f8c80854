"""Which tools of others are there, what each is for, and how a missing one is had."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version

from systopack.requirements import EXTRAS, has

# What the packages of an extra are needed for.
_PURPOSES: Mapping[str, str] = {
    "search": "pack with the policies assignment and best, or with --bound exact",
    "data": "data sets: evaluate, verify and energy with images",
    "hub": "data sets of the Hugging Face hub by their id",
    "train": "train, combine, quantize, import",
    "budgets": "combine with --cells or --streamed-words-ratio",
    "onnx": "ONNX files, read and written",
    "report": "report, reproduce",
    "hardware": "verify",
    "synthesis": "synthesize, characterize",
    "explore": "explore",
}
# Programs, any of which will do: what for, the Debian package, and what tells the version.
_PROGRAMS: Sequence[tuple[tuple[str, ...], str, str, str]] = (
    (("g++", "clang++"), "verify, energy at gate level", "g++", "--version"),
    (("iverilog",), "the test bench that rtl writes", "iverilog", "-V"),
    (("sta",), "timing by another tool: synthesize asic", "opensta", "-version"),
    (("fusesoc",), "cores of rtl --package fusesoc", "", "--version"),
)


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A package or program of others.

    Args:
        name: of the package as it is imported, or of the program.
        purpose: the commands that need it.
        version: as it tells itself; None: it is not there.
        install: the line that brings it; "" where nothing is to be done.
    """

    name: str
    purpose: str
    version: str | None
    install: str


def doctor() -> tuple[Tool, ...]:
    """Look for every package and program that a command can need, in no more than seconds."""
    found = [
        Tool(
            name=package,
            purpose=_PURPOSES[extra],
            version=(known := _version_of(package)),
            install="" if known else f"pip install 'systopack[{extra}]'",
        )
        for extra, packages in EXTRAS.items()
        for package in packages
    ]
    for names, purpose, debian, option in _PROGRAMS:
        program = next(filter(None, map(shutil.which, names)), None)
        how = f"apt-get install {debian}" if debian else f"pip install {names[0]}"
        found.append(
            Tool(
                name=" or ".join(names),
                purpose=purpose,
                version=None if program is None else _first_line(program, option),
                install="" if program else how,
            )
        )
    return tuple(found)


def _version_of(package: str) -> str | None:
    """The version of an installed package; None where it is not there."""
    if not has(package):
        return None
    names = _distributions().get(package, [package])
    try:
        return version(names[0])
    except PackageNotFoundError:
        return "of unknown version"


@lru_cache(maxsize=1)
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


def _first_line(program: str, option: str) -> str:
    """What a program tells of its version, without waiting for one that asks for input."""
    try:
        told = subprocess.run(
            [program, option],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return "of unknown version"
    lines = (told.stdout or told.stderr).strip().splitlines()
    return lines[0].strip() if lines else "of unknown version"
