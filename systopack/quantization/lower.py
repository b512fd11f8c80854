"""Lower a fake-quantized model to a `PackedNetwork`: the last step that knows torch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from systopack.errors import InvalidNetworkError
from systopack.frontend.graph import ConcatOp, MatrixOp, PoolOp
from systopack.network.network import PackedNetwork
from systopack.network.nodes import ConcatLayer, InputNode, MatrixLayer, Node, PoolLayer, Residual
from systopack.packing.pack import dense
from systopack.quantization.model import QuantizedModel
from systopack.training.combining import combine_with_groups
from systopack.training.groups import BandGroups
from systopack.training.model import TrainedModel

_INT32 = (-(2**31), 2**31 - 1)


def lower(
    model: QuantizedModel,
    trained: TrainedModel,
    *,
    name: str,
    accumulator_bits: int,
    history: Mapping[str, str],
) -> PackedNetwork:
    """Turn a quantized model into integers.

    Args:
        model: the fake-quantized model.
        trained: gives class names, normalisation and column groups (without groups every
            column is a group of its own).

    Raises:
        InvalidNetworkError: an accumulator could overflow.
    """
    graph, scales = model.graph, model.scales
    nodes: list[Node] = [
        InputNode(
            name="input",
            shape=graph.input_shape,
            mean=trained.mean,
            std=trained.std,
            exponent=scales.activations["input"],
        )
    ]
    for op in graph.ops:
        if isinstance(op, MatrixOp):
            nodes.append(_matrix_layer(model, trained, op))
        elif isinstance(op, ConcatOp):
            nodes.append(
                ConcatLayer(
                    name=op.name,
                    sources=op.sources,
                    operands=op.operands,
                    channels=op.channels,
                    output_size=op.output_size,
                    exponent=scales.activations[op.name],
                )
            )
        else:
            nodes.append(_pool_layer(model, op))
    return PackedNetwork(
        name=name,
        nodes=tuple(nodes),
        accumulator_bits=accumulator_bits,
        class_names=trained.class_names,
        history=history,
    )


def _matrix_layer(model: QuantizedModel, trained: TrainedModel, op: MatrixOp) -> MatrixLayer:
    scales = model.scales
    rows, total = scales.weights[op.name], scales.accumulator(op)
    with torch.no_grad():
        matrix, bias = (part.double().cpu().numpy() for part in model.weights_of(op))
    weights = (matrix * np.exp2(-rows.astype(np.float64))[:, None]).astype(np.int8)
    exponent = scales.activations.get(op.name)
    bands = _bands(trained, op)
    residual = None
    if op.residual is not None:
        # Rows that add nothing have no say in a shift, so theirs may lie anywhere.
        added = scales.activations[op.residual.source] - total
        residual = Residual(
            source=op.residual.source,
            channels=op.residual.channels,
            stride=op.residual.stride,
            shift=np.where(op.residual.channels >= 0, added, 0).astype(np.uint8),
        )
    return MatrixLayer(
        name=op.name,
        source=op.source,
        kind=op.kind,
        matrix=dense(weights) if bands is None else combine_with_groups(weights, bands),
        columns=op.columns,
        bias=_bias(op, bias, total),
        stride=op.stride,
        padding=op.padding,
        output_size=op.output_size,
        residual=residual,
        activation=op.activation,
        clip=None if op.clip is None else _clip_limits(op.clip, scales.factors[op.name], total),
        shift=None if exponent is None else (exponent - total).astype(np.uint8),
        exponent=int(total[0]) if exponent is None else exponent,
    )


def _bands(trained: TrainedModel, op: MatrixOp) -> tuple[BandGroups, ...] | None:
    """Row bands and groups of a layer; one weight a channel packs without being trained for it."""
    if trained.groups is None or op.weight is not None:
        return None if trained.groups is None else trained.groups[op.name]
    sizes = [len(g) for bands in trained.groups.values() for _, groups in bands for g in groups]
    alpha = max(sizes, default=1)
    columns = range(op.rows)
    groups = tuple(tuple(columns[start : start + alpha]) for start in range(0, op.rows, alpha))
    return ((op.rows, groups),)


def _clip_limits(
    clip: tuple[float, float], factors: NDArray[np.int64], total: NDArray[np.int64]
) -> NDArray[np.int32]:
    """Limits on the accumulator scale; one beyond int32 binds no accumulator, so int32 ends it."""
    held = np.exp2(factors.astype(np.float64))
    limits = np.stack([_on_scale(held * limit, total) for limit in clip], axis=1)
    return np.clip(limits, *_INT32).astype(np.int32)


def _bias(op: MatrixOp, bias: NDArray[np.float64], total: NDArray[np.int64]) -> NDArray[np.int32]:
    scaled = _on_scale(bias, total)
    beyond = (scaled < _INT32[0]) | (scaled > _INT32[1])
    if beyond.any():
        row = int(np.flatnonzero(beyond)[0])
        raise InvalidNetworkError(
            f"Layer '{op.name}': the bias of row {row} is {bias[row]:g}, which does not fit 32 "
            f"bits on the scale 2**{total[row]} of its accumulator; train the model again with "
            "weight decay."
        )
    return scaled.astype(np.int32)


def _on_scale(values: NDArray[np.float64], exponents: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(np.rint(values * np.exp2(-exponents.astype(np.float64))))


def _pool_layer(model: QuantizedModel, op: PoolOp) -> PoolLayer:
    multiplier, shift = model.scales.averages.get(op.name, (1, 0))
    return PoolLayer(
        name=op.name,
        source=op.source,
        kind=op.kind,
        kernel=op.kernel,
        stride=op.stride,
        padding=op.padding,
        output_size=op.output_size,
        multiplier=multiplier,
        shift=shift,
        exponent=model.scales.activations[op.name],
    )
