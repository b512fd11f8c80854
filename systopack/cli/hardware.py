"""`systopack simulate`, `energy`, `rtl` and `verify`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Literal

import typer

from systopack.api import hardware
from systopack.cli import console
from systopack.cli.builder import command
from systopack.cli.job import Job, check_suffix
from systopack.cli.shared import (
    DATA,
    ArrayOptions,
    DataOptions,
    Folder,
    ImageCount,
    NetworkArgument,
    OrganisationOptions,
    RecordFile,
)
from systopack.options import Options, option, refuse_idle

_PANEL = "Hardware"


class Against(Options):
    """What is compared."""

    against: Path | None = option(
        None, "Another network, for instance the dense one, to compare with."
    )


class BenchData(Options):
    """Images for a test bench."""

    data: str | None = option(
        None,
        f"Images for the test bench: {DATA}.",
        shown_default="sample where it fits, else noise",
        group="Data",
    )


class EnergyOptions(Options):
    """What energy is counted with."""

    coefficients: Path | None = option(
        None,
        "Record of coefficients measured at gate level.",
        shown_default="the package's, at 45 nm",
    )
    gating: Literal["none", "clock"] = option("clock", "Of the clock of the array's cells.")
    data: str | None = option(
        None,
        f"Test images that give real activations: {DATA}.",
        shown_default="none, every word counts as not zero",
        group="Data",
    )


class Trace(Options):
    """What else verification writes."""

    trace: Path | None = option(
        None, "VCD file for all signals of the run; best with one image.", group="Output"
    )


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, "simulate", panel=_PANEL)(simulate)
    command(app, "energy", panel=_PANEL)(energy)
    command(app, "rtl", panel=_PANEL)(rtl)
    command(app, "verify", panel=_PANEL)(verify)


def simulate(
    source: NetworkArgument, other: Against, array: ArrayOptions, record: RecordFile, job: Job
) -> None:
    """Count tiles and cycles of one image on an array, and on the whole tiled accelerator.

    Example: systopack simulate packed.spk --array compact-32x32 --against dense.spk
    """
    job.tells(source.network, out=record.out, reads=(other.against, array.file))
    files = [source.network] if other.against is None else [source.network, other.against]
    found = {
        str(file): hardware.simulate(file, array.array, changes=array.changes) for file in files
    }
    first, *_ = found.values()
    console.table(
        ["layer", "positions", "tiles", "cycles", "stalls", "utilization"],
        [
            [
                layer.name,
                f"{layer.positions:,}",
                f"{layer.tiles:,}",
                f"{layer.cycles:,}",
                f"{layer.stall_cycles:,}",
                f"{layer.utilization:.3f}",
            ]
            for layer in first.layers.layers
        ],
    )
    for name, one in found.items():
        console.say(
            f"{name}: {one.tiles:,} tiles, {one.layers.streamed_words:,} streamed words, "
            f"{one.layers.cycles:,} cycles per image on {one.array.label}; the tiled accelerator, "
            f"with pooling, memories and the host's streams: {one.cycles:,}"
        )
    if other.against is not None:
        dense = found[str(other.against)]
        console.say(
            f"{source.network} needs {first.layers.cycles / dense.layers.cycles:.3f} of the cycles "
            f"and {first.tiles / dense.tiles:.3f} of the tiles of {other.against}"
        )
    figures = {name: one.figures for name, one in found.items()}
    job.write(figures, {"array": asdict(first.array)})


def energy(
    source: NetworkArgument,
    options: EnergyOptions,
    images: ImageCount,
    array: OrganisationOptions,
    record: RecordFile,
    job: Job,
) -> None:
    """Count the events of one image and give its energy, step by step.

    Example: systopack energy packed.spk --array compact-32x32 --data sample
    """
    if options.data is None:
        refuse_idle(images.given, ("images",), "without --data no image is counted")
    coefficients = options.coefficients or hardware.COEFFICIENTS
    job.tells(source.network, out=record.out, reads=(coefficients, array.file))
    result = hardware.energy(
        source.network,
        array.array,
        changes=array.changes,
        coefficients=coefficients,
        gating=options.gating,
        organisation=array.organisation,
        data=options.data,
        images=images.images,
    )
    found = result.found
    lines = [
        [
            step.name,
            f"{events.cycles:,}",
            f"{events.active + events.zero_input:,.0f}",
            f"{events.zero_weight:,.0f}",
            f"{step.compute_pj / 1e6:.4f}",
            f"{sum(step.memory_pj.values()) / 1e6:.4f}",
        ]
        for step, events in zip(found.steps, found.events.steps, strict=True)
    ]
    console.table(
        ("step", "cycles", "cell words, weight", "no weight", "compute, uJ", "memory, uJ"), lines
    )
    console.say(
        f"{found.total_pj / 1e6:.3f} uJ an image: array and logic {found.compute_pj / 1e6:.3f}, "
        f"memories {found.memory_pj / 1e6:.3f} ({100 * found.memory_share:.0f} %); "
        f"{found.library}, gating '{options.gating}', coefficients {found.origin}"
    )
    if found.extrapolated:
        console.say(f"beyond the table of memories: {', '.join(found.extrapolated)}")
    configuration = {
        "array": asdict(result.array),
        "gating": options.gating,
        "organisation": array.organisation,
        "data": options.data,
        "images": found.events.images,
    }
    job.write(result.figures, configuration)


def rtl(
    source: NetworkArgument,
    folder: Folder,
    array: OrganisationOptions,
    images: BenchData,
    job: Job,
) -> None:
    """Write Verilog, memory contents, a self-checking test bench and a README of its ports.

    Example: systopack rtl packed.spk --array compact-32x32 --out rtl

    systopack rtl zoo:lenet5-mnist --organisation pipelined --out pipelined

    systopack rtl zoo:lenet5-mnist --array 16x16 --set alpha=4 --set input_fanout=16 --out small
    """
    job.fills_whole(folder.out, reads=(source.network, array.file))
    written = hardware.write_rtl(
        source.network,
        folder.out,
        array.array,
        changes=array.changes,
        organisation=array.organisation,
        data=images.data,
        force=job.force,
    )
    console.say(
        f"wrote {len(written.files)} files to {folder.out}: {written.cycles:,} cycles per image, "
        f"{written.memory_bits:,} bits of memory"
    )
    if written.warning is not None:
        console.say(written.warning)
    figures = {"cycles": written.cycles, "memory_bits": written.memory_bits}
    configuration = {"organisation": array.organisation, "data": images.data}
    job.show(figures, {**configuration, "array": array.array, "changes": array.changes})


def verify(
    source: NetworkArgument,
    images: DataOptions,
    count: ImageCount,
    array: OrganisationOptions,
    also: Trace,
    record: RecordFile,
    job: Job,
) -> None:
    """Run images through the RTL and compare every word and every cycle with the models.

    Example: systopack verify packed.spk --data sample --images 4

    systopack verify zoo:lenet5-mnist --organisation pipelined --images 1 --trace run.vcd
    """
    if also.trace is not None:
        check_suffix("--trace", also.trace, ".vcd")
    job.tells(
        source.network,
        out=record.out,
        reads=(array.file,),
        outputs=[also.trace] if also.trace else [],
    )
    with console.console.status("building the RTL and running it"):
        found = hardware.verify(
            source.network,
            array.array,
            changes=array.changes,
            data=images.data,
            images=count.images,
            organisation=array.organisation,
            trace=also.trace,
        )
    figures = {
        "passed": found.passed,
        "images": found.images,
        "words": found.words,
        "cycles": found.cycles,
        "difference": None if found.difference is None else str(found.difference),
        "assertion": found.assertion,
    }
    configuration = {
        "array": asdict(found.array),
        "organisation": array.organisation,
        "data": images.data,
    }
    if found.passed:
        console.say(
            f"{found.images} images, {found.words:,} words and {found.cycles:,} cycles per image: "
            "the RTL, the integer reference and the cycle model agree"
        )
    job.write(figures, configuration)
    if found.reason is not None:
        console.explain_error(found.reason)
        raise typer.Exit(1)
