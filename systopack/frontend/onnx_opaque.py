"""ONNX operations that have no counterpart in torch: run by the runtime, as one step each.

A model is packed in part around them. They have no gradient, so no layer before them is retrained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from systopack.errors import InvalidNetworkError
from systopack.frontend.bounds import ELEMENTS
from systopack.frontend.onnx_runtime import node_runtime
from systopack.frontend.reading.opaque import REFUSALS
from systopack.frontend.reading.state import Refusal

_INFERRED = 16  # numbers of an input that may say how large the output is


@dataclass(frozen=True, kw_only=True, eq=False)
class _Opaque:
    """How a node is run, and what it gives for one batch."""

    run: Any
    shape: tuple[int, ...]


_KNOWN: dict[int, _Opaque] = {}  # by the number that stands in the program


@torch.library.custom_op("systopack::opaque", mutates_args=())
def opaque(tensors: Sequence[Tensor], number: int) -> Tensor:
    """Run a node on tensors (B, ...); see `opaque_step`."""
    arrays = [tensor.detach().cpu().float().numpy() for tensor in tensors]
    result = torch.from_numpy(np.array(_KNOWN[number].run(arrays), dtype=np.float32))
    return result.to(tensors[0])


@opaque.register_fake
def _(tensors: Sequence[Tensor], number: int) -> Tensor:
    return tensors[0].new_empty((tensors[0].shape[0], *_KNOWN[number].shape[1:]))


def _backward(ctx: Any, _: Tensor) -> Any:
    raise InvalidNetworkError(
        f"{REFUSALS[ctx.number]}; it has no gradient here, so the layers before it cannot be "
        "retrained: give the model as a torch module or program."
    )


def _remember(ctx: Any, inputs: tuple[Sequence[Tensor], int], output: Tensor) -> None:
    ctx.number = inputs[1]


opaque.register_autograd(_backward, setup_context=_remember)


def is_baked(array: NDArray[Any]) -> bool:
    """True for a stored input that belongs to the node, no parameter of the model."""
    return array.dtype.kind != "f" or array.size <= _INFERRED


def opaque_step(
    node: Any,
    *,
    opset: int,
    shapes: Mapping[str, tuple[int, ...]],
    baked: Mapping[str, NDArray[Any]],
    refusal: Refusal,
) -> Any:
    """A function of the node's other inputs, which are tensors.

    Args:
        node: an `onnx.NodeProto` with one output.
        shapes: of the tensors, by name, in the order in which the function takes them.
        baked: the inputs that are stored in it.
        refusal: why it cannot be lowered.

    Raises:
        RefusedError: it has other outputs, or ones of unknown size.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper, shape_inference

    from systopack.frontend.reading.state import RefusedError

    results = [name for name in node.output if name]
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    ]
    graph = helper.make_graph(
        [node],
        "opaque",
        values,
        [helper.make_empty_tensor_value_info(results[0])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in baked.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    try:
        found = shape_inference.infer_shapes(model, data_prop=True).graph.output[0]
    except onnx.shape_inference.InferenceError:
        raise RefusedError(refusal) from None
    kind = found.type.tensor_type
    shape = tuple(int(size.dim_value) for size in kind.shape.dim)
    known = kind.HasField("shape") and shape and min(shape) > 0 and prod(shape) <= ELEMENTS
    batch = next(iter(shapes.values()))[0]
    if len(results) > 1 or not known or kind.elem_type != TensorProto.FLOAT or shape[0] != batch:
        raise RefusedError(refusal)
    # Any number of images at once.
    for value in (*model.graph.input, found):
        value.type.tensor_type.shape.dim[0].dim_param = "images"
    model.graph.output[0].CopyFrom(found)
    number = len(_KNOWN)
    _KNOWN[number] = _Opaque(run=node_runtime(model), shape=shape)
    REFUSALS[number] = refusal

    def run(*tensors: Tensor) -> Tensor:
        result: Tensor = opaque(list(tensors), number)
        return result

    return run
