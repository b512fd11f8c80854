"""Class-balanced, seeded parts of a training set: a fraction, and held-out images inside it.

The order of the images of a class comes from the raw numbers of PCG64, whose stream is fixed
for good, so a part can be drawn again with any later numpy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.data.images import ImageData, Images, Labels, channel_statistics
from systopack.errors import InvalidOptionError

_FRACTION, _HOLD_OUT = 1, 2  # separate random streams for the two draws


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingPart:
    """All of a training set that a run may read (docs/method.md, section 8).

    Args:
        train_images, train_labels: the images to train on; (count, channels, height, width)
            uint8 and (count,) int64.
        held_out_images, held_out_labels: from the same fraction, disjoint from the former, to
            choose hyperparameters and checkpoints on; possibly none.
        mean, std: per channel, of `train_images` divided by 255.
        fraction, seed: how the part was drawn.
    """

    train_images: Images
    train_labels: Labels
    held_out_images: Images
    held_out_labels: Labels
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fraction: float
    seed: int


def training_part(
    data: ImageData, *, fraction: float = 1.0, held_out: int = 0, seed: int = 0
) -> TrainingPart:
    """Draw a fraction of the training set and split held-out images off inside it.

    Args:
        data: the whole set.
        fraction: share of each class to read, 0 < fraction <= 1.
        held_out: images to hold out, 0 or more; at least one image per class must remain.
        seed: 0 or more; the same seed gives the same part.

    Raises:
        InvalidOptionError: an argument is out of its range.
    """
    chosen = select_fraction(data.train_labels, fraction, seed)
    whole = len(chosen) == len(data.train_labels)
    if whole and held_out == 0:
        images, labels = data.train_images, data.train_labels
        held = np.empty(0, dtype=np.int64)
    else:
        held = chosen[hold_out(data.train_labels[chosen], held_out, seed)]
        rest = np.setdiff1d(chosen, held, assume_unique=True)
        images, labels = data.train_images[rest], data.train_labels[rest]
    mean, std = (data.mean, data.std) if images is data.train_images else channel_statistics(images)
    return TrainingPart(
        train_images=images,
        train_labels=labels,
        held_out_images=data.train_images[held],
        held_out_labels=data.train_labels[held],
        mean=mean,
        std=std,
        fraction=float(fraction),
        seed=seed,
    )


def select_fraction(labels: Labels, fraction: Any, seed: int) -> NDArray[np.int64]:
    """Choose a share of every class.

    A class of n images gives `round(fraction * n)` of them (exact decimal arithmetic, halves
    up), at least one. With one seed a smaller fraction is a subset of a larger one.

    Args:
        labels: shape (count,), int64, 0 or more.
        fraction: 0 < fraction <= 1; a float counts as the decimal number it prints as.
        seed: 0 or more.

    Returns:
        Indices into `labels`, ascending.

    Raises:
        InvalidOptionError: the fraction or the seed is out of its range.
    """
    share = _checked_fraction(fraction)
    sizes = np.bincount(labels)
    counts = [
        max(1, math.floor(share * int(size) + Fraction(1, 2))) if size else 0 for size in sizes
    ]
    return _draw(labels, counts, seed, _FRACTION)


def hold_out(labels: Labels, count: int, seed: int) -> NDArray[np.int64]:
    """Choose exactly `count` images, each class by its share (largest remainders).

    Args:
        labels: shape (n,), int64, 0 or more: of the fraction that may be read.
        count: 0 or more; every class keeps at least one image that is not held out.
        seed: 0 or more.

    Returns:
        Indices into `labels`, ascending.

    Raises:
        InvalidOptionError: the count leaves a class without images, or is negative.
    """
    sizes = np.bincount(labels)
    if not 0 <= count <= len(labels):
        raise InvalidOptionError(
            f"{count} images are to be held out of {len(labels)}; give a number from 0 to "
            f"{len(labels) - np.count_nonzero(sizes)}."
        )
    # Largest remainders, in whole numbers; ties go to the lowest class.
    counts = count * sizes // max(1, len(labels))
    remainders = count * sizes % max(1, len(labels))
    counts[np.argsort(-remainders, kind="stable")[: count - int(counts.sum())]] += 1
    emptied = np.flatnonzero((counts >= sizes) & (sizes > 0))
    if emptied.size:
        raise InvalidOptionError(
            f"Holding out {count} of {len(labels)} images leaves class {emptied[0]} without a "
            "training image; hold out fewer or take a larger fraction."
        )
    return _draw(labels, counts.tolist(), seed, _HOLD_OUT)


def _draw(labels: Labels, counts: list[int], seed: int, stream: int) -> NDArray[np.int64]:
    """The first `counts[c]` images of class c in a random order fixed by (seed, stream, c)."""
    if isinstance(seed, bool) or seed < 0:
        raise InvalidOptionError(f"The seed is {seed}, but it must be a whole number, 0 or more.")
    parts = [np.empty(0, dtype=np.int64)]
    for label, count in enumerate(counts):
        members = np.flatnonzero(labels == label)
        generator = np.random.PCG64(np.random.SeedSequence([seed, stream, label]))
        order = np.argsort(generator.random_raw(len(members)), kind="stable")
        parts.append(members[order[:count]])
    return np.sort(np.concatenate(parts))


def _checked_fraction(fraction: Any) -> Fraction:
    try:
        value = Decimal(str(fraction))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not 0 < value <= 1:
        raise InvalidOptionError(
            f"The fraction is {fraction}, but it is the share of the training set to read, above "
            "0 and at most 1; give for instance 0.1."
        )
    return Fraction(value)
