"""`systopack explore`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from systopack.api import exploration
from systopack.api.exploration import PAGE, TABLE, ExploreSettings
from systopack.cli import console
from systopack.cli.builder import command
from systopack.cli.job import Job
from systopack.cli.shared import DATA, ArrayOptions, Folder
from systopack.options import argument, option, read_toml, refuse_idle

_SEARCH = "Search"
_ROWS = 20  # of a front


class Explore(Folder, ArrayOptions):
    """What is explored."""

    network: Path = argument(
        "Packed network (.spk), one of the package (zoo:NAME), or a model file (.safetensors), "
        "which is quantized first."
    )
    space: Path = option(..., "TOML file that says what varies; see docs/explore.md.")
    data: str | None = option(
        None,
        f"Test images that give accuracy and real activations: {DATA}.",
        shown_default="none: neither",
        group="Data",
    )
    images: int = option(1000, "Test images to classify.", ge=1, group="Data")
    storage: str | None = option(
        None,
        "URL of a database that several runs share, for instance postgresql://user@host/name.",
        shown_default="a journal in the folder",
        group=_SEARCH,
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "explore", panel="Hardware")(explore)


def explore(options: Explore, settings: ExploreSettings, job: Job) -> None:
    """Search a design space of packings and arrays for Pareto fronts.

    The same command goes on where it was stopped. Points that an earlier run in the folder has
    computed are not computed again.

    Example: systopack explore dense.spk --space space.toml --data sample --jobs 2 --out explored
    """
    if options.data is None:
        refuse_idle(options.given, ("images",), "without --data no image is classified")
    if "array" in read_toml(options.space):
        refuse_idle(options.given, ("array",), "the space names the arrays")
    reads = (options.network, options.space, options.file)
    job.fills(options.out, reads=reads, files=(TABLE, PAGE))
    names = ("array", "changes", "data", "images")
    asked: dict[str, Any] = {name: getattr(options, name) for name in names}
    with console.CountDisplay("points") as display:
        found = exploration.explore(
            options.network,
            options.space,
            out=options.out,
            storage=options.storage,
            on_point=display.on_count,
            **asked,
            **settings.model_dump(),
        )
    for name in found.fronts:
        _tell(found, name)
    refused = sum(bool(point.problem) for point in found.points)
    console.say(
        f"{len(found.points)} points, {found.computed} of them computed by this run"
        f"{f', {refused} cannot be built' if refused else ''}"
    )
    configuration = {**asked, **settings.model_dump(), "space": found.space}
    job.write(found.figures, configuration, seed=settings.seed)


def _tell(found: exploration.Exploration, name: str) -> None:
    """The points of a front, the first of them."""
    front = found.fronts[name]
    members = found.best(name)
    console.say(f"front of {name}: {len(members)} of {front.among} points")
    if not members:
        return
    first = front.objectives[0]
    ordered = sorted(members, key=lambda point: point.figures[first] or 0, reverse=True)
    names = [key for key in found.space if any(key in point.choice for point in members)]
    console.table(
        (*names, *(figure.replace("_", " ") for figure in front.objectives)),
        [
            (
                *(str(point.choice[key]) for key in names),
                *(f"{point.figures[figure]:,.6g}" for figure in front.objectives),
            )
            for point in ordered[:_ROWS]
        ],
    )
    if len(ordered) > _ROWS:
        console.say(f"and {len(ordered) - _ROWS} more, in {TABLE}")
