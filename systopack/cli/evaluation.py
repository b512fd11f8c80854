"""`systopack evaluate`."""

from __future__ import annotations

from pathlib import Path

import typer

from systopack.api.evaluation import evaluate as classify
from systopack.api.evaluation import open_any
from systopack.api.sources import data_of
from systopack.cli import console
from systopack.cli.builder import command
from systopack.cli.job import Job
from systopack.cli.shared import DataOptions, RecordFile
from systopack.options import argument, option


class Evaluate(DataOptions, RecordFile):
    """What is evaluated."""

    file: Path = argument("Packed network (.spk or zoo:NAME) or model (.safetensors).")
    against: Path | None = option(
        None, "Another one; the paired difference on the same images is reported."
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "evaluate", panel="Networks")(evaluate)


def evaluate(options: Evaluate, job: Job) -> None:
    """Classify the test images; packed networks run in the integer reference.

    Example: systopack evaluate packed.spk --data sample --against dense.safetensors
    """
    job.tells(options.file, out=options.out, reads=(options.against,))
    files = [options.file] if options.against is None else [options.file, options.against]
    opened = {file: open_any(file) for file in files}
    data = data_of(options.data)
    found = {file: classify(model, data) for file, model in opened.items()}
    for file, one in found.items():
        correct, images, percent = one.figures.values()
        console.say(f"{file}: {correct:,} of {images:,} correct, {percent:.2f} %")
    figures = {str(file): one.figures for file, one in found.items()}
    if options.against is not None:
        paired = found[options.file].against(found[options.against])
        figures["paired"] = dict(paired)
        console.say(
            f"paired difference {paired['difference_points']:+.2f} points: "
            f"{paired['only_first_correct']} images only {options.file} has right, "
            f"{paired['only_second_correct']} only {options.against}"
        )
    job.write(figures, {"data": data.name, "data_sha256": data.sha256, "split": "test"})
