"""Fisher information of the weights: how much the loss rises when a weight is changed.

The label of each image is drawn from the model's own output (not taken from the data), so that
gradients of different images are independent with mean zero: then batch size times the squared
gradient of a batch's mean loss is an unbiased estimate of the diagonal, from plain batches.

At temperature 1 a trained model is nearly sure of most images, and the few that it is not sure of
decide the estimate. At the temperature of distillation every image counts, so that a tenth of the
images tell as much; and it is the curvature of the loss that is trained with.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from systopack.data.batches import Batches
from systopack.frontend.weights import filter_matrix
from systopack.training.session import Session

_IMAGES_A_STEP = 16  # small, so that many independent gradients are averaged
_EPOCH_OFFSET = 1_000_000  # augmentation of its own, which no training epoch draws


def fisher_information(
    session: Session, *, images: int, number: int, temperature: float = 1.0
) -> dict[str, NDArray[np.float64]]:
    """Estimate the diagonal Fisher information of every filter matrix.

    The model is left as it was; with several devices each one takes its share of the images.

    Args:
        session: model and data.
        images: training images to look at, augmented; all of them where there are fewer.
        number: 0 or more; which images, and how augmented.
        temperature: of the softmax, above 0; the information is that of `T**2` times the loss
            of logits over T, as in `training.losses`.

    Returns:
        Layer name -> shape (N, M), at least 0.
    """
    fabric, module = session.fabric, session.module
    parameters = dict(module.named_parameters())
    weights = [parameters[name] for name in session.graph.weighted_ops]
    sums = [torch.zeros_like(weight) for weight in weights]
    batches = Batches(
        images=session.part.train_images,
        labels=session.part.train_labels,
        batch_size=_IMAGES_A_STEP * fabric.world_size,
        seed=session.settings.seed,
        augment=session.augment,
        rank=fabric.global_rank,
        world_size=fabric.world_size,
        **session.normalization,
    )
    torch.manual_seed(session.settings.seed * 1_000_003 + _EPOCH_OFFSET + number)
    was_training = module.training
    module.eval()
    steps = 0
    for batch, _ in batches.epoch(_EPOCH_OFFSET + number):
        with fabric.autocast():
            logits = module(batch.contiguous(memory_format=torch.channels_last))
        logits = logits.float() / temperature
        drawn = torch.multinomial(F.softmax(logits.detach(), dim=1), 1)[:, 0]
        gradients = torch.autograd.grad(F.cross_entropy(logits, drawn), weights)
        for total, gradient in zip(sums, gradients, strict=True):
            total.add_(gradient**2, alpha=len(batch))
        steps += 1
        if steps * _IMAGES_A_STEP * fabric.world_size >= images:
            break
    module.train(was_training)
    result = {}
    for op, total in zip(session.graph.weighted_ops.values(), sums, strict=True):
        mean = fabric.all_reduce(total * (temperature**2 / steps), reduce_op="mean")
        result[op.name] = filter_matrix(op, mean).cpu().double().numpy()
    return result
