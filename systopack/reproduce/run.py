"""Make every section, and write the page, the figures and the record."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from systopack.files import write_atomically
from systopack.records import Record, sha256_of_file
from systopack.reproduce.accelerators import against_published
from systopack.reproduce.accuracy import accuracy
from systopack.reproduce.content import Drawing, Section
from systopack.reproduce.efficiency import energy_by_part, optimum
from systopack.reproduce.latency import latency
from systopack.reproduce.related import neighbours
from systopack.reproduce.relative import relative, tiles_per_layer
from systopack.reproduce.sources import SUBJECTS, Sources

SECTIONS: Mapping[str, Callable[[Sources], Section]] = {
    "tiles per layer": tiles_per_layer,
    "throughput, energy and tiles": relative,
    "accuracy": accuracy,
    "energy by part": energy_by_part,
    "published accelerators": against_published,
    "cross-layer latency": latency,
    "energy optimum": optimum,
    "neighbours": neighbours,
}
_INTRODUCTION = (
    "# Results",
    "",
    "Made by `systopack reproduce`. Every row says where its numbers come from: *computed now* "
    "from the package's networks and models, a *record* of an earlier measurement, or *cited*.",
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
    """Make all sections and write `results.md`, `reproduce.json` and `images/` into a folder.

    Args:
        sources: networks, images and records.
        out: folder to write.
        on_section: told the name of each section when it is done, and the seconds it took.

    Raises:
        InvalidFileError: the folder cannot be written, or a record is damaged.
    """
    lines = list(_INTRODUCTION)
    lines += _networks(sources)
    figures: dict[str, Any] = {}
    images = []
    for name, make in SECTIONS.items():
        started = time.monotonic()
        section = make(sources)
        lines += section.markdown(images="images")
        figures[name] = section.figures
        for drawing in section.drawings:
            images.append(out / "images" / f"{drawing.name}.png")
            write_atomically(images[-1], _png(drawing))
        if on_section is not None:
            on_section(name, time.monotonic() - started)
    page = out / "results.md"
    write_atomically(page, "\n".join(lines).rstrip() + "\n")
    record = out / "reproduce.json"
    Record(
        kind="reproduce",
        figures=figures,
        configuration={"images": sources.images if sources.pixels else 0},
        inputs={
            f"{name}.spk": sha256_of_file(path) for name, path in _network_files(sources).items()
        },
        outputs={
            path.relative_to(out).as_posix(): sha256_of_file(path) for path in (page, *images)
        },
    ).write(record)
    return Written(page=page, record=record, images=tuple(images))


def _networks(sources: Sources) -> list[str]:
    lines = ["Networks:", ""]
    have = {pair.subject.paper: pair for pair in sources.pairs}
    for subject in SUBJECTS:
        pair = have.get(subject.paper)
        if pair is None:
            lines.append(f"- {subject.paper}: none trained; only the paper's figures.")
        else:
            seen = pair.activity[0].images
            words = f"activations of {seen} test images" if seen else "no images, all words count"
            short = ", trained for a few epochs only (docs/accuracy.md)" if subject.short else ""
            lines.append(
                f"- {subject.paper}: `zoo:{subject.dense}` and `zoo:{subject.packed}`{short}, "
                f"{words}."
            )
    return [*lines, ""]


def _network_files(sources: Sources) -> dict[str, Path]:
    from systopack.network.packaged import network_file

    names = [name for p in sources.pairs for name in (p.subject.dense, p.subject.packed)]
    return {name: network_file(Path(f"zoo:{name}")) for name in names}


def _png(drawing: Drawing) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    drawing.draw(figure)
    stream = io.BytesIO()
    figure.savefig(stream, dpi=130, format="png", metadata={"Software": None})
    return stream.getvalue()
