"""Nodes of an ONNX file that read stored numbers alone: bounded, then computed by onnx itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidNetworkError, SystopackError, one_line

Array = NDArray[Any]
_FREE = 1 << 26  # bytes that may be computed whatever the file's size
_TIMES = 8  # and so many times the bytes that the file stores
_RANK = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class Fixed:
    """A node whose inputs are all stored.

    Args:
        node: an `onnx.NodeProto`.
        place: its name in the graph.
        inputs: None where an optional one is left out.
        attributes: by name, as Python values; tensors as arrays.
        opset: version of the standard operations that the file uses.
    """

    node: Any
    place: str
    inputs: Sequence[Array | None]
    attributes: Mapping[str, Any]
    opset: int

    @property
    def operation(self) -> str:
        """Its type."""
        return str(self.node.op_type)

    def computed(self) -> list[Any]:
        """Its results, as the standard's own reference computes them."""
        from onnx import helper
        from onnx.reference import ReferenceEvaluator

        given = dict(zip(self.node.input, self.inputs, strict=True))
        given.pop("", None)
        values = [helper.make_empty_tensor_value_info(name) for name in given]
        results = [helper.make_empty_tensor_value_info(name) for name in self.node.output if name]
        model = helper.make_model(
            helper.make_graph([self.node], "folded", values, results),
            opset_imports=[helper.make_opsetid("", self.opset)],
        )
        try:
            evaluator = ReferenceEvaluator(model)
        except RuntimeError:  # it has no implementation that old; the newest does the same
            evaluator = ReferenceEvaluator(self.node, opsets={"": self.opset})
        return list(evaluator.run(None, given))

    def given(self, position: int) -> Array | None:
        """An input that may be left out."""
        return self.inputs[position] if position < len(self.inputs) else None

    def array(self, position: int = 0) -> Array:
        """An input that must be there."""
        found = self.given(position)
        if found is None:
            self.refuse(f"has no input {position}")
        return found

    def integers(self, name: str, position: int) -> list[int] | None:
        """A list of integers given as an attribute (old) or as an input (new)."""
        given = self.given(position)
        value = self.attributes.get(name) if given is None else given
        if value is None:
            return None
        found = np.atleast_1d(value).ravel()
        if found.dtype.kind not in "iu":
            self.refuse(f"has {name} that are no whole numbers")
        return [int(item) for item in found]

    def refuse(self, reason: str) -> NoReturn:
        """Refuse the node by name."""
        raise InvalidNetworkError(
            f"Operation '{self.operation}' in '{self.place}', which reads stored numbers alone, "
            f"{reason}; export the model with constants folded."
        )


class Folder:
    """Computes nodes within a budget.

    Args:
        stored: bytes of all tensors that the file holds.
    """

    def __init__(self, stored: int) -> None:
        self._left = _FREE + _TIMES * stored

    def fold(self, node: Fixed) -> list[Array]:
        """The results of a node.

        Raises:
            InvalidNetworkError: it is none of the operations that are folded, its inputs do not
                fit, or it would make too much.
        """
        if node.operation not in FOLDED:
            node.refuse("is no operation that systopack folds")
        try:
            size = _SIZES.get(node.operation, _broadcast)(node)
            self._left -= size
            if self._left < 0:
                node.refuse(f"makes {size:,} bytes, more than the file explains")
            with np.errstate(all="ignore"):
                found = node.computed()
        except SystopackError:
            raise
        except Exception as error:  # onnx's and numpy's own checks of shapes and types
            node.refuse(f"cannot be computed ({one_line(error)})")
        results = [np.asarray(item) for item in found]
        if any(result.ndim > _RANK or result.dtype.kind not in "fiub" for result in results):
            node.refuse("gives something other than plain numbers")
        return results


# --- sizes in bytes, before anything is computed


def _broadcast(node: Fixed) -> int:
    """Of elementwise operations, and of those that give no more than they read."""
    arrays = [array for array in node.inputs if array is not None]
    try:
        cells = prod(np.broadcast_shapes(*(array.shape for array in arrays)))
    except ValueError:
        cells = 0
    return 8 * max(cells, sum(array.size for array in arrays))


def _divided_size(node: Fixed) -> int:
    divisor = node.array(1)
    if divisor.dtype.kind in "iu" and not divisor.all():
        node.refuse("divides by zero")
    return _broadcast(node)


def _shape_of(node: Fixed, position: int) -> list[int]:
    shape = node.integers("shape", position) or []
    if len(shape) > _RANK or min([*shape, 0]) < 0:
        node.refuse(f"has {shape[:20]} as its shape")
    return shape


def _filled_size(node: Fixed) -> int:
    return 8 * prod(_shape_of(node, 0))


def _expanded_size(node: Fixed) -> int:
    return 8 * prod(np.broadcast_shapes(*(tuple(s) for s in _expanded_shapes(node))))


def _expanded_shapes(node: Fixed) -> tuple[tuple[int, ...], list[int]]:
    shape = _shape_of(node, 1)
    # numpy.broadcast_shapes takes no size beyond the machine's own integers.
    if any(size > 1 << 40 for size in shape):
        node.refuse(f"has {shape} as its shape")
    return node.array(0).shape, shape


def _tiled_size(node: Fixed) -> int:
    repeats = node.integers("repeats", 1) or []
    if len(repeats) != node.array(0).ndim or min([*repeats, 0]) < 0:
        node.refuse(f"repeats {repeats[:20]} times")
    return int(8 * node.array(0).size * prod(repeats))


def _range_of(node: Fixed) -> tuple[Any, Any, Any, int]:
    start, stop, step = (node.array(position).reshape(()).item() for position in range(3))
    if step == 0:
        node.refuse("has steps of 0")
    return start, stop, step, max(ceil((stop - start) / step), 0)


def _gathered_size(node: Fixed) -> int:
    data, indices = node.array(0), node.array(1)
    axis = int(node.attributes.get("axis", 0))
    return int(8 * data.size // max(data.shape[axis], 1) * indices.size)


def shape_array(shape: Sequence[int], attributes: Mapping[str, Any]) -> Array:
    """What a Shape node gives: all sizes, or those from `start` to `end`; (rank,), int64."""
    end = attributes.get("end")
    start = int(attributes.get("start", 0))
    return np.array(list(shape)[start : None if end is None else int(end)], dtype=np.int64)


_SIZES: dict[str, Callable[[Fixed], int]] = {
    "ConstantOfShape": _filled_size,
    "Div": _divided_size,
    "Expand": _expanded_size,
    "Tile": _tiled_size,
    "Range": lambda node: 8 * _range_of(node)[3],
    "Gather": _gathered_size,
    "Constant": lambda _: 0,
}

FOLDED = frozenset(
    """
    Abs Add And Cast Ceil Clip Concat Constant ConstantOfShape DequantizeLinear Div Equal Exp Expand
    Flatten Floor Gather Greater Identity Less Log Max Min Mul Neg Not Or Pow QuantizeLinear Range
    Reciprocal ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum Reshape Round Shape Sign Size
    Slice Split Sqrt Squeeze Sub Tile Transpose Unsqueeze Where
    """.split()  # noqa: SIM905
)
