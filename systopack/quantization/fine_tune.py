"""Fake-quantized fine-tuning: the weights adapt to 8 bit, the scales stay as calibrated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from systopack.data.augment import Augment
from systopack.data.batches import Batches
from systopack.data.split import TrainingPart
from systopack.quantization.model import QuantizedModel
from systopack.training.checkpoint import RunState, load_checkpoint, save_checkpoint
from systopack.training.devices import DeviceOptions, launch
from systopack.training.epoch import Trainer, half_cosine
from systopack.training.events import EpochResult, Observer
from systopack.training.model import TrainedModel
from systopack.training.session import accuracy_percent
from systopack.training.settings import OptimizerSettings


class QuantizeSettings(OptimizerSettings):
    """How to quantize; the optimizer's options count only with `epochs` above 0.

    Args:
        epochs: of fake-quantized fine-tuning; 0: calibration alone.
        calibration_images: training images that scales and ranges are chosen on.
        accumulator_bits: 16 or 32.
    """

    learning_rate: float = Field(default=0.002, gt=0, le=100)
    weight_decay: float = Field(default=0.0, ge=0, le=1)
    epochs: int = Field(default=0, ge=0, le=10_000)
    calibration_images: int = Field(default=1000, ge=1)
    accumulator_bits: int = 32


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


@dataclass(frozen=True, kw_only=True, eq=False)
class _Tuned:
    """The model as `training.checkpoint` sees it; its masks are buffers of the model."""

    module: QuantizedModel
    optimizer: torch.optim.Optimizer
    masks: None = None

    def state(self) -> dict[str, Tensor]:
        return {
            name: tensor.detach().cpu().contiguous().clone()
            for name, tensor in self.module.state_dict().items()
        }


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
    """
    fabric = launch(devices)
    model.to(fabric.device)
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        nesterov=settings.momentum > 0,
    )
    wrapped, stepper = fabric.setup(model, optimizer)
    normalization: dict[str, Any] = {
        "mean": trained.mean,
        "std": trained.std,
        "device": fabric.device,
    }
    trainer = Trainer(
        fabric=fabric,
        module=wrapped,
        optimizer=stepper,
        batches=Batches(
            images=part.train_images,
            labels=part.train_labels,
            batch_size=settings.batch_size,
            seed=settings.seed,
            augment=settings.augmented(augment),
            rank=fabric.global_rank,
            world_size=fabric.world_size,
            **normalization,
        ),
        settings=settings,
        teacher=trained.to_module().to(fabric.device).eval(),
    )
    cells = _packed_cells(model, trained)

    def rate(epoch: float) -> float:
        return settings.learning_rate * half_cosine(epoch / settings.epochs)

    tuned = _Tuned(module=model, optimizer=optimizer)
    state = RunState(phase="quantize")
    if progress is not None and progress.resume and progress.checkpoint.exists():
        state = load_checkpoint(progress.checkpoint, tuned, dict(progress.configuration))
    for epoch in range(state.epoch, settings.epochs):
        loss, accuracy = trainer.train_epoch(
            epoch, phase="quantize", learning_rate=rate, offset=epoch, observer=observer
        )
        held_out = None
        if len(part.held_out_labels):
            held_out = accuracy_percent(
                model, part.held_out_images, part.held_out_labels, **normalization
            )
        nonzeros = model.nonzeros()
        result = EpochResult(
            phase="quantize",
            iteration=0,
            epoch=epoch + 1,
            loss=loss,
            train_accuracy_percent=accuracy,
            held_out_accuracy_percent=held_out,
            nonzeros=nonzeros,
            packed_cells=cells,
            packing_efficiency=nonzeros / cells if cells else 1.0,
            learning_rate=rate(epoch + 1),
        )
        state.epoch = epoch + 1
        if fabric.global_rank == 0:
            if progress is not None:
                save_checkpoint(progress.checkpoint, tuned, state, dict(progress.configuration))
            observer.on_epoch(result)
        fabric.barrier()
    model.cpu()


def _packed_cells(model: QuantizedModel, trained: TrainedModel) -> int:
    if trained.groups is None:
        return model.graph.dense_cells
    return sum(rows * len(groups) for bands in trained.groups.values() for rows, groups in bands)
