"""The loss of every training run: cross-entropy, and imitation of a dense model where asked."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from systopack.training.settings import OptimizerSettings


def training_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    images: Tensor,
    teacher: nn.Module | None,
    settings: OptimizerSettings,
) -> Tensor:
    """`(1 - w) * cross_entropy + w * T**2 * KL(teacher || model)` at temperature T.

    Args:
        logits: shape (B, classes), of the model.
        labels: shape (B,), int64.
        images: shape (B, C, H, W), what the teacher looks at.
        teacher: dense model in evaluation mode; None: cross-entropy alone.
        settings: label smoothing, w (`distill_weight`) and T (`distill_temperature`).
    """
    loss = F.cross_entropy(logits, labels, label_smoothing=settings.label_smoothing)
    if teacher is None or settings.distill_weight == 0:
        return loss
    temperature = settings.distill_temperature
    with torch.no_grad():
        target = F.softmax(teacher(images) / temperature, dim=1)
    imitation = F.kl_div(F.log_softmax(logits / temperature, dim=1), target, reduction="batchmean")
    weight = settings.distill_weight
    return (1 - weight) * loss + weight * temperature**2 * imitation
