"""A short page in the style of the report: sections with a chart and a table each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from systopack.report.chart import Chart
from systopack.report.page import render_template


@dataclass(frozen=True, kw_only=True)
class Section:
    """One finding.

    Args:
        heading, note: what it is about.
        header, rows: the table, every cell as text.
        chart: drawn above it; None: none.
        keys: what the colours of the chart mean.
    """

    heading: str
    note: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    chart: Chart | None = None
    keys: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All of a page.

    Args:
        title: heading.
        lead: what was done, sentences.
        sections: in order.
    """

    title: str
    lead: str
    sections: Sequence[Section]


def render_findings(page: Findings) -> str:
    """Write one HTML document that needs no network, for UTF-8."""
    return render_template("findings.html", page=page)
