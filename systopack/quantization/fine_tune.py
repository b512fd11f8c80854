"""Fake-quantized fine-tuning: the weights adapt to 8 bit, the scales stay as calibrated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from systopack.data.augment import Augment
from systopack.data.split import TrainingPart
from systopack.quantization.model import QuantizedModel
from systopack.quantization.settings import QuantizeSettings
from systopack.training.checkpoint import RunState
from systopack.training.devices import DeviceOptions, launch
from systopack.training.epoch import half_cosine
from systopack.training.events import Observer
from systopack.training.model import TrainedModel
from systopack.training.progress import Run
from systopack.training.session import Learner

_LARGEST_RATE = 0.002  # a trained network needs no more to adapt to 8 bit


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where fine-tuning writes its checkpoints.

    Args:
        checkpoint: file written after every epoch.
        resume: go on from it where it is there.
        configuration: what must be the same to go on: model, data, options.
    """

    checkpoint: Path
    resume: bool
    configuration: Mapping[str, Any]


class _Tuned(Learner):
    """A fake-quantized model in training; its masks are buffers of its own."""

    module: QuantizedModel

    def nonzeros(self) -> int:
        return self.module.nonzeros()


def fine_tune(
    model: QuantizedModel,
    trained: TrainedModel,
    part: TrainingPart,
    *,
    settings: QuantizeSettings,
    augment: Augment,
    devices: DeviceOptions,
    observer: Observer,
    progress: Progress | None = None,
) -> None:
    """Train a fake-quantized model in place, learning rate falling to zero (cosine).

    Args:
        model: quantized, with its masks.
        trained: the float model; teacher where `distill_weight` is above 0.
        part: the images that may be read.
        progress: where to write checkpoints; None: nowhere.

    Raises:
        InvalidFileError: the checkpoint is damaged.
        InvalidOptionError: it belongs to other options, another model or other data.
        TrainingError: training diverges, or every learning rate makes the loss worse.
    """
    run = Run(
        session=_Tuned(
            fabric=launch(devices),
            module=model,
            graph=model.graph,
            part=part,
            augment=augment,
            mean=trained.mean,
            std=trained.std,
            settings=settings,
            teacher=trained.to_module(),
        ),
        state=RunState(
            phase="quantize",
            packed_cells=_packed_cells(model, trained),
            learning_rate=settings.learning_rate,
        ),
        configuration={} if progress is None else dict(progress.configuration),
        checkpoint=None if progress is None else progress.checkpoint,
        observer=observer,
    )
    run.start(progress is not None and progress.resume)
    peak = run.rate(2 * _LARGEST_RATE)

    def rate(epoch: float) -> float:
        return peak * half_cosine(epoch / settings.epochs)

    run.epochs("quantize", settings.epochs, rate)
    model.cpu()


def _packed_cells(model: QuantizedModel, trained: TrainedModel) -> int:
    if trained.groups is None:
        return model.graph.dense_cells
    return sum(rows * len(groups) for bands in trained.groups.values() for rows, groups in bands)
