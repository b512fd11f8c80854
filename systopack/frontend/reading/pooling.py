"""Max, average, adaptive and global pooling."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from systopack.frontend.graph import PoolOp, Scaling
from systopack.frontend.reading.state import Arguments, Reading, Rule
from systopack.frontend.reading.view import (
    Padding,
    View,
    adaptive_windows,
    add_padding,
    averaged_windows,
    pair,
    window_count,
    window_output,
)
from systopack.network.nodes import PoolKind


def _max_pool(reading: Reading, node: Any, arguments: Arguments) -> View:
    if pair(arguments["dilation"]) != (1, 1):
        reading.refuse(node, "is a dilated max pooling; leave the dilation out")
    view, kernel, stride, (down, right) = _window_of(reading, node, arguments)
    padding = (down, down, right, right)
    if arguments["ceil_mode"]:
        padding = _ceiled(view.shape[1:], kernel, stride, add_padding(view.padding, padding))
        before = zip(padding, view.padding, strict=True)
        top, bottom, left, right = (whole - around for whole, around in before)
        padding = (top, bottom, left, right)
    return _pool(
        reading, node, arguments["self"], "max", kernel=kernel, stride=stride, padding=padding
    )


def _average_pool(reading: Reading, node: Any, arguments: Arguments) -> View:
    if arguments.get("divisor_override") is not None:
        reading.refuse(node, "is an average pooling with a divisor of its own; leave it out")
    view, kernel, stride, pads = _window_of(reading, node, arguments)
    around = view.padding  # zeros before it count as pixels
    ends = [
        averaged_windows(
            view.shape[1 + axis] + around[2 * axis] + around[2 * axis + 1],
            kernel=kernel[axis],
            stride=stride[axis],
            pads=(pads[axis], pads[axis]),
            counted=arguments["count_include_pad"],
            ceiled=arguments["ceil_mode"],
        )
        for axis in range(2)
    ]
    down, across = ends
    pooled = _pool(
        reading,
        node,
        arguments["self"],
        "average",
        kernel=(down.kernel, across.kernel),
        stride=(down.stride, across.stride),
        padding=(*down.pads, *across.pads),
    )
    if down.is_even and across.is_even:
        return pooled
    factor = down.factors[:, None] * across.factors
    whole = np.broadcast_to(factor, pooled.shape)
    scaling = Scaling(factor=whole, offset=np.zeros(pooled.shape))
    return replace(pooled, scaling=scaling, scaled_at=node)


def _window_of(
    reading: Reading, node: Any, arguments: Arguments
) -> tuple[View, tuple[int, int], tuple[int, int], tuple[int, int]]:
    """What a pooling slides over, and its kernel, stride and padding."""
    kernel = pair(arguments["kernel_size"])
    stride = pair(arguments["stride"] or kernel)
    return reading.view(node, arguments["self"]), kernel, stride, pair(arguments["padding"])


def _pool(
    reading: Reading,
    node: Any,
    value: Any,
    kind: PoolKind,
    *,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: Padding,
) -> View:
    view = reading.view(node, value)
    around = view.padding
    # The zeros of a padding before it count in an average; no maximum of values that are never
    # below zero minds them.
    if kind == "average" and view.lowest:
        reading.refuse(node, "averages a tensor that was padded with something other than zeros")
    if any(around) and (kind == "average" or view.lowest or reading.is_rectified(view.tensor)):
        view = replace(view, padding=(0, 0, 0, 0), lowest=False)
    if view.flat:
        reading.refuse(node, "is a pooling of a flattened tensor")
    if any(view.padding):  # zeros among values of both signs
        around = (0, 0, 0, 0)
    view = reading.finished(node, view, "pooling")
    padding = add_padding(around, padding)
    if max(padding[:2]) >= kernel[0] or max(padding[2:]) >= kernel[1]:
        reading.refuse(
            node, "is a pooling with padding as large as its window, so some windows are empty"
        )
    return reading.add(
        PoolOp(
            name=reading.op_name(node, "pool"),
            source=view.tensor,
            kind=kind,
            kernel=kernel,
            stride=stride,
            padding=padding,
            output_size=window_output(
                view.shape[1:], kernel=kernel, stride=stride, padding=padding
            ),
        ),
        reads=value,
    )


def _ceiled(
    size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], padding: Padding
) -> Padding:
    """The padding by which rounding down gives what `ceil_mode` gives."""
    ends = []
    for axis in range(2):
        before, after = padding[2 * axis : 2 * axis + 2]
        count = window_count(size[axis], kernel[axis], stride[axis], (before, after), ceiled=True)
        reach = (count - 1) * stride[axis] + kernel[axis] - size[axis] - before
        ends.append(max(reach, after))
    return padding[0], ends[0], padding[2], ends[1]


def _adaptive_average(reading: Reading, node: Any, arguments: Arguments) -> View:
    return _adaptive(reading, node, arguments, "average")


def _adaptive_max(reading: Reading, node: Any, arguments: Arguments) -> tuple[View]:
    return (_adaptive(reading, node, arguments, "max"),)


def _adaptive(reading: Reading, node: Any, arguments: Arguments, kind: PoolKind) -> View:
    view = reading.plain_view(node, arguments["self"], "pooling")
    outputs = pair(arguments["output_size"])
    sizes = view.shape[1:]
    windows = [adaptive_windows(*ends) for ends in zip(sizes, outputs, strict=True)]
    down, across = windows
    if view.flat or down is None or across is None:
        reading.refuse(
            node,
            f"pools {sizes[0]} x {sizes[1]} to {outputs[0]} x {outputs[1]} in windows of unequal "
            f"sizes or distances; equal ones give {_even_outputs(sizes[0], outputs[0])} rows and "
            f"{_even_outputs(sizes[1], outputs[1])} columns: choose such an output and train "
            "again, or take images of another size",
        )
    if sizes == outputs:
        return view
    return _window(
        reading,
        node,
        arguments["self"],
        view=view,
        kernel=(down[0], across[0]),
        stride=(down[1], across[1]),
        size=outputs,
        kind=kind,
    )


def _even_outputs(size: int, wanted: int) -> str:
    """What adaptive pooling can give in equal windows: the nearest to what is wanted."""
    near = range(max(1, wanted - 32), min(size, wanted + 32) + 1)
    even = [n for n in {1, *near} if adaptive_windows(size, n) is not None]
    nearest = sorted(sorted(even, key=lambda n: abs(n - wanted))[:3])
    return " or ".join(map(str, nearest))


def _mean(reading: Reading, node: Any, arguments: Arguments) -> View:
    return _global(reading, node, arguments, "average")


def _maximum(reading: Reading, node: Any, arguments: Arguments) -> View:
    return _global(reading, node, arguments, "max")


def _largest(reading: Reading, node: Any, arguments: Arguments) -> tuple[View]:
    """The maximum along one axis; the places where it is are not read."""
    return (_global(reading, node, {**arguments, "dim": [arguments["dim"]]}, "max"),)


def _sum(reading: Reading, node: Any, arguments: Arguments) -> View:
    """As many times the mean."""
    pooled = _global(reading, node, arguments, "average")
    count = prod(reading.view(node, arguments["self"]).shape) // prod(pooled.shape)
    factor = np.full(pooled.shape, float(count))
    scaling = Scaling(factor=factor, offset=np.zeros(pooled.shape))
    return replace(pooled, scaling=scaling, scaled_at=node)


def _global(reading: Reading, node: Any, arguments: Arguments, kind: PoolKind) -> View:
    view = reading.view(node, arguments["self"])
    rank = len(reading.seen_shape(arguments["self"])) + 1
    dims = [dim % rank for dim in arguments["dim"] or ()]
    over = {axis for dim in dims if dim for axis in view.axes_at(dim)}
    if view.flat or view.parts is not None or 0 in dims or not over or 0 in over:
        reading.refuse(node, "goes over other axes than height and width")
    plain = reading.plain_view(node, arguments["self"], "pooling", any_axes=True)
    sizes = plain.shape[1:]
    down, across = (size if axis in over else 1 for axis, size in enumerate(sizes, 1))
    pooled = view.of(
        _window(
            reading,
            node,
            arguments["self"],
            view=plain,
            kernel=(down, across),
            size=(sizes[0] // down, sizes[1] // across),
            kind=kind,
        )
    )
    if arguments["keepdim"]:
        return pooled
    if view.merged or len(over) == 2:
        return replace(pooled, flat=True, merged=False, axes=None)
    if (view.axes or (0, 1, 2))[1] == 0:
        reading.refuse(node, "goes over one side of an image whose channels lie between the sides")
    return replace(pooled, merged=True)


def _window(
    reading: Reading,
    node: Any,
    value: Any,
    *,
    view: View,
    kernel: tuple[int, int],
    size: tuple[int, int],
    kind: PoolKind,
    stride: tuple[int, int] | None = None,
) -> View:
    return reading.add(
        PoolOp(
            name=reading.op_name(node, "pool"),
            source=view.tensor,
            kind=kind,
            kernel=kernel,
            stride=stride or kernel,
            padding=(0, 0, 0, 0),
            output_size=size,
        ),
        reads=value,
    )


RULES: dict[str, Rule] = {
    "aten.max_pool2d": _max_pool,
    "aten.max_pool2d_with_indices": lambda reading, node, arguments: (
        _max_pool(reading, node, arguments),
    ),
    "aten.avg_pool2d": _average_pool,
    "aten.adaptive_avg_pool2d": _adaptive_average,
    "aten.adaptive_max_pool2d": _adaptive_max,
    "aten.mean": _mean,
    "aten.sum": _sum,
    "aten.amax": _maximum,
    "aten.max": _largest,
}
