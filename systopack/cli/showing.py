"""`systopack inspect`, `zoo`, `arrays`, `doctor`, `report`, `reproduce` and `demo`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from systopack.api import pages
from systopack.api.doctor import doctor as tools_of_others
from systopack.api.hardware import ACCELERATORS_NETWORK
from systopack.api.hardware import arrays as named_arrays
from systopack.api.inspection import contents_of
from systopack.api.packaged import zoo as networks_of_the_package
from systopack.cli import console
from systopack.cli.builder import command
from systopack.cli.job import Job
from systopack.cli.shared import (
    DATA,
    OUTPUT,
    ArrayOptions,
    ArraySize,
    Folder,
    ImageCount,
    NetworkArgument,
)
from systopack.options import Options, argument, option, refuse_idle

_PANEL = "Looking"


class Inspect(ArraySize):
    """What is inspected."""

    source: Path = argument("Network (.spk or zoo:NAME), model or packed matrices (.safetensors).")


class Report(NetworkArgument, ArrayOptions):
    """What is shown on the page."""

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

    out: Path = option(Path("demo"), "Folder of the demonstration.", group=OUTPUT)
    seed: int = option(0, "Seed of the run.", ge=0, lt=2**31)


class Reproduce(Folder, ImageCount):
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
    command(app, "doctor", panel=_PANEL, writes=False)(doctor)
    command(app, "inspect", panel=_PANEL, writes=False)(inspect)
    command(app, "report", panel=_PANEL)(report)
    command(app, "reproduce", panel=_PANEL)(reproduce)


def inspect(options: Inspect, job: Job) -> None:
    """Print what a file holds.

    Example: systopack inspect packed.spk
    """
    found = contents_of(options.source, size=options.size)
    if found.kind == "model":
        refuse_idle(options.given, ("array",), "a model has no tiles yet")
    for text in found.sentences:
        console.say(text)
    if found.parts:
        header = [found.kind.removesuffix("s"), *next(iter(found.parts.values()))]
        console.table(
            header, [(name, *map(_text, one.values())) for name, one in found.parts.items()]
        )
    job.reads(options.source)
    job.show({**found.figures, **found.parts})


def _text(value: Any) -> str:
    """A figure as a cell of a table."""
    if isinstance(value, int | float):
        return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
    if value is None or isinstance(value, str):
        return value or "-"
    return (" x " if isinstance(value, tuple) else "+").join(map(str, value))


def zoo(array: ArrayOptions, job: Job) -> None:
    """List the networks that come with systopack.

    Example: systopack zoo --array compact-32x32
    """
    found = list(networks_of_the_package(array.array, changes=array.changes))
    console.table(
        ["network", "accuracy, %", "cells", "dense", "cycles"],
        [
            (
                one.name,
                "-" if one.accuracy_percent is None else f"{one.accuracy_percent:.2f}",
                *(f"{count:,}" for count in (one.packed_cells, one.dense_cells, one.cycles)),
            )
            for one in found
        ],
    )
    figures = {one.name: asdict(one) for one in found}
    job.show(figures, {"array": array.array, "changes": array.changes})


def arrays(job: Job) -> None:
    """List the named arrays.

    Example: systopack arrays
    """
    found = named_arrays()
    console.table(
        ["array", "mm2", "MHz", "uJ", "accelerator, mm2", "MHz", "uJ"],
        [
            (
                one.name,
                *map(_text, (one.area_mm2, one.clock_mhz, one.energy_uj)),
                *map(_text, (one.accelerator_mm2, one.accelerator_mhz, one.accelerator_uj)),
            )
            for one in found
        ],
    )
    for one in found:
        console.say(f"{one.name}: {one.label}; {one.purpose}")
    console.say(
        "area and clock of the array alone, at 45 nm, with the model's energy of an image of "
        "zoo:lenet5-mnist; then the whole accelerator with its memories, measured at gate level "
        f"with {ACCELERATORS_NETWORK}"
    )
    job.show({one.name: asdict(one) for one in found})


def doctor(job: Job) -> None:
    """Say which tools of others are there, what each is for, and how a missing one is had.

    Example: systopack doctor
    """
    found = tools_of_others()
    console.table(
        ["tool", "version", "for"],
        [(one.name, one.version or "missing", one.purpose) for one in found],
    )
    for one in found:
        if one.version is None:
            console.say(f"{one.name} is missing: {one.install}")
    lacking = sum(one.version is None for one in found)
    console.say("everything is there" if not lacking else f"{lacking} of {len(found)} are missing")
    job.show({one.name: asdict(one) for one in found})


def report(options: Report, job: Job) -> None:
    """Write one self-contained HTML page about a packed network.

    Example: systopack report packed.spk --dense dense.spk --model packed.safetensors
    --data sample --out report.html
    """
    inputs = (options.network, options.dense, options.model, *options.record, options.file)
    job.writes(options.out, suffix=".html", reads=inputs)
    asked = options.model_dump(exclude={"network", "out", "array", "record"})
    title = pages.report(
        options.network, options.out, options.array, records=options.record, **asked
    )
    names = ("array", "changes", "data")
    configuration = {name: getattr(options, name) for name in names}
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
    job.show_written()


def reproduce(options: Reproduce, job: Job) -> None:
    """Make the paper's tables and figures anew, beside ours.

    Cycles and energy are computed now from the networks of the package; accuracies and gate-level
    energy come from records. Every row of the page says which.

    Example: systopack reproduce --data ../shared/data/cifar10 --out results
    """
    if not options.data:
        refuse_idle(options.given, ("images",), "without --data no image is read")
    if not options.full:
        refuse_idle(options.given, ("liberty",), "only --full reads it")
    drawn = [f"images/{path.name}" for path in (options.out / "images").glob("*.png")]
    job.fills(options.out, reads=(options.liberty,), files=("results.md", *drawn))
    names = pages.sections()
    display = console.RowsDisplay(
        ("section", "seconds"), first_width=max(map(len, names)), total=len(names)
    )
    with display:
        display.on_begin("reproducing")
        written = pages.reproduce(
            options.out,
            **options.model_dump(exclude={"out"}),
            say=console.say,
            on_section=lambda name, seconds: display.on_row((name, f"{seconds:.1f}"), work=1),
        )
    console.say(f"wrote {written.page}, {written.record} and {len(written.images)} figures")
    job.show_written()
