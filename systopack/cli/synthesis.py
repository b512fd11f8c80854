"""`systopack synthesize TARGET`, a command for every target, and `systopack characterize`."""

from __future__ import annotations

from inspect import Signature, signature
from pathlib import Path
from typing import Literal

import typer

from systopack.api import synthesis
from systopack.api.synthesis import DEFAULT_LIBRARY, TARGETS, MappingClock, Target
from systopack.cli import console
from systopack.cli.builder import command
from systopack.cli.job import Job
from systopack.cli.shared import OUTPUT, ArrayOptions, DataOptions, Folder
from systopack.options import Options, argument, option, refuse_idle

_PANEL = "Hardware"
_NO_IMAGES = DataOptions()
_MEASUREMENT = "Measurement"


class MaybeNetwork(Options):
    """A packed network, or the array alone."""

    network: Path | None = argument(
        "Packed network (.spk) or zoo:NAME; without one the array alone.", default=None
    )


class CharacterizeOptions(MappingClock):
    """What is measured, and of which cells."""

    library: str = argument(
        f"A library that comes with the package ({DEFAULT_LIBRARY}), a Liberty file, or a TOML "
        "file of facts."
    )
    out: Path = option(..., "Record of coefficients to write (.json).", group=OUTPUT)
    size: tuple[str, ...] = option(
        (),
        "ROWSxCOLUMNS of another array of the same cells; may be repeated. 'energy' interpolates "
        "between sizes.",
        group="Array",
    )
    network: str = option("zoo:lenet5-mnist", "Packed network whose tiles run.", group=_MEASUREMENT)
    gating: Literal["none", "clock"] = option(
        "clock", "Clock gates for registers with an enable, or none.", group=_MEASUREMENT
    )


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True)
    app.add_typer(
        group,
        name="synthesize",
        help="Build an array, or a network's accelerator, with the tools of a target.",
        rich_help_panel=_PANEL,
    )
    for target in TARGETS.values():
        add_target(group, target)
    command(app, "characterize", panel=_PANEL, record="energy-coefficients")(characterize)


def add_target(group: typer.Typer, target: Target) -> None:
    """Add the command of a target."""

    def synthesize(
        source: MaybeNetwork,
        folder: Folder,
        array: ArrayOptions,
        options: Options,
        job: Job,
        images: DataOptions = _NO_IMAGES,
    ) -> None:
        if source.network is None or target.runs_images is None or not target.runs_images(options):
            refuse_idle(images.given, ("data",), "no image runs here")
        job.fills_whole(folder.out, reads=(source.network, array.file))
        with console.console.status(f"synthesizing for {target.name}") as status:
            found = synthesis.synthesize(
                source.network,
                target.name,
                array.array,
                changes=array.changes,
                options=options.given,
                data=images.data,
                out=folder.out,
                force=job.force,
                on_line=lambda line: status.update(f"{target.name}: {line[:60]}"),
            )
        for warning in found.found.warnings:
            console.say(warning)
        console.table(found.found.header, found.found.rows)
        console.say(f"{found.found.told}; wrote {folder.out}")
        job.show(found.record.figures, found.record.configuration)

    synthesize.__doc__ = f"{target.summary}\n\n    Example: {target.example}\n    "
    synthesize.__annotations__ |= {"options": target.options}
    if target.runs_images is None:
        parameters = [p for n, p in signature(synthesize).parameters.items() if n != "images"]
        synthesize.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    command(group, target.name, record="synthesize")(synthesize)


def characterize(
    options: CharacterizeOptions, array: ArrayOptions, images: DataOptions, job: Job
) -> None:
    """Measure the energy coefficients of an array on a cell library, for 'systopack energy'.

    Example: systopack characterize mylib.toml --array tiny-8x8 --size 16x16 --out mylib.json
    """
    files = [options.library] if Path(options.library).is_file() else []
    job.tells(options.network, out=options.out, reads=(array.file, *files))
    with console.console.status("mapping and simulating at gate level") as status:
        found = synthesis.characterize(
            options.library,
            array.array,
            changes=array.changes,
            sizes=options.size,
            network=options.network,
            data=images.data,
            gating=options.gating,
            clock_ns=options.clock_ns,
            on_progress=status.update,
        )
    console.table(
        ("array", "area per cell, um2", "clock, pJ per cell and cycle", "active cell word, pJ"),
        [
            (
                point.array.label,
                f"{point.cell_area_um2:.1f}",
                f"{point.coefficients.clock_pj:.4f}",
                f"{point.coefficients.active_pj:.4f}",
            )
            for point in found.table.points
        ],
    )
    missed = [abs(error) for errors in found.errors.values() for error in errors.values()]
    if missed:
        console.say(f"layers kept back are predicted within {100 * max(missed):.1f} %")
    console.say(f"{found.sums_checked:,} sums of the netlists equal the integer reference")
    job.write(
        found.table.figures,
        {"clock_ns": options.clock_ns, "errors": found.errors, "data": images.data},
    )
