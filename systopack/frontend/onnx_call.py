"""`Call`: one ONNX node, as its translation to torch sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from systopack.frontend.reading.advice import advice_for
from systopack.frontend.reading.state import Refusal, RefusedError

Function = Callable[..., Any]

# What would help with a node, as with the operation of torch that computes the same.
_LIKE = {
    "PRelu": "prelu",
    "Elu": "elu",
    "Selu": "selu",
    "Celu": "elu",
    "Softplus": "softplus",
    "Mish": "mish",
    "LayerNormalization": "layer_norm",
    "InstanceNormalization": "instance_norm",
    "GroupNormalization": "group_norm",
    "ConvTranspose": "conv_transpose2d",
    "Resize": "upsample_nearest2d",
    "Upsample": "upsample_nearest2d",
    "LSTM": "lstm",
    "GRU": "gru",
    "RNN": "lstm",
    "Mul": "mul",
    "Sub": "sub",
    "Div": "div",
    "Erf": "gelu",
}
_ADVICE = {
    **dict.fromkeys(
        ("QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"),
        "quantize it with QuantFormat.QDQ, or give the model in floating point",
    ),
    "LRN": "put a batch norm in its place and train again",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Call:
    """One ONNX node.

    Args:
        operation, place: its type and its name in the graph.
        attributes: by name, as Python values.
        shapes: of the inputs that are tensors, by position.
        constants: the other inputs, by position.
        results: how many outputs it has.
        opset: version of the standard operations that the file uses.
    """

    operation: str
    place: str
    attributes: Mapping[str, Any]
    shapes: Mapping[int, tuple[int, ...]]
    constants: Mapping[int, NDArray[Any]]
    results: int
    opset: int

    def integers(self, name: str, position: int) -> list[int] | None:
        """A list of integers given as an attribute (old) or as an input (new)."""
        if position in self.constants:
            return [int(value) for value in self.constants[position].ravel()]
        value = self.attributes.get(name)
        return None if value is None else [int(item) for item in np.atleast_1d(value)]

    def axis(self, value: int) -> int:
        """An axis of the first input, counted from the front."""
        rank = len(self.shapes[0])
        if not -rank <= value < rank:
            self.refuse(f"names axis {value} of {rank}")
        return value % rank

    def refuse(self, reason: str) -> NoReturn:
        """Refuse the node by name, with what would help."""
        like = _LIKE.get(self.operation)
        advice = _ADVICE.get(self.operation) or (advice_for(f"aten.{like}") if like else "")
        reason = f"{reason}; {advice}" if advice else reason
        raise RefusedError(Refusal(layer=self.place, operation=self.operation, reason=reason))
