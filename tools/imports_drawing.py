"""The drawing of docs/architecture.md: which folder of the package imports which."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from pages import ROOT

PACKAGE = ROOT / "systopack"


def imports() -> dict[str, set[str]]:
    """By folder or module of the package, those that it imports, itself left out."""
    found: dict[str, set[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        own = path.relative_to(PACKAGE).with_suffix("").parts[0]
        tree = ast.parse(path.read_text())
        found.setdefault(own, set()).update(set(_imported(tree)) - {own})
    return found


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level and node.module is not None:
            names = [node.module]
            if node.module == PACKAGE.name:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            package, *parts = name.split(".")
            if package == PACKAGE.name and parts and _exists(parts[0]):
                yield parts[0]


def _exists(name: str) -> bool:
    return (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()


def needed(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The graph without edges that a longer way implies; it must have no circle."""
    return {
        room: {to for to in others if not any(to in _reach(graph, by) for by in others - {to})}
        for room, others in graph.items()
    }


def _reach(graph: Mapping[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for room in graph.get(waiting.pop(), set()) - found:
            found.add(room)
            waiting.append(room)
    return found


def blocks() -> dict[str, list[str]]:
    """A mermaid drawing of the folders, from the top down."""
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    graph = {
        room: {to for to in others if to in folders}
        for room, others in imports().items()
        if room in folders
    }
    edges = [
        f"    {room} --> {to}" for room, others in needed(graph).items() for to in sorted(others)
    ]
    alone = [f"    {room}" for room, others in graph.items() if not others]
    return {"imports": ["```mermaid", "graph TD", *edges, *alone, "```"]}
