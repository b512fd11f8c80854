"""How every ONNX operation is computed in torch, so that one reader serves both.

A translation gets a `Call` and gives a function of the call's tensor inputs, with everything that
ONNX states as constants bound in. What has no translation is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from math import prod
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from systopack.frontend.onnx_call import Call, Function
from systopack.frontend.onnx_windows import (
    average_pool,
    convolution,
    max_pool,
    transposed_convolution,
)

Translation = Callable[[Call], Function]


def _batch_norm(call: Call) -> Function:
    if call.attributes.get("training_mode", 0) or call.results > 1:
        call.refuse("is a batch norm that trains; export the model after model.eval()")
    if not call.attributes.get("spatial", 1):
        call.refuse("is a batch norm of every pixel by itself; only one number a channel is read")
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
    return _cut(call, *limits)


def _cut(call: Call, low: float, high: float) -> Function:
    """Cut off what lies outside of limits, of which each may be infinite."""
    if not low <= high:
        call.refuse(f"cuts off below {low:g} and above {high:g}, which leaves nothing")
    if (low, high) == (0, np.inf):
        return torch.relu
    if np.isfinite((low, high)).all():
        return partial(F.hardtanh, min_val=low, max_val=high)
    bounds = {"min": low, "max": high}
    bounds = {name: bound for name, bound in bounds.items() if np.isfinite(bound)}
    return partial(torch.clamp, **bounds) if bounds else torch.clone


def _extreme(call: Call) -> Function:
    """Max or Min with a number, or the same one for every channel, cuts off on one side."""
    constants = [number for array in call.constants.values() for number in np.unique(array)]
    if len(call.shapes) != 1 or len(constants) != 1:
        call.refuse("compares something other than one tensor and one number")
    limit = float(constants[0])
    return _cut(call, *((limit, np.inf) if call.operation == "Max" else (-np.inf, limit)))


def _flatten(call: Call) -> Function:
    axis = int(call.attributes.get("axis", 1))
    rank = len(call.shapes[0])
    if axis % rank != 1 or axis == rank:
        call.refuse("flattens the images of a batch together")
    return partial(torch.flatten, start_dim=1)


def _reshape(call: Call) -> Function:
    if 1 not in call.constants:
        call.refuse("reshapes to a shape that is computed from the images")
    wanted = [int(size) for size in call.constants[1].ravel()]
    shape = call.shapes[0]
    if not call.attributes.get("allowzero", 0):
        wanted = [shape[i] if s == 0 and i < len(shape) else s for i, s in enumerate(wanted)]
    if wanted.count(-1) > 1 or min([*wanted, 0]) < -1:
        call.refuse(f"reshapes to {wanted}, which is no shape")
    rest = prod(size for size in wanted if size != -1)
    if -1 in wanted and rest:
        wanted[wanted.index(-1)] = prod(shape) // rest
    if prod(wanted) != prod(shape):
        call.refuse(f"reshapes {shape} to {wanted}, which holds another number of values")
    if not wanted or wanted[0] != shape[0]:
        call.refuse(
            f"reshapes {shape} to {tuple(wanted)}; the images of a batch must stay apart, so let "
            "the first size be 0, or -1 with all others known"
        )
    if len(wanted) == 2:
        return partial(torch.flatten, start_dim=1)
    return lambda tensor: tensor.reshape(tensor.shape[0], *wanted[1:])


def _pad(call: Call) -> Function:
    pads = call.integers("pads", 1) or call.integers("paddings", 1) or []
    mode = call.attributes.get("mode", "constant")
    value = call.attributes.get("value", 0.0)
    if 2 in call.constants and call.constants[2].size:
        value = call.constants[2].item()
    rank = len(call.shapes[0])
    axes = call.integers("axes", 3) or list(range(rank))
    axes = [call.axis(axis) for axis in axes]
    if mode != "constant" or value or len(pads) != 2 * len(axes) or len(set(axes)) < len(axes):
        call.refuse("pads with something other than zeros, or does not say how much on each side")
    before, after = [0] * rank, [0] * rank
    for position, axis in enumerate(axes):
        before[axis], after[axis] = pads[position], pads[position + len(axes)]
    if before[0] or after[0]:
        call.refuse("pads the batch")
    sides = [side for axis in reversed(range(rank)) for side in (before[axis], after[axis])]
    while len(sides) > 2 and not any(sides[-2:]):
        sides = sides[:-2]
    return lambda tensor: F.pad(tensor, sides)


def _slice(call: Call) -> Function:
    starts, ends = call.integers("starts", 1), call.integers("ends", 2)
    if starts is None or ends is None:
        call.refuse("slices from and to places that are not stated")
    axes = call.integers("axes", 3) or list(range(len(starts)))
    steps = call.integers("steps", 4) or [1] * len(starts)
    if min([*steps, 1]) < 1:
        call.refuse("slices backwards")
    if not len(starts) == len(ends) == len(axes) == len(steps):
        call.refuse("has other numbers of starts, ends, axes and steps")
    index = [slice(None)] * len(call.shapes[0])
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        index[call.axis(axis)] = slice(start, end, step)
    return lambda tensor: tensor[tuple(index)]


def _gather(call: Call) -> Function:
    """Chosen channels, as slices that are put together."""
    axis = call.axis(int(call.attributes.get("axis", 0)))
    indices = call.constants[1] if 1 in call.constants else np.empty(0)
    if axis != 1 or indices.ndim != 1 or not indices.size or indices.dtype.kind not in "iu":
        call.refuse("gathers something other than a list of channels")
    channels = call.shapes[0][1]
    if indices.min() < -channels or indices.max() >= channels:
        call.refuse(f"gathers channels that the {channels} of its input do not hold")
    indices = np.where(indices < 0, indices + channels, indices)
    cuts = np.flatnonzero(np.diff(indices) != 1) + 1
    runs = [(int(run[0]), int(run[-1]) + 1) for run in np.split(indices, cuts)]
    return lambda tensor: torch.cat([tensor[:, start:stop] for start, stop in runs], dim=1)


def _split(call: Call) -> Function:
    axis = call.axis(int(call.attributes.get("axis", 0)))
    sizes = call.integers("split", 1)
    size = call.shapes[0][axis]
    if sizes is None:
        # The last part is the smaller one, where they cannot all be equal.
        part = -(-size // call.results)
        sizes = [part] * (call.results - 1) + [size - part * (call.results - 1)]
    if len(sizes) != call.results or min(sizes) < 1 or sum(sizes) != size:
        call.refuse(f"splits {size} into {sizes}")
    return lambda tensor: torch.split(tensor, sizes, axis)


def _transpose(call: Call) -> Function:
    rank = len(call.shapes[0])
    stated = call.attributes.get("perm")
    order = list(range(rank))[::-1] if stated is None else [int(axis) for axis in stated]
    if sorted(order) != list(range(rank)) or order[0] != 0:
        call.refuse("moves the images of a batch, or names axes that are not there")
    if order == list(range(rank)):
        return torch.clone
    moved = [axis for axis, source in enumerate(order) if axis != source]
    if rank > 4 and len(moved) == 2:
        return partial(torch.transpose, dim0=moved[0], dim1=moved[1])
    return partial(torch.permute, dims=order)


def _reduce(function: Function) -> Translation:
    def translate(call: Call) -> Function:
        stated = call.integers("axes", 1)
        if not stated and call.attributes.get("noop_with_empty_axes", 0):
            return torch.clone
        axes = [call.axis(a) for a in stated] if stated else list(range(len(call.shapes[0])))
        keep = bool(call.attributes.get("keepdims", 1))
        return lambda tensor: function(tensor, dim=axes, keepdim=keep)

    return translate


def _squeeze(call: Call) -> Function:
    shape = call.shapes[0]
    axes = [call.axis(axis) for axis in call.integers("axes", 1) or []]
    axes = axes or [axis for axis, size in enumerate(shape) if axis and size == 1]
    if any(shape[axis] != 1 for axis in axes):
        call.refuse(f"takes axes {axes} out of {shape}, whose size there is not 1")
    if 0 in axes:
        call.refuse("takes the axis of the batch out")
    return lambda tensor: tensor.squeeze(axes)


def _unsqueeze(call: Call) -> Function:
    stated = call.integers("axes", 1) or []
    rank = len(call.shapes[0]) + len(stated)
    axes = sorted(axis % rank for axis in stated)
    if not axes or axes[0] == 0 or len(set(axes)) < len(axes):
        call.refuse("adds an axis before the batch, or does not say where")

    def run(tensor: Tensor) -> Tensor:
        for axis in axes:
            tensor = tensor.unsqueeze(axis)
        return tensor

    return run


def _softmax(function: Function) -> Translation:
    def translate(call: Call) -> Function:
        axis = call.axis(int(call.attributes.get("axis", -1 if call.opset >= 13 else 1)))
        # Before opset 13 it goes over this axis and all that follow, taken as one.
        if call.opset < 13 and prod(call.shapes[0][axis + 1 :]) != 1:
            call.refuse("is a softmax over several axes")
        return partial(function, dim=axis)

    return translate


def _dropout(call: Call) -> Function:
    training = call.constants.get(2)
    if training is not None and training.any():
        call.refuse("is a dropout that trains; export the model after model.eval()")
    return _first


def _cast(call: Call) -> Function:
    if int(call.attributes.get("to", 1)) != 1:
        call.refuse("changes the numbers to another type than floating point")
    return torch.clone


def _concatenate(call: Call) -> Function:
    if call.constants or "axis" not in call.attributes:
        call.refuse("puts stored numbers and tensors together, or states no axis")
    return lambda *tensors: torch.cat(tensors, dim=int(call.attributes["axis"]))


def _leaky(call: Call) -> Function:
    return partial(F.leaky_relu, negative_slope=float(call.attributes.get("alpha", 0.01)))


def _layer_norm(call: Call) -> Function:
    epsilon = float(call.attributes.get("epsilon", 1e-5))

    def run(tensor: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return F.layer_norm(tensor, weight.shape, weight, bias, epsilon)

    return run


def _instance_norm(call: Call) -> Function:
    epsilon = float(call.attributes.get("epsilon", 1e-5))

    def run(tensor: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.instance_norm(tensor, weight=weight, bias=bias, eps=epsilon)

    return run


def _always(function: Function) -> Translation:
    return lambda _: function


def _sum(*tensors: Tensor) -> Tensor:
    return reduce(torch.add, tensors)


def _first(tensor: Tensor, *_: Any) -> Tensor:
    return tensor.clone()


TRANSLATIONS: dict[str, Translation] = {
    "Conv": convolution,
    "BatchNormalization": _batch_norm,
    "Relu": _always(torch.relu),
    "Clip": _clip,
    "Max": _extreme,
    "Min": _extreme,
    "Add": _always(torch.add),
    "Sum": _always(_sum),
    "Mul": _always(torch.mul),
    "Sub": _always(torch.sub),
    "Div": _always(torch.div),
    "Neg": _always(torch.neg),
    "Concat": _concatenate,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": _always(lambda tensor: F.adaptive_avg_pool2d(tensor, 1)),
    "GlobalMaxPool": _always(lambda tensor: tensor.amax((2, 3), keepdim=True)),
    "ReduceMean": _reduce(torch.mean),
    "ReduceMax": _reduce(torch.amax),
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Pad": _pad,
    "Slice": _slice,
    "Split": _split,
    "Gather": _gather,
    "Dropout": _dropout,
    "Identity": _always(_first),
    "Cast": _cast,
    "Softmax": _softmax(torch.softmax),
    "LogSoftmax": _softmax(torch.log_softmax),
    # The reader refuses these by name; with --partial the rest of the model runs around them.
    "Sigmoid": _always(torch.sigmoid),
    "Tanh": _always(torch.tanh),
    "HardSwish": _always(F.hardswish),
    "HardSigmoid": _always(F.hardsigmoid),
    "Gelu": _always(F.gelu),
    "LeakyRelu": _leaky,
    "PRelu": _always(F.prelu),
    "Elu": lambda call: partial(F.elu, alpha=float(call.attributes.get("alpha", 1.0))),
    "Selu": _always(F.selu),
    "Softplus": _always(F.softplus),
    "Mish": _always(F.mish),
    "ConvTranspose": transposed_convolution,
    "LayerNormalization": _layer_norm,
    "InstanceNormalization": _instance_norm,
}
