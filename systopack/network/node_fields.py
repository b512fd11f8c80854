"""A node of a packed network as JSON and tensors, and back, with exactly the types it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidNetworkError
from systopack.fields import Fields, MalformedError, shown
from systopack.network.nodes import (
    Activation,
    ConcatLayer,
    InputNode,
    MatrixKind,
    MatrixLayer,
    Node,
    PoolKind,
    PoolLayer,
    Residual,
)
from systopack.packing.file import matrix_from_tensors, matrix_to_tensors

_BAND_LIMIT = 1 << 16


class TensorSet:
    """Tensors by name: each is put in once, or taken out once."""

    def __init__(self, tensors: Mapping[str, NDArray[Any]] | None = None) -> None:
        self.tensors: dict[str, NDArray[Any]] = dict(tensors or {})
        self._taken: set[str] = set()

    def put(self, name: str, tensor: NDArray[Any]) -> None:
        """Add one.

        Raises:
            InvalidNetworkError: two nodes would store a tensor of the same name.
        """
        if name in self.tensors:
            raise InvalidNetworkError(
                f"Two layers would be stored under the name '{name}'; rename one of them."
            )
        self.tensors[name] = tensor

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self.tensors:
            raise MalformedError(f"tensor {shown(name)} is missing")
        self._taken.add(name)
        return self.tensors[name]

    def take(self, name: str, dtype: type[np.generic], dimensions: int) -> NDArray[Any]:
        """The tensor of that name, of exactly this type and number of dimensions.

        Raises:
            MalformedError: there is none, or it is another.
        """
        tensor = self[name]
        if tensor.dtype != dtype or tensor.ndim != dimensions:
            raise MalformedError(
                f"tensor {shown(name)} is {tensor.dtype} with {tensor.ndim} dimensions, not "
                f"{np.dtype(dtype).name} with {dimensions}"
            )
        return tensor

    def end(self) -> None:
        """Refuse tensors that no node has taken."""
        left = self.tensors.keys() - self._taken
        if left:
            raise MalformedError(f"tensor {shown(min(left))} belongs to no node")


def node_to_json(node: Node, tensors: TensorSet) -> dict[str, Any]:
    """The fields of a node that are no tensors; its tensors are put into `tensors`."""
    common: dict[str, Any] = {"name": node.name, "exponent": node.exponent}
    if isinstance(node, InputNode):
        return {
            "type": "input",
            **common,
            "shape": list(node.shape),
            "mean": [float(value) for value in node.mean],
            "std": [float(value) for value in node.std],
        }
    if isinstance(node, ConcatLayer):
        tensors.put(f"{node.name}/operands", node.operands)
        tensors.put(f"{node.name}/channels", node.channels)
        return {
            "type": "concat",
            **common,
            "sources": list(node.sources),
            "output_size": list(node.output_size),
        }
    common |= {
        "source": node.source,
        "kind": node.kind,
        "stride": list(node.stride),
        "padding": list(node.padding),
        "output_size": list(node.output_size),
    }
    if isinstance(node, PoolLayer):
        return {
            "type": "pool",
            **common,
            "kernel": list(node.kernel),
            "multiplier": node.multiplier,
            "shift": node.shift,
        }
    for key in ("columns", "bias", "clip", "shift"):
        if getattr(node, key) is not None:
            tensors.put(f"{node.name}/{key}", getattr(node, key))
    if node.residual is not None:
        tensors.put(f"{node.name}/residual_channels", node.residual.channels)
        tensors.put(f"{node.name}/residual_shift", node.residual.shift)
        common["residual"] = {
            "source": node.residual.source,
            "stride": list(node.residual.stride),
        }
    for name, tensor in matrix_to_tensors(node.name, node.matrix).items():
        tensors.put(name, tensor)
    return {
        "type": "matrix",
        **common,
        "activation": node.activation,
        "bands": len(node.matrix.bands),
    }


def node_from_json(content: object, tensors: TensorSet) -> Node:
    """The node that `node_to_json` wrote.

    Raises:
        MalformedError: a field or tensor is missing, of another type, or unknown.
        InvalidMatrixError: a rule of `PackedMatrix` is broken.
    """
    fields = Fields(content, "a node")
    name = fields.text("name")
    fields = Fields(content, f"node '{name}'")
    fields.text("name")
    kind = fields.choice("type", _READERS)
    node: Node = _READERS[kind](name, fields, tensors)
    fields.end()
    return node


def _input(name: str, fields: Fields, _: TensorSet) -> InputNode:
    return InputNode(
        name=name,
        exponent=fields.integer("exponent"),
        shape=fields.triple("shape"),
        mean=fields.numbers("mean"),
        std=fields.numbers("std"),
    )


def _concat(name: str, fields: Fields, tensors: TensorSet) -> ConcatLayer:
    return ConcatLayer(
        name=name,
        exponent=fields.integer("exponent"),
        sources=fields.texts("sources"),
        operands=tensors.take(f"{name}/operands", np.int32, 1),
        channels=tensors.take(f"{name}/channels", np.int32, 1),
        output_size=fields.pair("output_size"),
    )


def _pool(name: str, fields: Fields, _: TensorSet) -> PoolLayer:
    return PoolLayer(
        name=name,
        source=fields.text("source"),
        kind=fields.choice("kind", get_args(PoolKind)),
        kernel=fields.pair("kernel"),
        stride=fields.pair("stride"),
        padding=fields.four("padding"),
        output_size=fields.pair("output_size"),
        multiplier=fields.integer("multiplier"),
        shift=fields.integer("shift"),
        exponent=fields.integer("exponent"),
    )


def _matrix(name: str, fields: Fields, tensors: TensorSet) -> MatrixLayer:
    residual = None
    if "residual" in fields:
        operand = Fields(fields.value("residual"), f"the residual of node '{name}'")
        residual = Residual(
            source=operand.text("source"),
            stride=operand.pair("stride"),
            channels=tensors.take(f"{name}/residual_channels", np.int32, 1),
            shift=tensors.take(f"{name}/residual_shift", np.uint8, 1),
        )
        operand.end()
    bands = fields.integer("bands")
    if not 1 <= bands <= _BAND_LIMIT:
        fields.refuse("bands", f"1 to {_BAND_LIMIT}")
    columns = tensors.take(f"{name}/columns", np.int32, 2)
    has_clip, has_shift = (f"{name}/{key}" in tensors.tensors for key in ("clip", "shift"))
    return MatrixLayer(
        name=name,
        source=fields.text("source"),
        kind=fields.choice("kind", get_args(MatrixKind)),
        matrix=matrix_from_tensors(name, tensors, columns=len(columns), bands=bands),
        columns=columns,
        bias=tensors.take(f"{name}/bias", np.int32, 1),
        stride=fields.pair("stride"),
        padding=fields.four("padding"),
        output_size=fields.pair("output_size"),
        residual=residual,
        activation=fields.choice("activation", get_args(Activation)),
        clip=tensors.take(f"{name}/clip", np.int32, 2) if has_clip else None,
        shift=tensors.take(f"{name}/shift", np.uint8, 1) if has_shift else None,
        exponent=fields.integer("exponent"),
    )


_READERS: Mapping[str, Callable[[str, Fields, TensorSet], Node]] = {
    "input": _input,
    "matrix": _matrix,
    "pool": _pool,
    "concat": _concat,
}
