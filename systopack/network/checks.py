"""The rules of a packed network. All are checked when one is made, so none is checked later."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidNetworkError
from systopack.network.graph import NetworkGraph
from systopack.network.limits import check_form, check_reach, check_sizes, check_tensor
from systopack.network.nodes import (
    ConcatLayer,
    InputNode,
    MatrixLayer,
    Node,
    PoolLayer,
    Shape,
    sources_of,
)
from systopack.network.ranges import accumulator_bounds

SHIFT_LIMIT = 31
MULTIPLIER_LIMIT = 32767
ACCUMULATOR_BITS = (16, 32)
_EXPONENT_LIMIT = 128


def check_network(network: NetworkGraph) -> None:
    """Check every rule of the graph, of each node, and that no accumulator overflows.

    Raises:
        InvalidNetworkError: naming the layer, the rule and what to do.
    """
    check_form(network)
    nodes = network.nodes
    if not nodes or not isinstance(nodes[0], InputNode):
        raise InvalidNetworkError("A network starts with its input node; put an InputNode first.")
    if len(nodes) < 2 or any(isinstance(node, InputNode) for node in nodes[1:]):
        raise InvalidNetworkError("A network has exactly one input node and at least one layer.")
    if network.accumulator_bits not in ACCUMULATOR_BITS:
        raise InvalidNetworkError(
            f"The accumulator has {network.accumulator_bits} bits, but only "
            f"{ACCUMULATOR_BITS[0]} and {ACCUMULATOR_BITS[1]} are built."
        )
    _check_input(nodes[0])
    shapes: dict[str, Shape] = {nodes[0].name: nodes[0].shape}
    raw: set[str] = set()
    for node in nodes[1:]:
        if not node.name or node.name in shapes:
            _refuse(node, "needs a name of its own")
        for source in sources_of(node):
            if source not in shapes:
                _refuse(node, f"reads '{source}', which no earlier node produces")
            if source in raw:
                _refuse(
                    node, f"reads '{source}', which gives raw int32 logits; requantize it first"
                )
        if isinstance(node, MatrixLayer):
            shapes[node.name] = _check_matrix_layer(node, shapes)
            if node.shift is None:
                raw.add(node.name)
        elif isinstance(node, PoolLayer):
            shapes[node.name] = _check_pool(node, shapes[node.source])
        elif isinstance(node, ConcatLayer):
            shapes[node.name] = _check_concat(node, network, shapes)
        check_tensor(node, shapes[node.name])
    check_sizes(network, shapes)
    _check_exponents(network)
    if network.class_names and len(network.class_names) != shapes[nodes[-1].name][0]:
        raise InvalidNetworkError(
            f"The network has {shapes[nodes[-1].name][0]} outputs but "
            f"{len(network.class_names)} class names."
        )
    _check_accumulators(network)


def _check_input(node: InputNode) -> None:
    channels = node.shape[0]
    if min(node.shape) < 1:
        _refuse(node, f"has shape {node.shape}; it must be (channels, height, width)")
    check_tensor(node, node.shape)
    if len(node.mean) != channels or len(node.std) != channels:
        _refuse(node, f"needs one mean and one std for each of its {channels} channels")
    if not all(np.isfinite([*node.mean, *node.std])) or min(node.std) <= 0:
        _refuse(node, "has a mean or std that is not finite, or a std that is not positive")
    _check_exponent(node)


def _check_matrix_layer(layer: MatrixLayer, shapes: dict[str, Shape]) -> Shape:
    rows, columns = layer.matrix.shape
    if layer.matrix.dtype != np.int8:
        _refuse(layer, f"has {layer.matrix.dtype} weights; they must be int8")
    if layer.kind not in ("convolution", "shift", "linear"):
        _refuse(layer, f"is of the unknown kind '{layer.kind}'")
    _check_array(layer, "columns", layer.columns, (columns, 3), np.int32)
    check_reach(layer, shapes[layer.source])
    _check_array(layer, "bias", layer.bias, (rows,), np.int32)
    _check_window(layer, layer.stride, layer.padding, layer.output_size)
    _check_columns(layer, shapes[layer.source])
    if layer.activation not in ("none", "relu", "clip"):
        _refuse(layer, f"has the unknown activation '{layer.activation}'")
    if (layer.clip is None) == (layer.activation == "clip"):
        _refuse(layer, "needs clip limits exactly when its activation is 'clip'")
    if layer.clip is not None:
        _check_array(layer, "clip", layer.clip, (rows, 2), np.int32)
        if (layer.clip[:, 0] > layer.clip[:, 1]).any():
            _refuse(layer, "has a clip limit below its lower limit")
    if layer.shift is not None:
        _check_array(layer, "shift", layer.shift, (rows,), np.uint8)
        if (layer.shift > SHIFT_LIMIT).any():
            _refuse(layer, f"has a requantization shift above {SHIFT_LIMIT}")
    _check_exponent(layer)
    if layer.residual is not None:
        _check_residual(layer, shapes)
    return (rows, *layer.output_size)


def _check_columns(layer: MatrixLayer, source: Shape) -> None:
    channel, dy, dx = (layer.columns[:, axis].astype(np.int64) for axis in range(3))
    if ((channel < 0) | (channel >= source[0])).any():
        _refuse(layer, f"has a column that reads a channel outside 0..{source[0] - 1}")
    keys = (channel * 65536 + dy + 32768) * 65536 + dx + 32768
    if np.unique(keys).size != keys.size:
        _refuse(layer, "lists a column (channel, dy, dx) twice")
    top, bottom, left, right = layer.padding
    for name, offset, before, after, stride, size, count in (
        ("dy", dy, top, bottom, layer.stride[0], source[1], layer.output_size[0]),
        ("dx", dx, left, right, layer.stride[1], source[2], layer.output_size[1]),
    ):
        first = int(offset.min())
        last = int(offset.max()) + (count - 1) * stride
        if first < -before or last > size - 1 + after:
            _refuse(
                layer,
                f"has a displacement {name} that reads {first}..{last} of an input of {size} "
                f"with padding {before} before and {after} after it",
            )
        window = int(offset.max()) - first + 1
        reached = max(-first, window - 1), max(last + stride - size, window - 1)
        if before > reached[0] or after > reached[1]:
            _refuse(
                layer,
                f"has padding {before} before and {after} after its input, but its window of "
                f"{window} reaches no more than {reached[0]} and {reached[1]} ({name})",
            )


def _check_residual(layer: MatrixLayer, shapes: dict[str, Shape]) -> None:
    residual = layer.residual
    assert residual is not None
    rows = layer.matrix.rows
    _check_array(layer, "residual channels", residual.channels, (rows,), np.int32)
    _check_array(layer, "residual shift", residual.shift, (rows,), np.uint8)
    channels, height, width = shapes[residual.source]
    if (residual.channels < -1).any() or (residual.channels >= channels).any():
        _refuse(layer, f"adds a residual channel outside -1..{channels - 1}")
    if (residual.shift > SHIFT_LIMIT).any():
        _refuse(layer, f"has a residual shift above {SHIFT_LIMIT}")
    if min(residual.stride) < 1:
        _refuse(layer, f"has a residual stride of {residual.stride}; it must be at least 1")
    last = tuple((n - 1) * s for n, s in zip(layer.output_size, residual.stride, strict=True))
    if last[0] >= height or last[1] >= width:
        _refuse(
            layer,
            f"adds a residual of {height} x {width} with stride {residual.stride} to an output "
            f"of {layer.output_size[0]} x {layer.output_size[1]}",
        )


def _check_pool(layer: PoolLayer, source: Shape) -> Shape:
    if layer.kind not in ("max", "average"):
        _refuse(layer, f"is of the unknown kind '{layer.kind}'")
    if min(layer.kernel) < 1:
        _refuse(layer, f"has a window of {layer.kernel}")
    _check_window(layer, layer.stride, layer.padding, layer.output_size)
    check_reach(layer, source)
    top, bottom, left, right = layer.padding
    for size, before, after, kernel, stride, count in zip(
        source[1:],
        (top, left),
        (bottom, right),
        layer.kernel,
        layer.stride,
        layer.output_size,
        strict=True,
    ):
        if max(before, after) >= kernel:
            _refuse(layer, "has padding as large as its window")
        if (count - 1) * stride + kernel > size + before + after:
            _refuse(layer, "has windows that reach beyond its padded input")
    if not 1 <= layer.multiplier <= MULTIPLIER_LIMIT or not 0 <= layer.shift <= SHIFT_LIMIT:
        _refuse(
            layer,
            f"has multiplier {layer.multiplier} and shift {layer.shift}; they must lie in "
            f"1..{MULTIPLIER_LIMIT} and 0..{SHIFT_LIMIT}",
        )
    if layer.kind == "max" and (layer.multiplier, layer.shift) != (1, 0):
        _refuse(layer, "is a max pooling, which needs multiplier 1 and shift 0")
    _check_exponent(layer)
    return (source[0], *layer.output_size)


def _check_concat(node: ConcatLayer, network: NetworkGraph, shapes: dict[str, Shape]) -> Shape:
    count = len(node.channels)
    if not node.sources or not count:
        _refuse(node, "puts no channels together; name at least one source and one channel")
    _check_array(node, "operands", node.operands, (count,), np.int32)
    _check_array(node, "channels", node.channels, (count,), np.int32)
    if (node.operands < 0).any() or (node.operands >= len(node.sources)).any():
        _refuse(node, f"has an operand outside 0..{len(node.sources) - 1}")
    channels = np.array([shapes[source][0] for source in node.sources])
    if (node.channels < -1).any() or (node.channels >= channels[node.operands]).any():
        _refuse(node, "takes a channel that its source does not have")
    for source in node.sources:
        if shapes[source][1:] != node.output_size:
            _refuse(
                node,
                f"is {node.output_size[0]} x {node.output_size[1]}, but its source '{source}' is "
                f"{shapes[source][1]} x {shapes[source][2]}; they must be equal",
            )
        if network.by_name[source].exponent != node.exponent:
            _refuse(node, f"has another scale than its source '{source}'; they must be equal")
    _check_exponent(node)
    return (count, *node.output_size)


def _check_window(
    node: Node,
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    output_size: tuple[int, int],
) -> None:
    if min(stride) < 1 or min(padding) < 0 or min(output_size) < 1:
        _refuse(node, f"has stride {stride}, padding {padding} and output size {output_size}")


def _check_array(
    node: Node, what: str, array: NDArray[np.generic], shape: tuple[int, ...], dtype: type
) -> None:
    if array.shape != shape or array.dtype != dtype:
        _refuse(
            node,
            f"has {what} of shape {array.shape} and type {array.dtype}; "
            f"they must be {np.dtype(dtype).name} of shape {shape}",
        )


def _check_exponent(node: Node) -> None:
    if abs(node.exponent) > _EXPONENT_LIMIT:
        _refuse(node, f"has the scale 2**{node.exponent}; exponents lie within ±{_EXPONENT_LIMIT}")


def _check_exponents(network: NetworkGraph) -> None:
    """Residual operands must arrive on the accumulator scale."""
    for layer in network.layers:
        residual = layer.residual
        if residual is None or layer.shift is None:
            continue
        accumulator = layer.exponent - layer.shift.astype(np.int64)
        operand = network.by_name[residual.source].exponent - residual.shift.astype(np.int64)
        if (operand != accumulator)[residual.channels >= 0].any():
            _refuse(layer, f"adds '{residual.source}' on another scale than its accumulator's")


def _check_accumulators(network: NetworkGraph) -> None:
    limit = 1 << (network.accumulator_bits - 1)
    for name, (low, high) in accumulator_bounds(network).items():
        if low < -limit or high >= limit:
            advice = (
                "build it with 32-bit accumulators"
                if network.accumulator_bits < 32
                else "use smaller weights, biases or residual shifts"
            )
            raise InvalidNetworkError(
                f"Layer '{name}': the accumulator can reach {low}..{high}, which does not fit "
                f"{network.accumulator_bits} bits; quantize the model for this width, or {advice}."
            )


def _refuse(node: Node, reason: str) -> NoReturn:
    raise InvalidNetworkError(f"Layer '{node.name}' {reason}.")
