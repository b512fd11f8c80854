"""`systopack train`, `systopack combine` and `systopack compress`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import typer

from systopack.api import compressing, learning
from systopack.cli import console
from systopack.cli.builder import command
from systopack.cli.importing import ModelSource, open_model
from systopack.cli.interrupt import interruptible
from systopack.cli.job import Job
from systopack.cli.outputs import check_resume
from systopack.cli.shared import (
    ArraySize,
    ConfigOptions,
    ImportOptions,
    ModelFile,
    PartOptions,
)
from systopack.errors import TrainingError
from systopack.options import Options, argument, option
from systopack.training.compress.settings import CompressSettings
from systopack.training.devices import DeviceOptions
from systopack.training.settings import CombineSettings, TrainSettings

if TYPE_CHECKING:
    from systopack.training.model import TrainedModel


class Architecture(Options):
    """What is trained."""

    model: str = argument("A model of the zoo, for instance lenet5-shift.")


class Budget(Options):
    """Options of `combine` that stand for several settings."""

    preset: Literal["paper", "budgets"] | None = option(
        None, "Settings that go together; others win over them.", group="Run"
    )


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, "train", panel="Networks")(train)
    command(app, "combine", panel="Networks")(combine)
    command(app, "compress", panel="Networks")(compress)


def train(
    source: Architecture,
    file: ModelFile,
    part: PartOptions,
    run: ConfigOptions,
    settings: TrainSettings,
    devices: DeviceOptions,
    job: Job,
) -> None:
    """Train a dense model.

    Example: systopack train lenet5-shift --data sample --epochs 5 --out dense.safetensors
    """
    job.writes(file.out, suffix=".safetensors", reads=(run.config,))
    check_resume(run.resume, file.out)
    with interruptible(file.out), console.TrainingDisplay() as display:
        trained = learning.train(
            source.model,
            part.data,
            out=file.out,
            fraction=part.fraction,
            config=run.config,
            resume=run.resume,
            devices=devices,
            observer=display,
            **settings.given,
        )
    _leave(trained, job)


def combine(
    source: ModelSource,
    file: ModelFile,
    part: PartOptions,
    run: ConfigOptions,
    several: Budget,
    settings: CombineSettings,
    array: ArraySize,
    others: ImportOptions,
    devices: DeviceOptions,
    job: Job,
) -> None:
    """Prune, pack and retrain a dense model jointly: systopack's own, or any torch or ONNX model.

    Example: systopack combine dense.safetensors --data sample --alpha 8 --gamma 0.5 --rho 0.15
    --out packed.safetensors
    """
    asked: dict[str, Any] = {
        "preset": several.preset,
        "config": run.config,
        "array": array.size if array.given else None,
    }
    learning.combine_settings(settings.given, **asked)
    job.writes(file.out, suffix=".safetensors", reads=(source.model, others.weights, run.config))
    check_resume(run.resume, file.out)
    dense, images = open_model(source.model, part, others)
    with interruptible(file.out), console.TrainingDisplay() as display:
        trained = learning.combine(
            dense,
            images,
            out=file.out,
            fraction=part.fraction,
            resume=run.resume,
            devices=devices,
            observer=display,
            **asked,
            **settings.given,
        )
    _leave(trained, job)


def compress(
    source: ModelSource,
    file: ModelFile,
    part: PartOptions,
    run: ConfigOptions,
    settings: CompressSettings,
    array: ArraySize,
    others: ImportOptions,
    devices: DeviceOptions,
    job: Job,
) -> None:
    """Find the smallest packed network that loses at most so much accuracy on held-out training
    images: each layer is tried alone, a few sizes by short trainings, then full runs of combine.

    Example: systopack compress dense.safetensors --data sample --max-loss 1.0
    --out packed.safetensors
    """
    asked: dict[str, Any] = {"config": run.config, "array": array.size if array.given else None}
    compressing.compress_settings(settings.given, **asked)
    job.writes(file.out, suffix=".safetensors", reads=(source.model, others.weights, run.config))
    check_resume(run.resume, file.out)
    dense, images = open_model(source.model, part, others)
    with interruptible(file.out), console.TrainingDisplay() as display:
        found = compressing.compress(
            dense,
            images,
            out=file.out,
            fraction=part.fraction,
            resume=run.resume,
            devices=devices,
            observer=display,
            **asked,
            **settings.given,
        )
    if found.met:
        console.say(found.outcome)
    provenance = found.model.provenance
    job.write(found.figures, provenance["search"], seed=provenance["seed"])
    if not found.met:
        raise TrainingError(
            f"{found.outcome.rstrip('.')}, so it is the best of {len(found.journal.runs)} full "
            "runs; train longer with --fine-tune-epochs, allow more, or more --full-runs."
        )


def _leave(trained: TrainedModel, job: Job) -> None:
    """Write the record of a run."""
    history = list(trained.history)
    figures = {"last_epoch": dict(history[-1]) if history else {}, "history": history}
    job.write(figures, trained.provenance, seed=trained.provenance["seed"])
