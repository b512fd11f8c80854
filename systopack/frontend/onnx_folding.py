"""Nodes of an ONNX file that read stored numbers alone: named, computed by numpy, and bounded."""

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
_QUANTIZED = (np.int8, np.uint8)


@dataclass(frozen=True, kw_only=True, eq=False)
class Fixed:
    """A node whose inputs are all stored.

    Args:
        operation, place: its type and its name in the graph.
        inputs: None where an optional one is left out.
        attributes: by name, as Python values; tensors as arrays.
    """

    operation: str
    place: str
    inputs: Sequence[Array | None]
    attributes: Mapping[str, Any]

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
        compute = _COMPUTED.get(node.operation)
        if compute is None:
            node.refuse("is no operation that systopack folds")
        try:
            size = _SIZES.get(node.operation, _broadcast)(node)
            self._left -= size
            if self._left < 0:
                node.refuse(f"makes {size:,} bytes, more than the file explains")
            with np.errstate(all="ignore"):
                found = compute(node)
        except SystopackError:
            raise
        except Exception as error:  # numpy's own checks of shapes and types
            node.refuse(f"cannot be computed ({one_line(error)})")
        results = [np.asarray(item) for item in (found if isinstance(found, list) else [found])]
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
    "Expand": _expanded_size,
    "Tile": _tiled_size,
    "Range": lambda node: 8 * _range_of(node)[3],
    "Gather": _gathered_size,
    "Constant": lambda _: 0,
}

# --- results


def _elementwise(function: Callable[..., Any]) -> Callable[[Fixed], Any]:
    def compute(node: Fixed) -> Any:
        arrays = [node.array(position) for position in range(len(node.inputs))]
        result = function(*arrays)
        kind = np.result_type(*arrays)
        return result.astype(kind) if np.asarray(result).dtype.kind in "fiu" else result

    return compute


def _many(function: Callable[[Any, Any], Any]) -> Callable[[Fixed], Any]:
    def compute(node: Fixed) -> Any:
        result = node.array(0)
        for position in range(1, len(node.inputs)):
            result = function(result, node.array(position))
        return result

    return compute


def _divided(node: Fixed) -> Any:
    first, second = node.array(0), node.array(1)
    if second.dtype.kind == "f":
        return (first / second).astype(np.result_type(first, second))
    if not second.all():
        node.refuse("divides by zero")
    # Whole numbers are rounded towards zero.
    quotient = np.abs(first) // np.abs(second)
    return (quotient * np.sign(first) * np.sign(second)).astype(np.result_type(first, second))


def _constant(node: Fixed) -> Any:
    for name in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        if name in node.attributes:
            value = node.attributes[name]
            kinds = {"value": None, "value_int": np.int64, "value_ints": np.int64}
            return np.asarray(value, dtype=kinds.get(name, np.float32))
    return node.refuse("holds text or a sparse tensor")


def _filled(node: Fixed) -> Any:
    value = np.asarray(node.attributes.get("value", np.zeros(1, np.float32))).reshape(-1)
    return np.full(_shape_of(node, 0), value[0], dtype=value.dtype)


def _cast(node: Fixed) -> Any:
    from onnx import helper

    return node.array(0).astype(helper.tensor_dtype_to_np_dtype(int(node.attributes["to"])))


def _reshaped(node: Fixed) -> Any:
    array, wanted = node.array(0), node.integers("shape", 1) or []
    if not node.attributes.get("allowzero", 0):
        wanted = [array.shape[i] if size == 0 else size for i, size in enumerate(wanted)]
    return array.reshape(wanted)


def _flattened(node: Fixed) -> Any:
    array = node.array(0)
    axis = int(node.attributes.get("axis", 1))
    axis += array.ndim if axis < 0 else 0
    return array.reshape(prod(array.shape[:axis]), -1)


def _sliced(node: Fixed) -> Any:
    array = node.array(0)
    starts, ends = node.integers("starts", 1) or [], node.integers("ends", 2) or []
    axes = node.integers("axes", 3) or list(range(len(starts)))
    steps = node.integers("steps", 4) or [1] * len(starts)
    index = [slice(None)] * array.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        # Beyond the first place, when it is walked backwards.
        stop = None if step < 0 and end < -array.shape[axis] else end
        index[axis] = slice(start, stop, step)
    return array[tuple(index)]


def _squeezed(node: Fixed) -> Any:
    axes = node.integers("axes", 1)
    return np.squeeze(node.array(0), axis=None if axes is None else tuple(axes))


def _reduced(function: Callable[..., Any]) -> Callable[[Fixed], Any]:
    def compute(node: Fixed) -> Any:
        axes = node.integers("axes", 1)
        if not axes and node.attributes.get("noop_with_empty_axes", 0):
            return node.array(0)
        kept = bool(node.attributes.get("keepdims", 1))
        result = function(node.array(0), axis=tuple(axes) if axes else None, keepdims=kept)
        return np.asarray(result, dtype=node.array(0).dtype)

    return compute


def _split(node: Fixed) -> list[Array]:
    axis = int(node.attributes.get("axis", 0))
    sizes = node.integers("split", 1)
    if sizes is None:
        node.refuse("splits into parts of sizes that are not stated")
    return list(np.split(node.array(0), np.cumsum(sizes)[:-1].tolist(), axis=axis))


def _clipped(node: Fixed) -> Any:
    low, high = node.given(1), node.given(2)
    least = node.attributes.get("min") if low is None else low
    most = node.attributes.get("max") if high is None else high
    array = node.array(0)
    return (array if least is None and most is None else np.clip(array, least, most)).astype(
        array.dtype
    )


def _along(node: Fixed, values: Array, axis: int) -> Array:
    """Scales or zero points, one for all or one a place of an axis."""
    if values.size == 1:
        return values.reshape(())
    shape = [1] * node.array(0).ndim
    shape[axis] = values.size
    return values.reshape(shape)


def _quantized(node: Fixed) -> Any:
    axis = int(node.attributes.get("axis", 1))
    zero = node.given(2)
    zero = np.zeros(1, np.uint8) if zero is None else zero
    if zero.dtype.type not in _QUANTIZED:
        node.refuse("quantizes to another type than 8 bits")
    info = np.iinfo(zero.dtype)
    steps = np.rint(node.array(0) / _along(node, node.array(1), axis))
    shifted = steps + _along(node, zero.astype(np.int64), axis)
    return np.clip(shifted, info.min, info.max).astype(zero.dtype)


def _dequantized(node: Fixed) -> Any:
    axis = int(node.attributes.get("axis", 1))
    if node.array(0).dtype.kind not in "iu" or node.attributes.get("block_size", 0):
        node.refuse("reads numbers that are not quantized one scale a channel")
    zero, scale = node.given(2), node.array(1)
    whole = node.array(0).astype(np.int64)
    if zero is not None:
        whole = whole - _along(node, zero.astype(np.int64), axis)
    return (whole * _along(node, scale, axis)).astype(np.float32)


_COMPUTED: dict[str, Callable[[Fixed], Any]] = {
    "Constant": _constant,
    "ConstantOfShape": _filled,
    "Identity": lambda node: node.array(),
    "Cast": _cast,
    "Shape": lambda node: shape_array(node.array().shape, node.attributes),
    "Size": lambda node: np.array(node.array().size, dtype=np.int64),
    "Reshape": _reshaped,
    "Flatten": _flattened,
    "Transpose": lambda node: np.transpose(node.array(), node.attributes.get("perm")),
    "Squeeze": _squeezed,
    "Unsqueeze": lambda node: np.expand_dims(node.array(), tuple(node.integers("axes", 1) or [])),
    "Slice": _sliced,
    "Split": _split,
    "Gather": lambda node: np.take(
        node.array(0), node.array(1).astype(np.int64), axis=int(node.attributes.get("axis", 0))
    ),
    "Concat": lambda node: np.concatenate(
        [node.array(position) for position in range(len(node.inputs))],
        axis=int(node.attributes["axis"]),
    ),
    "Expand": lambda node: np.broadcast_to(
        node.array(0), np.broadcast_shapes(*(tuple(shape) for shape in _expanded_shapes(node)))
    ),
    "Tile": lambda node: np.tile(node.array(0), node.integers("repeats", 1) or []),
    "Range": lambda node: np.arange(*_range_of(node)[:3], dtype=node.array(0).dtype),
    "Where": lambda node: np.where(node.array(0), node.array(1), node.array(2)),
    "Add": _elementwise(np.add),
    "Sub": _elementwise(np.subtract),
    "Mul": _elementwise(np.multiply),
    "Div": _divided,
    "Pow": lambda node: np.power(node.array(0), node.array(1)).astype(node.array(0).dtype),
    "Neg": _elementwise(np.negative),
    "Abs": _elementwise(np.abs),
    "Sqrt": _elementwise(np.sqrt),
    "Reciprocal": _elementwise(np.reciprocal),
    "Exp": _elementwise(np.exp),
    "Log": _elementwise(np.log),
    "Floor": _elementwise(np.floor),
    "Ceil": _elementwise(np.ceil),
    "Round": _elementwise(np.rint),
    "Sign": _elementwise(np.sign),
    "Max": _many(np.maximum),
    "Min": _many(np.minimum),
    "Clip": _clipped,
    "Equal": _elementwise(np.equal),
    "Greater": _elementwise(np.greater),
    "Less": _elementwise(np.less),
    "Not": _elementwise(np.logical_not),
    "And": _elementwise(np.logical_and),
    "Or": _elementwise(np.logical_or),
    "ReduceProd": _reduced(np.prod),
    "ReduceSum": _reduced(np.sum),
    "ReduceMax": _reduced(np.max),
    "ReduceMin": _reduced(np.min),
    "ReduceMean": _reduced(np.mean),
    "QuantizeLinear": _quantized,
    "DequantizeLinear": _dequantized,
}
FOLDED = frozenset(_COMPUTED)
