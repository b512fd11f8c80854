"""Stored numbers that multiply or are added: of a channel, of the images, or of every value.

One number a channel goes into the layer before it, or into a layer of one weight of 1 a channel.
One number a channel of the images goes into their normalisation. One number for every value of a
flattened image goes into the linear layer that reads it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray

from systopack.frontend.graph import Norm, Scaling
from systopack.frontend.reading.state import PIXEL_BY_PIXEL, Arguments, Reading, operation_of
from systopack.frontend.reading.view import View


def arithmetic(reading: Reading, node: Any, arguments: Arguments) -> View:
    """A product, quotient, sum or difference of an image and stored numbers."""
    operands = (arguments["self"], arguments["other"])
    images = [reading.is_image(value) for value in operands]
    if all(images):
        _refuse_two(reading, node)
    at = 1 if images[0] else 0
    stored, value = operands[at], operands[1 - at]
    number = reading.number(stored)
    if number is None:
        reading.refuse(node, "reads something that is neither an image nor stored")
    numbers = _as_seen(reading, node, value, number)
    zeros = np.broadcast_to(0.0, numbers.shape)
    operation = operation_of(node).removeprefix("aten.").rstrip("_")
    if operation == "mul":
        factor, offset = numbers, zeros
    elif operation == "div":
        if at == 0 or arguments.get("rounding_mode") is not None:
            reading.refuse(node, "divides by an image, or rounds", advice="")
        with np.errstate(divide="ignore"):
            factor, offset = 1 / numbers, zeros
    else:
        alpha = float(arguments.get("alpha", 1))
        signs = {"add": (1, alpha), "sub": (1, -alpha), "rsub": (-alpha, 1)}[operation]
        factor = np.broadcast_to(float(signs[1 - at]), numbers.shape)
        offset = numbers if signs[at] == 1 else signs[at] * numbers
    if not (np.isfinite(factor).all() and np.isfinite(offset).all()):
        reading.refuse(node, "computes with stored numbers that are not finite", advice="")
    scaling = Scaling(factor=factor, offset=offset, parameters=reading.stored.origins_of(stored))
    return take_in(reading, node, value, scaling)


def negation(reading: Reading, node: Any, arguments: Arguments) -> View:
    """The negative of an image."""
    ones = np.ones(reading.view(node, arguments["self"], scaled=True).shape)
    return take_in(
        reading, node, arguments["self"], Scaling(factor=-ones, offset=np.zeros(ones.shape))
    )


def flat_norm(reading: Reading, node: Any, value: Any, norm: Norm) -> View:
    """A batch norm of a flattened image, with the statistics that it has."""
    names = (norm.weight, norm.bias, norm.mean, norm.variance)
    weight, bias, mean, variance = (
        default if name is None else reading.stored.tensor(name).double().numpy()
        for name, default in zip(names, (1.0, 0.0, 0.0, 1.0), strict=True)
    )
    factor = weight / np.sqrt(variance + norm.epsilon)
    ones = [1] * (len(reading.seen_shape(value)) - 1)
    parts = (factor, bias - mean * factor)
    seen = [_as_seen(reading, node, value, np.reshape(part, (-1, *ones))) for part in parts]
    own = tuple(name for name in (norm.weight, norm.bias) if name)
    scaling = Scaling(factor=seen[0], offset=seen[1], parameters=own)
    return take_in(reading, node, value, scaling)


def take_in(reading: Reading, node: Any, value: Any, scaling: Scaling) -> View:
    """Put numbers for every value, shape (C, H, W), where they belong.

    Raises:
        RefusedError: they differ from pixel to pixel, and the image is no whole one.
    """
    view = reading.view(node, value, scaled=True)
    numbers = (scaling.factor, scaling.offset)
    even = all(bool((part == part[:, :1, :1]).all()) for part in numbers)
    if view.scaling is not None or not even:
        if not view.keeps_pixels:
            reading.refuse(node, PIXEL_BY_PIXEL, advice="")
        whole = scaling if view.scaling is None else view.scaling.then(scaling)
        if whole.changes_nothing:  # a sum that is divided by its count
            return replace(view, scaling=None, scaled_at=None)
        return replace(view, scaling=whole, scaled_at=view.scaled_at or node)
    factor, offset = (np.array(part[:, 0, 0]) for part in numbers)
    scaling = replace(scaling, factor=factor, offset=offset)
    alone = not view.shared and len(value.users) == 1
    if view.tensor == "input" and view.is_plain and alone and scaling.rises:
        reading.scaling = scaling if reading.scaling is None else reading.scaling.then(scaling)
        return view
    op = reading.open_op(value)
    if op is None or op.residual is not None:
        return reading.identity(node, value, "scaling", scaling=scaling)
    whole = scaling if op.scaling is None else op.scaling.then(scaling)
    reading.ops[op.name] = replace(op, scaling=whole)
    return view


def _as_seen(reading: Reading, node: Any, value: Any, number: Any) -> NDArray[np.float64]:
    """A stored operand for every value of an image, shape (C, H, W)."""
    view = reading.view(node, value, scaled=True)
    if isinstance(number, torch.Tensor):
        number = number.detach().cpu().double().numpy()
    numbers = np.asarray(number, dtype=np.float64)
    seen = tuple(value.meta["val"].shape)
    of_images = numbers.ndim == len(seen) and numbers.shape[0] != 1
    if tuple(node.meta["val"].shape) != seen or numbers.ndim > len(seen) or of_images:
        reading.refuse(
            node, "computes with stored numbers for every image, or makes it larger", advice=""
        )
    if numbers.size == 1:
        return np.broadcast_to(numbers.reshape(()), view.shape)
    axes = view.axes or (0, 1, 2)
    numbers = np.broadcast_to(numbers, (1, *seen[1:]))
    back = np.argsort(axes)
    return numbers.reshape([view.shape[axis] for axis in axes]).transpose(*back)


def _refuse_two(reading: Reading, node: Any) -> NoReturn:
    operation = operation_of(node).removeprefix("aten.").rstrip("_")
    what = {"mul": "is a product", "div": "is a quotient"}.get(operation, "is a difference")
    advice = None if operation == "mul" else "the array only adds tensors"
    reading.refuse(node, f"{what} of two tensors", advice=advice)


RULES = {
    f"aten.{name}{end}": arithmetic for name in ("mul", "div", "sub", "rsub") for end in ("", "_")
} | {"aten.neg": negation, "aten.neg_": negation}
