"""Max, average, adaptive and global pooling."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from systopack.frontend.graph import PoolOp
from systopack.frontend.reading.state import Arguments, Reading, Rule
from systopack.frontend.reading.view import Padding, View, add_padding, pair, window_output
from systopack.network.nodes import PoolKind


def _max_pool(reading: Reading, node: Any, arguments: Arguments) -> View:
    if pair(arguments["dilation"]) != (1, 1):
        reading.refuse(node, "is a dilated max pooling; leave the dilation out")
    return _pool(reading, node, arguments, "max")


def _average_pool(reading: Reading, node: Any, arguments: Arguments) -> View:
    padded = any(pair(arguments["padding"]))
    if arguments["divisor_override"] is not None or (padded and not arguments["count_include_pad"]):
        reading.refuse(
            node,
            "is an average pooling whose divisor changes with the position; set "
            "count_include_pad=True and train again",
        )
    return _pool(reading, node, arguments, "average")


def _pool(reading: Reading, node: Any, arguments: Arguments, kind: PoolKind) -> View:
    value = next(iter(arguments.values()))
    view = reading.view(node, value)
    around = view.padding
    # The zeros of a padding before it count in an average; no maximum of values that are never
    # below zero minds them.
    if kind == "average" and view.lowest:
        reading.refuse(node, "averages a tensor that was padded with something other than zeros")
    if any(around) and (kind == "average" or view.lowest or reading.is_rectified(view.tensor)):
        view = replace(view, padding=(0, 0, 0, 0), lowest=False)
    if any(view.padding):
        reading.refuse(
            node,
            "is a max pooling of values of both signs that were padded with zeros; put a ReLU "
            "before it, or give the pooling the padding",
        )
    if view.axes is not None:
        view = reading.plain_view(node, value, "pooling")
    if any(view.padding) or view.flat or not view.keeps_pixels:
        reading.refuse(node, "is a pooling of a tensor that was shifted, padded or flattened")
    if view.channels is not None:
        view = reading.gather(node, [view], name=f"{node.name}_channels")
    kernel = pair(arguments["kernel_size"])
    stride = pair(arguments["stride"] or kernel)
    down, right = pair(arguments["padding"])
    padding = add_padding(around, (down, down, right, right))
    if arguments["ceil_mode"]:
        grown = _ceiled(view.shape[1:], kernel, stride, padding)
        if kind == "average" and grown != padding:
            reading.refuse(
                node,
                "is an average pooling with ceil_mode, whose divisor changes with the position; "
                "pad its input instead",
            )
        padding = grown
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
        count = -(-(size[axis] + before + after - kernel[axis]) // stride[axis]) + 1
        if (count - 1) * stride[axis] >= size[axis] + before:
            count -= 1  # the last window would start beyond the image
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
    if view.flat or any(s % o for s, o in zip(sizes, outputs, strict=True)):
        reading.refuse(
            node,
            f"pools {sizes[0]} x {sizes[1]} to {outputs[0]} x {outputs[1]}, which does not divide "
            "evenly; choose another image or output size",
        )
    if sizes == outputs:
        return view
    kernel = (sizes[0] // outputs[0], sizes[1] // outputs[1])
    return _window(
        reading, node, arguments["self"], view=view, kernel=kernel, size=outputs, kind=kind
    )


def _mean(reading: Reading, node: Any, arguments: Arguments) -> View:
    return _global(reading, node, arguments, "average")


def _maximum(reading: Reading, node: Any, arguments: Arguments) -> View:
    return _global(reading, node, arguments, "max")


def _global(reading: Reading, node: Any, arguments: Arguments, kind: PoolKind) -> View:
    view = reading.plain_view(node, arguments["self"], "pooling")
    if view.flat or sorted(d % 4 for d in arguments["dim"] or ()) != [2, 3]:
        reading.refuse(node, "goes over other axes than height and width")
    pooled = _window(
        reading, node, arguments["self"], view=view, kernel=view.shape[1:], size=(1, 1), kind=kind
    )
    return replace(pooled, flat=not arguments["keepdim"])


def _window(
    reading: Reading,
    node: Any,
    value: Any,
    *,
    view: View,
    kernel: tuple[int, int],
    size: tuple[int, int],
    kind: PoolKind,
) -> View:
    return reading.add(
        PoolOp(
            name=reading.op_name(node, "pool"),
            source=view.tensor,
            kind=kind,
            kernel=kernel,
            stride=kernel,
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
    "aten.amax": _maximum,
}
