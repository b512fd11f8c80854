"""Run a model in one floating type, whatever types its code turns its tensors into."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

_CASTS = {
    getattr(Tensor, name)
    for name in ("to", "half", "float", "double", "bfloat16", "type", "type_as")
}


class OneType(TorchFunctionMode):
    """Inside, a tensor of floating point numbers keeps its type.

    A model of 16 bits is read in float32 and compared in float64; there its own `x.half()` would
    only break it.
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Let the function run; of a change between floating types the operand is the result."""
        result = function(*args, **(kwargs or {}))
        if function in _CASTS and isinstance(result, Tensor):
            given = args[0]
            if given.dtype != result.dtype and given.is_floating_point():
                return given if result.is_floating_point() else result
        return result
