"""`systopack reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from systopack.cli import console
from systopack.cli.effects import NO_CONTEXT, given, refuse_idle
from systopack.cli.outputs import claim_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(reproduce)


def reproduce(
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="Data set whose test images give real activations; may be given several times, "
            "for instance the folders of MNIST and CIFAR-10. [default: none]"
        ),
    ] = None,
    images: Annotated[int, typer.Option(help="Images of each data set.")] = 4,
    records: Annotated[
        Path | None,
        typer.Option(help="Folder of records. [default: the checkout's, or the package's own]"),
    ] = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Measure the records anew first: train, pack and synthesize, for days. Needs a "
            "checkout; resumes where it was stopped.",
        ),
    ] = False,
    liberty: Annotated[
        Path | None,
        typer.Option(help="--full: Liberty file to map to. [default: the bundled sky130]"),
    ] = None,
    context: typer.Context = NO_CONTEXT,
) -> None:
    """Make the paper's tables and figures anew, beside ours.

    Cycles and energy are computed now from the networks of the package; accuracies and gate-level
    energy come from records. Every row of the page says which.

    Example: systopack reproduce --data ../shared/data/cifar10 --out results
    """
    from systopack.errors import InvalidOptionError
    from systopack.reproduce.full import measure_records
    from systopack.reproduce.run import SECTIONS
    from systopack.reproduce.run import reproduce as run_reproduction
    from systopack.reproduce.sources import Sources, records_folder

    if images < 1:
        raise InvalidOptionError(f"--images is {images}; give at least 1.")
    if not data:
        refuse_idle(given(context), ("images",), "without --data no image is read")
    folder = records_folder(records)
    drawn = [f"images/{path.name}" for path in (out / "images").glob("*.png")]
    claim_folder("reproduce", out, inputs=(liberty,), files=("results.md", *drawn))
    if liberty is not None and not full:
        raise InvalidOptionError("--liberty is read by --full alone; give both, or leave it out.")
    if full:
        measure_records(folder, out / "runs", liberty=liberty, say=console.say)
    sources = Sources(records=folder, pixels=_pixels(data or []), images=images)
    width = max(len(name) for name in SECTIONS)
    display = console.RowsDisplay(("section", "seconds"), first_width=width, total=len(SECTIONS))
    with display:
        display.on_begin("reproducing")
        written = run_reproduction(
            sources,
            out,
            on_section=lambda name, seconds: display.on_row((name, f"{seconds:.1f}"), work=1),
        )
    console.say(
        f"wrote {written.page}, {written.record} and {len(written.images)} figures; records from "
        f"{folder}"
    )


def _pixels(names: list[str]) -> dict[tuple[int, int, int], NDArray[np.uint8]]:
    from systopack.data.open import open_data

    pixels = {}
    for name in names:
        opened = open_data(name)
        pixels[opened.shape] = opened.test_images
    return pixels
