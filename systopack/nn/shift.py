"""The shift layer: per channel a fixed displacement, no weights (docs/method.md, section 1).

It is a torch operator of its own, `systopack::shift`, so that `torch.export` keeps it as one node
with its displacements, and both directions are slice copies: one per distinct displacement.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Displacements = tuple[tuple[int, int], ...]
Copy = tuple[slice | list[int], int, int]  # channels, dy, dx


def deal_displacements(channels: int, *, kernel: int = 3) -> Displacements:
    """Deal the directions of a kernel x kernel window to the channels in turn.

    Channel c gets direction `c mod kernel**2`, directions in row order from (-1, -1).
    """
    reach = kernel // 2
    directions = [(dy, dx) for dy in range(-reach, reach + 1) for dx in range(-reach, reach + 1)]
    return tuple(directions[channel % len(directions)] for channel in range(channels))


class Shift(nn.Module):
    """Displace every channel: `out[:, c, y, x] = in[:, c, y + dy, x + dx]`, zero outside.

    Args:
        displacements: (dy, dx) of every channel; stored in the state dict as `displacements`,
            int32 of shape (channels, 2), and taken from there when a state is loaded.
    """

    displacements: Tensor

    def __init__(self, displacements: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        table = torch.tensor(list(displacements), dtype=torch.int32).reshape(-1, 2)
        self.register_buffer("displacements", table)
        self._dy, self._dx = _as_lists(table)

    def forward(self, images: Tensor) -> Tensor:
        """Shape (B, C, H, W) in and out, any float dtype."""
        displaced: Tensor = shift(images, self._dy, self._dx)
        return displaced

    def extra_repr(self) -> str:
        """Shown by `print(model)`."""
        return f"{len(self._dy)} channels"

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._dy, self._dx = _as_lists(self.displacements)


@torch.library.custom_op("systopack::shift", mutates_args=())
def shift(images: Tensor, dy: Sequence[int], dx: Sequence[int]) -> Tensor:
    """Displace channel c of (B, C, H, W) by (dy[c], dx[c]), zero fill."""
    shifted = torch.zeros_like(images)
    height, width = images.shape[2:]
    for channels, down, right in _plan(tuple(dy), tuple(dx)):
        if abs(down) >= height or abs(right) >= width:
            continue
        source_y, target_y = _overlap(down, height)
        source_x, target_x = _overlap(right, width)
        shifted[:, channels, target_y, target_x] = images[:, channels, source_y, source_x]
    return shifted


@shift.register_fake
def _(images: Tensor, dy: Sequence[int], dx: Sequence[int]) -> Tensor:
    return torch.empty_like(images)


def _remember(
    ctx: Any, inputs: tuple[Tensor, Sequence[int], Sequence[int]], output: Tensor
) -> None:
    _, ctx.dy, ctx.dx = inputs


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
    # The transpose of a displacement is the opposite displacement.
    return shift(gradient, [-d for d in ctx.dy], [-d for d in ctx.dx]), None, None


shift.register_autograd(_backward, setup_context=_remember)


@lru_cache(maxsize=4096)
def _plan(
    dy: tuple[int, ...], dx: tuple[int, ...]
) -> tuple[tuple[slice | list[int], int, int], ...]:
    """For each distinct displacement its channels, as a slice where they are evenly spaced."""
    pairs: NDArray[np.int64] = np.array([dy, dx], dtype=np.int64).T
    plan: list[Copy] = []
    for down, right in np.unique(pairs, axis=0):
        channels = np.flatnonzero((pairs == (down, right)).all(axis=1))
        steps = np.unique(np.diff(channels))
        chosen: slice | list[int] = channels.tolist()
        if steps.size <= 1:
            step = int(steps[0]) if steps.size else 1
            chosen = slice(int(channels[0]), int(channels[-1]) + 1, step)
        plan.append((chosen, int(down), int(right)))
    return tuple(plan)


def _overlap(offset: int, size: int) -> tuple[slice, slice]:
    """Where an image and its displaced self overlap: (in the source, in the target)."""
    if offset >= 0:
        return slice(offset, size), slice(0, size - offset)
    return slice(0, size + offset), slice(-offset, size)


def _as_lists(table: Tensor) -> tuple[list[int], list[int]]:
    dy, dx = table.to(torch.int64).T.tolist()
    return dy, dx
