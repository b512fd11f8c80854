"""`systopack evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from systopack.cli import console
from systopack.cli.options import DataOption, check_out
from systopack.cli.outputs import claim
from systopack.errors import InvalidOptionError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(evaluate)


def evaluate(
    file: Annotated[
        Path,
        typer.Argument(
            help="Packed network (.spk), model (.safetensors), or a network that comes with "
            "systopack, for instance zoo:resnet20-cifar10."
        ),
    ],
    data: DataOption = "sample",
    against: Annotated[
        Path | None,
        typer.Option(help="Another file; the paired difference on the same images is reported."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Record to write. [default: FILE.evaluate.json]")
    ] = None,
) -> None:
    """Classify the test images; packed networks run in the integer reference.

    Example: systopack evaluate packed.spk --data sample --against dense.safetensors
    """
    from systopack.data.open import open_data
    from systopack.network.packaged import network_file, record_beside
    from systopack.records import Record, sha256_of_file

    names = [file] if against is None else [file, against]
    files = {name: network_file(name) for name in names}
    record = check_out(out or record_beside(file, "evaluate"), ".json")
    claim("evaluate", inputs=files.values(), record=record)
    opened = {name: _open(path) for name, path in files.items()}
    images = open_data(data)
    labels = images.test_labels
    right = {name: _predict(model, images) == labels for name, model in opened.items()}
    figures: dict[str, Any] = {}
    for name, correct in right.items():
        count = int(correct.sum())
        figures[str(name)] = {
            "correct": count,
            "images": len(labels),
            "accuracy_percent": 100 * count / len(labels),
        }
        console.say(f"{name}: {count:,} of {len(labels):,} correct, {100 * correct.mean():.2f} %")
    if against is not None:
        only_file = int((right[file] & ~right[against]).sum())
        only_against = int((~right[file] & right[against]).sum())
        difference = 100 * (only_file - only_against) / len(labels)
        figures["paired"] = {
            "only_first_correct": only_file,
            "only_second_correct": only_against,
            "difference_points": difference,
        }
        console.say(
            f"paired difference {difference:+.2f} points: {only_file} images only {file} has "
            f"right, {only_against} only {against}"
        )
    Record(
        kind="evaluate",
        figures=figures,
        configuration={"data": images.name, "data_sha256": images.sha256, "split": "test"},
        inputs={str(name): sha256_of_file(path) for name, path in files.items()},
    ).write(record)
    console.say(f"wrote {record}")


def _open(file: Path) -> Any:
    """A packed network or a model, by its suffix."""
    if file.suffix == ".spk":
        from systopack.network.file import load

        return load(file)
    from systopack.training.model import load_model

    return load_model(file)


def _predict(model: Any, images: Any) -> Any:
    """The class of every test image by a model or packed network: int64 of shape (images,)."""
    from systopack.network.network import PackedNetwork

    if isinstance(model, PackedNetwork):
        from systopack.network.reference import classify

        return classify(model, images.test_images)
    from systopack.training.session import predictions

    if images.shape != model.input_shape:
        raise InvalidOptionError(
            f"The model reads images of {model.input_shape}, but data set '{images.name}' has "
            f"{images.shape}; give the data it was trained on."
        )
    return predictions(model.to_module(), images.test_images, mean=model.mean, std=model.std)
