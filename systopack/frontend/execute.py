"""Run a `LayerGraph` in torch: in floating point, or quantized by what the caller passes in."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from systopack.frontend.graph import LayerGraph, MatrixOp, PoolOp
from systopack.nn.shift import shift

WeightsOf = Callable[[MatrixOp], tuple[Tensor, Tensor]]


def execute(
    graph: LayerGraph,
    images: Tensor,
    *,
    weights_of: WeightsOf,
    after: Callable[[str, Tensor], Tensor] = lambda _, tensor: tensor,
    average_factor: Callable[[PoolOp], float] = lambda op: 1 / (op.kernel[0] * op.kernel[1]),
) -> dict[str, Tensor]:
    """Compute every tensor of the graph.

    Args:
        images: shape (B, C, H, W), float.
        weights_of: filter matrix (N, M) and bias (N,) of a layer, batch norm folded.
        after: applied to each finished tensor (and to the input, by the name "input").
        average_factor: what the sum over an average pooling window is multiplied by.

    Returns:
        By name, shape (B, C, H, W); linear layers give (B, N, 1, 1).
    """
    tensors = {"input": after("input", images)}
    for op in graph.ops:
        source = tensors[op.source]
        if isinstance(op, MatrixOp):
            result = _matrix(op, source, tensors, weights_of)
        else:
            result = _pool(op, source, average_factor)
        tensors[op.name] = after(op.name, result)
    return tensors


def folded_weights(op: MatrixOp, state: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Filter matrix (N, M) and bias (N,) of a layer with its batch norm folded in."""
    weight = state[op.weight].reshape(op.rows, -1)
    bias = state[op.bias] if op.bias is not None else torch.zeros_like(weight[:, 0])
    if op.norm is None:
        return weight, bias
    scale = torch.rsqrt(state[op.norm.variance] + op.norm.epsilon)
    if op.norm.weight is not None:
        scale = scale * state[op.norm.weight]
    bias = (bias - state[op.norm.mean]) * scale
    if op.norm.bias is not None:
        bias = bias + state[op.norm.bias]
    return weight * scale[:, None], bias


def _matrix(
    op: MatrixOp, source: Tensor, tensors: Mapping[str, Tensor], weights_of: WeightsOf
) -> Tensor:
    weight, bias = weights_of(op)
    if op.kind == "linear":
        result = F.linear(source.flatten(1), weight, bias)[:, :, None, None]
    elif op.kind == "shift":
        displaced = shift(source, op.columns[:, 1].tolist(), op.columns[:, 2].tolist())
        result = F.conv2d(displaced, weight[:, :, None, None], bias, stride=op.stride)
    else:
        padded = _pad(source, op.padding, 0.0)
        kernel = weight.reshape(op.weight_shape)
        result = F.conv2d(padded, kernel, bias, stride=op.stride, dilation=op.dilation)
    if op.residual is not None:
        result = result + residual_operand(op, tensors[op.residual.source])
    if op.activation == "relu":
        return F.relu(result)
    if op.clip is not None:
        return torch.clamp(result, *op.clip)
    return result


def residual_operand(op: MatrixOp, source: Tensor) -> Tensor:
    """The residual as it is added: rows of the layer, its output size, zeros for channel -1."""
    assert op.residual is not None
    (height, width), (down, right) = op.output_size, op.residual.stride
    view = source[:, :, : (height - 1) * down + 1 : down, : (width - 1) * right + 1 : right]
    channels = torch.from_numpy(op.residual.channels).to(source.device)
    present = (channels >= 0).to(source.dtype)[None, :, None, None]
    return view[:, channels.clamp(min=0).long()] * present


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
