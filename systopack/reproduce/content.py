"""What a reproduction consists of: sections with tables and figures, each number marked.

Every row says where its numbers come from: `computed now`, the record they stand in, or `cited`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

COMPUTED = "computed now"
CITED = "cited"


def recorded(name: str) -> str:
    """The mark of numbers from a record."""
    return f"record `{name}`"


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table; the last column says where each row comes from.

    Args:
        header: names of the columns, without the last.
        rows: cells as text, the mark last.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> list[str]:
        """The lines of the table."""
        header = [*self.header, "from"]
        lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
        return [*lines, *(f"| {' | '.join(row)} |" for row in self.rows)]


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure.

    Args:
        name: file name without suffix.
        caption: what it shows.
        draw: fills the axes of a matplotlib figure.
    """

    name: str
    caption: str
    draw: Callable[[Any], None]


@dataclass(frozen=True, kw_only=True)
class Section:
    """One of the paper's tables or figures, beside ours.

    Args:
        title: heading.
        text: paragraphs in front of the tables.
        tables: in order.
        drawings: behind them.
        verdict: where we are better, equal or worse, and why.
        figures: the numbers for the record, by name with unit.
    """

    title: str
    text: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    drawings: tuple[Drawing, ...] = ()
    verdict: tuple[str, ...] = ()
    figures: dict[str, Any] = field(default_factory=dict)

    def markdown(self, *, images: str) -> list[str]:
        """The lines of the section; `images` is the folder of the figures as the page sees it."""
        lines = [f"## {self.title}", ""]
        lines += _spaced(self.text)
        for table in self.tables:
            lines += [*table.markdown(), ""]
        for drawing in self.drawings:
            lines += [f"![{drawing.caption}]({images}/{drawing.name}.png)", ""]
        return lines + _spaced(self.verdict)


def _spaced(paragraphs: Sequence[str]) -> list[str]:
    return [line for paragraph in paragraphs for line in (paragraph, "")]
