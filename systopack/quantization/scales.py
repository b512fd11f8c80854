"""Choose power-of-two scales from calibration images (METHOD section 3)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from systopack.errors import InvalidNetworkError
from systopack.frontend.execute import execute
from systopack.frontend.graph import ConcatOp, LayerGraph, MatrixOp, PoolOp
from systopack.frontend.weights import stored_weight

_SHIFT_LIMIT = 31
_MULTIPLIER_BITS = 15
_SAMPLES_PER_BATCH = 1 << 16
_CANDIDATES = 4  # scales tried below the one that clips nothing
_ROUNDS = 64

Weights = Mapping[str, tuple[Tensor, Tensor]]  # layer -> filter matrix (N, M), bias (N,)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scales:
    """All exponents of a network; an integer i stands for `i * 2 ** exponent`.

    Args:
        activations: tensor name -> exponent, for every tensor but the logits.
        weights: layer name -> exponent of each row, shape (N,), int64.
        averages: average pooling name -> (multiplier, shift).
    """

    activations: Mapping[str, int]
    weights: Mapping[str, NDArray[np.int64]]
    averages: Mapping[str, tuple[int, int]]

    def accumulator(self, op: MatrixOp) -> NDArray[np.int64]:
        """Exponent of the accumulator of each row, shape (N,)."""
        return self.weights[op.name] + self.activations[op.source]


def calibrate(graph: LayerGraph, weights: Weights, batches: Iterable[Tensor]) -> Scales:
    """Choose the scales that lose least on calibration images.

    Activations: per tensor, the power of two of least squared error over samples of the images.
    Weights: per row, likewise; the last layer has one for all rows, so that its logits compare.
    Then scales are raised where a shift would not lie in 0..31.

    Args:
        graph: the layers.
        weights: filter matrices and biases, batch norm folded.
        batches: normalised images, shape (B, C, H, W).

    Raises:
        InvalidNetworkError: no set of shifts in 0..31 exists.
    """
    samples = _sample_tensors(graph, weights, batches)
    logits = graph.ops[-1].name
    activations = {
        name: best_exponent(values) for name, values in samples.items() if name != logits
    }
    rows = {}
    for op in graph.matrix_ops:
        matrix = weights[op.name][0].detach().cpu().double().numpy()
        if op.name == logits:
            rows[op.name] = np.full(op.rows, best_exponent(matrix.ravel()), dtype=np.int64)
        else:
            rows[op.name] = np.array([best_exponent(row) for row in matrix], dtype=np.int64)
    _make_shifts_fit(graph, activations, rows)
    averages = {
        op.name: _average(op, activations)
        for op in graph.ops
        if isinstance(op, PoolOp) and op.kind == "average"
    }
    return Scales(activations=activations, weights=rows, averages=averages)


def best_exponent(values: NDArray[np.floating]) -> int:
    """The exponent e for which int8 times 2**e comes closest to the values (squared error)."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0:
        return 0
    loosest = math.ceil(math.log2(largest / 127))
    exponents = range(loosest, loosest - _CANDIDATES, -1)
    errors = []
    for exponent in exponents:
        rounded = np.clip(np.rint(values * 2.0**-exponent), -128, 127) * 2.0**exponent
        errors.append(float(((rounded - values) ** 2).sum()))
    return exponents[int(np.argmin(errors))]


def _sample_tensors(
    graph: LayerGraph, weights: Weights, batches: Iterable[Tensor]
) -> dict[str, NDArray[np.float64]]:
    """Evenly spaced values of every tensor, with the extremes always among them."""
    samples: dict[str, list[NDArray[np.float64]]] = {}
    with torch.inference_mode():
        for images in batches:
            tensors = execute(
                graph,
                images,
                weights_of=lambda op: (stored_weight(op, weights[op.name][0]), weights[op.name][1]),
            )
            for name, tensor in tensors.items():
                flat = tensor.contiguous().flatten()
                step = max(1, flat.numel() // _SAMPLES_PER_BATCH)
                chosen = torch.cat([flat[::step], flat.aminmax().min[None], flat.max()[None]])
                samples.setdefault(name, []).append(chosen.cpu().double().numpy())
    return {name: np.concatenate(parts) for name, parts in samples.items()}


def _make_shifts_fit(
    graph: LayerGraph, activations: dict[str, int], rows: dict[str, NDArray[np.int64]]
) -> None:
    """Raise exponents until every requantization and residual shift lies in 0..31.

    Raising only ever loses low bits, so the rules are applied until nothing changes.
    """
    holder = _scale_holders(graph)
    for _ in range(_ROUNDS):
        before = (dict(activations), {name: e.copy() for name, e in rows.items()})
        for name, source in holder.items():
            if source in activations and name in activations:
                activations[source] = max(activations[source], activations[name])
        for name, source in holder.items():
            if source in activations:
                activations[name] = activations[source]
        for op in reversed(graph.matrix_ops):
            scaled = rows[op.name] + activations[op.source]
            targets = [holder[op.name]] if op.name in activations else []
            if op.residual is not None:
                targets.append(holder[op.residual.source])
            for target in targets:
                activations[target] = max(activations[target], int(scaled.max()))
                lowest = activations[target] - activations[op.source] - _SHIFT_LIMIT
                rows[op.name] = np.maximum(rows[op.name], lowest)
        same_rows = all((rows[name] == before[1][name]).all() for name in rows)
        if activations == before[0] and same_rows:
            return
    raise InvalidNetworkError(
        "No power-of-two scales with shifts in 0..31 exist for this network; its layers differ "
        "too much in magnitude, so train it again with weight decay."
    )


def _scale_holders(graph: LayerGraph) -> dict[str, str]:
    """For each tensor the one whose scale it has.

    Max pooling keeps its input's; a concatenation and all that it reads share one.
    """
    holder = {"input": "input"}
    for op in graph.ops:
        if isinstance(op, ConcatOp):
            joined = {holder[source] for source in op.sources}
            first = holder[op.sources[0]]
            holder = {name: first if held in joined else held for name, held in holder.items()}
            holder[op.name] = first
        else:
            keeps = isinstance(op, PoolOp) and op.kind == "max"
            holder[op.name] = holder[op.source] if keeps else op.name
    return holder


def _average(op: PoolOp, activations: Mapping[str, int]) -> tuple[int, int]:
    """(multiplier, shift) with multiplier / 2**shift = 2**(input - output exponent) / area."""
    area = op.kernel[0] * op.kernel[1]
    factor = 2.0 ** (activations[op.source] - activations[op.name]) / area
    shift = min(_SHIFT_LIMIT, _MULTIPLIER_BITS - 1 - math.floor(math.log2(factor)))
    multiplier = round(factor * 2.0**shift)
    while multiplier % 2 == 0 and shift > 0:
        multiplier, shift = multiplier // 2, shift - 1
    if not 1 <= multiplier < 1 << _MULTIPLIER_BITS or shift < 0:
        raise InvalidNetworkError(
            f"Layer '{op.name}' averages {area} values, which no 15-bit multiplier with a shift "
            "in 0..31 expresses; use a smaller window."
        )
    return multiplier, shift
