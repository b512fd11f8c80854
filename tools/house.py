"""How large the house is, and what in it breaks its rules.

python tools/house.py          prints lines per folder and every offender
python tools/house.py --check  fails where there is an offender

Lines are those of Python and Verilog in the package, the benchmarks and the tools. Offenders are
functions over 80 lines, files over 450, parameter lists over 12 (numba's kernels left out, since
they take no objects), runs of 12 lines that two files of the package share, and circles of imports.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("systopack", "benchmarks", "tools")
SUFFIXES = (".py", ".v")
FUNCTION_LIMIT = 80
FILE_LIMIT = 450
PARAMETER_LIMIT = 12
RUN = 12  # lines
_DECLARED = re.compile(r"(from|import|parameter|input|output) ")
_CONNECTED = re.compile(r"(\.(\w+)\(\2\),? ?)+$")

Texts = Mapping[str, str]


def texts(root: Path, folders: Iterable[str] = FOLDERS) -> dict[str, str]:
    """Path from the root -> content, of every file that counts."""
    paths = [path for folder in folders for path in sorted((root / folder).rglob("*"))]
    return {
        path.relative_to(root).as_posix(): path.read_text()
        for path in paths
        if path.suffix in SUFFIXES
    }


def lines_by_folder(files: Texts) -> dict[str, int]:
    """Lines of each folder, those of the package by their first folder inside."""
    counts: dict[str, int] = defaultdict(int)
    for name, text in files.items():
        parts = Path(name).parent.parts
        counts["/".join(parts[:2])] += len(text.splitlines())
    return dict(sorted(counts.items()))


def long_files(files: Texts) -> Iterator[str]:
    """Files of too many lines."""
    for name, text in files.items():
        count = len(text.splitlines())
        if count > FILE_LIMIT:
            yield f"{name}: {count} lines, more than {FILE_LIMIT}"


def functions(files: Texts) -> Iterator[str]:
    """Functions of too many lines or parameters."""
    for name, text in files.items():
        if not name.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            place = f"{name}:{node.lineno}: {node.name}"
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LIMIT:
                yield f"{place} has {length} lines, more than {FUNCTION_LIMIT}"
            kernel = any("njit" in ast.unparse(mark) for mark in node.decorator_list)
            arguments = node.args
            count = len([*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs])
            if count > PARAMETER_LIMIT and not kernel:
                yield f"{place} has {count} parameters, more than {PARAMETER_LIMIT}"


def duplicates(files: Texts) -> Iterator[str]:
    """Runs of lines that stand in two files, each told once, as long as it is."""
    own = {name: normalised(text) for name, text in files.items() if name.startswith("systopack/")}
    places: dict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    for name, found in own.items():
        for at in range(len(found) - RUN + 1):
            places[tuple(line for _, line in found[at : at + RUN])].append((name, at))
    for shared in places.values():
        (first, at), *others = shared
        for other, place in others:
            if other == first:
                continue
            before = at > 0 and place > 0 and own[first][at - 1][1] == own[other][place - 1][1]
            if before:  # a run that began earlier
                continue
            size = RUN
            while (
                at + size < len(own[first])
                and place + size < len(own[other])
                and own[first][at + size][1] == own[other][place + size][1]
            ):
                size += 1
            ends = own[first][at][0], own[other][place][0]
            yield f"{first}:{ends[0]} and {other}:{ends[1]} share {size} lines"


def normalised(text: str) -> list[tuple[int, str]]:
    """Number and content of the lines that count: no blank ones, no comments, no lone brackets.

    Imports and Verilog's lists of parameters and ports, where they are declared and where each is
    connected to its own name, are left out: a language that has no other way makes every file say
    them.

    >>> normalised("a = (  # one\\n\\n    1,\\n)")
    [(1, 'a = ('), (3, '1,')]
    """
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        bare = re.sub(r"\s+", " ", re.sub(r"(^|\s)(#|//).*", "", line)).strip()
        if re.search(r"\w", bare) and not (_DECLARED.match(bare) or _CONNECTED.match(bare)):
            found.append((number, bare))
    return found


def circles(files: Texts) -> Iterator[str]:
    """Modules of the package that import each other, wherever in them the import stands."""
    modules = {
        name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): text
        for name, text in files.items()
        if name.startswith("systopack/") and name.endswith(".py")
    }
    graph = {name: _imported(text, modules) - {name} for name, text in modules.items()}
    for name in sorted(graph):
        reached: set[str] = set()
        waiting = [*graph[name]]
        while waiting:
            step = waiting.pop()
            if step not in reached:
                reached.add(step)
                waiting += graph[step]
        if name in reached:
            yield f"{name} imports what imports it"


def _imported(text: str, modules: Texts) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & modules.keys() or {node.module} & modules.keys()
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & modules.keys()
    return found


def offenders(files: Texts) -> list[str]:
    """One line for each place that breaks a rule."""
    rules = (long_files, functions, duplicates, circles)
    return [line for rule in rules for line in rule(files)]


def main() -> None:
    """Print, and fail where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail where there is an offender")
    options = parser.parse_args()
    files = texts(ROOT)
    counts = lines_by_folder(files)
    for folder, count in counts.items():
        print(f"{count:7,}  {folder}")
    print(f"{sum(counts.values()):7,}  in all")
    found = offenders(files)
    print("\n".join(found))
    if options.check and found:
        raise SystemExit(f"{len(found)} offenders; mend them.")


if __name__ == "__main__":
    main()
