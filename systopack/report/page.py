"""`render`: one self-contained HTML page that needs no network and computes no number."""

from __future__ import annotations

from importlib import resources
from typing import Any

from systopack.report.animation import animation_view
from systopack.report.content import ReportContent, SummaryRow
from systopack.report.gantt import gantt_view
from systopack.report.views import (
    cycle_parts_view,
    cycles_view,
    designs_of,
    headline_view,
    layers_view,
    provenance_view,
    quantities_view,
    training_view,
)

__all__ = ["ReportContent", "SummaryRow", "render"]

_TEMPLATES = "templates"


def render(content: ReportContent) -> str:
    """Write the report of a network, dense and packed, as one HTML document.

    The document holds its styles, scripts and pictures, and forbids itself every access to the
    network. The same content gives the same text.

    Args:
        content: networks, cycle counts, training history, summary and records.

    Returns:
        The document, to be written as UTF-8.
    """
    return render_template(
        "report.html",
        title=content.title,
        headline=headline_view(content),
        opening=quantities_view(content, content.opening),
        opening_notes=content.opening_notes,
        summary=quantities_view(content, content.summary),
        training=training_view(content),
        layers=layers_view(content),
        animation=animation_view(content),
        cycles=cycles_view(content),
        cycle_parts=cycle_parts_view(content),
        gantt=gantt_view(
            content.schedules, {design.name: design.colour for design in designs_of(content)}
        ),
        records=provenance_view(content),
    )


def render_template(name: str, **content: Any) -> str:
    """Fill a template of the package; all content is escaped.

    Args:
        name: of a file in `templates`.
        content: what it shows.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FunctionLoader(_read),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name).render(
        **content,
        # These three are the package's own files, not content.
        style=Markup(_read("report.css") + _read("animation.css")),
        script=Markup(_read("report.js")),
        animation_script=Markup(_read("animation.js")),
    )


def _read(name: str) -> str:
    return resources.files("systopack.report").joinpath(_TEMPLATES, name).read_text("utf-8")
