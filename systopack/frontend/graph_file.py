"""A `LayerGraph` as JSON and tensors, and back: plain data, checked against the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from math import prod
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from systopack.codec import from_plain, to_plain
from systopack.errors import InvalidNetworkError
from systopack.fields import MalformedError, shown
from systopack.frontend.graph import (
    ConcatOp,
    LayerGraph,
    MatrixOp,
    PoolOp,
    ResidualOperand,
    Scaling,
    sources_of,
)
from systopack.names import flaw_of
from systopack.network.limits import (
    CELLS_LIMIT,
    CHANNEL_LIMIT,
    NODE_LIMIT,
    PADDING_LIMIT,
    SIDE_LIMIT,
    TENSOR_LIMIT,
)
from systopack.tensor_set import TensorSet

PREFIX = "systopack_graph/"  # of the names of the graph's own tensors


def graph_to_json(graph: LayerGraph) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The graph as JSON, and its arrays by names that begin with `PREFIX`."""
    arrays = TensorSet()
    header = to_plain(graph, arrays)
    tensors = {name: torch.from_numpy(array.copy()) for name, array in arrays.tensors.items()}
    return header, {PREFIX + name: tensor for name, tensor in tensors.items()}


def graph_from_json(content: object, tensors: Mapping[str, Tensor]) -> LayerGraph:
    """The graph that `graph_to_json` wrote, every field of exactly its type.

    Args:
        tensors: of the whole file; those whose names begin with `PREFIX` are the graph's.

    Raises:
        MalformedError: the content is no such graph, or a tensor belongs to no layer.
    """
    own = {name: tensor for name, tensor in tensors.items() if name.startswith(PREFIX)}
    for name, tensor in own.items():
        if tensor.dtype not in (torch.int32, torch.float64):
            raise MalformedError(
                f"the graph's tensor {shown(name)} is {tensor.dtype}, not int32 or float64"
            )
    arrays = TensorSet({name.removeprefix(PREFIX): own[name].numpy() for name in own})
    graph: LayerGraph = from_plain(LayerGraph, content, "the graph", arrays)
    arrays.end()
    return graph


def check_graph(graph: LayerGraph, state: Mapping[str, Tensor]) -> None:
    """Check that a graph read from a file is whole and fits its weights.

    Raises:
        InvalidNetworkError: naming the layer and what is wrong.
    """
    if graph.scaling is not None:
        raise InvalidNetworkError(
            "The layers of the model scale their images; put that into the normalisation with "
            "LayerGraph.with_normalisation."
        )
    if len(graph.ops) > NODE_LIMIT:
        raise InvalidNetworkError(f"The model file has more than {NODE_LIMIT:,} layers.")
    known = {"input"}
    for op in graph.ops:
        flaw = flaw_of(op.name)
        if flaw is not None:
            raise InvalidNetworkError(f"A layer's name in the model {flaw}; rename it.")
        missing = set(sources_of(op)) - known
        if missing or op.name in known:
            raise InvalidNetworkError(
                f"Layer '{op.name}' of the model file reads a tensor that no layer before it "
                "makes, or is there twice; import the model again."
            )
        known.add(op.name)
        if isinstance(op, MatrixOp):
            _check_matrix(op, graph, state)
    _check_sizes(graph)
    last = graph.ops[-1] if graph.ops else None
    if not isinstance(last, MatrixOp) or last.output_size != (1, 1):
        raise InvalidNetworkError(
            "The model file does not end in a layer that gives logits; import the model again."
        )


def _check_sizes(graph: LayerGraph) -> None:
    """Every window lies inside its padded input, every channel exists, nothing is too large."""
    for name, shape in graph.shapes.items():
        wide = shape[0] > CHANNEL_LIMIT or max(shape[1:]) > SIDE_LIMIT
        if min(shape) < 1 or wide or prod(shape) > TENSOR_LIMIT:
            _misfit(name, f"a tensor of {shape[0]:,} x {shape[1]:,} x {shape[2]:,}")
    for op in graph.ops:
        if isinstance(op, ConcatOp):
            counts = np.array([graph.channels[source] for source in op.sources])
            if not (0 < len(op.operands) == len(op.channels) and len(op.sources)):
                _misfit(op.name, "channels without a source")
            outside = (op.operands < 0) | (op.operands >= len(op.sources)) | (op.channels < -1)
            if outside.any() or (op.channels >= counts[op.operands]).any():
                _misfit(op.name, "a channel that its source does not have")
            if any(graph.shapes[source][1:] != op.output_size for source in op.sources):
                _misfit(op.name, "sources of another size")
            continue
        sizes = graph.shapes[op.source][1:]
        if min(*op.stride, *op.output_size) < 1 or min(op.padding) < 0:
            _misfit(op.name, f"stride {op.stride} and padding {op.padding}")
        if max(op.padding) > PADDING_LIMIT or max(op.stride) > SIDE_LIMIT:
            _misfit(op.name, f"stride {op.stride} and padding {op.padding}")
        for axis, (before, after) in enumerate((op.padding[:2], op.padding[2:])):
            first, last = 0, op.kernel[axis] - 1 if isinstance(op, PoolOp) else 0
            if isinstance(op, MatrixOp):
                offsets = op.columns[:, 1 + axis].astype(np.int64) + before
                first, last = int(offsets.min()), int(offsets.max())
            last += (op.output_size[axis] - 1) * op.stride[axis]
            if first < 0 or last < first or last >= sizes[axis] + before + after:
                _misfit(op.name, f"windows that read {first}..{last} of {sizes[axis]} rows")
        if isinstance(op, MatrixOp) and op.residual is not None:
            _check_residual(op.name, op, op.residual, graph)


def _check_residual(name: str, op: MatrixOp, residual: ResidualOperand, graph: LayerGraph) -> None:
    channels, *sizes = graph.shapes[residual.source]
    if len(residual.channels) != op.rows or min(residual.stride) < 1:
        _misfit(name, "a residual of another number of rows")
    if (residual.channels < -1).any() or (residual.channels >= channels).any():
        _misfit(name, "a residual channel that its source does not have")
    for size, count, stride in zip(sizes, op.output_size, residual.stride, strict=True):
        if (count - 1) * stride >= size:
            _misfit(name, "a residual that is smaller than its output")


def _misfit(name: str, what: str) -> NoReturn:
    raise InvalidNetworkError(
        f"Layer '{name}' of the model has {what}, which does not fit the others or is beyond the "
        "limits of a network; import the model again."
    )


def _check_scaling(op: MatrixOp, scaling: Scaling | None, count: int) -> None:
    if scaling is None:
        return
    parts = (scaling.factor, scaling.offset)
    if any(part.shape != (count,) or not np.isfinite(part).all() for part in parts):
        _misfit(op.name, f"a scaling that is not of {count:,} finite numbers")


def _check_matrix(op: MatrixOp, graph: LayerGraph, state: Mapping[str, Tensor]) -> None:
    if op.groups < 1 or op.rows % op.groups or min(op.dilation) < 1:
        _misfit(op.name, f"{op.groups} groups and dilation {op.dilation}")
    if (op.clip is None) == (op.activation == "clip") or (op.clip and op.clip[0] > op.clip[1]):
        _misfit(op.name, f"the activation '{op.activation}' with limits {op.clip}")
    if op.norm is not None and not 0 <= op.norm.epsilon < math.inf:
        _misfit(op.name, f"a norm whose epsilon is {op.norm.epsilon}")
    _check_scaling(op, op.scaling, op.rows)
    _check_scaling(op, op.column_scaling, len(op.columns) if op.kind == "linear" else 0)
    if op.rows * len(op.columns) > CELLS_LIMIT:
        _misfit(op.name, f"a filter matrix of {op.rows:,} x {len(op.columns):,}")
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
        if not state[name].is_floating_point():
            _misfit(op.name, f"a tensor '{name}' of {state[name].dtype}, no floating point")
    if op.norm is not None and not bool((state[op.norm.variance] + op.norm.epsilon > 0).all()):
        _misfit(op.name, "a norm whose variance is not above 0")
    columns = int(np.prod(op.weight_shape[1:])) * op.groups
    channels = graph.channels[op.source]
    own = op.columns[:, 0]
    if op.columns.shape != (columns, 3) or own.min() < 0 or own.max() >= channels:
        raise InvalidNetworkError(
            f"Layer '{op.name}' of the model file has columns that do not fit its weight; import "
            "the model again."
        )
    reach = int(np.abs(op.columns[:, 1:].astype(np.int64)).max())
    if max(reach, *op.dilation) > SIDE_LIMIT:
        _misfit(op.name, f"a dilation or displacement beyond {SIDE_LIMIT:,}")
