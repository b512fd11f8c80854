"""Choose power-of-two scales from calibration images (docs/method.md, section 3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidNetworkError
from systopack.frontend.graph import ConcatOp, LayerGraph, MatrixOp, PoolOp
from systopack.network.ranges import Bounds, joined
from systopack.quantization.equalization import Factors
from systopack.quantization.rows import (
    SHIFT_LIMIT,
    Exponents,
    RowTask,
    best_exponent,
    int8,
    loosest_exponent,
    wanted_exponents,
)
from systopack.quantization.sharing import highest_of_shared
from systopack.quantization.statistics import Reals, TensorStatistics

_MULTIPLIER_BITS = 15
_ROUNDS = 64

Matrices = Mapping[str, tuple[Reals, Reals]]  # layer -> filter matrix (N, M), bias (N,)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scales:
    """All exponents of a network; an integer i stands for `i * 2 ** exponent`.

    Args:
        activations: tensor name -> exponent, for every tensor but the logits.
        weights: layer name -> exponent of each row, shape (N,), int64.
        averages: average pooling name -> (multiplier, shift).
        factors: tensor name -> k of each channel, shape (C,), int64: the network holds it
            `2 ** k` times as large as the model.
    """

    activations: Mapping[str, int]
    weights: Mapping[str, NDArray[np.int64]]
    averages: Mapping[str, tuple[int, int]]
    factors: Factors

    def accumulator(self, op: MatrixOp) -> NDArray[np.int64]:
        """Exponent of the accumulator of each row, shape (N,)."""
        return self.weights[op.name] + self.activations[op.source]


@dataclass(frozen=True, kw_only=True, eq=False)
class ScaleTask:
    """A network on equalized tensors whose scales are to be chosen.

    Args:
        graph: the layers.
        matrices: filter matrices and biases, batch norm folded, equalized.
        pixels: shape (C, 256): the real number of every pixel value, equalized.
        factors: by which the tensors are equalized.
        accumulator_bits: 16 or 32.
        weights: how weights are rounded, a name of `rows.ROUNDINGS`.
    """

    graph: LayerGraph
    matrices: Matrices
    pixels: Reals
    factors: Factors
    accumulator_bits: int
    weights: str = "int8"

    def start(self, statistics: Mapping[str, TensorStatistics]) -> dict[str, int]:
        """An exponent for every tensor but the logits: least squared error on the samples.

        The input's covers all 256 pixel values, whatever the calibration images hold.
        """
        activations = {"input": loosest_exponent(float(np.abs(self.pixels).max()) or 1.0)}
        for op in self.graph.ops[:-1]:
            found = statistics[op.name]
            activations[op.name] = best_exponent(found.samples, *found.unseen)
        return highest_of_shared(self.graph, activations)

    def wanted(self) -> dict[str, Exponents]:
        """The row exponents that suit the weights alone."""
        logits = self.graph.ops[-1].name
        return {
            name: wanted_exponents(matrix, shared=name == logits, weights=self.weights)
            for name, (matrix, _) in self.matrices.items()
        }

    def settle(self, activations: Mapping[str, int], wanted: Mapping[str, Exponents]) -> Scales:
        """Raise exponents until all shifts lie in 0..31 and every accumulator fits.

        Raising only ever loses low bits, so the rules are applied until nothing changes.

        Raises:
            InvalidNetworkError: no such exponents exist.
        """
        found, rows = dict(activations), dict[str, Exponents]()
        for _ in range(_ROUNDS):
            before = dict(found)
            reaches = self.reaches(found)
            for op in reversed(self.graph.matrix_ops):
                rows[op.name] = self.row_task(op, found, reaches).exponents(wanted[op.name])
                self._raise_targets(op, rows[op.name], found)
            found = highest_of_shared(self.graph, found)
            if found == before:
                return Scales(
                    activations=found,
                    weights=rows,
                    averages={
                        op.name: _average(op, found)
                        for op in self.graph.ops
                        if isinstance(op, PoolOp) and op.kind == "average"
                    },
                    factors=self.factors,
                )
        raise InvalidNetworkError(
            f"No power-of-two scales exist with which every sum of this network fits "
            f"{self.accumulator_bits}-bit accumulators and every shift lies in 0..31; "
            + (
                "build it with 32-bit accumulators."
                if self.accumulator_bits < 32
                else "its layers differ too much in magnitude, so train it again with weight decay."
            )
        )

    def row_task(
        self, op: MatrixOp, activations: Mapping[str, int], reaches: Mapping[str, Bounds]
    ) -> RowTask:
        """A layer's rows, on given scales of the tensors."""
        matrix, bias = self.matrices[op.name]
        operand = None if op.residual is None else op.residual.source
        return RowTask(
            op=op,
            matrix=matrix,
            bias=bias,
            source=reaches[op.source],
            source_exponent=activations[op.source],
            operand=None if operand is None else reaches[operand],
            operand_exponent=0 if operand is None else activations[operand],
            output_exponent=activations.get(op.name),
            accumulator_bits=self.accumulator_bits,
            weights=self.weights,
        )

    def _raise_targets(self, op: MatrixOp, rows: Exponents, activations: dict[str, int]) -> None:
        """No tensor may be finer than the accumulators that it is made from or added to."""
        total = rows + activations[op.source]
        if op.name in activations:
            activations[op.name] = max(activations[op.name], int(total.max()))
        if op.residual is not None:
            adds = op.residual.channels >= 0
            operand = op.residual.source
            highest = int(total[adds].max(initial=activations[operand]))
            activations[operand] = max(activations[operand], highest)

    def reaches(self, activations: Mapping[str, int]) -> dict[str, Bounds]:
        """What every tensor but the logits can hold for any image, as integers by channel."""
        words = int8(self.pixels * 2.0 ** -activations["input"])
        reaches = {"input": Bounds(low=words.min(axis=1), high=words.max(axis=1))}
        for op in self.graph.ops[:-1]:
            if isinstance(op, ConcatOp):
                parts = [reaches[source] for source in op.sources]
                reaches[op.name] = joined(parts, op.operands, op.channels)
            elif isinstance(op, PoolOp):
                reaches[op.name] = _pooled(op, reaches[op.source], activations)
            else:
                reaches[op.name] = self._produced(op, activations[op.name])
        return reaches

    def _produced(self, op: MatrixOp, exponent: int) -> Bounds:
        """Saturation bounds what a layer gives; ReLU and clip more so."""
        low, high = np.full(op.rows, -128.0), np.full(op.rows, 127.0)
        if op.activation == "relu":
            low = np.zeros(op.rows)
        elif op.clip is not None:
            scale = np.exp2(self.factors[op.name] - float(exponent))
            low = np.maximum(low, np.floor(op.clip[0] * scale))
            high = np.minimum(high, np.ceil(op.clip[1] * scale))
        return Bounds(low=np.minimum(low, high), high=np.maximum(low, high))


def _pooled(op: PoolOp, source: Bounds, activations: Mapping[str, int]) -> Bounds:
    if op.kind == "max":
        return source
    if any(op.padding):
        source = source.with_zero()
    factor = 2.0 ** (activations[op.source] - activations[op.name])
    # One more on either side: the multiplier of 15 bits is rounded.
    return Bounds(low=int8(source.low * factor - 1), high=int8(source.high * factor + 1))


def _average(op: PoolOp, activations: Mapping[str, int]) -> tuple[int, int]:
    """(multiplier, shift) with multiplier / 2**shift = 2**(input - output exponent) / area."""
    area = op.kernel[0] * op.kernel[1]
    factor = 2.0 ** (activations[op.source] - activations[op.name]) / area
    shift = min(SHIFT_LIMIT, _MULTIPLIER_BITS - 1 - math.floor(math.log2(factor)))
    multiplier = round(factor * 2.0**shift)
    while multiplier % 2 == 0 and shift > 0:
        multiplier, shift = multiplier // 2, shift - 1
    if not 1 <= multiplier < 1 << _MULTIPLIER_BITS or shift < 0:
        raise InvalidNetworkError(
            f"Layer '{op.name}' averages {area} values, which no 15-bit multiplier with a shift "
            "in 0..31 expresses; use a smaller window."
        )
    return multiplier, shift


def constant_rows(task: ScaleTask, activations: Mapping[str, int]) -> Matrices:
    """Matrices in which rows that give one word for every image hold no weight.

    Such a row - switched off by its bias, saturated by it, or with weights too small to matter -
    is its bias alone, which comes no further from the others than that word needs, so that it
    does not bind their scale.
    """
    reaches = task.reaches(activations)
    result = dict(task.matrices)
    for op in task.graph.matrix_ops:
        exponent = activations.get(op.name)
        if exponent is None:
            continue
        matrix, bias = task.matrices[op.name]
        low, high = _real_bounds(op, matrix, bias, activations, reaches)
        unit, scale = 2.0**exponent, np.exp2(task.factors[op.name].astype(np.float64))
        floor, ceiling = np.full(len(bias), -128 * unit), np.full(len(bias), 127 * unit)
        if op.activation == "relu":
            floor = np.zeros(len(bias))
        elif op.clip is not None:
            floor = np.maximum(floor, op.clip[0] * scale)
            ceiling = np.minimum(ceiling, op.clip[1] * scale)
        words = [np.rint(np.clip(end, floor, ceiling) / unit) for end in (low, high)]
        constant = words[0] == words[1]
        if not constant.any():
            continue
        down, up = _operand_bounds(op, activations, reaches)
        middle = (low - down + high - up) / 2
        near = np.clip(middle, floor - up - unit, ceiling - down + unit)
        kept = np.where(constant, 0.0, 1.0)
        result[op.name] = matrix * kept[:, None], np.where(constant, near, bias)
    return result


def hopeless_classes(task: ScaleTask, activations: Mapping[str, int]) -> Matrices:
    """Matrices in which a class that wins for no image is masked no deeper than that needs.

    All logits share one scale, so a class that is masked by a huge bias would cost the others
    their bits. Its logit stays below the others' for every image, by as much as they span.
    """
    op = task.graph.ops[-1]
    assert isinstance(op, MatrixOp)
    matrix, bias = task.matrices[op.name]
    low, high = _real_bounds(op, matrix, bias, activations, task.reaches(activations))
    rivals = high >= low.max()  # classes that may win
    span = float(high[rivals].max() - low[rivals].min())
    raised = np.maximum(low.max() - span - high, 0)
    return {**task.matrices, op.name: (matrix, np.where(rivals, bias, bias + raised))}


def _operand_bounds(
    op: MatrixOp, activations: Mapping[str, int], reaches: Mapping[str, Bounds]
) -> tuple[Reals, Reals]:
    """Lowest and highest residual operand of each row, as real numbers; zeros without one."""
    if op.residual is None:
        return np.zeros(op.rows), np.zeros(op.rows)
    operand = reaches[op.residual.source].of(op.residual.channels)
    unit = 2.0 ** activations[op.residual.source]
    return operand.low * unit, operand.high * unit


def _real_bounds(
    op: MatrixOp,
    matrix: Reals,
    bias: Reals,
    activations: Mapping[str, int],
    reaches: Mapping[str, Bounds],
) -> tuple[Reals, Reals]:
    """Lowest and highest sum of each row for any image, as real numbers."""
    source = reaches[op.source].with_zero() if any(op.padding) else reaches[op.source]
    columns = source.of(op.columns[:, 0])
    unit = 2.0 ** activations[op.source]
    positive, negative = np.maximum(matrix, 0), np.minimum(matrix, 0)
    low = bias + (positive @ columns.low + negative @ columns.high) * unit
    high = bias + (positive @ columns.high + negative @ columns.low) * unit
    down, up = _operand_bounds(op, activations, reaches)
    return low + down, high + up
