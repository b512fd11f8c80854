"""How rows become a page: tables, figures and sentences; nothing is measured here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from systopack.report.text import markdown_table
from systopack.reproduce.rows import Row, Rows, value_of

MISSING = "-"


@dataclass(frozen=True, kw_only=True)
class Column:
    """Of a table of numbers.

    Args:
        header: its name.
        where: fields of the rows whose values stand in it.
        form: how a value is written, a format specification.
    """

    header: str
    where: Mapping[str, Any]
    form: str = ".3f"


def columns(*told: tuple[str, str, str]) -> tuple[Column, ...]:
    """Columns of one quantity each: header, quantity, form."""
    return tuple(
        Column(header=header, where={"quantity": quantity}, form=form)
        for header, quantity, form in told
    )


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table; the last column says where each line comes from.

    Args:
        header: names of the columns, without the last.
        lines: cells as text, the mark last.
    """

    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]

    def markdown(self) -> list[str]:
        """The lines of the table."""
        return markdown_table((*self.header, "from"), self.lines)


def table_of(rows: Rows, *, keys: Mapping[str, str], columns: Sequence[Column]) -> Table:
    """A line for every combination of the keys that there is, in order of its first row.

    Args:
        rows: numbers.
        keys: fields that tell lines apart, with the header of each; "" as header: not shown.
        columns: of numbers.
    """
    lines: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        lines.setdefault(tuple(getattr(row, name) for name in keys), []).append(row)
    shown = [index for index, header in enumerate(keys.values()) if header]
    return Table(
        header=(*(h for h in keys.values() if h), *(column.header for column in columns)),
        lines=tuple(
            (
                *(_key(key[index]) for index in shown),
                *(_cell(of, column) for column in columns),
                ", ".join(dict.fromkeys(mark for row in of for mark in row.origin)),
            )
            for key, of in lines.items()
        ),
    )


def _key(value: Any) -> str:
    if value is None or value == "":
        return MISSING
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cell(rows: Sequence[Row], column: Column) -> str:
    value = value_of(rows, **column.where)
    return MISSING if value is None else format(value, column.form)


@dataclass(frozen=True, kw_only=True)
class Notes:
    """What a page tells besides its numbers.

    Args:
        library, node_nm: of the measured coefficients; "" and None without any.
        periphery: whether it was measured.
        headline: the headline's design point in words.
        networks: a sentence for each network of the paper.
    """

    library: str
    node_nm: float | None
    periphery: bool
    headline: str
    networks: Sequence[str]


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
        verdict: where we are better, equal or worse, and why; the page begins with those of all.
    """

    title: str
    text: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    drawings: tuple[Drawing, ...] = ()
    verdict: tuple[str, ...] = ()

    def markdown(self, *, images: str) -> list[str]:
        """The lines of the section but its verdict; `images` is the folder of the figures."""
        lines = [f"## {self.title}", "", *_spaced(self.text)]
        for table in self.tables:
            lines += [*table.markdown(), ""]
        for drawing in self.drawings:
            lines += [f"![{drawing.caption}]({images}/{drawing.name}.png)", ""]
        return lines


def _spaced(paragraphs: Sequence[str]) -> list[str]:
    return [line for paragraph in paragraphs for line in (paragraph, "")]


def draw_groups(
    axes: Any, names: Sequence[str], series: Mapping[str, Sequence[float]], *, rotation: int = 60
) -> None:
    """Bars side by side, a place for each name and a colour for each series."""
    width = 0.8 / len(series)
    for index, (label, values) in enumerate(series.items()):
        shift = width * (index - (len(series) - 1) / 2)
        axes.bar([place + shift for place in range(len(names))], values, width, label=label)
    axes.set_xticks(range(len(names)), names, rotation=rotation, ha="right", fontsize=7)
    axes.legend(fontsize=7)
