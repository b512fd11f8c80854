"""Layers with a filter matrix: convolution of any kind, and linear."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from systopack.errors import InvalidNetworkError
from systopack.frontend.graph import MatrixOp
from systopack.frontend.reading.state import (
    Arguments,
    Reading,
    Rule,
    arguments_of,
    operation_of,
    place_of,
)
from systopack.frontend.reading.view import Padding, View, add_padding, pair, window_output


def _convolution(reading: Reading, node: Any, arguments: Arguments) -> View:
    view = reading.view(node, arguments["input"])
    weight, stored = reading.parameter(node, arguments["weight"], "weight")
    shape = stored
    if len(stored) == 3:  # of lines, which are images of one row or one column
        shape = (*stored[:2], 1, stored[2]) if view.shape[1] == 1 else (*stored, 1)
    if len(shape) != 4 or arguments.get("transposed", False):
        reading.refuse(node, "is no convolution of images (height, width)")
    if view.axes is not None:
        reading.refuse(
            node,
            f"reads an image whose axes '{view.exchanged_in}' exchanged; images are (channels, "
            "height, width) here, so leave the exchange out and give a model that reads them so",
        )
    if view.flat or view.merged or view.parts is not None:
        reading.refuse(node, "reads a flattened tensor")
    if view.lowest:
        reading.refuse(node, "reads a tensor that was padded with something other than zeros")
    if view.channels is not None:
        if not view.keeps_pixels:
            reading.refuse(node, "reads a tensor whose channels and pixels were both moved")
        view = reading.plain_view(node, arguments["input"], "convolution")
    kernel, dilation = (shape[2], shape[3]), pair(arguments["dilation"])
    padding = _padding(reading, node, arguments["padding"], kernel, dilation)
    if view.displacements is not None:
        if any(padding):
            reading.refuse(node, "follows a shift, so it must be without padding")
        return _shift_convolution(reading, node, arguments, view, (weight, shape))
    # Every n-th pixel of a tensor is a matter of larger steps and displacements.
    sparse = view.stride
    around = add_padding(view.padding, padding)
    size = window_output(
        view.shape[1:],
        kernel=kernel,
        stride=pair(arguments["stride"]),
        padding=around,
        dilation=dilation,
    )
    stride = _times(pair(arguments["stride"]), sparse)
    dilation = _times(dilation, sparse)
    top, left = _times((around[0], around[2]), sparse)
    groups = int(arguments["groups"])
    part = np.mgrid[: shape[1], : shape[2], : shape[3]].reshape(3, -1).T
    part = part * (1, *dilation) - (0, top, left)
    columns = np.concatenate([part + np.array([group * shape[1], 0, 0]) for group in range(groups)])
    bottom, right = around[1], around[3]
    if sparse != (1, 1):
        last = columns[:, 1:].max(axis=0) + (np.array(size) - 1) * stride
        sizes = reading.shapes[view.tensor][1:]
        bottom, right = np.maximum(last - sizes + 1, 0).tolist()
    return reading.add(
        MatrixOp(
            name=_layer_name(reading, node, weight),
            source=view.tensor,
            kind="convolution",
            weight=weight,
            weight_shape=stored,
            bias=reading.optional_name(node, arguments["bias"], "bias"),
            norm=None,
            columns=columns.astype(np.int32),
            stride=stride,
            dilation=dilation,
            padding=(top, bottom, left, right),
            output_size=size,
            residual=None,
            activation="none",
            clip=None,
            groups=groups,
        )
    )


def _shift_convolution(
    reading: Reading,
    node: Any,
    arguments: Arguments,
    view: View,
    stored: tuple[str, tuple[int, ...]],
) -> View:
    weight, shape = stored
    moves = view.displacements
    assert moves is not None
    if shape[2:] != (1, 1) or arguments["groups"] != 1:
        reading.refuse(node, "follows a shift, so it must be 1 x 1 and without groups")
    stride = pair(arguments["stride"])
    columns = np.concatenate([np.arange(shape[1])[:, None], moves], axis=1)
    top, left = np.maximum(-moves.min(axis=0), 0).tolist()
    bottom, right = np.maximum(moves.max(axis=0), 0).tolist()
    return reading.add(
        MatrixOp(
            name=_layer_name(reading, node, weight),
            source=view.tensor,
            kind="shift",
            weight=weight,
            weight_shape=shape,
            bias=reading.optional_name(node, arguments["bias"], "bias"),
            norm=None,
            columns=columns.astype(np.int32),
            stride=stride,
            dilation=(1, 1),
            padding=(top, bottom, left, right),
            output_size=window_output(
                view.shape[1:], kernel=(1, 1), stride=stride, padding=(0, 0, 0, 0)
            ),
            residual=None,
            activation="none",
            clip=None,
        )
    )


def _linear(reading: Reading, node: Any, arguments: Arguments) -> View:
    view = reading.view(node, arguments["input"], scaled=True)
    axes = view.axes or (0, 1, 2)
    if (view.axes is None or not view.flat) and view.scaling is None:
        view = reading.plain_view(node, arguments["input"], "linear layer")
    if not (view.flat or view.shape[1:] == (1, 1)):
        reading.refuse(node, "is a linear layer that must read a flattened tensor")
    if view.channels is not None:
        reading.refuse(node, "reads chosen channels whose axes were exchanged")
    weight, shape = reading.parameter(node, arguments["weight"], "weight")
    # Every column is (channel, row, column), in the order in which the axes were flattened.
    columns = np.moveaxis(np.indices(view.shape), 0, -1).transpose(*axes, 3).reshape(-1, 3)
    read = view.scaling
    if read is not None:
        factor, offset = (part[tuple(columns.T)] for part in (read.factor, read.offset))
        read = replace(read, factor=factor, offset=offset)
    if len(shape) != 2 or shape[1] != len(columns):
        reading.refuse(node, f"has a weight of {shape}, but reads {len(columns)} values")
    flat = reading.add(
        MatrixOp(
            name=_layer_name(reading, node, weight),
            source=view.tensor,
            kind="linear",
            weight=weight,
            weight_shape=shape,
            bias=reading.optional_name(node, arguments["bias"], "bias"),
            norm=None,
            columns=columns.astype(np.int32),
            stride=(1, 1),
            dilation=(1, 1),
            padding=(0, 0, 0, 0),
            output_size=(1, 1),
            residual=None,
            activation="none",
            clip=None,
            column_scaling=read,
        )
    )
    return replace(flat, flat=True)


def keep_alone(reading: Reading, node: Any) -> None:
    """Note a linear layer that cannot be lowered for its filter matrix alone."""
    arguments = arguments_of(node) if operation_of(node) == "aten.linear" else {}
    try:
        weight, shape = reading.parameter(node, arguments.get("weight"), "weight")
        bias = reading.optional_name(node, arguments.get("bias"), "bias")
    except InvalidNetworkError:
        return
    if len(shape) != 2 or any(
        isinstance(op, MatrixOp) and op.weight == weight for op in reading.ops.values()
    ):
        return
    name = _layer_name(reading, node, weight)
    columns = np.zeros((shape[1], 3), dtype=np.int32)
    columns[:, 0] = np.arange(shape[1])
    reading.ops[name] = MatrixOp(
        name=name,
        source="input",
        kind="linear",
        weight=weight,
        weight_shape=shape,
        bias=bias,
        norm=None,
        columns=columns,
        stride=(1, 1),
        dilation=(1, 1),
        padding=(0, 0, 0, 0),
        output_size=(1, int(np.prod(node.meta["val"].shape[1:-1]))),
        residual=None,
        activation="none",
        clip=None,
    )


def _padding(
    reading: Reading, node: Any, value: Any, kernel: tuple[int, int], dilation: tuple[int, int]
) -> Padding:
    if value == "valid":
        return 0, 0, 0, 0
    if value == "same":
        down, across = (dilation[axis] * (kernel[axis] - 1) for axis in range(2))
        return down // 2, down - down // 2, across // 2, across - across // 2
    if isinstance(value, str):
        reading.refuse(node, f"has padding '{value}'; give it as numbers")
    down, across = pair(value)
    return down, down, across, across


def _times(first: tuple[int, int], second: tuple[int, int]) -> tuple[int, int]:
    return first[0] * second[0], first[1] * second[1]


def _layer_name(reading: Reading, node: Any, weight: str) -> str:
    """The name of a layer after its weight.

    Raises:
        RefusedError: another layer has this weight, by the names of both.
    """
    place = place_of(node)
    name = weight.removesuffix(".weight") if weight.endswith(".weight") else place or weight
    first = reading.layer_of.setdefault(weight, place)
    used = any(isinstance(op, MatrixOp) and op.weight == weight for op in reading.ops.values())
    if used:
        reading.refuse(
            node,
            f"has a weight that is used twice, first in layer '{first}'; give each use a layer of "
            "its own with a copy of the weight (copy.deepcopy)",
        )
    return name if name not in reading.ops else f"{weight} ({node.name})"


RULES: dict[str, Rule] = {
    "aten.conv2d": _convolution,
    "aten.convolution": _convolution,
    "aten.linear": _linear,
}
