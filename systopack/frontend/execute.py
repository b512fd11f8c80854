"""Run a `LayerGraph` in torch: in floating point, or quantized by what the caller passes in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from systopack.frontend.graph import ConcatOp, LayerGraph, MatrixOp, PoolOp, Scaling
from systopack.nn.shift import shift

WeightsOf = Callable[[MatrixOp], tuple[Tensor, Tensor | None]]
LimitsOf = Callable[[MatrixOp], tuple[Any, Any]]


def execute(
    graph: LayerGraph,
    images: Tensor,
    *,
    weights_of: WeightsOf,
    norm: Callable[[MatrixOp, Tensor], Tensor] = lambda _, tensor: tensor,
    after: Callable[[str, Tensor], Tensor] = lambda _, tensor: tensor,
    average_factor: Callable[[PoolOp], float] = lambda op: 1 / (op.kernel[0] * op.kernel[1]),
    limits_of: LimitsOf = lambda op: op.clip or (None, None),
) -> dict[str, Tensor]:
    """Compute every tensor of the graph.

    Args:
        images: shape (B, C, H, W), float.
        weights_of: weight of shape `op.weight_shape` and bias (N,) of a layer.
        norm: applied between a layer's sum and its residual; nothing where it is folded.
        after: applied to each finished tensor (and to the input, by the name "input").
        average_factor: what the sum over an average pooling window is multiplied by.
        limits_of: lowest and highest output of a layer that clips, for all rows or of shape
            (N, 1, 1).

    Returns:
        By name, shape (B, C, H, W); linear layers give (B, N, 1, 1).
    """
    if graph.scaling is not None:
        images = scaled(images, graph.scaling)
    tensors = {"input": after("input", images)}
    for op in graph.ops:
        if isinstance(op, MatrixOp):
            result = norm(op, _matrix(op, tensors[op.source], weights_of))
            result = _activate(op, result, tensors, limits_of)
        elif isinstance(op, ConcatOp):
            result = concatenate(op, [tensors[source] for source in op.sources])
        else:
            result = _pool(op, tensors[op.source], average_factor)
        tensors[op.name] = after(op.name, result)
    return tensors


def scaled(tensor: Tensor, scaling: Scaling) -> Tensor:
    """Images (B, C, H, W), times a factor and plus an offset of every channel."""
    factor, offset = (
        torch.from_numpy(part).to(tensor)[:, None, None]
        for part in (scaling.factor, scaling.offset)
    )
    return tensor * factor + offset


def _matrix(op: MatrixOp, source: Tensor, weights_of: WeightsOf) -> Tensor:
    weight, bias = weights_of(op)
    if op.kind == "linear":
        values = source.flatten(1)
        if not op.in_order:
            channel, down, across = op.columns.T
            at = (channel * source.shape[2] + down) * source.shape[3] + across
            values = values[:, torch.from_numpy(at.astype("int64")).to(values.device)]
        return F.linear(values, weight, bias)[:, :, None, None]
    if op.kind == "shift":
        displaced = shift(source, op.columns[:, 1].tolist(), op.columns[:, 2].tolist())
        return F.conv2d(displaced, weight, bias, stride=op.stride, groups=op.groups)
    top, bottom, left, right = op.padding
    padding = (0, 0)
    if (top, left) == (bottom, right):
        padding = (top, left)
    else:
        source = _pad(source, op.padding, 0.0)
    weight = weight.reshape(op.rows, -1, *op.window)
    return F.conv2d(source, weight, bias, op.stride, padding, op.dilation, op.groups)


def _activate(
    op: MatrixOp, result: Tensor, tensors: Mapping[str, Tensor], limits_of: LimitsOf
) -> Tensor:
    if op.residual is not None:
        result = result + residual_operand(op, tensors[op.residual.source])
    if op.activation == "relu":
        return F.relu(result)
    if op.clip is not None:
        return torch.clamp(result, *limits_of(op))
    return result


def residual_operand(op: MatrixOp, source: Tensor) -> Tensor:
    """The residual as it is added: rows of the layer, its output size, zeros for channel -1."""
    assert op.residual is not None
    (height, width), (down, right) = op.output_size, op.residual.stride
    view = source[:, :, : (height - 1) * down + 1 : down, : (width - 1) * right + 1 : right]
    if op.residual.is_identity and source.shape[1] == op.rows:
        return view
    channels = torch.from_numpy(op.residual.channels).to(source.device)
    present = (channels >= 0).to(source.dtype)[None, :, None, None]
    return view[:, channels.clamp(min=0).long()] * present


def concatenate(op: ConcatOp, sources: list[Tensor]) -> Tensor:
    """The channels of the op, zeros for channel -1."""
    if op.is_plain([source.shape[1] for source in sources]):
        return torch.cat(sources, dim=1)
    starts = [0]
    for source in sources:
        starts.append(starts[-1] + source.shape[1])
    together = torch.cat(sources, dim=1)
    offsets = torch.tensor([*starts[:-1]])[torch.from_numpy(op.operands).long()]
    channels = torch.from_numpy(op.channels).long()
    chosen = (offsets + channels.clamp(min=0)).to(together.device)
    present = (channels >= 0).to(together)[None, :, None, None]
    return together[:, chosen] * present


def _pool(op: PoolOp, source: Tensor, average_factor: Callable[[PoolOp], float]) -> Tensor:
    if op.kind == "max":
        return F.max_pool2d(_pad(source, op.padding, -torch.inf), op.kernel, op.stride)
    sums = F.avg_pool2d(_pad(source, op.padding, 0.0), op.kernel, op.stride, divisor_override=1)
    return sums * average_factor(op)


def _pad(source: Tensor, padding: tuple[int, int, int, int], value: float) -> Tensor:
    top, bottom, left, right = padding
    if not any(padding):
        return source
    return F.pad(source, (left, right, top, bottom), value=value)
