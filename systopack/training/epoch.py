"""One epoch of any training: of a float model, dense or masked, and of a fake-quantized one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from systopack.data.batches import Batch, Batches
from systopack.errors import TrainingError
from systopack.training.events import Observer, Phase
from systopack.training.losses import blind_loss, imitates, training_loss
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
            loss, logits = self._step(batch, labels, learning_rate(offset + step / total))
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

    def try_rate(self, rate: float, *, steps: int, number: int) -> list[float]:
        """The losses of a few steps at one learning rate, mean over all devices.

        The model and the optimizer are changed; the caller puts them back.

        Args:
            rate: constant; 0 changes no weight.
            steps: in all; they go on into the epochs that follow.
            number: of the first epoch, as in `train_epoch`.
        """
        self.module.train()
        losses = [
            self._step(batch, labels, rate)[0].detach()
            for batch, labels in self._first_batches(steps, number)
        ]
        means: list[float] = self.fabric.all_reduce(torch.stack(losses), reduce_op="mean").tolist()
        return means

    def untrained(self, *, steps: int, number: int) -> tuple[list[float], float]:
        """The losses on the batches of `try_rate` without a step, and the mean of `blind_loss`.

        The norms' statistics are changed; the caller puts them back.

        Args:
            steps, number: the batches, as in `try_rate`.
        """
        self.module.train()
        losses, blind = [], []
        with torch.no_grad():
            for batch, labels in self._first_batches(steps, number):
                images = batch.contiguous(memory_format=torch.channels_last)
                teacher = self._teacher_logits(images)
                losses.append(
                    training_loss(
                        self.module(images),
                        labels,
                        teacher_logits=teacher,
                        settings=self.settings,
                    )
                )
                blind.append(blind_loss(labels, teacher_logits=teacher, settings=self.settings))
        both = torch.stack([torch.stack(losses), torch.stack(blind)])
        means = self.fabric.all_reduce(both, reduce_op="mean")
        return means[0].tolist(), float(means[1].mean())

    def _first_batches(self, steps: int, number: int) -> Iterator[Batch]:
        """The first batches from epoch `number` on; the epochs after it where one is short."""
        torch.manual_seed(self.settings.seed * 1_000_003 + number)
        epochs = (self.batches.epoch(number + later) for later in itertools.count())
        return itertools.islice(itertools.chain.from_iterable(epochs), steps)

    def _step(self, batch: Tensor, labels: Tensor, rate: float) -> tuple[Tensor, Tensor]:
        """One step of the optimizer; the loss and the logits before it."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        images = batch.contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.module(images)
        loss = training_loss(
            logits, labels, teacher_logits=self._teacher_logits(images), settings=self.settings
        )
        self.optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        self.optimizer.step()
        return loss, logits

    def _teacher_logits(self, images: Tensor) -> Tensor | None:
        if self.teacher is None or not imitates(self.settings):
            return None
        with torch.no_grad(), self.fabric.autocast():
            logits: Tensor = self.teacher(images)
        return logits.float()


def half_cosine(progress: float) -> float:
    """From 1 at progress 0 down to 0 at progress 1."""
    return 0.5 * (1 + float(np.cos(np.pi * min(progress, 1.0))))
