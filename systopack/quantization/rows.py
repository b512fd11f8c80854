"""Scales of weights, row by row: as fine as the weights, the bias and the accumulator allow.

A row's accumulator stands on `2 ** (row exponent + exponent of the source)`. The exponent is the
one of least squared error of the weights, raised until bias, products and residual operand fit the
accumulator for every image, and until no shift leaves 0..31. A row without weights constrains
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.frontend.graph import MatrixOp
from systopack.network.ranges import Bounds
from systopack.packing.powers import nearest_power_of_two
from systopack.quantization.statistics import Reals

SHIFT_LIMIT = 31
_CANDIDATES = 4  # scales tried below the one that clips nothing
_FRACTION_BITS = 8  # of a row without weights, below the output's last bit
_BIAS_BITS = 16  # fraction bits of logits without weights, above those
_BLOCK_ELEMENTS = 1 << 22  # weights that are looked at together
_MARGIN = 1 - 2.0**-10  # of the accumulator: the bias is rounded once more, to float32
_LOWEST = -(2**20)  # no constraint
NO_WEIGHTS = _LOWEST  # the exponent that a row without weights asks for

Exponents = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class RowTask:
    """A layer whose rows need scales.

    Args:
        op: the layer.
        matrix: shape (N, M), real weights; bias: shape (N,).
        source: bounds of its input's channels, on scale `2 ** source_exponent`.
        operand: the same of its residual operand's channels, or None.
        output_exponent: of its tensor; None: raw logits.
        accumulator_bits: width.
        weights: a name of `ROUNDINGS`.
    """

    op: MatrixOp
    matrix: Reals
    bias: Reals
    source: Bounds
    source_exponent: int
    operand: Bounds | None
    operand_exponent: int
    output_exponent: int | None
    accumulator_bits: int
    weights: str = "int8"

    def exponents(self, wanted: Exponents) -> Exponents:
        """The finest exponents at or above the wanted ones that fit, shape (N,).

        Args:
            wanted: shape (N,); `NO_WEIGHTS` for rows without weights.
        """
        empty = wanted == NO_WEIGHTS
        lowest = np.full(len(wanted), _LOWEST, dtype=np.int64)
        highest = np.full(len(wanted), -_LOWEST, dtype=np.int64)
        if self.output_exponent is not None:
            lowest[:] = self.output_exponent - SHIFT_LIMIT - self.source_exponent
            highest[:] = self.output_exponent - self.source_exponent
        if self.op.residual is not None:
            adds = self.op.residual.channels >= 0
            top = self.operand_exponent - self.source_exponent
            lowest[adds] = np.maximum(lowest[adds], top - SHIFT_LIMIT)
            highest[adds] = np.minimum(highest[adds], top)
        free = np.where(highest == -_LOWEST, -_BIAS_BITS - self.source_exponent, highest)
        start = np.where(empty, free - _FRACTION_BITS, wanted)
        found = self._fitting(np.maximum(start, lowest))
        while self.output_exponent is None and (found != found.max()).any():
            # One scale for all logits, so that they compare.
            found = self._fitting(np.full(len(found), found.max(), dtype=np.int64))
        return found

    def _fitting(self, exponents: Exponents) -> Exponents:
        """Raise exponents until every accumulator fits."""
        limit = _MARGIN * (1 << (self.accumulator_bits - 1))
        found = exponents.copy()
        step = max(1, _BLOCK_ELEMENTS // max(1, self.matrix.shape[1]))
        for first in range(0, len(found), step):
            over = np.arange(first, min(first + step, len(found)))
            while over.size:
                over = over[self._furthest(over, found[over]) > limit]
                found[over] += 1
        return found

    def _furthest(self, rows: NDArray[np.int64], exponents: Exponents) -> Reals:
        """Largest magnitude of the accumulators of some rows, for any image and any order."""
        scale = np.exp2(-exponents.astype(np.float64))
        source = self.source.with_zero() if any(self.op.padding) else self.source
        columns = source.of(self.op.columns[:, 0])
        weights = ROUNDINGS[self.weights](self.matrix[rows] * scale[:, None])
        ends = weights * columns.low, weights * columns.high
        bias = np.abs(self.bias[rows]) * scale * 2.0**-self.source_exponent + 1
        added = np.zeros(len(rows))
        if self.op.residual is not None and self.operand is not None:
            operand = self.operand.of(self.op.residual.channels[rows])
            shift = 2.0 ** (self.operand_exponent - self.source_exponent) * scale
            added = np.maximum(np.abs(operand.low), np.abs(operand.high)) * shift
        up = np.maximum(np.maximum(*ends), 0).sum(axis=1)
        down = -np.minimum(np.minimum(*ends), 0).sum(axis=1)
        return np.asarray(np.maximum(up, down) + bias + added)


def wanted_exponents(matrix: Reals, *, shared: bool, weights: str = "int8") -> Exponents:
    """The exponent of least squared error of each row, shape (N,); `NO_WEIGHTS` for zero rows.

    Args:
        matrix: shape (N, M).
        shared: one exponent for all rows.
        weights: a name of `ROUNDINGS`.
    """

    def best(values: Reals) -> int:
        return best_exponent(values, rounding=weights) if values.any() else NO_WEIGHTS

    if shared:
        return np.full(len(matrix), best(matrix.ravel()), dtype=np.int64)
    return np.array([best(row) for row in matrix], dtype=np.int64)


def best_exponent(
    values: Reals, unseen: Reals | None = None, weight: float = 0.0, *, rounding: str = "int8"
) -> int:
    """The exponent e for which rounded values times 2**e come closest to them (squared error).

    Args:
        values: samples.
        unseen: values that may come beside them, each counted `weight` times.
        rounding: a name of `ROUNDINGS`.
    """
    every = values.ravel()
    counts = np.ones(len(every))
    if unseen is not None:
        every = np.concatenate([every, unseen])
        counts = np.concatenate([counts, np.full(len(unseen), weight)])
    largest = float(np.abs(every).max(initial=0.0))
    if largest == 0:
        return 0
    chosen = ROUNDINGS[rounding]
    loosest = loosest_exponent(largest, chosen.largest)
    exponents = range(loosest, loosest - chosen.candidates, -1)
    errors = [
        float(counts @ np.square(chosen(every * 2.0**-exponent) * 2.0**exponent - every))
        for exponent in exponents
    ]
    return exponents[int(np.argmin(errors))]


def loosest_exponent(largest: float, word: float = 127) -> int:
    """The finest exponent that clips no magnitude up to `largest`, which is positive, to a word."""
    return math.ceil(math.log2(largest / word))


def int8(values: Reals) -> Reals:
    """Rounded to nearest, ties to even, and saturated to int8; still float64."""
    return np.asarray(np.clip(np.rint(values), -128, 127))


@dataclass(frozen=True, kw_only=True)
class Rounding:
    """How weights on their scale become integers that lie in int8.

    Args:
        rounded: float64 to float64.
        bits: of the two's complement that holds every such integer.
        largest: magnitude that is not clipped.
        candidates: scales to try, from the finest one that clips nothing.
    """

    rounded: Callable[[Reals], Reals]
    bits: int
    largest: float
    candidates: int = _CANDIDATES

    def __call__(self, values: Reals) -> Reals:
        """The integers of values, float64."""
        return self.rounded(values)

    @property
    def range(self) -> tuple[int, int]:
        """The least and the largest integer of so many bits."""
        return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1


def _whole(bits: int) -> Rounding:
    least, largest = -(1 << (bits - 1)), (1 << (bits - 1)) - 1

    def rounded(values: Reals) -> Reals:
        return np.asarray(np.clip(np.rint(values), least, largest))

    return Rounding(rounded=rounded, bits=bits, largest=largest)


ROUNDINGS: Mapping[str, Rounding] = {
    **{f"int{bits}": _whole(bits) for bits in range(8, 1, -1)},
    # The largest power of two, 64, is below 127.
    "power-of-two": Rounding(
        rounded=nearest_power_of_two, bits=8, largest=63.5, candidates=_CANDIDATES + 1
    ),
}
