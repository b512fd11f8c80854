"""A trained model as a plain state dict or ONNX: masked weights, the user's own names."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from systopack.errors import InvalidNetworkError
from systopack.export.builder import Builder
from systopack.files import write_atomically
from systopack.frontend.graph import ConcatOp, MatrixOp, Norm, Scaling
from systopack.frontend.weights import raw_weights
from systopack.network.nodes import Shape
from systopack.training.model import TrainedModel


def write_state_dict(model: TrainedModel, path: Path) -> None:
    """Write the weights, pruned ones zero and batch norm as it was, as a plain .safetensors.

    `torch.nn.Module.load_state_dict` of the user's own class takes them.
    """
    from safetensors.torch import save

    write_atomically(path, save({n: t.contiguous() for n, t in model.state.items()}))


def write_onnx(model: TrainedModel, path: Path) -> None:
    """Write the model as ONNX, from normalised images to what the model returned.

    Raises:
        InvalidNetworkError: only a part of the model is known.
    """
    write_atomically(path, to_onnx(model).SerializeToString())


def to_onnx(model: TrainedModel) -> Any:
    """The model as an `onnx.ModelProto`."""
    graph = model.capture()
    builder = Builder(name="network", input_name="images", input_shape=graph.input_shape)
    values = {"input": "images"}
    for op in graph.ops:
        if isinstance(op, MatrixOp):
            value = _matrix(builder, op, values, graph.shapes, model.state)
        elif isinstance(op, ConcatOp):
            value = builder.joined(op, values, graph.shapes)
        else:
            value = builder.pooled(values[op.source], f"{op.name}/{op.kind}", op)
        values[op.name] = value
    output = builder.as_flat(values[graph.ops[-1].name])
    if graph.ending != "none":
        endings = {"softmax": "Softmax", "log_softmax": "LogSoftmax", "sigmoid": "Sigmoid"}
        operation = endings[graph.ending]
        attributes = {} if operation == "Sigmoid" else {"axis": 1}
        output = builder.node(
            operation, [output], operation.lower(), attributes=attributes, flat=True
        )
    return builder.finish(output, classes=len(model.class_names))


def _matrix(
    builder: Builder,
    op: MatrixOp,
    values: Mapping[str, str],
    shapes: Mapping[str, Shape],
    state: Mapping[str, Tensor],
) -> str:
    value = values[op.source]
    if op.weight is not None or op.moves:
        value = _product(builder, op, value, state)
    flat = builder.is_flat(value)
    if op.norm is not None:
        value = _batch_norm(builder, op, op.norm, value, state)
    if op.scaling is not None:
        value = _scaled(builder, op, op.scaling, value)
    if op.residual is not None:
        source = op.residual.source
        value = builder.added(
            value,
            op.name,
            values[source],
            residual=op.residual,
            shape=shapes[source],
            size=op.output_size,
        )
    if op.activation == "relu":
        value = builder.node("Relu", [value], f"{op.name}/relu", flat=flat)
    elif op.clip is not None:
        limits = [
            builder.weight(f"{op.name}/{end}", np.array(limit, dtype=np.float32))
            for end, limit in zip(("min", "max"), op.clip, strict=True)
        ]
        value = builder.node("Clip", [value, *limits], f"{op.name}/clip", flat=flat)
    return value


def _product(builder: Builder, op: MatrixOp, value: str, state: Mapping[str, Tensor]) -> str:
    weight, bias = raw_weights(op, state)
    if op.kind != "linear":
        weight = weight.reshape(op.rows, -1, *op.window)
    weights = [builder.weight(op.weight or f"{op.name}/ones", weight.numpy())]
    if bias is not None:
        weights.append(builder.weight(op.bias or f"{op.name}/bias", bias.numpy()))
    if op.kind == "linear":
        if not op.in_order:
            value = builder.exchanged(value, f"{op.name}/order", _axes(op))
        return builder.product(value, op.name, weights)
    value = builder.as_image(value)
    padding, kernel = op.padding, op.window
    if op.kind == "shift":
        value, padding = _shifted(builder, op, value), (0, 0, 0, 0)
    top, bottom, left, right = padding
    return builder.node(
        "Conv",
        [value, *weights],
        f"{op.name}/conv",
        attributes={
            "kernel_shape": list(kernel),
            "strides": list(op.stride),
            "pads": [top, left, bottom, right],
            "dilations": list(op.dilation),
            "group": op.groups,
        },
    )


def _axes(op: MatrixOp) -> tuple[int, ...]:
    """The order in which the axes (channels, height, width) of a linear layer are flattened."""
    sizes = op.columns.max(axis=0) + 1
    for axes in permutations(range(3)):
        order = np.indices(sizes[list(axes)]).reshape(3, -1)
        if np.array_equal(op.columns.T[list(axes)], order):
            return axes
    raise InvalidNetworkError(
        f"Layer '{op.name}' reads its values in an order that ONNX has no operation for; export "
        "the state dict."
    )


def _shifted(builder: Builder, op: MatrixOp, value: str) -> str:
    """A shift is a depthwise convolution with a single one in every kernel."""
    moves = op.columns[:, 1:]
    reach = np.abs(moves).max(axis=0)
    kernel = np.zeros((len(moves), 1, *(2 * reach + 1)), dtype=np.float32)
    kernel[np.arange(len(moves)), 0, moves[:, 0] + reach[0], moves[:, 1] + reach[1]] = 1
    down, across = (int(r) for r in reach)
    return builder.node(
        "Conv",
        [value, builder.weight(f"{op.name}/shift_kernel", kernel)],
        f"{op.name}/shift",
        attributes={
            "kernel_shape": list(kernel.shape[2:]),
            "pads": [down, across, down, across],
            "group": len(moves),
        },
    )


def _scaled(builder: Builder, op: MatrixOp, scaling: Scaling, value: str) -> str:
    flat = builder.is_flat(value)
    parts = {"Mul": scaling.factor, "Add": scaling.offset}
    for operation, numbers in parts.items():
        name = f"{op.name}/{operation.lower()}"
        array = numbers.astype(np.float32).reshape((op.rows,) if flat else (op.rows, 1, 1))
        weight = builder.weight(f"{name}_numbers", array)
        value = builder.node(operation, [value, weight], name, flat=flat)
    return value


def _batch_norm(
    builder: Builder, op: MatrixOp, norm: Norm, value: str, state: Mapping[str, Tensor]
) -> str:
    def tensor(name: str | None, default: float) -> str:
        if name is None:
            array = np.full(op.rows, default, dtype=np.float32)
            return builder.weight(f"{op.name}/norm_{default:g}", array)
        return builder.weight(name, state[name].numpy())

    inputs = [
        value,
        tensor(norm.weight, 1),
        tensor(norm.bias, 0),
        tensor(norm.mean, 0),
        tensor(norm.variance, 1),
    ]
    return builder.node(
        "BatchNormalization",
        inputs,
        f"{op.name}/norm",
        attributes={"epsilon": norm.epsilon, "momentum": 1 - norm.momentum},
        flat=builder.is_flat(value),
    )
