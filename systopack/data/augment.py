"""How training images are varied, and which sets may be mirrored."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from systopack.errors import InvalidOptionError

_NUMBER_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_SIGN = re.compile(r"\W*(\d+|[a-z]|" + "|".join(_NUMBER_WORDS) + r")\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Augment:
    """What is done to a training image, anew in every epoch.

    Args:
        pad: black pixels added on every side before a random crop back to the image's size;
            0 for no crop.
        flip: mirror left and right with probability 1/2.
        cutmix: share of the batches, 0..1, in which a square of every image is taken from
            another image (S. Yun and others, CutMix, 2019). Its area is a uniform share of the
            image. Labels stay those of the first image, so something else, as a dense model that
            is imitated, has to say what such an image shows.

    Raises:
        InvalidOptionError: `pad` is negative, or `cutmix` no share.
    """

    pad: int = 0
    flip: bool = False
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        if self.pad < 0:
            raise InvalidOptionError(
                f"The padding of the random crop is {self.pad}, but it counts pixels and cannot "
                "be negative; give 0 for no crop."
            )
        if not 0 <= self.cutmix <= 1:
            raise InvalidOptionError(
                f"cutmix is {self.cutmix}, but it is a share of the batches, 0 to 1."
            )


def suits_flip(class_names: Sequence[str], channels: int) -> bool:
    """Whether mirrored images still belong to their class, by a fixed rule.

    Colour images are taken for photographs, which may be mirrored. Grayscale images and sets
    whose every class is named by a digit, a single letter or a number word (`7`, `7 - seven`,
    `A`) are taken for writing, which may not.
    """
    return channels == 3 and not all(_SIGN.match(name) for name in class_names)


def suitable_pad(height: int, width: int) -> int:
    """The usual padding of the random crop: 4 pixels from size 32 on, 2 from 16 on, else 0."""
    side = min(height, width)
    return 4 if side >= 32 else 2 if side >= 16 else 0
