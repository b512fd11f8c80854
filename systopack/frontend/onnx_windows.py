"""ONNX operations that slide a window: convolution and pooling, with padding on any side."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from systopack.frontend.onnx_call import Call, Function
from systopack.frontend.reading.view import averaged_windows

_SIDES = tuple[int, int, int, int]  # top, bottom, left, right


def convolution(call: Call) -> Function:
    """Conv, with padding on any side."""
    kernel = call.shapes[1][2:]
    if len(kernel) != 2 or len(call.shapes[0]) != 4:
        call.refuse("is no convolution of images (height, width)")
    stride, dilation = _pair(call, "strides"), _pair(call, "dilations")
    top, bottom, left, right = _pads(call, kernel, stride, dilation)
    groups = int(call.attributes.get("group", 1))
    stated = [int(size) for size in call.attributes.get("kernel_shape", kernel)]
    if stated != list(kernel):
        call.refuse(f"has a window of {stated}, but a weight of {list(kernel)}")

    def run(images: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        if (top, left) == (bottom, right):
            return F.conv2d(images, weight, bias, stride, (top, left), dilation, groups)
        padded = F.pad(images, (left, right, top, bottom))
        return F.conv2d(padded, weight, bias, stride, 0, dilation, groups)

    return run


def transposed_convolution(call: Call) -> Function:
    """ConvTranspose, which no layer takes in; the rest of a model runs around it."""
    stride, dilation = _pair(call, "strides"), _pair(call, "dilations")
    pads = [int(pad) for pad in call.attributes.get("pads", [0, 0, 0, 0])]
    extra = _pair(call, "output_padding", 0)
    groups = int(call.attributes.get("group", 1))
    plain = call.attributes.get("auto_pad", "NOTSET") == "NOTSET"
    if pads[:2] != pads[2:] or "output_shape" in call.attributes or not plain:
        call.refuse("has uneven or automatic padding")

    def run(images: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return F.conv_transpose2d(
            images, weight, bias, stride, (pads[0], pads[1]), extra, groups, dilation
        )

    return run


def max_pool(call: Call) -> Function:
    """MaxPool; what is padded is below every value."""
    if call.results > 1 or call.attributes.get("dilations", [1, 1]) != [1, 1]:
        call.refuse("is a max pooling that is dilated or gives indices")
    kernel, stride, (top, bottom, left, right), ceil = _window(call)
    # torch's own padding is even and at most half of the window.
    own = (top, left) == (bottom, right) and 2 * top <= kernel[0] and 2 * left <= kernel[1]

    def run(images: Tensor) -> Tensor:
        if own:
            return F.max_pool2d(images, kernel, stride, (top, left), ceil_mode=ceil)
        padded = F.pad(images, (left, right, top, bottom), value=-torch.inf)
        return F.max_pool2d(padded, kernel, stride)

    if not own and ceil:
        call.refuse("has uneven padding and ceil_mode")
    return run


def average_pool(call: Call) -> Function:
    """AveragePool; where its divisor changes with the position, equal windows and factors."""
    kernel, stride, (top, bottom, left, right), ceil = _window(call)
    if call.attributes.get("dilations", [1, 1]) != [1, 1]:
        call.refuse("is a dilated average pooling")
    counted = bool(call.attributes.get("count_include_pad", 0))
    down, across = (
        averaged_windows(
            call.shapes[0][2 + axis],
            kernel=kernel[axis],
            stride=stride[axis],
            pads=((top, bottom), (left, right))[axis],
            counted=counted,
            ceiled=ceil,
        )
        for axis in range(2)
    )
    around = (*across.pads, *down.pads)
    factors = (down.factors[:, None] * across.factors).tolist()
    plain = down.is_even and across.is_even

    def run(images: Tensor) -> Tensor:
        padded = F.pad(images, around) if any(around) else images
        means = F.avg_pool2d(padded, (down.kernel, across.kernel), (down.stride, across.stride))
        if plain:
            return means
        return means * torch.tensor(factors, dtype=images.dtype, device=images.device)

    return run


def _pair(call: Call, name: str, default: int = 1) -> tuple[int, int]:
    values = call.attributes.get(name, [default, default])
    down, across = (int(value) for value in values)
    if min(down, across) < default or max(down, across) >= 1 << 31:
        call.refuse(f"has {name} {list(values)}")
    return down, across


def _window(call: Call) -> tuple[tuple[int, int], tuple[int, int], _SIDES, bool]:
    if len(call.shapes[0]) != 4:
        call.refuse("is no pooling of images (height, width)")
    if "kernel_shape" not in call.attributes:
        call.refuse("states no kernel_shape")
    kernel, stride = _pair(call, "kernel_shape"), _pair(call, "strides")
    pads = _pads(call, kernel, stride, (1, 1))
    return kernel, stride, pads, bool(call.attributes.get("ceil_mode", 0))


def _pads(
    call: Call, kernel: tuple[int, ...], stride: tuple[int, int], dilation: tuple[int, int]
) -> _SIDES:
    mode = call.attributes.get("auto_pad", "NOTSET")
    stated = [int(pad) for pad in call.attributes.get("pads", [0, 0, 0, 0])]
    if mode not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        call.refuse(f"has the unknown auto_pad '{mode}'")
    if mode == "NOTSET":
        if len(stated) != 4 or min(stated) < 0 or max(stated) >= 1 << 31:
            call.refuse(f"has pads {stated}; four numbers from 0 up are read")
        top, left, bottom, right = stated
        return top, bottom, left, right
    if any(stated):
        call.refuse(f"has both pads and auto_pad '{mode}'")
    if mode == "VALID":
        return 0, 0, 0, 0
    ends = []
    for axis in range(2):
        size = call.shapes[0][2 + axis]
        reach = dilation[axis] * (kernel[axis] - 1) + 1
        total = max((-(-size // stride[axis]) - 1) * stride[axis] + reach - size, 0)
        less, more = total // 2, total - total // 2
        ends += [less, more] if mode == "SAME_UPPER" else [more, less]
    return ends[0], ends[1], ends[2], ends[3]
