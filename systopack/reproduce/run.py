"""Measure every section, and write the page, the figures and the record."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from systopack.files import write_atomically
from systopack.network.packaged import network_file
from systopack.records import Record, sha256_of_file
from systopack.reproduce import (
    accelerators,
    accuracy,
    efficiency,
    headline,
    latency,
    related,
    relative,
    tiles,
)
from systopack.reproduce.content import Drawing, Notes, Section
from systopack.reproduce.design_points import HEADLINE
from systopack.reproduce.rows import Rows, read_rows
from systopack.reproduce.sources import SUBJECTS, Sources

SECTIONS: Mapping[str, tuple[Callable[[Sources], Rows], Callable[[Rows, Notes], Section]]] = {
    "headline": (headline.measure, headline.show),
    "tiles per layer": (tiles.measure, tiles.show),
    "throughput, energy and tiles": (relative.measure, relative.show),
    "accuracy": (accuracy.measure, accuracy.show),
    "energy by part": (efficiency.measure_energy, efficiency.show_energy),
    "published accelerators": (accelerators.measure, accelerators.show),
    "cross-layer latency": (latency.measure, latency.show),
    "energy optimum": (efficiency.measure_optimum, efficiency.show_optimum),
    "related accelerators": (related.measure, related.show),
}
_INTRODUCTION = (
    "# Results",
    "",
    "Made by `systopack reproduce`. Every row says where its numbers come from: *computed now* "
    "from the package's networks and models, a *record* of an earlier measurement, or *cited*.",
    "",
    "Networks:",
    "",
)


@dataclass(frozen=True, kw_only=True)
class Written:
    """What was written.

    Args:
        page: the results as Markdown.
        record: the numbers.
        images: the figures.
    """

    page: Path
    record: Path
    images: tuple[Path, ...]


def reproduce(
    sources: Sources, out: Path, *, on_section: Callable[[str, float], None] | None = None
) -> Written:
    """Measure all sections and write `results.md`, `reproduce.json` and `images/` into a folder.

    Args:
        sources: networks, images and records.
        out: folder to write.
        on_section: told the name of each section when it is measured, and the seconds it took.

    Raises:
        InvalidFileError: the folder cannot be written, or a record is damaged.
    """
    rows: dict[str, Rows] = {}
    for name, (measure, _) in SECTIONS.items():
        started = time.monotonic()
        rows[name] = measure(sources)
        if on_section is not None:
            on_section(name, time.monotonic() - started)
    notes = _notes(sources)
    text, drawings = render(rows, notes, images="images")
    page, record = out / "results.md", out / "reproduce.json"
    write_atomically(page, text)
    images = tuple(out / "images" / f"{drawing.name}.png" for drawing in drawings)
    for path, drawing in zip(images, drawings, strict=True):
        write_atomically(path, _png(drawing))
    Record(
        kind="reproduce",
        figures={name: [row.to_json() for row in of] for name, of in rows.items()},
        configuration={
            "images": sources.images if sources.pixels else 0,
            "headline": HEADLINE.name,
            "design_points": {HEADLINE.name: HEADLINE.described()},
            "notes": asdict(notes),
        },
        inputs={
            f"{name}.spk": sha256_of_file(network_file(Path(f"zoo:{name}")))
            for pair in sources.pairs
            for name in (pair.subject.dense, pair.subject.packed)
        },
        outputs={
            path.relative_to(out).as_posix(): sha256_of_file(path) for path in (page, *images)
        },
    ).write(record)
    return Written(page=page, record=record, images=images)


def render(rows: Mapping[str, Rows], notes: Notes, *, images: str) -> tuple[str, list[Drawing]]:
    """The page as Markdown, and its figures, from rows alone.

    Args:
        rows: of every section.
        notes: what else the page tells.
        images: folder of the figures, as the page sees it.
    """
    sections = [show(rows[name], notes) for name, (_, show) in SECTIONS.items()]
    lines = [*_INTRODUCTION, *(f"- {network}" for network in notes.networks), ""]
    lines += ["## Verdicts", ""]
    for section in (of for of in sections if of.verdict):
        lines += [f"**{section.title}**", "", *(f"- {text}" for text in section.verdict), ""]
    for section in sections:
        lines += section.markdown(images=images)
    drawings = [drawing for section in sections for drawing in section.drawings]
    return "\n".join(lines).rstrip() + "\n", drawings


def render_record(record: Mapping[str, Any], *, images: str) -> str:
    """The page that a record of kind `reproduce` belongs to.

    Raises:
        InvalidFileError: the record holds no rows.
    """
    notes = Notes(**record["configuration"]["notes"])
    return render(read_rows(record["figures"]), notes, images=images)[0]


def _notes(sources: Sources) -> Notes:
    table = sources.coefficients
    return Notes(
        library="" if table is None else table.library,
        node_nm=None if table is None else table.node_nm,
        periphery=bool(sources.periphery),
        headline=f"{HEADLINE.array.label}, gating {HEADLINE.gating}",
        networks=tuple(_networks(sources)),
    )


def _networks(sources: Sources) -> list[str]:
    told = []
    have = {pair.subject.paper: pair for pair in sources.pairs}
    for subject in SUBJECTS:
        pair = have.get(subject.paper)
        if pair is None:
            told.append(f"{subject.paper}: none trained; only the paper's figures.")
            continue
        seen = pair.activity[0].images
        words = f"activations of {seen} test images" if seen else "no images, all words count"
        short = ", trained for a few epochs only (docs/accuracy.md)" if subject.short else ""
        told.append(
            f"{subject.paper}: `zoo:{subject.dense}` and `zoo:{subject.packed}`{short}, {words}."
        )
    return told


def _png(drawing: Drawing) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    drawing.draw(figure)
    stream = io.BytesIO()
    figure.savefig(stream, dpi=130, format="png", metadata={"Software": None})
    return stream.getvalue()
