"""A `LayerGraph` as JSON and tensors, and back: plain data, checked against the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from systopack.errors import InvalidNetworkError
from systopack.frontend.graph import (
    ConcatOp,
    Ending,
    LayerGraph,
    MatrixOp,
    Norm,
    Op,
    PoolOp,
    ResidualOperand,
    sources_of,
)

PREFIX = "systopack_graph/"  # of the names of the graph's own tensors


def graph_to_json(graph: LayerGraph) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The graph as JSON, and its arrays by names that begin with `PREFIX`."""
    tensors: dict[str, Tensor] = {}
    ops = [_op_to_json(op, tensors) for op in graph.ops]
    header = {"input_shape": graph.input_shape, "ending": graph.ending, "ops": ops}
    return header, {PREFIX + name: tensor for name, tensor in tensors.items()}


def graph_from_json(content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> LayerGraph:
    """The graph that `graph_to_json` wrote.

    Args:
        tensors: of the whole file; those whose names begin with `PREFIX` are the graph's.

    Raises:
        KeyError, TypeError, ValueError: the content is no such graph.
        InvalidNetworkError: it is, but breaks a rule.
    """
    arrays = {
        name.removeprefix(PREFIX): tensor.numpy()
        for name, tensor in tensors.items()
        if name.startswith(PREFIX)
    }
    channels, height, width = (int(size) for size in content["input_shape"])
    if content["ending"] not in get_args(Ending):
        raise ValueError(f"the unknown ending '{content['ending']}'")
    return LayerGraph(
        input_shape=(channels, height, width),
        ops=tuple(_op_from_json(op, arrays) for op in content["ops"]),
        ending=content["ending"],
    )


def check_graph(graph: LayerGraph, state: Mapping[str, Tensor]) -> None:
    """Check that a graph read from a file is whole and fits its weights.

    Raises:
        InvalidNetworkError: naming the layer and what is wrong.
    """
    known = {"input"}
    for op in graph.ops:
        missing = set(sources_of(op)) - known
        if missing or op.name in known:
            raise InvalidNetworkError(
                f"Layer '{op.name}' of the model file reads a tensor that no layer before it "
                "makes, or is there twice; import the model again."
            )
        known.add(op.name)
        if isinstance(op, MatrixOp):
            _check_matrix(op, graph, state)
    last = graph.ops[-1] if graph.ops else None
    if not isinstance(last, MatrixOp) or last.output_size != (1, 1):
        raise InvalidNetworkError(
            "The model file does not end in a layer that gives logits; import the model again."
        )


def _check_matrix(op: MatrixOp, graph: LayerGraph, state: Mapping[str, Tensor]) -> None:
    wanted: dict[str, tuple[int, ...]] = {}
    if op.weight is not None:
        wanted[op.weight] = op.weight_shape
    if op.bias is not None:
        wanted[op.bias] = (op.rows,)
    if op.norm is not None:
        names = (op.norm.weight, op.norm.bias, op.norm.mean, op.norm.variance)
        wanted |= {name: (op.rows,) for name in names if name is not None}
    for name, shape in wanted.items():
        if name not in state or tuple(state[name].shape) != shape:
            raise InvalidNetworkError(
                f"Layer '{op.name}' of the model file needs a tensor '{name}' of shape {shape}, "
                "which the file does not hold; import the model again."
            )
    columns = int(np.prod(op.weight_shape[1:])) * op.groups
    channels = graph.channels[op.source]
    own = op.columns[:, 0]
    if op.columns.shape != (columns, 3) or own.min() < 0 or own.max() >= channels:
        raise InvalidNetworkError(
            f"Layer '{op.name}' of the model file has columns that do not fit its weight; import "
            "the model again."
        )


def _op_to_json(op: Op, tensors: dict[str, Tensor]) -> dict[str, Any]:
    content: dict[str, Any] = {"name": op.name, "output_size": op.output_size}
    if isinstance(op, ConcatOp):
        tensors[f"{op.name}/operands"] = torch.from_numpy(op.operands.copy())
        tensors[f"{op.name}/channels"] = torch.from_numpy(op.channels.copy())
        return {"type": "concat", **content, "sources": op.sources}
    content |= {
        "source": op.source,
        "kind": op.kind,
        "stride": op.stride,
        "padding": op.padding,
    }
    if isinstance(op, PoolOp):
        return {"type": "pool", **content, "kernel": op.kernel}
    tensors[f"{op.name}/columns"] = torch.from_numpy(op.columns.copy())
    if op.residual is not None:
        tensors[f"{op.name}/residual"] = torch.from_numpy(op.residual.channels.copy())
        content["residual"] = {"source": op.residual.source, "stride": op.residual.stride}
    if op.norm is not None:
        content["norm"] = vars(op.norm)
    return {
        "type": "matrix",
        **content,
        "weight": op.weight,
        "weight_shape": op.weight_shape,
        "bias": op.bias,
        "dilation": op.dilation,
        "activation": op.activation,
        "clip": op.clip,
        "groups": op.groups,
    }


def _op_from_json(content: Mapping[str, Any], arrays: Mapping[str, Any]) -> Op:
    name = str(content["name"])
    size = _pair(content["output_size"])
    if content["type"] == "concat":
        return ConcatOp(
            name=name,
            sources=tuple(str(source) for source in content["sources"]),
            operands=arrays[f"{name}/operands"],
            channels=arrays[f"{name}/channels"],
            output_size=size,
        )
    top, bottom, left, right = (int(value) for value in content["padding"])
    if content["type"] == "pool":
        return PoolOp(
            name=name,
            source=str(content["source"]),
            kind=content["kind"],
            kernel=_pair(content["kernel"]),
            stride=_pair(content["stride"]),
            padding=(top, bottom, left, right),
            output_size=size,
        )
    residual = None
    if "residual" in content:
        residual = ResidualOperand(
            source=str(content["residual"]["source"]),
            stride=_pair(content["residual"]["stride"]),
            channels=arrays[f"{name}/residual"],
        )
    clip = content["clip"]
    return MatrixOp(
        name=name,
        source=str(content["source"]),
        kind=content["kind"],
        weight=content["weight"],
        weight_shape=tuple(int(size) for size in content["weight_shape"]),
        bias=content["bias"],
        norm=Norm(**content["norm"]) if "norm" in content else None,
        columns=arrays[f"{name}/columns"],
        stride=_pair(content["stride"]),
        dilation=_pair(content["dilation"]),
        padding=(top, bottom, left, right),
        output_size=size,
        residual=residual,
        activation=content["activation"],
        clip=None if clip is None else (float(clip[0]), float(clip[1])),
        groups=int(content["groups"]),
    )


def _pair(content: Any) -> tuple[int, int]:
    first, second = content
    return int(first), int(second)
