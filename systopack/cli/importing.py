"""`systopack import`, and how other commands open models of others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from systopack.cli import console
from systopack.cli.effects import NO_CONTEXT, given, refuse_idle
from systopack.cli.options import FractionOption, check_out
from systopack.cli.outputs import claim
from systopack.errors import InvalidOptionError
from systopack.records import record_path

ModelArgument = Annotated[
    str,
    typer.Argument(
        help="Model file (.safetensors), module:function, program (.pt2), .onnx or zoo name."
    ),
]
InputShapeOption = Annotated[
    str | None,
    typer.Option(help="Channels x height x width of the images, where the model does not tell."),
]
MeanOption = Annotated[
    str | None,
    typer.Option(help="Mean of pixels divided by 255, as trained; one number or one a channel."),
]
StdOption = Annotated[str | None, typer.Option(help="Standard deviation, likewise.")]
WeightsOption = Annotated[
    Path | None, typer.Option(help="State dict (.safetensors) for module:function or a zoo name.")
]
PartialOption = Annotated[
    bool,
    typer.Option("--partial", help="Pack the layers that can be, and report what is left out."),
]
_IMAGES = 64  # real images on which an imported model is compared with its original


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="import")(import_model)


def import_model(
    model: ModelArgument,
    out: Annotated[Path, typer.Option(help="Model file to write (.safetensors).")],
    data: Annotated[
        str, typer.Option("--data", help="Data set that it was trained on: class names, a check.")
    ] = "sample",
    fraction: FractionOption = 1.0,
    input_shape: InputShapeOption = None,
    mean: MeanOption = None,
    std: StdOption = None,
    weights: WeightsOption = None,
    partial: PartialOption = False,
    context: typer.Context = NO_CONTEXT,
) -> None:
    """Capture a model of others and check that the layers compute what it computes.

    Example: systopack import net.onnx --data sample --mean 0.1307 --std 0.3081
    --out dense.safetensors
    """
    check_out(out, ".safetensors")
    record = record_path(out, "import")
    claim("import", inputs=(model, weights), outputs=(out,), record=record)
    from systopack.data.open import open_data
    from systopack.records import Record, sha256_of_file

    if model.endswith(".safetensors"):
        refuse_idle(given(context), ("fraction",), "a model file of systopack's is not compared")
    check_opens(model)
    images = open_data(data)
    trained = open_for(
        model,
        images,
        fraction=fraction,
        input_shape=input_shape,
        mean=mean,
        std=std,
        weights=weights,
        partial=partial,
    )
    trained.save(out)
    graph = trained.graph if trained.graph is not None else trained.capture()
    Record(
        kind="import",
        figures={
            "layers": len(graph.ops),
            "layers_with_weights": len(graph.weighted_ops),
            "weights": graph.dense_weights,
            "dense_cells": graph.dense_cells,
            "left_out": list(trained.left_out),
            "in_no_layer": list(trained.provenance.get("in_no_layer", ())),
        },
        configuration={"model": model, "mean": trained.mean, "std": trained.std},
        inputs=inputs_of(model),
        outputs={str(out): sha256_of_file(out)},
    ).write(record)
    console.say(f"wrote {out} and {record}")


def open_for(
    model: str,
    data: Any,
    *,
    fraction: float = 1.0,
    input_shape: str | None = None,
    mean: str | None = None,
    std: str | None = None,
    weights: Path | None = None,
    partial: bool = False,
) -> Any:
    """Open a model, with what a data set tells about it; say what was found in an imported one.

    Raises:
        SystopackError: see `training.importing.open_model`.
    """
    from systopack.data.split import training_part
    from systopack.training.importing import ImportOptions, open_model
    from systopack.training.model import load_model

    options = ImportOptions(
        input_shape=None if input_shape is None else _shape(input_shape),
        mean=_numbers("--mean", mean),
        std=_numbers("--std", std),
        weights=weights,
        partial=partial,
    )
    if model.endswith(".safetensors"):
        given = [option for option in vars(options).values() if option not in (None, False)]
        if given:
            raise InvalidOptionError(
                f"'{model}' knows its input, normalisation and weights; give --input-shape, "
                "--mean, --std, --weights and --partial only with a model of others."
            )
        return load_model(model)
    part = training_part(data, fraction=fraction, held_out=0, seed=0)
    trained = open_model(
        model, options=options, class_names=data.class_names, images=part.train_images[:_IMAGES]
    )
    _say_what_it_is(trained, part)
    return trained


def check_opens(model: str) -> None:
    """Find out before any data are decoded whether a model is there.

    Raises:
        SystopackError: there is none of that name, or its file cannot be read.
    """
    from systopack.files import open_file
    from systopack.nn import zoo
    from systopack.training.importing import FORMS, ImportOptions, open_model

    suffix = Path(model).suffix
    if suffix in (".onnx", ".pt2"):
        open_file(model, what=f"a model ({suffix})").close()
    elif suffix == ".safetensors" or (":" not in model and model not in zoo.ZOO):
        if Path(model).is_dir():
            raise InvalidOptionError(f"'{model}' is a folder; give {FORMS}.")
        open_model(model, options=ImportOptions())


def inputs_of(model: str) -> dict[str, str]:
    """For records: the hash of a model that is a file."""
    from systopack.records import sha256_of_file

    return {model: sha256_of_file(Path(model))} if Path(model).is_file() else {}


def _say_what_it_is(trained: Any, part: Any) -> None:
    from systopack.training.session import predictions

    graph = trained.graph if trained.graph is not None else trained.capture()
    images, labels = part.train_images[:_IMAGES], part.train_labels[:_IMAGES]
    classes = predictions(trained.to_module(), images, mean=trained.mean, std=trained.std)
    console.say(
        f"imported {trained.architecture}: {len(graph.weighted_ops)} layers with "
        f"{graph.dense_weights:,} weights; {int((classes == labels).sum())} of {len(labels)} "
        "training images right"
    )
    if not trained.left_out and trained.graph is not None:
        console.say("the captured layers compute what the model computes")
    for reason in trained.left_out:
        console.explain_error(f"Left out: {reason}.")
    for name in trained.provenance.get("in_no_layer", ()):
        console.explain_error(
            f"Left out: parameter '{name}' is not used when the model gives its logits, so it "
            "stays as it is."
        )


def _shape(text: str) -> tuple[int, int, int]:
    sizes = text.lower().split("x")
    if len(sizes) != 3 or not all(size.isdecimal() and int(size) for size in sizes):
        raise InvalidOptionError(
            f"--input-shape is '{text}'; give channels x height x width, for instance 3x32x32."
        )
    return int(sizes[0]), int(sizes[1]), int(sizes[2])


def _numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError as error:
        raise InvalidOptionError(
            f"{option} is '{text}'; give numbers with commas between, for instance 0.5,0.5,0.5."
        ) from error
