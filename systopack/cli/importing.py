"""`systopack import` and `systopack export`, and how other commands open models of others."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from systopack.api import learning
from systopack.api.importing import SUFFIXES, Format, examine
from systopack.api.importing import export as export_model
from systopack.api.sources import data_of
from systopack.cli import console
from systopack.cli.builder import command
from systopack.cli.job import Job, check_suffix
from systopack.cli.shared import OUTPUT, ImportOptions, ModelFile, PartOptions
from systopack.options import Options, argument, option, refuse_idle

if TYPE_CHECKING:
    from systopack.data.images import ImageData
    from systopack.training.model import TrainedModel


class ModelSource(Options):
    """A model of any kind."""

    model: str = argument(
        "Model file (.safetensors), module:function, program (.pt2), .onnx or zoo name."
    )


class Export(Options):
    """A model for other tools."""

    model: Path = argument(
        "Model file (.safetensors); for qonnx a packed network (.spk) or zoo:NAME."
    )
    out: Path = option(..., "File to write (.safetensors or .onnx).", group=OUTPUT)
    form: Format = option(
        "state-dict",
        "state-dict: masked weights, your own names; onnx: the same, as a graph; qonnx: 8 bit, for "
        "hls4ml and FINN.",
        flag="--format",
        group=OUTPUT,
    )


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, "import", panel="Networks")(import_model)
    command(app, "export", panel="Networks")(export)


def import_model(
    source: ModelSource, file: ModelFile, part: PartOptions, others: ImportOptions, job: Job
) -> None:
    """Capture a model of others and check that the layers compute what it computes.

    Example: systopack import net.onnx --data sample --mean 0.1307 --std 0.3081
    --out dense.safetensors
    """
    if source.model.endswith(".safetensors"):
        why = "a model file of systopack's is not compared"
        refuse_idle(part.given, ("fraction",), why)
    job.writes(file.out, suffix=".safetensors", reads=(source.model, others.weights))
    trained, images = open_model(source.model, part, others)
    trained.save(file.out)
    figures = asdict(examine(trained, images, fraction=part.fraction))
    job.write(figures, {"model": source.model, "mean": trained.mean, "std": trained.std})


def export(options: Export, job: Job) -> None:
    """Write a model for other tools.

    Example: systopack export packed.safetensors --format onnx --out packed.onnx
    """
    check_suffix("--out", options.out, SUFFIXES[options.form])
    job.writes(options.out, suffix=options.out.suffix, reads=(options.model,))
    export_model(options.model, options.out, form=options.form)
    job.write({"bytes": options.out.stat().st_size}, {"format": options.form})


def open_model(
    model: str, part: PartOptions, others: ImportOptions
) -> tuple[TrainedModel, ImageData]:
    """Open a model and its images; say what was found in a model of others.

    Raises:
        SystopackError: see `api.learning.load_model`.
    """
    learning.check_model(model)
    images = data_of(part.data)
    trained = learning.load_model(
        model,
        images,
        fraction=part.fraction,
        input_shape=others.shape(),
        mean=others.numbers("mean"),
        std=others.numbers("std"),
        weights=others.weights,
        partial=others.partial,
    )
    if model.endswith(".safetensors"):
        return trained, images
    found = examine(trained, images, fraction=part.fraction)
    zeros = f", {found.zeros:,} of them zero" if found.zeros else ""
    console.say(
        f"imported {found.architecture}: {found.layers_with_weights} layers with "
        f"{found.weights:,} weights{zeros}; {found.right} of {found.images} training images right"
    )
    if found.whole:
        console.say("the captured layers compute what the model computes")
    for reason in found.left_out:
        console.explain_error(f"Left out: {reason}.")
    for name in found.in_no_layer:
        console.explain_error(
            f"Left out: parameter '{name}' is not used when the model gives its logits, so it "
            "stays as it is."
        )
    for remark in found.remarks:
        console.explain_error(remark)
    return trained, images
