"""`systopack inspect`, `zoo`, `arrays`, `report`, `reproduce` and `demo`."""

from __future__ import annotations

from pathlib import Path

import typer

from systopack.api import pages
from systopack.api.hardware import arrays as named_arrays
from systopack.api.inspection import Contents, contents_of
from systopack.api.packaged import zoo as networks_of_the_package
from systopack.cli import console
from systopack.cli.builder import command
from systopack.cli.job import Job
from systopack.cli.shared import DATA, OUTPUT, ArrayOptions, ArraySize, Folder, ImageCount
from systopack.options import Options, argument, option, refuse_idle

_PANEL = "Looking"


class InspectedFile(Options):
    """What is inspected."""

    file: Path = argument("Network (.spk or zoo:NAME), model or packed matrices (.safetensors).")


class Report(Options):
    """What is shown on the page."""

    network: Path = argument("Packed network (.spk or zoo:NAME).")
    out: Path = option(..., "Page to write (.html).", group=OUTPUT)
    dense: Path | None = option(None, "Dense network to compare with.")
    model: Path | None = option(None, "Model file whose training curve to show.")
    title: str | None = option(None, "Heading.", shown_default="the network's name")
    record: tuple[Path, ...] = option((), "Record to quote; may be repeated.")
    data: str | None = option(
        None,
        f"The animation streams the words of the first test image: {DATA}.",
        shown_default="no animation",
        group="Data",
    )


class Demo(Options):
    """The demonstration."""

    out: Path = option(Path("demo"), "Folder to write.", group=OUTPUT)
    seed: int = option(0, "Seed of the run.", ge=0, lt=2**31)


class Reproduction(Options):
    """What is reproduced."""

    data: tuple[str, ...] = option(
        (),
        "Data set whose test images give real activations; may be repeated, for instance with the "
        "folders of MNIST and CIFAR-10.",
        group="Data",
    )
    records: Path | None = option(
        None, "Folder of records.", shown_default="the checkout's, or the package's own"
    )
    full: bool = option(
        False,
        "Measure the records anew first: train, pack and synthesize, for days. Needs a checkout; "
        "resumes where it was stopped.",
    )
    liberty: Path | None = option(
        None, "--full: Liberty file to map to.", shown_default="the bundled sky130"
    )


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, "demo", panel=_PANEL)(demo)
    command(app, "zoo", panel=_PANEL, writes=False)(zoo)
    command(app, "arrays", panel=_PANEL, writes=False)(arrays)
    command(app, "inspect", panel=_PANEL, writes=False)(inspect)
    command(app, "report", panel=_PANEL)(report)
    command(app, "reproduce", panel=_PANEL)(reproduce)


def inspect(source: InspectedFile, array: ArraySize, job: Job) -> None:
    """Print what a file holds.

    Example: systopack inspect packed.spk
    """
    found: Contents = contents_of(source.file, size=array.size)
    if found.kind == "model":
        refuse_idle(array.given, ("array",), "a model has no tiles yet")
    for text in found.sentences:
        console.say(text)
    if found.header:
        console.table(found.header, found.rows)
    job.look(found.figures, reads=(source.file,))


def zoo(array: ArrayOptions, job: Job) -> None:
    """List the networks that come with systopack.

    Example: systopack zoo --array compact-32x32
    """
    figures = {}
    rows = []
    for found in networks_of_the_package(array.array, changes=array.changes):
        figures[found.name] = found.figures
        percent = found.accuracy_percent
        rows.append(
            [
                found.name,
                "-" if percent is None else f"{percent:.2f} %",
                f"{found.network.packed_cells:,}",
                f"{found.network.packed_cells / found.network.dense_cells:.3f}",
                f"{found.cycles:,}",
            ]
        )
    console.table(["network", "accuracy, 8 bit", "cells", "of dense", "cycles per image"], rows)
    job.look(figures, {"array": array.array, "changes": array.changes})


def arrays(job: Job) -> None:
    """List the named arrays.

    Example: systopack arrays
    """
    found = named_arrays()
    console.table(
        ["array", "what it is", "mm2", "MHz", "uJ per image"],
        [
            [one.name, one.label, *map(_shown, (one.area_mm2, one.clock_mhz, one.energy_uj))]
            for one in found
        ],
    )
    for one in found:
        console.say(f"{one.name}: {one.purpose}")
    job.look({one.name: one.figures for one in found})


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def report(options: Report, array: ArrayOptions, job: Job) -> None:
    """Write one self-contained HTML page about a packed network.

    Example: systopack report packed.spk --dense dense.spk --model packed.safetensors
    --data sample --out report.html
    """
    inputs = (options.network, options.dense, options.model, *options.record, array.file)
    job.writes(options.out, suffix=".html", reads=inputs)
    title = pages.report(
        options.network,
        options.out,
        array.array,
        changes=array.changes,
        dense=options.dense,
        model=options.model,
        title=options.title,
        records=options.record,
        data=options.data,
    )
    configuration = {"array": array.array, "changes": array.changes, "data": options.data}
    job.write({"bytes": options.out.stat().st_size}, {"title": title, **configuration})


def demo(options: Demo, job: Job) -> None:
    """Train, pack, quantize and count cycles on bundled digits, in about a minute.

    Example: systopack demo --out demo
    """
    job.fills(options.out, files=pages.demo_files())
    with console.TrainingDisplay() as display:
        result = pages.demo(options.out, seed=options.seed, observer=display)
    console.table(result.header, result.rows)
    console.say(f"wrote {', '.join(str(path) for path in result.files)}")
    console.say(f"open {result.report} in a browser")
    job.show_file()


def reproduce(options: Reproduction, images: ImageCount, folder: Folder, job: Job) -> None:
    """Make the paper's tables and figures anew, beside ours.

    Cycles and energy are computed now from the networks of the package; accuracies and gate-level
    energy come from records. Every row of the page says which.

    Example: systopack reproduce --data ../shared/data/cifar10 --out results
    """
    if not options.data:
        refuse_idle(images.given, ("images",), "without --data no image is read")
    if not options.full:
        refuse_idle(options.given, ("liberty",), "only --full reads it")
    drawn = [f"images/{path.name}" for path in (folder.out / "images").glob("*.png")]
    job.fills(folder.out, reads=(options.liberty,), files=("results.md", *drawn))
    names = pages.sections()
    display = console.RowsDisplay(
        ("section", "seconds"), first_width=max(map(len, names)), total=len(names)
    )
    with display:
        display.on_begin("reproducing")
        written = pages.reproduce(
            folder.out,
            options.data,
            images=images.images,
            records=options.records,
            full=options.full,
            liberty=options.liberty,
            say=console.say,
            on_section=lambda name, seconds: display.on_row((name, f"{seconds:.1f}"), work=1),
        )
    console.say(
        f"wrote {written.page}, {written.record} and {len(written.images)} figures; records from "
        f"{pages.records_of(options.records)}"
    )
    job.show_file()
