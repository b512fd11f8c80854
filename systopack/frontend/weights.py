"""From the stored weight of a layer to its filter matrix and back."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from systopack.frontend.graph import MatrixOp


def filter_matrix(op: MatrixOp, weight: Tensor) -> Tensor:
    """The filter matrix (N, M) of a weight of shape `op.weight_shape`.

    A grouped convolution gives a block-diagonal matrix: rows of different groups share no
    column, so that column combining packs it without a conflict.
    """
    if op.groups == 1:
        return weight.reshape(op.rows, -1)
    blocks = weight.reshape(op.groups, op.rows // op.groups, -1)
    matrix = weight.new_zeros(op.groups, blocks.shape[1], op.groups, blocks.shape[2])
    diagonal = torch.arange(op.groups, device=weight.device)
    matrix[diagonal, :, diagonal, :] = blocks
    return matrix.reshape(op.rows, -1)


def stored_weight(op: MatrixOp, matrix: Tensor) -> Tensor:
    """The weight of shape `op.weight_shape` of a filter matrix (N, M)."""
    if op.groups == 1:
        return matrix.reshape(op.weight_shape)
    parts = matrix.reshape(op.groups, op.rows // op.groups, op.groups, -1)
    diagonal = torch.arange(op.groups, device=matrix.device)
    return parts[diagonal, :, diagonal, :].reshape(op.weight_shape)


def raw_weights(
    op: MatrixOp, state: Mapping[str, Tensor], *, like: Tensor | None = None
) -> tuple[Tensor, Tensor | None]:
    """Weight of shape `op.weight_shape` and bias (N,) of a layer before its batch norm.

    Fixed numbers for the values that it reads are folded in.

    Args:
        like: of the type and on the device of the ones of a layer without a stored weight; None:
            as the state's tensors are.
    """
    bias = None if op.bias is None else state[op.bias]
    if op.weight is not None:
        weight = state[op.weight]
        if op.column_scaling is None:
            return weight, bias
        factor, offset = (
            torch.from_numpy(part).to(weight)
            for part in (op.column_scaling.factor, op.column_scaling.offset)
        )
        added = weight @ offset
        return weight * factor, added if bias is None else bias + added
    if like is None:
        floating = (tensor for tensor in state.values() if tensor.is_floating_point())
        like = next(floating, torch.zeros(1))
    return torch.ones(op.weight_shape, device=like.device, dtype=like.dtype), bias


def folded_weights(op: MatrixOp, state: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Filter matrix (N, M) and bias (N,) of a layer with its batch norm and scaling folded in."""
    weight, stored_bias = raw_weights(op, state)
    bias = torch.zeros_like(weight.reshape(op.rows, -1)[:, 0])
    if stored_bias is not None:
        bias = bias + stored_bias
    scale = torch.ones_like(bias)
    if op.norm is not None:
        scale = torch.rsqrt(state[op.norm.variance] + op.norm.epsilon)
        if op.norm.weight is not None:
            scale = scale * state[op.norm.weight]
        bias = (bias - state[op.norm.mean]) * scale
        if op.norm.bias is not None:
            bias = bias + state[op.norm.bias]
    if op.scaling is not None:
        factor, offset = (
            torch.from_numpy(part).to(bias) for part in (op.scaling.factor, op.scaling.offset)
        )
        scale, bias = scale * factor, bias * factor + offset
    matrix = filter_matrix(op, weight)
    return matrix if op.norm is None and op.scaling is None else matrix * scale[:, None], bias
