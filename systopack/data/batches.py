"""Batches for training and evaluation, made from uint8 images held once in memory.

Everything is vectorised over a batch, so no worker processes are needed. The random order and
the augmentation of an epoch depend on (seed, epoch) alone: a resumed run continues bit for bit,
and the images of a step are the same however many processes share it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from systopack.data.augment import Augment
from systopack.data.images import Images, Labels
from systopack.errors import InvalidOptionError

Batch = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Normalization:
    """Pixels 0..255 to network inputs: `(pixel / 255 - mean) / std`, per channel.

    Args:
        mean, std: per channel, of pixels divided by 255.
        device: where the result lies.
    """

    mean: Sequence[float]
    std: Sequence[float]
    device: torch.device | str = "cpu"

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Normalise uint8 images of shape (count, channels, height, width) to float32."""
        mean, std = (torch.tensor(part, dtype=torch.float64) for part in (self.mean, self.std))
        scale, shift = (
            factor.to(self.device, torch.float32)[:, None, None]
            for factor in (1 / (255 * std), -mean / std)
        )
        return images.float().mul_(scale).add_(shift)


class Batches:
    """The training batches of one process.

    A step takes `batch_size` images over all processes together; each process gets its equal,
    consecutive part of them. The images left over at the end of an epoch, fewer than
    a batch, are skipped (others in the next epoch); a set smaller than a batch is one batch.

    Augmentation happens on the pixels, before normalisation: the image is padded with black
    (pixel 0) on every side, cropped back to its size at a random place, and mirrored with
    probability 1/2 where asked for. In some batches a square is then taken from other images.

    Args:
        images: shape (count, channels, height, width), uint8; held on `device`.
        labels: shape (count,), int64.
        batch_size: images of a step, a multiple of `world_size`.
        seed: 0 or more; order and augmentation are drawn from it and the epoch's number.
        augment: crop padding, flip and cutmix.
        mean, std: per channel, of pixels divided by 255.
        device: of the batches.
        rank, world_size: this process and the number of processes.

    Raises:
        InvalidOptionError: the batch size is not a positive multiple of `world_size`, there are
            fewer images than processes, or the seed is negative.
    """

    def __init__(
        self,
        *,
        images: Images,
        labels: Labels,
        batch_size: int,
        seed: int,
        augment: Augment | None = None,
        mean: Sequence[float],
        std: Sequence[float],
        device: torch.device | str = "cpu",
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        _check(len(labels), batch_size, rank, world_size)
        if seed < 0:
            raise InvalidOptionError(f"The seed is {seed}, but it must be 0 or more.")
        self.images = _tensor(images).to(device)
        self.labels = _tensor(labels).to(device)
        self.augment = augment or Augment()
        self.normalization = Normalization(mean=mean, std=std, device=device)
        self._seed = seed
        self._step = min(batch_size, len(labels) // world_size * world_size)
        self._share = self._step // world_size
        self._rank = rank

    def __len__(self) -> int:
        """Batches in an epoch, the same for every process."""
        return len(self.labels) // self._step

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the batches of epoch `number` (0 or more).

        Yields:
            Images, shape (batch_size / world_size, channels, height, width), normalised, float32;
            and their labels, int64.
        """
        draw = _Draw(self._seed, number, len(self.labels), self.augment)
        device = self.labels.device
        for step in range(len(self)):
            start = step * self._step + self._rank * self._share
            places = torch.arange(start, start + self._share)
            pixels = self._pixels(draw, places)
            square = draw.square(step, *pixels.shape[2:])
            if square is not None:
                others = self._pixels(draw, draw.partners[places])
                pixels[..., *square] = others[..., *square]
            labels = self.labels.index_select(0, draw.order[places].to(device))
            yield self.normalization(pixels), labels

    def _pixels(self, draw: _Draw, places: torch.Tensor) -> torch.Tensor:
        """The augmented images at some places of an epoch's order."""
        device = self.labels.device
        pixels = self.images.index_select(0, draw.order[places].to(device))
        if self.augment.pad or self.augment.flip:
            pixels = _crop(
                pixels,
                self.augment.pad,
                draw.offsets[places].to(device),
                draw.mirrored[places].to(device),
            )
        return pixels


def normalised(
    images: Images,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    device: torch.device | str = "cpu",
) -> torch.Tensor:
    """Images as a network reads them, in order and without augmentation.

    Args:
        images: shape (count, channels, height, width), uint8.
        mean, std, device: see `Normalization`.
    """
    return Normalization(mean=mean, std=std, device=device)(_tensor(images).to(device))


class _Draw:
    """All random choices of one epoch, in the order in which the images are taken."""

    def __init__(self, seed: int, epoch: int, count: int, augment: Augment) -> None:
        # Always drawn on the CPU, so that every device and every process sees the same.
        state = np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(state) & (2**63 - 1))
        self.order = torch.randperm(count, generator=generator)
        self.offsets = torch.randint(2 * augment.pad + 1, (count, 2), generator=generator)
        self.mirrored = torch.zeros(count, dtype=torch.bool)
        if augment.flip:
            self.mirrored = torch.randint(2, (count,), generator=generator).bool()
        self._squares = None
        if augment.cutmix:
            self.partners = torch.randperm(count, generator=generator)
            self._mixed = torch.rand(count, generator=generator) < augment.cutmix
            self._squares = torch.rand((count, 3), generator=generator)  # area, down, right

    def square(self, step: int, height: int, width: int) -> tuple[slice, slice] | None:
        """Rows and columns that the images of a step take from others; None: none."""
        if self._squares is None or not self._mixed[step]:
            return None
        area, down, right = self._squares[step].tolist()
        share = area**0.5
        tall, wide = max(1, round(share * height)), max(1, round(share * width))
        top, left = int(down * (height - tall + 1)), int(right * (width - wide + 1))
        return slice(top, top + tall), slice(left, left + wide)


def _crop(
    pixels: torch.Tensor, pad: int, offsets: torch.Tensor, mirrored: torch.Tensor
) -> torch.Tensor:
    """Pad with black, crop at `offsets` (down, right) and mirror, by one gather."""
    count, channels, height, width = pixels.shape
    padded = torch.nn.functional.pad(pixels, (pad, pad, pad, pad))
    down = torch.arange(height, device=pixels.device)
    right = torch.arange(width, device=pixels.device)
    rows = offsets[:, :1] + down
    columns = offsets[:, 1:] + torch.where(mirrored[:, None], right.flip(0), right)
    places = rows[:, :, None] * (width + 2 * pad) + columns[:, None, :]
    places = places.view(count, 1, -1).expand(-1, channels, -1)
    return padded.view(count, channels, -1).gather(2, places).view(pixels.shape)


def _tensor(array: Images | Labels) -> torch.Tensor:
    """A tensor over the array's memory; torch only takes memory that may be written."""
    contiguous = np.ascontiguousarray(array)
    return torch.from_numpy(contiguous if contiguous.flags.writeable else contiguous.copy())


def _check(count: int, batch_size: int, rank: int, world_size: int) -> None:
    if world_size < 1 or not 0 <= rank < world_size:
        raise InvalidOptionError(
            f"Process {rank} of {world_size} does not exist; ranks go from 0 to world size - 1."
        )
    if batch_size < 1 or batch_size % world_size:
        raise InvalidOptionError(
            f"The batch size is {batch_size}, but it counts the images of a step over all "
            f"processes, so it must be a positive multiple of {world_size}."
        )
    if count < world_size:
        raise InvalidOptionError(
            f"{count} training images cannot be shared by {world_size} processes; use fewer "
            "processes or a larger fraction."
        )
