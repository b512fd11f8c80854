"""How every ONNX operation is computed in torch, so that one reader serves both.

A translation gets a `Call` and gives a function of the call's tensor inputs, with everything that
ONNX states as constants bound in. What has no translation is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from systopack.errors import InvalidNetworkError

Function = Callable[..., Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Call:
    """One ONNX node.

    Args:
        operation, place: its type and its name in the graph.
        attributes: by name, as Python values.
        shapes: of the inputs that are tensors, by position.
        constants: the other inputs, by position.
        results: how many outputs it has.
    """

    operation: str
    place: str
    attributes: Mapping[str, Any]
    shapes: Mapping[int, tuple[int, ...]]
    constants: Mapping[int, NDArray[Any]]
    results: int

    def integers(self, name: str, position: int) -> list[int] | None:
        """A list of integers given as an attribute (old) or as an input (new)."""
        if position in self.constants:
            return [int(value) for value in self.constants[position].ravel()]
        value = self.attributes.get(name)
        return None if value is None else [int(item) for item in np.atleast_1d(value)]

    def refuse(self, reason: str) -> NoReturn:
        """Refuse the node by name."""
        raise InvalidNetworkError(f"Operation '{self.operation}' in '{self.place}' {reason}.")


def convolution(call: Call) -> Function:
    """Conv, with padding on any side."""
    kernel = call.shapes[1][2:]
    if len(kernel) != 2:
        call.refuse("is no convolution of images (height, width)")
    stride, dilation = _pair(call, "strides"), _pair(call, "dilations")
    top, bottom, left, right = _pads(call, kernel, stride, dilation)
    groups = int(call.attributes.get("group", 1))

    def run(images: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        if (top, left) == (bottom, right):
            return F.conv2d(images, weight, bias, stride, (top, left), dilation, groups)
        padded = F.pad(images, (left, right, top, bottom))
        return F.conv2d(padded, weight, bias, stride, 0, dilation, groups)

    return run


def _batch_norm(call: Call) -> Function:
    if call.attributes.get("training_mode", 0) or call.results > 1:
        call.refuse("is a batch norm that trains; export the model after model.eval()")
    epsilon = float(call.attributes.get("epsilon", 1e-5))
    momentum = 1 - float(call.attributes.get("momentum", 0.9))

    def run(x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        return F.batch_norm(x, mean, variance, weight, bias, momentum=momentum, eps=epsilon)

    return run


def _clip(call: Call) -> Function:
    limits = []
    for position, (name, none) in enumerate((("min", -np.inf), ("max", np.inf)), start=1):
        value = call.constants.get(position)
        limits.append(float(call.attributes.get(name, none) if value is None else value.item()))
    low, high = limits
    if low == 0 and high == np.inf:
        return torch.relu
    if not np.isfinite(limits).all():
        call.refuse("cuts off on one side only; only 0 and nothing above can be lowered")
    return partial(F.hardtanh, min_val=low, max_val=high)


def _max_pool(call: Call) -> Function:
    if call.results > 1 or call.attributes.get("dilations", [1, 1]) != [1, 1]:
        call.refuse("is a max pooling that is dilated or gives indices")
    kernel, stride, (top, bottom, left, right), ceil = _window(call)

    def run(images: Tensor) -> Tensor:
        if (top, left) == (bottom, right):
            return F.max_pool2d(images, kernel, stride, (top, left), ceil_mode=ceil)
        # Zeros never win over values that are not below zero; the reader checks that they are not.
        return F.max_pool2d(F.pad(images, (left, right, top, bottom)), kernel, stride)

    if (top, left) != (bottom, right) and ceil:
        call.refuse("has uneven padding and ceil_mode")
    return run


def _average_pool(call: Call) -> Function:
    kernel, stride, (top, bottom, left, right), ceil = _window(call)
    counted = bool(call.attributes.get("count_include_pad", 0))
    even = (top, left) == (bottom, right)
    if not even and (ceil or not counted):
        call.refuse("is an average pooling whose divisor changes with the position")

    def run(images: Tensor) -> Tensor:
        if even:
            return F.avg_pool2d(images, kernel, stride, (top, left), ceil, counted)
        return F.avg_pool2d(F.pad(images, (left, right, top, bottom)), kernel, stride)

    return run


def _flatten(call: Call) -> Function:
    if call.attributes.get("axis", 1) != 1:
        call.refuse("flattens the images of a batch together")
    return partial(torch.flatten, start_dim=1)


def _reshape(call: Call) -> Function:
    wanted = [int(size) for size in call.constants[1]]
    shape = call.shapes[0]
    if wanted[0] == 0:
        wanted[0] = shape[0]
    wanted = [shape[i] if size == 0 else size for i, size in enumerate(wanted)]
    example = np.empty(shape, dtype=np.bool_).reshape(wanted).shape
    if example[0] != shape[0]:
        call.refuse(f"reshapes {shape} to {example}; the images of a batch must stay apart")
    if len(example) == 2:
        return partial(torch.flatten, start_dim=1)
    return lambda tensor: tensor.reshape(tensor.shape[0], *example[1:])


def _pad(call: Call) -> Function:
    pads = call.integers("pads", 1) or []
    mode = call.attributes.get("mode", "constant")
    value = float(call.constants[2].item()) if 2 in call.constants and call.constants[2].size else 0
    if mode != "constant" or value or 3 in call.constants or len(pads) != 8:
        call.refuse("pads with something other than zeros, or on chosen axes only")
    before, after = pads[:4], pads[4:]
    sides = [side for axis in (3, 2, 1, 0) for side in (before[axis], after[axis])]
    while len(sides) > 2 and not any(sides[-2:]):
        sides = sides[:-2]
    return lambda tensor: F.pad(tensor, sides)


def _slice(call: Call) -> Function:
    starts, ends = call.integers("starts", 1), call.integers("ends", 2)
    assert starts is not None and ends is not None
    axes = call.integers("axes", 3) or list(range(len(starts)))
    steps = call.integers("steps", 4) or [1] * len(starts)
    rank = len(call.shapes[0])
    if min(steps) < 1:
        call.refuse("slices backwards")
    index = [slice(None)] * rank
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        index[axis % rank] = slice(start, end, step)
    return lambda tensor: tensor[tuple(index)]


def _gather(call: Call) -> Function:
    """Chosen channels, as slices that are put together."""
    axis = int(call.attributes.get("axis", 0))
    indices = call.constants[1] if 1 in call.constants else np.empty(0)
    if axis != 1 or indices.ndim != 1 or not indices.size:
        call.refuse("gathers something other than a list of channels")
    indices = np.where(indices < 0, indices + call.shapes[0][1], indices)
    cuts = np.flatnonzero(np.diff(indices) != 1) + 1
    runs = [(int(run[0]), int(run[-1]) + 1) for run in np.split(indices, cuts)]
    return lambda tensor: torch.cat([tensor[:, start:stop] for start, stop in runs], dim=1)


def _split(call: Call) -> Function:
    axis = int(call.attributes.get("axis", 0))
    sizes = call.integers("split", 1)
    if sizes is None:
        sizes = [call.shapes[0][axis] // call.results] * call.results
    return lambda tensor: torch.split(tensor, sizes, axis)


def _transpose(call: Call) -> Function:
    order = [int(axis) for axis in call.attributes.get("perm", [])]
    moved = [axis for axis, source in enumerate(order) if axis != source]
    if len(moved) == 0:
        return torch.clone
    if len(moved) != 2:
        call.refuse("moves more than two axes")
    return partial(torch.transpose, dim0=moved[0], dim1=moved[1])


def _reduce(function: Function) -> Callable[[Call], Function]:
    def translate(call: Call) -> Function:
        axes = call.integers("axes", 1) or list(range(len(call.shapes[0])))
        keep = bool(call.attributes.get("keepdims", 1))
        return lambda tensor: function(tensor, dim=axes, keepdim=keep)

    return translate


def _squeeze(call: Call) -> Function:
    axes = call.integers("axes", 1) or [
        axis for axis, size in enumerate(call.shapes[0]) if axis and size == 1
    ]
    return lambda tensor: tensor.squeeze(axes)


def _softmax(function: Function) -> Callable[[Call], Function]:
    return lambda call: partial(function, dim=int(call.attributes.get("axis", -1)))


def _always(function: Function) -> Callable[[Call], Function]:
    return lambda _: function


def _concatenate(call: Call) -> Function:
    axis = int(call.attributes["axis"])
    return lambda *tensors: torch.cat(tensors, dim=axis)


def _first(tensor: Tensor, *_: Any) -> Tensor:
    return tensor.clone()


TRANSLATIONS: dict[str, Callable[[Call], Function]] = {
    "Conv": convolution,
    "BatchNormalization": _batch_norm,
    "Relu": _always(torch.relu),
    "Clip": _clip,
    "Add": _always(torch.add),
    "Concat": _concatenate,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _always(lambda tensor: F.adaptive_avg_pool2d(tensor, 1)),
    "GlobalMaxPool": _always(lambda tensor: tensor.amax((2, 3), keepdim=True)),
    "ReduceMean": _reduce(torch.mean),
    "ReduceMax": _reduce(torch.amax),
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Pad": _pad,
    "Slice": _slice,
    "Split": _split,
    "Gather": _gather,
    "Dropout": _always(_first),
    "Identity": _always(_first),
    "Softmax": _softmax(torch.softmax),
    "LogSoftmax": _softmax(torch.log_softmax),
    # The reader refuses these by name; with --partial the rest of the model runs around them.
    "Mul": _always(torch.mul),
    "Sub": _always(torch.sub),
    "Div": _always(torch.div),
    "Sigmoid": _always(torch.sigmoid),
    "Tanh": _always(torch.tanh),
    "HardSwish": _always(F.hardswish),
    "HardSigmoid": _always(F.hardsigmoid),
    "Gelu": _always(F.gelu),
    "LeakyRelu": lambda call: partial(
        F.leaky_relu, negative_slope=float(call.attributes.get("alpha", 0.01))
    ),
}


def _pair(call: Call, name: str) -> tuple[int, int]:
    down, across = call.attributes.get(name, [1, 1])
    return int(down), int(across)


def _window(
    call: Call,
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int, int, int], bool]:
    if len(call.shapes[0]) != 4:
        call.refuse("is no pooling of images (height, width)")
    kernel, stride = _pair(call, "kernel_shape"), _pair(call, "strides")
    pads = _pads(call, kernel, stride, (1, 1))
    return kernel, stride, pads, bool(call.attributes.get("ceil_mode", 0))


def _pads(
    call: Call, kernel: tuple[int, ...], stride: tuple[int, int], dilation: tuple[int, int]
) -> tuple[int, int, int, int]:
    mode = call.attributes.get("auto_pad", "NOTSET")
    if mode == "VALID":
        return 0, 0, 0, 0
    if mode == "NOTSET":
        top, left, bottom, right = (int(p) for p in call.attributes.get("pads", [0, 0, 0, 0]))
        return top, bottom, left, right
    ends = []
    for axis in range(2):
        size = call.shapes[0][2 + axis]
        reach = dilation[axis] * (kernel[axis] - 1) + 1
        total = max((-(-size // stride[axis]) - 1) * stride[axis] + reach - size, 0)
        less, more = total // 2, total - total // 2
        ends += [less, more] if mode == "SAME_UPPER" else [more, less]
    return ends[0], ends[1], ends[2], ends[3]
