"""One epoch of any training: of a float model, dense or masked, and of a fake-quantized one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from systopack.data.batches import Batches
from systopack.errors import TrainingError
from systopack.training.events import Observer, Phase
from systopack.training.losses import training_loss
from systopack.training.settings import OptimizerSettings

LearningRate = Callable[[float], float]  # epochs into the phase -> learning rate


@dataclass(frozen=True, kw_only=True, eq=False)
class Trainer:
    """What a step needs: the model on its device, its optimizer, the batches, the loss.

    Args:
        fabric: launched.
        module, optimizer: as `fabric.setup` gives them back.
        batches: of this process.
        settings: seed and loss.
        teacher: dense model on the device and in evaluation mode; None: cross-entropy alone.
    """

    fabric: Any
    module: Any
    optimizer: Any
    batches: Batches
    settings: OptimizerSettings
    teacher: nn.Module | None = None

    def train_epoch(
        self,
        number: int,
        *,
        phase: Phase,
        learning_rate: LearningRate,
        offset: int,
        observer: Observer,
    ) -> tuple[float, float]:
        """Train one epoch.

        Args:
            number: epochs of the whole run before this one; order and augmentation follow from it.
            phase: told to the observer.
            learning_rate: by epochs into the phase, fractions included.
            offset: whole epochs of the phase before this one.
            observer: told of every batch on the main process.

        Returns:
            Mean loss and training accuracy in percent, over all devices.

        Raises:
            TrainingError: the loss is no longer finite.
        """
        torch.manual_seed(self.settings.seed * 1_000_003 + number)
        self.module.train()
        total = len(self.batches)
        sums = torch.zeros(3, device=self.fabric.device)  # loss, correct, images
        for step, (batch, labels) in enumerate(self.batches.epoch(number)):
            rate = learning_rate(offset + step / total)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            images = batch.contiguous(memory_format=torch.channels_last)
            logits = self.module(images)
            loss = training_loss(
                logits,
                labels,
                teacher_logits=self._teacher_logits(images),
                settings=self.settings,
            )
            self.optimizer.zero_grad(set_to_none=True)
            self.fabric.backward(loss)
            self.optimizer.step()
            with torch.no_grad():
                correct = (logits.argmax(dim=1) == labels).sum()
                sums += torch.stack(
                    [loss.detach() * len(labels), correct, correct * 0 + len(labels)]
                )
            if self.fabric.global_rank == 0:
                observer.on_batch(phase, step + 1, total)
        loss_sum, correct_sum, images_seen = self.fabric.all_reduce(sums, reduce_op="sum").tolist()
        if not np.isfinite(loss_sum):
            raise TrainingError(
                f"The loss became {loss_sum} in epoch {number + 1}; resume from the last "
                "checkpoint or start again with a smaller --learning-rate."
            )
        return loss_sum / images_seen, 100 * correct_sum / images_seen

    def _teacher_logits(self, images: Tensor) -> Tensor | None:
        if self.teacher is None or self.settings.distill_weight == 0:
            return None
        with torch.no_grad(), self.fabric.autocast():
            logits: Tensor = self.teacher(images)
        return logits.float()


def half_cosine(progress: float) -> float:
    """From 1 at progress 0 down to 0 at progress 1."""
    return 0.5 * (1 + float(np.cos(np.pi * min(progress, 1.0))))
