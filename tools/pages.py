"""What the scripts that fill pages from records have in common."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table, line by line."""
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows)]


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


def write_or_check(page: Path, wanted: str) -> None:
    """Write the page; with --check on the command line, fail where it differs."""
    if "--check" not in sys.argv[1:]:
        page.write_text(wanted)
    elif page.read_text() != wanted:
        sys.exit(f"{page.name} does not show the records; run this script without --check.")
