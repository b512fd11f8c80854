"""Fake-quantized fine-tuning: the weights adapt to 8 bit, the scales stay as calibrated."""

from __future__ import annotations

import math
from typing import Any

import torch
from pydantic import Field

from systopack.data.augment import Augment
from systopack.data.batches import Batches
from systopack.data.split import TrainingPart
from systopack.quantization.model import QuantizedModel
from systopack.training.devices import DeviceOptions, launch
from systopack.training.events import EpochResult, Observer
from systopack.training.losses import training_loss
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


def fine_tune(
    model: QuantizedModel,
    trained: TrainedModel,
    part: TrainingPart,
    *,
    settings: QuantizeSettings,
    augment: Augment,
    devices: DeviceOptions,
    observer: Observer,
) -> None:
    """Train a fake-quantized model in place, learning rate falling to zero (cosine).

    Args:
        model: quantized, with its masks.
        trained: the float model; teacher where `distill_weight` is above 0.
        part: the images that may be read.
    """
    fabric = launch(devices)
    model.to(fabric.device)
    teacher = trained.to_module().to(fabric.device).eval()
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
    batches = Batches(
        images=part.train_images,
        labels=part.train_labels,
        batch_size=settings.batch_size,
        seed=settings.seed,
        augment=augment,
        rank=fabric.global_rank,
        world_size=fabric.world_size,
        **normalization,
    )
    cells = _packed_cells(model, trained)
    for epoch in range(settings.epochs):
        sums = torch.zeros(3, device=fabric.device)  # loss, correct, images
        rate = settings.learning_rate
        wrapped.train()
        for step, (images, labels) in enumerate(batches.epoch(epoch)):
            progress = (epoch + step / len(batches)) / settings.epochs
            rate = settings.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))
            for group in optimizer.param_groups:
                group["lr"] = rate
            logits = wrapped(images)
            with torch.no_grad():
                teacher_logits = teacher(images) if settings.distill_weight > 0 else None
            loss = training_loss(logits, labels, teacher_logits=teacher_logits, settings=settings)
            stepper.zero_grad(set_to_none=True)
            fabric.backward(loss)
            stepper.step()
            sums[0] += loss.detach() * len(labels)
            sums[1] += (logits.detach().argmax(dim=1) == labels).sum()
            sums[2] += len(labels)
            if fabric.global_rank == 0:
                observer.on_batch("quantize", step + 1, len(batches))
        loss_sum, correct, seen = fabric.all_reduce(sums, reduce_op="sum").tolist()
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
            loss=loss_sum / seen,
            train_accuracy_percent=100 * correct / seen,
            held_out_accuracy_percent=held_out,
            nonzeros=nonzeros,
            packed_cells=cells,
            packing_efficiency=nonzeros / cells if cells else 1.0,
            learning_rate=rate,
        )
        if fabric.global_rank == 0:
            observer.on_epoch(result)
    model.cpu()


def _packed_cells(model: QuantizedModel, trained: TrainedModel) -> int:
    if trained.groups is None:
        return model.graph.dense_cells
    return sum(rows * len(groups) for bands in trained.groups.values() for rows, groups in bands)
