"""Read an exported program node by node into the ops of a `LayerGraph`.

A value is a *view* of a finished tensor: displacements, padding, subsampling or flattening that no
layer has used yet. Layers with weights consume a view as their columns; batch norm, residual
addition and activation are folded into the layer that made their operand. Whatever cannot be
lowered is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray

from systopack.errors import InvalidNetworkError
from systopack.frontend.graph import LayerGraph, MatrixOp, Norm, Op, PoolOp, ResidualOperand
from systopack.network.nodes import Shape

Padding = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class _View:
    """A tensor as a later layer sees it; the identity unless a field says otherwise."""

    tensor: str
    shape: Shape
    displacements: NDArray[np.int64] | None = None
    padding: Padding = (0, 0, 0, 0)
    stride: tuple[int, int] = (1, 1)
    channels: NDArray[np.int32] | None = None  # source channel of each channel, -1: zero
    flat: bool = False

    @property
    def is_plain(self) -> bool:
        """True when it is the finished tensor itself (flattening keeps the values)."""
        moved = self.displacements is not None or self.channels is not None
        return not moved and not any(self.padding) and self.stride == (1, 1)


class Reader:
    """Walks the nodes of an exported program once.

    Args:
        program: from `torch.export.export`, in evaluation mode, with one image input.
        input_shape: (C, H, W).
    """

    def __init__(self, program: torch.export.ExportedProgram, input_shape: Shape) -> None:
        signature = program.graph_signature
        self._names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        self._state = {**program.state_dict}
        self._nodes = list(program.graph.nodes)
        self._user_inputs = set(signature.user_inputs)
        self._input_shape = input_shape
        self._views: dict[Any, _View] = {}
        self._ops: dict[str, Op] = {}  # in the order they run
        self._rules: dict[str, Callable[[Any, Mapping[str, Any]], _View]] = {
            "aten.conv2d": self._convolution,
            "aten.linear": self._linear,
            "aten.batch_norm": self._batch_norm,
            "aten.relu": self._relu,
            "aten.relu_": self._relu,
            "aten.relu6": self._clip,
            "aten.hardtanh": self._clip,
            "aten.hardtanh_": self._clip,
            "aten.add": self._add,
            "aten.add_": self._add,
            "aten.max_pool2d": self._max_pool,
            "aten.avg_pool2d": self._average_pool,
            "aten.adaptive_avg_pool2d": self._adaptive_pool,
            "aten.mean": self._mean,
            "aten.flatten": self._flatten,
            "aten.view": self._flatten,
            "aten.reshape": self._flatten,
            "aten.slice": self._slice,
            "aten.pad": self._pad,
            "aten.constant_pad_nd": self._pad,
            "aten.dropout": self._same,
            "aten.dropout_": self._same,
            "aten.contiguous": self._same,
            "systopack.shift": self._shift,
        }

    def read(self) -> LayerGraph:
        """The layers, or `InvalidNetworkError` naming the operation that cannot be lowered."""
        output: _View | None = None
        for node in self._nodes:
            if node.op == "placeholder":
                if node.name in self._user_inputs:
                    self._views[node] = _View(tensor="input", shape=self._input_shape)
            elif node.op == "output":
                (results,) = node.args
                if len(results) != 1 or results[0] not in self._views:
                    raise InvalidNetworkError("The model must return one tensor, its logits.")
                output = self._views[results[0]]
            elif node.op == "call_function":
                rule = self._rules.get(str(node.target).rpartition(".")[0])
                if rule is None:
                    self._refuse(node, "is no operation that systopack can lower")
                self._views[node] = rule(node, _arguments(node))
        last = list(self._ops.values())[-1] if self._ops else None
        if output is None or last is None or not output.is_plain or output.tensor != last.name:
            raise InvalidNetworkError(
                "The model must end in a layer with weights whose output is the logits."
            )
        return LayerGraph(input_shape=self._input_shape, ops=tuple(self._ops.values()))

    # --- layers with weights

    def _convolution(self, node: Any, arguments: Mapping[str, Any]) -> _View:
        view = self._view(node, arguments["input"])
        if arguments["groups"] != 1:
            self._refuse(node, f"has {arguments['groups']} groups; only 1 can be lowered")
        if view.channels is not None or view.stride != (1, 1) or view.flat:
            self._refuse(node, "reads a tensor that was subsampled or given extra channels")
        padding = arguments["padding"]
        if isinstance(padding, str):
            self._refuse(node, f"has padding '{padding}'; give it as numbers")
        weight, shape = self._parameter(node, arguments["weight"])
        stride, dilation = _pair(arguments["stride"]), _pair(arguments["dilation"])
        down, across = _pair(padding)
        top, bottom, left, right = np.add(view.padding, (down, down, across, across)).tolist()
        size = _window_output(
            view.shape[1:],
            kernel=(shape[2], shape[3]),
            stride=stride,
            padding=(top, bottom, left, right),
            dilation=dilation,
        )
        columns = np.mgrid[: shape[1], : shape[2], : shape[3]].reshape(3, -1).T
        columns = columns * (1, *dilation) - (0, top, left)
        if view.displacements is not None:
            if (shape[2], shape[3]) != (1, 1) or top or bottom or left or right:
                self._refuse(node, "follows a shift, so it must be 1 x 1 without padding")
            columns[:, 1:] += view.displacements
            reach = np.concatenate([view.displacements.min(axis=0), view.displacements.max(axis=0)])
            top, left = np.maximum(-reach[:2], 0).tolist()
            bottom, right = np.maximum(reach[2:], 0).tolist()
        return self._add_op(
            MatrixOp(
                name=self._layer_name(weight),
                source=view.tensor,
                kind="convolution" if view.displacements is None else "shift",
                weight=weight,
                weight_shape=shape,
                bias=self._optional_name(node, arguments["bias"]),
                norm=None,
                columns=columns.astype(np.int32),
                stride=stride,
                dilation=dilation,
                padding=(top, bottom, left, right),
                output_size=size,
                residual=None,
                activation="none",
                clip=None,
            )
        )

    def _linear(self, node: Any, arguments: Mapping[str, Any]) -> _View:
        view = self._view(node, arguments["input"])
        if not view.is_plain or not (view.flat or view.shape[1:] == (1, 1)):
            self._refuse(node, "is a linear layer that must read a flattened tensor")
        weight, shape = self._parameter(node, arguments["weight"])
        columns = np.mgrid[: view.shape[0], : view.shape[1], : view.shape[2]].reshape(3, -1).T
        flat = self._add_op(
            MatrixOp(
                name=self._layer_name(weight),
                source=view.tensor,
                kind="linear",
                weight=weight,
                weight_shape=shape,
                bias=self._optional_name(node, arguments["bias"]),
                norm=None,
                columns=columns.astype(np.int32),
                stride=(1, 1),
                dilation=(1, 1),
                padding=(0, 0, 0, 0),
                output_size=(1, 1),
                residual=None,
                activation="none",
                clip=None,
            )
        )
        return replace(flat, flat=True)

    def _add_op(self, op: Op) -> _View:
        if op.name in self._ops:
            raise InvalidNetworkError(
                f"Layer '{op.name}' is used twice in the model; give each use its own weights."
            )
        self._ops[op.name] = op
        channels = op.rows if isinstance(op, MatrixOp) else self._rows_of(op.source)
        return _View(tensor=op.name, shape=(channels, *op.output_size))

    def _rows_of(self, tensor: str) -> int:
        while tensor != "input":
            op = self._ops[tensor]
            if isinstance(op, MatrixOp):
                return op.rows
            tensor = op.source
        return self._input_shape[0]

    # --- what is folded into the layer before

    def _batch_norm(self, node: Any, arguments: Mapping[str, Any]) -> _View:
        view = self._view(node, arguments["input"])
        op = self._open_op(node, arguments["input"], "batch norm")
        if op.norm is not None or op.residual is not None:
            self._refuse(node, "is a batch norm that does not follow a layer with weights directly")
        if arguments["running_mean"] is None or arguments["running_var"] is None:
            self._refuse(node, "is a batch norm without running statistics")
        norm = Norm(
            weight=self._optional_name(node, arguments["weight"]),
            bias=self._optional_name(node, arguments["bias"]),
            mean=self._parameter(node, arguments["running_mean"])[0],
            variance=self._parameter(node, arguments["running_var"])[0],
            epsilon=float(arguments["eps"]),
        )
        self._ops[op.name] = replace(op, norm=norm)
        return view

    def _relu(self, node: Any, arguments: Mapping[str, Any]) -> _View:
        view = self._view(node, next(iter(arguments.values())))
        if view.is_plain and self._already_rectified(view.tensor):
            return view
        op = self._open_op(node, next(iter(arguments.values())), "ReLU")
        self._ops[op.name] = replace(op, activation="relu")
        return view

    def _already_rectified(self, tensor: str) -> bool:
        op = self._ops.get(tensor)
        return isinstance(op, MatrixOp) and op.activation == "relu"

    def _clip(self, node: Any, arguments: Mapping[str, Any]) -> _View:
        view = self._view(node, next(iter(arguments.values())))
        op = self._open_op(node, next(iter(arguments.values())), "clipping activation")
        limits = (float(arguments.get("min_val", 0.0)), float(arguments.get("max_val", 6.0)))
        self._ops[op.name] = replace(op, activation="clip", clip=limits)
        return view

    def _add(self, node: Any, arguments: Mapping[str, Any]) -> _View:
        operands = (arguments["self"], arguments["other"])
        if arguments.get("alpha", 1) != 1 or not all(o in self._views for o in operands):
            self._refuse(node, "is not a plain sum of two tensors")
        order = list(self._ops)
        ranked = sorted(operands, key=lambda o: _index(order, self._views[o].tensor))
        for host, other in (  # noqa: B007
            (ranked[1], ranked[0]),
            (ranked[0], ranked[1]),
        ):
            op = self._ops.get(self._views[host].tensor)
            if isinstance(op, MatrixOp) and self._is_open(host, op) and op.residual is None:
                break
        else:
            self._refuse(
                node, "adds two tensors neither of which is a layer's output before activation"
            )
        view, operand = self._views[host], self._views[other]
        if operand.displacements is not None or any(operand.padding):
            self._refuse(node, "adds a tensor that was shifted or padded")
        channels = operand.channels
        if channels is None:
            channels = np.arange(operand.shape[0], dtype=np.int32)
        if (len(channels), *operand.shape[1:]) != view.shape:
            self._refuse(node, f"adds shapes {operand.shape} and {view.shape}")
        # The sum runs after both operands, so the layer that carries it moves to the end.
        del self._ops[op.name]
        self._ops[op.name] = replace(
            op,
            residual=ResidualOperand(
                source=operand.tensor, channels=channels, stride=operand.stride
            ),
        )
        return view

    # --- pooling

    def _max_pool(self, node: Any, arguments: Mapping[str, Any]) -> _View:
        if _pair(arguments["dilation"]) != (1, 1):
            self._refuse(node, "is a dilated max pooling")
        return self._pool(node, arguments, "max")

    def _average_pool(self, node: Any, arguments: Mapping[str, Any]) -> _View:
        padded = any(_pair(arguments["padding"]))
        if arguments["divisor_override"] is not None or (
            padded and not arguments["count_include_pad"]
        ):
            self._refuse(node, "is an average pooling whose divisor changes with the position")
        return self._pool(node, arguments, "average")

    def _pool(self, node: Any, arguments: Mapping[str, Any], kind: str) -> _View:
        view = self._view(node, next(iter(arguments.values())))
        if not view.is_plain or view.flat:
            self._refuse(node, "is a pooling of a tensor that was shifted, padded or flattened")
        if arguments["ceil_mode"]:
            self._refuse(node, "is a pooling with ceil_mode; pad its input instead")
        kernel = _pair(arguments["kernel_size"])
        stride = _pair(arguments["stride"] or kernel)
        down, right = _pair(arguments["padding"])
        padding = (down, down, right, right)
        size = _window_output(view.shape[1:], kernel=kernel, stride=stride, padding=padding)
        return self._add_op(
            PoolOp(
                name=self._pool_name(node),
                source=view.tensor,
                kind="max" if kind == "max" else "average",
                kernel=kernel,
                stride=stride,
                padding=padding,
                output_size=size,
            )
        )

    def _adaptive_pool(self, node: Any, arguments: Mapping[str, Any]) -> _View:
        view = self._view(node, arguments["self"])
        outputs = _pair(arguments["output_size"])
        sizes = view.shape[1:]
        if not view.is_plain or any(s % o for s, o in zip(sizes, outputs, strict=True)):
            self._refuse(node, f"pools {sizes} to {outputs}, which does not divide evenly")
        kernel = (sizes[0] // outputs[0], sizes[1] // outputs[1])
        return self._window_average(node, view, kernel, outputs)

    def _mean(self, node: Any, arguments: Mapping[str, Any]) -> _View:
        view = self._view(node, arguments["self"])
        if sorted(d % 4 for d in arguments["dim"] or ()) != [2, 3] or not view.is_plain:
            self._refuse(node, "is a mean over other axes than height and width")
        pooled = self._window_average(node, view, view.shape[1:], (1, 1))
        return replace(pooled, flat=not arguments["keepdim"])

    def _window_average(
        self, node: Any, view: _View, kernel: tuple[int, int], size: tuple[int, int]
    ) -> _View:
        return self._add_op(
            PoolOp(
                name=self._pool_name(node),
                source=view.tensor,
                kind="average",
                kernel=kernel,
                stride=kernel,
                padding=(0, 0, 0, 0),
                output_size=size,
            )
        )

    # --- views

    def _same(self, node: Any, arguments: Mapping[str, Any]) -> _View:
        return self._view(node, next(iter(arguments.values())))

    def _flatten(self, node: Any, arguments: Mapping[str, Any]) -> _View:
        view = self._view(node, arguments["self"])
        shape = tuple(node.meta["val"].shape)
        if len(shape) != 2 or shape[1] != int(np.prod(view.shape)) or not view.is_plain:
            self._refuse(node, f"reshapes a tensor to {shape}; only (images, all the rest) works")
        return replace(view, flat=True)

    def _shift(self, node: Any, arguments: Mapping[str, Any]) -> _View:
        view = self._view(node, arguments["images"])
        if not view.is_plain or view.flat:
            self._refuse(node, "shifts a tensor that was already shifted, padded or subsampled")
        moves = np.array([arguments["dy"], arguments["dx"]], dtype=np.int64).T
        return replace(view, displacements=moves)

    def _slice(self, node: Any, arguments: Mapping[str, Any]) -> _View:
        view = self._view(node, arguments["self"])
        axis, step = arguments["dim"] % 4, arguments["step"]
        start, stop = arguments["start"] or 0, arguments["end"]
        size = (0, *view.shape)[axis]
        whole = start == 0 and (stop is None or stop >= size)
        if not whole or (axis < 2 and step != 1) or any(view.padding) or view.channels is not None:
            self._refuse(node, "is a slice other than every n-th row or column of an image")
        if view.displacements is not None:
            self._refuse(node, "subsamples a shifted tensor; give the convolution a stride instead")
        if axis < 2 or step == 1:
            return view
        shape, stride = list(view.shape), list(view.stride)
        shape[axis - 1] = -(-shape[axis - 1] // step)
        stride[axis - 2] *= step
        return replace(view, shape=(shape[0], shape[1], shape[2]), stride=(stride[0], stride[1]))

    def _pad(self, node: Any, arguments: Mapping[str, Any]) -> _View:
        view = self._view(node, arguments["self"])
        pad = [*arguments["pad"], *([0] * (6 - len(arguments["pad"])))]
        left, right, top, bottom, before, after = pad
        if arguments.get("mode", "constant") != "constant" or arguments["value"] not in (None, 0):
            self._refuse(node, "pads with something other than zeros")
        if min(pad) < 0 or len(pad) > 6 or (view.displacements is not None and any(pad)):
            self._refuse(node, "crops, pads the batch, or pads a shifted tensor")
        if (before or after) and any((left, right, top, bottom)):
            self._refuse(node, "pads channels and pixels at once")
        if before or after:
            old = view.channels
            if old is None:
                old = np.arange(view.shape[0], dtype=np.int32)
            channels = np.pad(old, (before, after), constant_values=-1)
            return replace(view, channels=channels, shape=(len(channels), *view.shape[1:]))
        if view.stride != (1, 1) and any(pad):
            self._refuse(node, "pads a subsampled tensor")
        # The shape stays that of the tensor: windows add the padding themselves.
        total = np.add(view.padding, (top, bottom, left, right)).tolist()
        return replace(view, padding=(total[0], total[1], total[2], total[3]))

    # --- looking things up

    def _view(self, node: Any, value: Any) -> _View:
        if value not in self._views:
            self._refuse(node, "reads something that is not an image tensor")
        return self._views[value]

    def _open_op(self, node: Any, value: Any, what: str) -> MatrixOp:
        op = self._ops.get(self._view(node, value).tensor)
        if not isinstance(op, MatrixOp) or not self._is_open(value, op):
            self._refuse(
                node,
                f"is a {what} that does not follow a layer with weights whose only reader it is",
            )
        return op

    def _is_open(self, value: Any, op: MatrixOp) -> bool:
        view = self._views[value]
        return view.is_plain and op.activation == "none" and len(value.users) == 1

    def _parameter(self, node: Any, value: Any) -> tuple[str, tuple[int, ...]]:
        name = self._names.get(getattr(value, "name", ""))
        if name is None:
            self._refuse(node, "has a weight that is computed, not stored")
        return name, tuple(self._state[name].shape)

    def _optional_name(self, node: Any, value: Any) -> str | None:
        return None if value is None else self._parameter(node, value)[0]

    @staticmethod
    def _layer_name(weight: str) -> str:
        return weight.removesuffix(".weight")

    def _pool_name(self, node: Any) -> str:
        """The path of a pooling module; the node's own name where a function pools."""
        place = _place(node)
        return place if place and place not in self._ops and "pool" in place else str(node.name)

    def _refuse(self, node: Any, reason: str) -> NoReturn:
        place = _place(node)
        where = f" in '{place}'" if place else ""
        operation = str(node.target).rpartition(".")[0]
        raise InvalidNetworkError(f"Operation '{operation}' ('{node.name}'{where}) {reason}.")


def _place(node: Any) -> str:
    """The path of the innermost module that a node comes from, empty at the top."""
    stack = node.meta.get("nn_module_stack") or {}
    return next((str(entry[0]) for entry in reversed(stack.values()) if entry[0]), "")


def _arguments(node: Any) -> dict[str, Any]:
    """The arguments of a node by name, defaults filled in."""
    arguments = {}
    for index, argument in enumerate(node.target._schema.arguments):
        if index < len(node.args):
            arguments[argument.name] = node.args[index]
        elif argument.name in node.kwargs:
            arguments[argument.name] = node.kwargs[argument.name]
        else:
            arguments[argument.name] = argument.default_value
    return arguments


def _window_output(
    size: tuple[int, int],
    *,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: Padding,
    dilation: tuple[int, int] = (1, 1),
) -> tuple[int, int]:
    before_after = (padding[0] + padding[1], padding[2] + padding[3])
    height, width = (
        (size[axis] + before_after[axis] - dilation[axis] * (kernel[axis] - 1) - 1) // stride[axis]
        + 1
        for axis in range(2)
    )
    return height, width


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    values = list(value)
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])


def _index(order: list[str], name: str) -> int:
    return order.index(name) if name in order else -1
