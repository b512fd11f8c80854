"""`View`: a finished tensor as a later layer sees it, and the sizes of sliding windows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.frontend.graph import Scaling
from systopack.network.nodes import Shape

Padding = tuple[int, int, int, int]  # top, bottom, left, right
_WINDOWS = 1 << 20  # along one side; images have fewer pixels there


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
        merged: True when height and width are seen as one axis.
        scaling: numbers for every value, shape (C, H, W), that only a linear layer takes in.
        scaled_at: the operation that they come from.
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
    merged: bool = False
    scaling: Scaling | None = None
    scaled_at: Any = None
    shared: bool = False

    @property
    def keeps_pixels(self) -> bool:
        """True when only channels were chosen or axes exchanged: no pixel is left out or added."""
        moved = self.displacements is not None or self.parts is not None
        return not moved and not any(self.padding) and self.stride == (1, 1)

    @property
    def is_plain(self) -> bool:
        """True when it has the values of the finished tensor, in whatever order of axes."""
        return self.keeps_pixels and self.channels is None and self.scaling is None

    def of(self, finished: View) -> View:
        """Another finished tensor, seen in the same order of axes."""
        return replace(
            finished,
            flat=self.flat,
            merged=self.merged,
            axes=self.axes,
            exchanged_in=self.exchanged_in,
        )

    def axes_at(self, dimension: int) -> tuple[int, ...]:
        """Which of (channels, height, width) a dimension after the batch shows, from 1 on."""
        order = self.axes or (0, 1, 2)
        if self.flat:
            return order if self.shape[1:] != (1, 1) else (0,)
        if not self.merged:
            return (order[dimension - 1],)
        groups = ((0,), (1, 2)) if order[0] == 0 else ((1, 2), (0,))
        return groups[dimension - 1]

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


def window_count(
    size: int, kernel: int, stride: int, pads: tuple[int, int], *, ceiled: bool
) -> int:
    """How many windows there are along one axis; `ceiled`: also one that the image ends in."""
    room = size + sum(pads) - kernel
    if not ceiled:
        return room // stride + 1
    count = -(-room // stride) + 1
    # The last window would start beyond the image.
    return count - 1 if (count - 1) * stride >= size + pads[0] else count


@dataclass(frozen=True, kw_only=True, eq=False)
class AveragedWindows:
    """Windows along one axis whose sums are divided by `kernel`, and the factors that then lack.

    Args:
        pads: before and after the image.
        factors: shape (outputs,); 1 where a window is divided by as many as it holds.
    """

    kernel: int
    stride: int
    pads: tuple[int, int]
    factors: NDArray[np.float64]

    @property
    def is_even(self) -> bool:
        """True when all windows have the same divisor."""
        return bool((self.factors == 1).all())


def averaged_windows(
    size: int, *, kernel: int, stride: int, pads: tuple[int, int], counted: bool, ceiled: bool
) -> AveragedWindows:
    """How an average along one axis is that of equal windows, as far as it is.

    Args:
        counted: padding counts in the divisor; what lies beyond it never does.
    """
    count = window_count(size, kernel, stride, pads, ceiled=ceiled)
    if not 0 < count <= _WINDOWS:
        raise ValueError(f"{count} windows along one side")
    starts = np.arange(count) * stride - pads[0]
    ends = np.minimum(starts + kernel, size + pads[1])
    first, last = np.maximum(starts, 0), np.minimum(ends, size)
    divisors = ends - starts if counted else last - first
    if count == 1 and divisors[0] == last[0]:  # one window: what it has of the image
        kernel, stride, pads = int(last[0]), size, (0, 0)
    else:
        pads = (pads[0], max(int(starts[-1]) + kernel - size, 0))
    return AveragedWindows(
        kernel=kernel, stride=stride, pads=pads, factors=kernel / np.maximum(divisors, 1)
    )


def adaptive_windows(size: int, outputs: int) -> tuple[int, int] | None:
    """(size, distance) of the windows of adaptive pooling along one axis; None: not all equal."""
    if outputs > min(size, _WINDOWS):
        return None
    starts = np.arange(outputs) * size // outputs
    kernels = -(-(np.arange(outputs) + 1) * size // outputs) - starts
    steps = np.diff(starts)
    if outputs == 1:
        return size, size
    if np.ptp(kernels) or np.ptp(steps) or steps[0] < 1:
        return None
    return int(kernels[0]), int(steps[0])


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
