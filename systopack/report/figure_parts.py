"""Pieces that all Plotly figures share, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Figure = dict[str, Any]

_LONGEST_NAME = 24
_FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'


def make_note(text: str, *, x: float, y: float, strong: bool = False, **place: Any) -> Figure:
    """A text in the figure; `text` is markup."""
    return {
        "text": text,
        "x": x,
        "y": y,
        "xref": "paper",
        "yref": "paper",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 12, "color": {"css": "--text" if strong else "--muted"}},
        **place,
    }


def make_axis(**options: Any) -> Figure:
    """An axis that cannot be dragged."""
    return {
        "gridcolor": {"css": "--rule"},
        "linecolor": {"css": "--rule"},
        "zeroline": False,
        "automargin": True,
        "fixedrange": True,
        **options,
    }


def make_layout(*, height: int, margin: Mapping[str, int]) -> Figure:
    """The common look; height and margins in pixels."""
    return {
        "height": height,
        "margin": dict(margin),
        "showlegend": False,
        "dragmode": False,
        "hovermode": "x",
        "font": {"family": _FONT, "size": 12, "color": {"css": "--muted"}},
        "hoverlabel": {
            "bgcolor": {"css": "--surface"},
            "bordercolor": {"css": "--rule"},
            "font": {"color": {"css": "--text"}, "family": _FONT},
        },
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
    }


def shorten(name: str) -> str:
    """Leave out the middle of a long name."""
    if len(name) <= _LONGEST_NAME:
        return name
    half = (_LONGEST_NAME - 1) // 2
    return f"{name[:half]}…{name[-half:]}"
