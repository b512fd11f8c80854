"""Run a model file without computing it: shapes alone, so that its size is known beforehand.

A file of a few bytes can ask for tensors that no machine holds. Everything that a file's
operations would make is counted on tensors without content before any of it is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode

from systopack.errors import InvalidNetworkError, SystopackError, one_line
from systopack.network.nodes import Shape

ELEMENTS = 1 << 25  # of one tensor
MULTIPLICATIONS = 4 * 10**10  # of one run; VGG-19 takes 4 * 10**10 for two images of 224 x 224
_HINT = "save the model with images one at a time, or of a smaller size"


class Counted(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Inside, every tensor that is made is counted."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.multiplications = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Let the operation run, then look at its results."""
        result = function(*args, **(kwargs or {}))
        for tensor in _pytree.tree_leaves(result):
            if isinstance(tensor, Tensor):
                if tensor.numel() > ELEMENTS:
                    raise InvalidNetworkError(
                        f"The model makes a tensor of {tuple(tensor.shape)}, but at most "
                        f"{ELEMENTS:,} numbers are taken in one; {_HINT}."
                    )
                self.multiplications += tensor.numel() * _window(function, args)
        if self.multiplications > MULTIPLICATIONS:
            raise InvalidNetworkError(
                f"The model takes more than {MULTIPLICATIONS:,} multiplications for its images, "
                f"which are not done on trial; {_HINT}."
            )
        return result


def _window(function: Any, args: Any) -> int:
    """How many numbers one result is computed from, as far as it matters for the time."""
    name = str(function)
    tensors = [arg for arg in args if isinstance(arg, Tensor)]
    if "convolution" in name and len(tensors) > 1:
        weight = tensors[1]
        return max(weight.numel() // max(weight.shape[0], 1), 1)
    if ("mm" in name or "linear" in name) and tensors:
        return max(int(tensors[-1].shape[0]), 1)
    if "pool" in name and len(args) > 1 and isinstance(args[1], list):
        window = 1
        for size in args[1]:
            window *= max(int(size), 1)
        return window
    return 1


@contextmanager
def without_content(where: str) -> Iterator[Counted]:
    """Run operations on tensors without content (of the device "meta") and count.

    Raises:
        InvalidNetworkError: the operations do not fit together, or make too much.
    """
    with torch.no_grad(), Counted() as counted:
        try:
            yield counted
        except SystopackError:
            raise
        except Exception as error:  # torch's own checks of shapes and types
            raise InvalidNetworkError(f"{where} cannot be run: {one_line(error)}.") from error


def check_images(where: str, batch: int, shape: Shape) -> None:
    """Refuse images of no or of too many pixels.

    Raises:
        InvalidNetworkError: they are so.
    """
    count = batch
    for size in shape:
        count *= size
    if min(batch, *shape) < 1 or count > ELEMENTS:
        raise InvalidNetworkError(
            f"{where} reads images of {shape}, {batch} at once; every size must be at least 1 and "
            f"all together at most {ELEMENTS:,} numbers."
        )


def check_run(where: str, module: nn.Module, batch: int, shape: Shape) -> None:
    """Refuse a module that cannot run, or would make too much.

    Args:
        where: names it in messages.
        module: of operations that run on tensors without content.

    Raises:
        InvalidNetworkError: it says which.
    """
    check_images(where, batch, shape)
    state = {name: tensor.to("meta") for name, tensor in module.state_dict().items()}
    with without_content(where):
        images = torch.empty(batch, *shape, device="meta")
        result = torch.func.functional_call(module, state, (images,))
    if result.ndim < 2 or result.shape[0] != batch or not result.numel():
        raise InvalidNetworkError(
            f"{where} gives a tensor of {tuple(result.shape)} for {batch} images; it must give one "
            "number a class for each."
        )
