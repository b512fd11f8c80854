"""`Builder`: an ONNX graph in the making, with the few moves that every export needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.frontend.graph import ConcatOp, PoolOp, ResidualOperand
from systopack.frontend.onnx_content import onnx_package
from systopack.network.nodes import ConcatLayer, PoolLayer, Residual, Shape
from systopack.version import VERSION

_OPSET = 17
_IR_VERSION = 8
QONNX_DOMAIN = "qonnx.custom_op.general"


class Builder:
    """Collects nodes and weights.

    Args:
        name: of the graph.
        input_name, input_shape: of the images, (C, H, W).
        batch: how many at once; text: any number.
    """

    def __init__(
        self, *, name: str, input_name: str, input_shape: Shape, batch: int | str = "batch"
    ) -> None:
        onnx_package()
        self._name = name
        self._input_name, self._input_shape = input_name, input_shape
        self._batch = batch
        self._nodes: list[Any] = []
        self._weights: dict[str, NDArray[Any]] = {}
        self._domains = {""}
        self._rows: set[str] = set()  # values of shape (B, N)

    def weight(self, name: str, array: NDArray[Any]) -> str:
        """Add a stored tensor; its name."""
        self._weights[name] = array
        return name

    def node(
        self,
        operation: str,
        inputs: list[str],
        output: str,
        *,
        attributes: Mapping[str, Any] | None = None,
        domain: str = "",
        flat: bool = False,
    ) -> str:
        """Add a node of one output; the output's name.

        Args:
            flat: True where the output is (B, N) and not an image.
        """
        from onnx import helper

        self._domains.add(domain)
        self._nodes.append(
            helper.make_node(
                operation,
                inputs,
                [output],
                name=output,
                domain=domain or None,
                **dict(attributes or {}),
            )
        )
        if flat:
            self._rows.add(output)
        return output

    def is_flat(self, value: str) -> bool:
        """True for values of shape (B, N)."""
        return value in self._rows

    def as_flat(self, value: str) -> str:
        """A value as (B, N)."""
        if self.is_flat(value):
            return value
        return self.node("Flatten", [value], f"{value}/flat", attributes={"axis": 1}, flat=True)

    def as_image(self, value: str) -> str:
        """A value as (B, C, H, W)."""
        if not self.is_flat(value):
            return value
        shape = self.weight(f"{value}/image_shape", np.array([0, -1, 1, 1], dtype=np.int64))
        return self.node("Reshape", [value, shape], f"{value}/image")

    def exchanged(self, value: str, name: str, axes: Sequence[int]) -> str:
        """An image (B, C, H, W) with its last three axes in another order."""
        order = [0, *(axis + 1 for axis in axes)]
        return self.node("Transpose", [self.as_image(value)], name, attributes={"perm": order})

    def channels(self, value: str, name: str, channels: NDArray[np.int32], count: int) -> str:
        """Chosen channels of a value of `count` channels; -1 is zero."""
        if np.array_equal(channels, np.arange(count)):
            return value
        flat = self.is_flat(value)
        (present,) = np.nonzero(channels >= 0)
        if np.array_equal(channels[present], np.arange(count)) and np.ptp(present) == count - 1:
            return self._surrounded(value, name, int(present[0]), len(channels) - 1 - present[-1])
        if (channels < 0).any():
            value = self._surrounded(value, name, 0, 1)
        chosen = np.where(channels < 0, count, channels).astype(np.int64)
        indices = self.weight(f"{name}/indices", chosen)
        return self.node(
            "Gather", [value, indices], f"{name}/channels", attributes={"axis": 1}, flat=flat
        )

    def _surrounded(self, value: str, name: str, before: int, after: int) -> str:
        """A value with channels of zeros before and after its own."""
        flat = self.is_flat(value)
        ends = [0, before, 0, after] if flat else [0, before, 0, 0, 0, after, 0, 0]
        pads = self.weight(f"{name}/pads", np.array(ends, dtype=np.int64))
        return self.node("Pad", [value, pads], f"{name}/padded", flat=flat)

    def subsampled(
        self,
        value: str,
        name: str,
        *,
        stride: tuple[int, int],
        shape: Shape,
        size: tuple[int, int],
    ) -> str:
        """Every n-th row and column of an image of `shape`, `size` of each in the result."""
        if stride == (1, 1) and shape[1:] == size:
            return value
        ends = [(count - 1) * step + 1 for count, step in zip(size, stride, strict=True)]
        parts = {"starts": [0, 0], "ends": ends, "axes": [2, 3], "steps": list(stride)}
        inputs = [
            self.weight(f"{name}/{part}", np.array(numbers, dtype=np.int64))
            for part, numbers in parts.items()
        ]
        return self.node("Slice", [value, *inputs], f"{name}/subsampled")

    def added(
        self,
        value: str,
        name: str,
        operand: str,
        *,
        residual: Residual | ResidualOperand,
        shape: Shape,
        size: tuple[int, int],
    ) -> str:
        """A value with a residual operand, of `shape` before it is subsampled to `size`."""
        flat = self.is_flat(value)
        place = f"{name}/residual"
        operand = self.subsampled(operand, place, stride=residual.stride, shape=shape, size=size)
        operand = self.channels(operand, place, residual.channels, shape[0])
        operand = self.as_flat(operand) if flat else self.as_image(operand)
        return self.node("Add", [value, operand], f"{name}/add", flat=flat)

    def pooled(self, value: str, name: str, pool: PoolLayer | PoolOp) -> str:
        """The maxima or means of windows; means count what is padded."""
        top, bottom, left, right = pool.padding
        counted = {} if pool.kind == "max" else {"count_include_pad": 1}
        return self.node(
            "MaxPool" if pool.kind == "max" else "AveragePool",
            [self.as_image(value)],
            name,
            attributes={
                "kernel_shape": list(pool.kernel),
                "strides": list(pool.stride),
                "pads": [top, left, bottom, right],
                **counted,
            },
        )

    def product(self, value: str, name: str, weights: Sequence[str]) -> str:
        """A value as a row times a stored matrix (N, M), and a bias where there is one."""
        inputs = [self.as_flat(value), *weights]
        return self.node("Gemm", inputs, f"{name}/gemm", attributes={"transB": 1}, flat=True)

    def joined(
        self,
        node: ConcatLayer | ConcatOp,
        values: Mapping[str, str],
        shapes: Mapping[str, Shape],
    ) -> str:
        """Channels of several values put together; both are by name of the tensor."""
        sources = [values[source] for source in node.sources]
        counts = [shapes[source][0] for source in node.sources]
        flat = all(self.is_flat(value) for value in sources)
        sources = sources if flat else [self.as_image(value) for value in sources]
        together = sources[0]
        if len(sources) > 1:
            together = self.node(
                "Concat", sources, f"{node.name}/concat", attributes={"axis": 1}, flat=flat
            )
        starts = np.cumsum([0, *counts[:-1]])
        places = np.where(node.channels < 0, -1, starts[node.operands] + node.channels)
        return self.channels(together, node.name, places.astype(np.int32), sum(counts))

    def quantized(self, value: str, name: str, scale: NDArray[np.float32]) -> str:
        """A value rounded to 8 bit on a scale, as QONNX says it."""
        inputs = [
            self.weight(f"{name}/scale", scale),
            self.weight(f"{name}/zero_point", np.zeros((), dtype=np.float32)),
            self.weight(f"{name}/bits", np.array(8, dtype=np.float32)),
        ]
        return self.node(
            "Quant",
            [value, *inputs],
            name,
            attributes={"signed": 1, "narrow": 0, "rounding_mode": "ROUND"},
            domain=QONNX_DOMAIN,
            flat=self.is_flat(value),
        )

    def finish(self, output: str, *, classes: int) -> Any:
        """The checked `onnx.ModelProto`; its output is (B, classes)."""
        from onnx import TensorProto, checker, helper, numpy_helper

        kind = TensorProto.FLOAT
        value = self.as_flat(output)
        images = helper.make_tensor_value_info(
            self._input_name, kind, [self._batch, *self._input_shape]
        )
        logits = helper.make_tensor_value_info(value, kind, [self._batch, classes])
        stored = [numpy_helper.from_array(array, name) for name, array in self._weights.items()]
        graph = helper.make_graph(self._nodes, self._name, [images], [logits], stored)
        opsets = [
            helper.make_opsetid(domain, 1 if domain else _OPSET) for domain in sorted(self._domains)
        ]
        model = helper.make_model(
            graph,
            producer_name="systopack",
            producer_version=VERSION,
            opset_imports=opsets,
            ir_version=_IR_VERSION,
        )
        checker.check_model(model)
        return model
