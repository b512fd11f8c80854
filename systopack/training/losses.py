"""The loss of every training run: cross-entropy, and imitation of a dense model where asked."""

from __future__ import annotations

from typing import TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor

from systopack.training.settings import DistillSettings, OptimizerSettings


def training_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    teacher_logits: Tensor | None,
    settings: OptimizerSettings,
) -> Tensor:
    """`(1 - w) * cross_entropy + w * T**2 * KL(teacher || model)` at temperature T.

    Args:
        logits: shape (B, classes), of the model.
        labels: shape (B,), int64.
        teacher_logits: shape (B, classes), of the dense model in evaluation mode; None:
            cross-entropy alone.
        settings: label smoothing, w (`distill_weight`) and T (`distill_temperature`).
    """
    loss = F.cross_entropy(logits, labels, label_smoothing=settings.label_smoothing)
    if teacher_logits is None or not imitates(settings):
        return loss
    temperature = settings.distill_temperature
    target = F.softmax(teacher_logits / temperature, dim=1)
    imitation = F.kl_div(F.log_softmax(logits / temperature, dim=1), target, reduction="batchmean")
    weight = settings.distill_weight
    return (1 - weight) * loss + weight * temperature**2 * imitation


def imitates(settings: OptimizerSettings) -> TypeGuard[DistillSettings]:
    """Whether a part of the loss compares with a teacher."""
    return isinstance(settings, DistillSettings) and settings.distill_weight > 0


def blind_loss(
    labels: Tensor, *, teacher_logits: Tensor | None, settings: OptimizerSettings
) -> Tensor:
    """The least `training_loss` of logits that are the same for every image.

    Two such answers are tried: the shares of the classes, and the mean answer of the teacher.

    Args:
        labels, teacher_logits, settings: as in `training_loss`.
    """
    classes = 0 if teacher_logits is None else teacher_logits.shape[1]
    shares = torch.bincount(labels, minlength=classes).float() / len(labels)
    answers = [torch.log(shares + 1e-3)]  # a class that no image of the batch shows has a logit too
    if teacher_logits is not None and imitates(settings):
        temperature = settings.distill_temperature
        mean = F.softmax(teacher_logits / temperature, dim=1).mean(dim=0)
        answers.append(temperature * torch.log(mean))
    return torch.stack(
        [
            training_loss(
                answer.expand(len(labels), -1),
                labels,
                teacher_logits=teacher_logits,
                settings=settings,
            )
            for answer in answers
        ]
    ).min()
