"""A quantized ONNX file as its equivalent in floating point.

Quantizers of stored numbers are computed: a layer has the numbers that its integers stand for.
Quantizers of tensors are left out, but for what they cut off: one whose lowest value is 0 is the
ReLU (or ReLU6) that the quantizing tool merged into it. Read are `QuantizeLinear` and
`DequantizeLinear` in pairs, as ONNX Runtime and Brevitas (QCDQ) write them, and the operations of
QONNX.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidNetworkError

DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
REMARK = (
    "The file is quantized: it is read as its equivalent in floating point, with the weights that "
    "its integers stand for; 'quantize' chooses the scales of the tensors anew."
)
_QONNX = ("Quant", "BipolarQuant", "Trunc")
_NEVER_BELOW = {"Relu", "Sigmoid", "Softmax"}  # 0
_KEEP_SIGN = {
    "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceMax",
    "Concat", "Reshape", "Flatten", "Transpose", "Identity", "Dropout", "Squeeze", "Unsqueeze",
    "Split", "Slice", "Gather", "Add", "Sum", "Trunc", "Relu", "Pad", "Cast",
}  # fmt: skip


def is_quantizer(node: Any) -> bool:
    """True for a node of another domain that is read here."""
    return node.domain in DOMAINS and node.op_type in _QONNX


def without_quantizers(model: Any) -> bool:
    """Take the quantizers of tensors out of a model, and compute those of QONNX's weights.

    Args:
        model: an `onnx.ModelProto`; changed.

    Returns:
        Whether there were any of tensors or of QONNX.

    Raises:
        InvalidNetworkError: one has scales that are computed, or is of an unknown form, by name.
    """
    graph = model.graph
    kinds = {node.op_type for node in graph.node}
    if not kinds & {"QuantizeLinear", "DequantizeLinear", *_QONNX}:
        return False
    rewriting = _Rewriting(model)
    nodes = [new for node in graph.node for new in rewriting.read(node)]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(rewriting.added)
    for value in (*graph.input, *graph.output):
        if value.name in rewriting.integers:
            value.type.tensor_type.elem_type = 1  # TensorProto.FLOAT
    kept = [entry for entry in model.opset_import if entry.domain not in DOMAINS]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    return rewriting.found


class _Rewriting:
    """What is known of the values while the nodes are followed."""

    def __init__(self, model: Any) -> None:
        from onnx import numpy_helper

        graph = model.graph
        self.found = False
        self.added: list[Any] = []
        self._dequantized: set[str] = set()  # images
        self._stored = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        images = {value.name for value in graph.input} - self._stored.keys()
        self._flowing = set(images)
        self._never_below = set(images)  # pixels are cut off nowhere
        self._images = images
        self._grids: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {}  # scale, zero point
        versions = [e.version for e in model.opset_import if e.domain in ("", "ai.onnx")]
        self._opset = versions[0] if versions else 1

    @property
    def integers(self) -> set[str]:
        """Values that were integers, and are real numbers now."""
        return {*self._grids, *self._dequantized}

    def read(self, node: Any) -> list[Any]:
        """A node as others of floating point."""
        from onnx import helper, numpy_helper

        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        flows = [name for name in node.input if name in self._flowing]
        if not flows:
            if node.op_type == "Constant" and "value" in attributes:
                self._stored[node.output[0]] = numpy_helper.to_array(attributes["value"])
            return [self._constant(node, attributes)] if is_quantizer(node) else [node]
        self._flowing |= set(node.output)
        if node.op_type == "QuantizeLinear" or (is_quantizer(node) and node.op_type != "Trunc"):
            return self._quantized(node, attributes)
        grid = self._grids.get(node.input[0])
        if node.op_type in ("DequantizeLinear", "Trunc") and node.input[0] == flows[0]:
            if node.op_type == "DequantizeLinear" and node.input[0] in self._images:
                return self._dequantized_images(node)
            if node.op_type == "DequantizeLinear" and grid is None:
                _refuse(node, "reads integers that no quantizer before it gave")
            self.found = True
            return [self._same(node)]
        if grid is not None:
            self._grids[node.output[0]] = grid
            if node.op_type == "Clip":
                return self._clipped_integers(node, grid)
        low = self._lowest(node, attributes)
        signs = all(name in self._never_below for name in flows) and node.op_type in _KEEP_SIGN
        if node.op_type in _NEVER_BELOW or signs or (low is not None and low >= 0):
            self._never_below |= set(node.output)
        return [node]

    def _quantized(self, node: Any, attributes: Mapping[str, Any]) -> list[Any]:
        """A quantizer of a tensor: what it cuts off below 0, and above."""
        self.found = True
        if node.op_type == "BipolarQuant":
            _refuse(node, "makes signs of a tensor")
        scale = self._number(node, 1)
        if node.op_type == "Quant":
            zero = self._number(node, 2)
            lowest, highest = _range(self._number(node, 3), attributes)
        else:
            zero = self._number(node, 2) if len(node.input) > 2 else np.zeros((), dtype=np.uint8)
            if zero.dtype.kind not in "iu":
                _refuse(node, "quantizes to something other than integers")
            lowest, highest = float(np.iinfo(zero.dtype).min), float(np.iinfo(zero.dtype).max)
            self._grids[node.output[0]] = scale, zero
        low, high = ((end - zero.astype(np.float64)) * scale for end in (lowest, highest))
        if node.input[0] in self._never_below or low.any():
            return [self._same(node)]
        self._never_below.add(node.output[0])
        return [self._clip(node, 0.0, float(high.max()))]

    def _dequantized_images(self, node: Any) -> list[Any]:
        """Images of 8 bits: as real numbers they are offset and scaled."""
        from onnx import helper, numpy_helper

        self.found = True
        self._dequantized.add(node.input[0])
        result, between = node.output[0], f"{node.output[0]} (offset)"
        zero = self._number(node, 2) if len(node.input) > 2 else np.float32(0)
        names = [f"{result} ({part})" for part in ("zero", "scale")]
        for name, numbers in zip(names, (zero, self._number(node, 1)), strict=True):
            self.added.append(numpy_helper.from_array(np.array(numbers, np.float32), name))
        return [
            helper.make_node("Sub", [node.input[0], names[0]], [between], f"{node.name}/offset"),
            helper.make_node("Mul", [between, names[1]], [result], node.name),
        ]

    def _clipped_integers(self, node: Any, grid: tuple[NDArray[Any], NDArray[Any]]) -> list[Any]:
        """Limits on integers between a quantizer and its counterpart, as Brevitas writes them."""
        scale, zero = grid
        bounds = [self._number(node, at) for at in (1, 2)]
        low, high = (float(((b - zero.astype(np.float64)) * scale).max()) for b in bounds)
        if low != 0 or node.input[0] in self._never_below:
            if node.input[0] in self._never_below:
                self._never_below.add(node.output[0])
            return [self._same(node)]
        self._never_below.add(node.output[0])
        return [self._clip(node, low, high)]

    def _constant(self, node: Any, attributes: Mapping[str, Any]) -> Any:
        """A quantizer of stored numbers: the numbers that it gives."""
        from onnx import helper, numpy_helper

        self.found = True
        values, scale = (self._number(node, at).astype(np.float64) for at in range(2))
        if np.broadcast_shapes(values.shape, scale.shape) != values.shape or not scale.all():
            _refuse(node, "has a scale that does not fit the numbers, or is 0")
        if node.op_type == "BipolarQuant":
            real = np.where(values >= 0, 1.0, -1.0) * scale
        elif node.op_type == "Quant":
            zero = self._number(node, 2).astype(np.float64)
            lowest, highest = _range(self._number(node, 3), attributes)
            mode = attributes.get("rounding_mode", b"ROUND")
            rounding = _ROUNDINGS.get(mode.decode() if isinstance(mode, bytes) else str(mode))
            if rounding is None:
                _refuse(node, f"rounds by the unknown rule {mode!r}")
            whole = np.clip(rounding(values / scale + zero), lowest, highest)
            real = (whole - zero) * scale
        else:
            _refuse(node, "truncates stored numbers")
        self._stored[node.output[0]] = real.astype(np.float32)
        tensor = numpy_helper.from_array(real.astype(np.float32), node.output[0])
        return helper.make_node("Constant", [], list(node.output), node.name, value=tensor)

    def _number(self, node: Any, at: int) -> NDArray[Any]:
        name = node.input[at] if at < len(node.input) else ""
        if name not in self._stored:
            _refuse(node, "has scales or limits that are computed")
        return self._stored[name]

    def _lowest(self, node: Any, attributes: Mapping[str, Any]) -> float | None:
        """The lower limit of a Clip."""
        if node.op_type != "Clip":
            return None
        stored = self._stored.get(node.input[1]) if len(node.input) > 1 else None
        return float(attributes.get("min", -np.inf) if stored is None else stored.item())

    def _same(self, node: Any) -> Any:
        from onnx import helper

        if node.input[0] in self._never_below:
            self._never_below.add(node.output[0])
        return helper.make_node("Identity", [node.input[0]], [node.output[0]], node.name)

    def _clip(self, node: Any, low: float, high: float) -> Any:
        from onnx import helper, numpy_helper

        if self._opset < 11:
            return helper.make_node(
                "Clip", [node.input[0]], [node.output[0]], node.name, min=low, max=high
            )
        names = [f"{node.output[0]} ({end})" for end in ("lowest", "highest")]
        for name, limit in zip(names, (low, high), strict=True):
            self.added.append(numpy_helper.from_array(np.array(limit, np.float32), name))
        return helper.make_node("Clip", [node.input[0], *names], [node.output[0]], node.name)


_ROUNDINGS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "ROUND": np.rint,
    "HALF_EVEN": np.rint,
    "CEIL": np.ceil,
    "UP": lambda values: np.sign(values) * np.ceil(np.abs(values)),
    "FLOOR": np.floor,
    "ROUND_TO_ZERO": np.trunc,
    "DOWN": np.trunc,
    "HALF_UP": lambda values: np.sign(values) * np.floor(np.abs(values) + 0.5),
    "HALF_DOWN": lambda values: np.sign(values) * np.ceil(np.abs(values) - 0.5),
}


def _range(bits: NDArray[Any], attributes: Mapping[str, Any]) -> tuple[float, float]:
    """The lowest and highest integer of so many bits."""
    count = float(bits.max())
    narrow = float(attributes.get("narrow", 0))
    if attributes.get("signed", 1):
        return -(2.0 ** (count - 1)) + narrow, 2.0 ** (count - 1) - 1
    return 0.0, 2.0**count - 1 - narrow


def _refuse(node: Any, reason: str) -> NoReturn:
    place = node.name or next(iter(node.output), "")
    raise InvalidNetworkError(
        f"Operation '{node.op_type}' in '{place}' {reason}; give the model in floating point, as "
        "it was before it was quantized."
    )
