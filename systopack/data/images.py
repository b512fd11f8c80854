"""`ImageData`: a labelled image set as plain arrays, checked when it is made."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.data.augment import Augment, suitable_pad, suits_flip
from systopack.errors import InvalidFileError
from systopack.names import flaw_of

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]
_BLOCK_PIXELS = 1 << 20
SMALLEST_STD = 1 / 255  # one grey level: a constant channel must not divide by zero


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageData:
    """A data set in memory.

    Args:
        name: for records and messages.
        class_names: one per class; a label is an index into it.
        train_images, test_images: shape (count, channels, height, width), uint8; one channel
            is grayscale, three are red, green, blue.
        train_labels, test_labels: shape (count,), int64.
        mean, std: per channel, of the training pixels divided by 255.
        sha256: of the content (`content_sha256`), 64 hexadecimal digits.
        flip: whether mirroring makes sense (`suits_flip`); override with
            `dataclasses.replace(data, flip=...)`.

    Raises:
        InvalidFileError: a split is empty, images and labels do not match, or a label is
            outside 0..classes-1.
    """

    name: str
    class_names: tuple[str, ...]
    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels
    mean: tuple[float, ...]
    std: tuple[float, ...]
    sha256: str
    flip: bool

    def __post_init__(self) -> None:
        for name in self.class_names:
            flaw = flaw_of(name)
            if flaw is not None:
                raise InvalidFileError(
                    f"Data set '{self.name}': the class name {name[:40]!a} {flaw}; rename it."
                )
        for split, images, labels in self._splits():
            check_split(self.name, split, images, labels, len(self.class_names))
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            raise InvalidFileError(
                f"Data set '{self.name}': training images are {_size(self.train_images)} and test "
                f"images {_size(self.test_images)}, but all must be of one size; resize them."
            )

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of every image."""
        channels, height, width = self.train_images.shape[1:]
        return channels, height, width

    @property
    def augment(self) -> Augment:
        """The augmentation that suits these images: pad-crop by size, flip by `flip`."""
        return Augment(pad=suitable_pad(*self.shape[1:]), flip=self.flip)

    def _splits(self) -> tuple[tuple[str, Images, Labels], ...]:
        return (
            ("train", self.train_images, self.train_labels),
            ("test", self.test_images, self.test_labels),
        )


def make_image_data(
    *,
    name: str,
    class_names: tuple[str, ...],
    train: tuple[Images, Labels],
    test: tuple[Images, Labels],
) -> ImageData:
    """Build an `ImageData` from arrays: statistics of the training part, hash, flip rule.

    Raises:
        InvalidFileError: as `ImageData`.
    """
    check_split(name, "train", *train, len(class_names))
    mean, std = channel_statistics(train[0])
    return ImageData(
        name=name,
        class_names=class_names,
        train_images=train[0],
        train_labels=train[1],
        test_images=test[0],
        test_labels=test[1],
        mean=mean,
        std=std,
        sha256=content_sha256(class_names, *train, *test),
        flip=suits_flip(class_names, train[0].shape[1]),
    )


def check_split(name: str, split: str, images: Images, labels: Labels, classes: int) -> None:
    """Refuse a split that is empty, does not match its labels, or has labels out of range.

    Raises:
        InvalidFileError: it says which split and what is wrong.
    """
    where = f"Data set '{name}', split '{split}'"
    if images.ndim != 4 or images.shape[1] not in (1, 3) or images.shape[:1] != labels.shape:
        raise InvalidFileError(
            f"{where}: images of shape {images.shape} and labels of shape {labels.shape}, but "
            "(count, 1 or 3 channels, height, width) and (count,) are needed; convert them."
        )
    if not images.size:
        raise InvalidFileError(f"{where} holds no images; give at least one.")
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0 or highest >= classes:
        wrong = lowest if lowest < 0 else highest
        raise InvalidFileError(
            f"{where}: label {wrong} is outside 0..{classes - 1}, the {classes} classes named in "
            "the schema; leave unlabelled images out or mend the class names."
        )


def channel_statistics(images: Images) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel, of pixels divided by 255.

    The sums are exact integers, so the result does not depend on the order of the images. A
    channel that hardly varies gets the std of one grey level, 1/255.

    Args:
        images: shape (count, channels, height, width), uint8, at least one pixel.

    Returns:
        Two tuples with one float per channel.
    """
    count, channels, height, width = images.shape
    sums = [0] * channels
    squares = [0] * channels
    step = max(1, _BLOCK_PIXELS // (height * width))
    for start in range(0, count, step):
        for channel in range(channels):
            # A block's sums stay far below 2**53, so float64 holds them exactly.
            block = images[start : start + step, channel].astype(np.float64).ravel()
            sums[channel] += int(block.sum())
            squares[channel] += int(block @ block)
    pixels = count * height * width
    mean = tuple(total / pixels / 255 for total in sums)
    std = tuple(
        max((square * pixels - total * total) ** 0.5 / pixels / 255, SMALLEST_STD)
        for total, square in zip(sums, squares, strict=True)
    )
    return mean, std


def content_sha256(class_names: tuple[str, ...], *arrays: NDArray[Any]) -> str:
    """The sha256 of class names and arrays (shape, type and bytes), 64 hexadecimal digits."""
    shapes = [[array.dtype.str, *array.shape] for array in arrays]
    digest = hashlib.sha256(json.dumps([class_names, shapes]).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _size(images: Images) -> str:
    channels, height, width = images.shape[1:]
    return f"{height} x {width} x {channels}"
