"""What the scripts that fill pages from records have in common."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from systopack.records import STORE, read_record
from systopack.report.text import markdown_table

ROOT = Path(__file__).resolve().parents[1]
Figures = Mapping[str, Any]


def record(name: str) -> dict[str, Any]:
    """A record of the checkout, by its path without suffix."""
    return read_record(STORE / f"{name}.json")


def figures(name: str) -> dict[str, Any]:
    """The figures of a record of the checkout."""
    return dict(record(name)["figures"])


def machines(names: Iterable[str]) -> str:
    """The sentence about the machines that records come from."""
    found = {f"{m['processor']}, {m['cores']} cores" for m in (record(n)["machine"] for n in names)}
    return f"Measured on: {'; '.join(sorted(found))}."


def table(header: str, rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table; the header's cells are parted by ` | `."""
    return markdown_table(header.split(" | "), rows)


def table_of(columns: Mapping[str, str], entries: Iterable[Figures]) -> list[str]:
    """A Markdown table with a line for every entry.

    Args:
        columns: header and how a cell is made from an entry, a format string.
        entries: figures by name.
    """
    rows = [[form.format(**entry) for form in columns.values()] for entry in entries]
    return markdown_table(list(columns), rows)


def mean(values: Iterable[float]) -> float:
    """The arithmetic mean."""
    found = list(values)
    return sum(found) / len(found)


def with_blocks(text: str, blocks: Mapping[str, Sequence[str]]) -> str:
    """A page with new lines between `<!-- NAME: begin -->` and `<!-- NAME: end -->`."""
    for name, lines in blocks.items():
        start, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        if text.count(start) != 1 or text.count(end) != 1:
            sys.exit(f"The page needs one '{start}' and one '{end}'.")
        block = "\n".join([start, "", *lines, "", end])
        before, _, rest = text.partition(start)
        text = before + block + rest.partition(end)[2]
    return text
