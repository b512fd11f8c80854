"""A packed network as QONNX, for hls4ml, FINN and whatever else reads quantized ONNX.

All values are real numbers; `Quant` nodes round images, weights and every tensor to 8 bit on their
power-of-two scales, ties to even, as in docs/method.md, section 3. Sums below 2**24 are exact in
float32, so the integers are those of the integer reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.export.builder import Builder
from systopack.files import write_atomically
from systopack.network.network import PackedNetwork
from systopack.network.nodes import ConcatLayer, InputNode, MatrixLayer, PoolLayer

Scales = NDArray[np.float32]


def write_qonnx(network: PackedNetwork, path: Path) -> None:
    """Write the network; it reads one image, normalised by the mean and std stored with it."""
    write_atomically(path, to_qonnx(network).SerializeToString())


def to_qonnx(network: PackedNetwork) -> Any:
    """The network as an `onnx.ModelProto` with nodes of the domain qonnx.custom_op.general."""
    builder = Builder(
        name=network.name, input_name="images", input_shape=network.input.shape, batch=1
    )
    values: dict[str, str] = {}
    for node in network.nodes:
        if isinstance(node, InputNode):
            value = builder.quantized("images", node.name, _power(node.exponent))
        elif isinstance(node, MatrixLayer):
            value = _matrix(builder, network, node, values)
        elif isinstance(node, ConcatLayer):
            value = builder.joined(node, values, network.shapes)
        else:
            value = _pool(builder, network, node, values[node.source])
        values[node.name] = value
    classes = int(np.prod(network.shapes[network.output.name]))
    return builder.finish(values[network.output.name], classes=classes)


def _power(exponent: Any) -> Scales:
    return np.exp2(np.asarray(exponent, dtype=np.float64)).astype(np.float32)


def _matrix(
    builder: Builder, network: PackedNetwork, layer: MatrixLayer, values: Mapping[str, str]
) -> str:
    rows = layer.matrix.rows
    shift = np.zeros(rows, dtype=np.int64) if layer.shift is None else layer.shift.astype(np.int64)
    total = layer.exponent - shift  # scale of each row's accumulator
    weight_scale = _power(total - network.by_name[layer.source].exponent)
    value = _product(builder, layer, network, values[layer.source], (weight_scale, _power(total)))
    flat = builder.is_flat(value)
    axes = (rows,) if flat else (rows, 1, 1)
    if layer.residual is not None:
        source = layer.residual.source
        value = builder.added(
            value,
            layer.name,
            values[source],
            residual=layer.residual,
            shape=network.shapes[source],
            size=layer.output_size,
        )
    if layer.activation == "relu":
        value = builder.node("Relu", [value], f"{layer.name}/relu", flat=flat)
    elif layer.clip is not None:
        limits = (layer.clip * np.exp2(total.astype(np.float64))[:, None]).astype(np.float32)
        for operation, end, column in (("Max", "low", 0), ("Min", "high", 1)):
            limit = builder.weight(f"{layer.name}/{end}", limits[:, column].reshape(axes))
            value = builder.node(operation, [value, limit], f"{layer.name}/{end}_cut", flat=flat)
    if layer.shift is None:
        return value
    return builder.quantized(value, layer.name, _power(layer.exponent))


def _product(
    builder: Builder,
    layer: MatrixLayer,
    network: PackedNetwork,
    value: str,
    scales: tuple[Scales, Scales],
) -> str:
    """The weighted sum, with its weights behind a `Quant` of their own."""
    weight_scale, sum_scale = scales
    matrix = layer.matrix.to_dense().astype(np.float64) * weight_scale[:, None].astype(np.float64)
    bias = builder.weight(
        f"{layer.name}/bias", (layer.bias * sum_scale.astype(np.float64)).astype(np.float32)
    )
    channels, height, width = network.shapes[layer.source]
    whole = np.mgrid[:channels, :height, :width].reshape(3, -1).T
    if layer.output_size == (1, 1) and np.array_equal(_sorted(layer.columns), whole):
        order = np.lexsort(layer.columns.T[::-1])
        stored = builder.weight(f"{layer.name}/weight", matrix[:, order].astype(np.float32))
        weight = builder.quantized(stored, f"{layer.name}/weight_quant", weight_scale[:, None])
        return builder.product(value, layer.name, [weight, bias])
    kernel, attributes = _kernel(layer, matrix, (channels, height, width))
    stored = builder.weight(f"{layer.name}/weight", kernel)
    scale = weight_scale[:, None, None, None]
    weight = builder.quantized(stored, f"{layer.name}/weight_quant", scale)
    return builder.node(
        "Conv",
        [builder.as_image(value), weight, bias],
        f"{layer.name}/conv",
        attributes=attributes,
    )


def _sorted(columns: NDArray[np.int32]) -> NDArray[np.int32]:
    return columns[np.lexsort(columns.T[::-1])]


def _kernel(
    layer: MatrixLayer, matrix: NDArray[np.float64], shape: tuple[int, int, int]
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """The smallest dense kernel that holds every column, and the attributes of its Conv."""
    sizes, starts, dilations, ends = [], [], [], []
    for axis in range(2):
        offsets = np.unique(layer.columns[:, 1 + axis])
        if offsets[0] > 0 or offsets[-1] < 0:
            offsets = np.unique([0, *offsets])  # so that no window more fits into the image
        step = gcd(*np.diff(offsets).tolist()) if len(offsets) > 1 else 1
        first, last = int(offsets[0]), int(offsets[-1])
        reach = (layer.output_size[axis] - 1) * layer.stride[axis] + last
        sizes.append((last - first) // step + 1)
        starts.append(first)
        dilations.append(step)
        ends.append(max(reach - shape[1 + axis] + 1, 0))
    kernel = np.zeros((len(matrix), shape[0], *sizes))
    down, across = (
        (layer.columns[:, 1 + axis] - starts[axis]) // dilations[axis] for axis in range(2)
    )
    kernel[:, layer.columns[:, 0], down, across] = matrix
    groups = 1
    own = np.eye(len(matrix), shape[0], dtype=bool)
    if len(matrix) == shape[0] > 1 and not kernel[~own].any():
        kernel, groups = kernel[own][:, None], shape[0]
    attributes = {
        "kernel_shape": sizes,
        "dilations": dilations,
        "strides": list(layer.stride),
        "pads": [-starts[0], -starts[1], *ends],
        "group": groups,
    }
    return kernel.astype(np.float32), attributes


def _pool(builder: Builder, network: PackedNetwork, layer: PoolLayer, value: str) -> str:
    value = builder.pooled(value, f"{layer.name}/{layer.kind}", layer)
    if layer.kind == "max":
        return value
    change = layer.exponent - network.by_name[layer.source].exponent - layer.shift
    factor = layer.multiplier * 2.0**change * layer.kernel[0] * layer.kernel[1]
    if factor != 1:
        # The mean as the hardware takes it: by a multiplier of 15 bits and a shift.
        number = builder.weight(f"{layer.name}/factor", np.array(factor, dtype=np.float32))
        value = builder.node("Mul", [value, number], f"{layer.name}/scaled")
    return builder.quantized(value, layer.name, _power(layer.exponent))
