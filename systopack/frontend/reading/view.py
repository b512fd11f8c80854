"""`View`: a finished tensor as a later layer sees it, and the sizes of sliding windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.network.nodes import Shape

Padding = tuple[int, int, int, int]  # top, bottom, left, right


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A tensor as a later layer sees it; the identity unless a field says otherwise.

    Args:
        tensor: name of the finished tensor.
        shape: (channels, height, width) as seen, without the padding.
        displacements: (dy, dx) of every channel, shape (C, 2).
        padding: rows and columns of zeros that windows add themselves.
        stride: every how many rows and columns are seen.
        channels: source channel of each channel, -1: zero; None: all in order.
        flat: True when height and width were flattened into the channels.
        axes: order in which the axes (channels, height, width) are seen; None: as they are.
        exchanged_in: the operation that exchanged them, for messages.
        lowest: True where the padding is below every value instead of zero.
        parts: channels seen as a table of this size, while they are being shuffled.
        shared: True when a reader saw the tensor on the way to this view.
    """

    tensor: str
    shape: Shape
    displacements: NDArray[np.int64] | None = None
    padding: Padding = (0, 0, 0, 0)
    stride: tuple[int, int] = (1, 1)
    channels: NDArray[np.int32] | None = None
    flat: bool = False
    axes: tuple[int, int, int] | None = None
    exchanged_in: str = ""
    lowest: bool = False
    parts: tuple[int, int] | None = None
    shared: bool = False

    @property
    def keeps_pixels(self) -> bool:
        """True when only channels were chosen: each pixel stays where it is."""
        moved = self.displacements is not None or self.parts is not None or self.axes is not None
        return not moved and not any(self.padding) and self.stride == (1, 1)

    @property
    def is_plain(self) -> bool:
        """True when it is the finished tensor itself (flattening keeps the values)."""
        return self.keeps_pixels and self.channels is None

    @property
    def channel_map(self) -> NDArray[np.int32]:
        """Source channel of each channel, -1: zero."""
        if self.channels is None:
            return np.arange(self.shape[0], dtype=np.int32)
        return self.channels


def window_output(
    size: tuple[int, int],
    *,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: Padding,
    dilation: tuple[int, int] = (1, 1),
) -> tuple[int, int]:
    """Output (height, width) of a window that slides over a padded image."""
    around = (padding[0] + padding[1], padding[2] + padding[3])
    height, width = (
        (size[axis] + around[axis] - dilation[axis] * (kernel[axis] - 1) - 1) // stride[axis] + 1
        for axis in range(2)
    )
    return height, width


def add_padding(first: Padding, second: Padding) -> Padding:
    """Both paddings, one around the other."""
    top, bottom, left, right = (a + b for a, b in zip(first, second, strict=True))
    return top, bottom, left, right


def pair(value: Any) -> tuple[int, int]:
    """(vertical, horizontal) from a number or a list of one or two."""
    if isinstance(value, int):
        return value, value
    values = list(value)
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])
