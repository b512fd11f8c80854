"""`LayerGraph`: a captured model as layers with filter matrices, with parameters by name.

It mirrors `PackedNetwork` before quantization: the same columns (channel, dy, dx), windows,
residual operands and concatenations, but weights, biases and norms are names in the model's state
dict. The fields stand in the order of a model file (`systopack.codec`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from systopack.codec import Rule, Stored
from systopack.network.nodes import (
    Activation,
    Integers,
    IntegerTable,
    MatrixKind,
    PoolKind,
    Shape,
)

Reals = Annotated[NDArray[np.float64], Stored(1)]
Ending = Literal["none", "softmax", "log_softmax", "sigmoid"]


def _is_shape(sizes: tuple[int, ...]) -> bool:
    return 1 <= len(sizes) <= 4 and min(sizes) > 0


@dataclass(frozen=True, kw_only=True)
class Norm:
    """Batch norm after a layer: parameter names, scale and offset may be absent.

    Args:
        epsilon: added to the variance.
        momentum: share of a batch in the running statistics while training.
    """

    weight: str | None
    bias: str | None
    mean: str
    variance: str
    epsilon: float
    momentum: float = 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class Scaling:
    """`x * factor + offset` with one number a channel (or a value), which no training changes.

    Args:
        factor, offset: shape (C,).
        parameters: names of the stored tensors that they were computed from.
    """

    factor: Reals
    offset: Reals
    parameters: tuple[str, ...] = ()

    @cached_property
    def rises(self) -> bool:
        """True when every factor is above 0."""
        return bool((self.factor > 0).all())

    def of_channels(self) -> Scaling | None:
        """With one number a channel in place of one a value, (C, H, W), where all are equal."""
        first = [part[:, :1, :1] for part in (self.factor, self.offset)]
        if not all(
            (part == one).all() for part, one in zip((self.factor, self.offset), first, strict=True)
        ):
            return None
        factor, offset = (np.array(one[:, 0, 0]) for one in first)
        return replace(self, factor=factor, offset=offset)

    @cached_property
    def changes_nothing(self) -> bool:
        """True when it gives every value as it is, apart from rounding."""
        return np.allclose(self.factor, 1, rtol=0, atol=1e-12) and not self.offset.any()

    def then(self, later: Scaling) -> Scaling:
        """Both, one after the other."""
        return Scaling(
            factor=self.factor * later.factor,
            offset=self.offset * later.factor + later.offset,
            parameters=tuple(dict.fromkeys((*self.parameters, *later.parameters))),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class ResidualOperand:
    """What is added before the activation; fields as in `network.nodes.Residual`."""

    source: str
    stride: tuple[int, int]
    channels: Annotated[NDArray[np.int32], Stored(1, alone=True)]

    @cached_property
    def is_identity(self) -> bool:
        """True when every row adds the channel of its own number."""
        return np.array_equal(self.channels, np.arange(len(self.channels)))


@dataclass(frozen=True, kw_only=True, eq=False)
class MatrixOp:
    """A layer with a filter matrix; fields as in `network.nodes.MatrixLayer`.

    The filter matrix is the weight reshaped to (N, M); with `groups` above 1 (rows and channels
    fall into that many equal parts, each part of the rows sees its own) it is block diagonal, one
    block per group. See `frontend.weights`. `clip` holds real numbers.

    Args:
        weight: name in the state dict; None: all ones, one channel a row, for a norm, addition or
            activation that no layer before it can take in.
        weight_shape: of the weight in the state dict.
        scaling: of every row, after the norm; None: none.
        column_scaling: of every value that a linear layer reads, before its weights.
    """

    TYPE: ClassVar = "matrix"

    name: str
    output_size: tuple[int, int]
    source: str
    kind: MatrixKind
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    columns: IntegerTable
    residual: ResidualOperand | None
    norm: Norm | None
    weight: str | None
    weight_shape: Annotated[tuple[int, ...], Rule(_is_shape, "1 to 4 whole numbers above 0")]
    bias: str | None
    dilation: tuple[int, int]
    activation: Activation
    clip: tuple[float, float] | None
    groups: int = 1
    scaling: Scaling | None = None
    column_scaling: Scaling | None = None

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of all stored tensors that it computes with, norm and scalings included."""
        norm = self.norm
        names = (self.weight, self.bias, norm and norm.weight, norm and norm.bias)
        scalings = (s.parameters for s in (self.scaling, self.column_scaling) if s is not None)
        return (*(name for name in names if name), *(n for part in scalings for n in part))

    @property
    def window(self) -> tuple[int, int]:
        """(height, width) of a convolution's weight; one (N, C, K) has a single row or column."""
        height, *width = self.weight_shape[2:]
        if width:
            return height, width[0]
        return (height, 1) if np.ptp(self.columns[:, 1]) else (1, height)

    @property
    def rows(self) -> int:
        """Filters N."""
        return self.weight_shape[0]

    @property
    def moves(self) -> bool:
        """True when a row may read another pixel than the one that it gives."""
        return bool(self.columns[:, 1:].any()) or self.stride != (1, 1) or any(self.padding)

    @cached_property
    def in_order(self) -> bool:
        """True when the columns come channel by channel, each row by row."""
        return np.array_equal(np.lexsort(self.columns.T[::-1]), np.arange(len(self.columns)))

    @property
    def positions(self) -> int:
        """Output positions of one image."""
        return self.output_size[0] * self.output_size[1]


@dataclass(frozen=True, kw_only=True)
class PoolOp:
    """Max or average pooling; fields as in `network.nodes.PoolLayer`."""

    TYPE: ClassVar = "pool"

    name: str
    output_size: tuple[int, int]
    source: str
    kind: PoolKind
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    kernel: tuple[int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class ConcatOp:
    """Channels of earlier tensors put together; fields as in `network.nodes.ConcatLayer`."""

    TYPE: ClassVar = "concat"

    name: str
    output_size: tuple[int, int]
    sources: tuple[str, ...]
    operands: Integers
    channels: Integers

    def is_plain(self, source_channels: Sequence[int]) -> bool:
        """True when it holds every channel of every source, in order."""
        whole = np.concatenate([np.arange(count) for count in source_channels])
        first = np.repeat(np.arange(len(source_channels)), source_channels)
        return np.array_equal(self.channels, whole) and np.array_equal(self.operands, first)


Op = MatrixOp | PoolOp | ConcatOp


def sources_of(op: Op) -> tuple[str, ...]:
    """The tensors that an op reads."""
    if isinstance(op, ConcatOp):
        return op.sources
    if isinstance(op, MatrixOp) and op.residual is not None:
        return op.source, op.residual.source
    return (op.source,)


@dataclass(frozen=True, kw_only=True)
class LayerGraph:
    """The layers of a model in the order they run.

    Args:
        input_shape: (channels, height, width).
        ops: every op reads "input" or earlier ops; the last gives the logits.
        ending: a softmax or sigmoid that the model takes of its logits, or "none"; it changes no
            class, so no later step computes it.
        scaling: of the images, before any layer; see `with_normalisation`.
    """

    input_shape: Shape
    ending: Ending = "none"
    ops: tuple[Op, ...]
    scaling: Scaling | None = None

    def with_normalisation(
        self, mean: tuple[float, ...], std: tuple[float, ...]
    ) -> tuple[LayerGraph, tuple[float, ...], tuple[float, ...]]:
        """The graph without a scaling of its images, and the normalisation that has it inside.

        Args:
            mean, std: of the images that the graph reads, one number a channel.
        """
        if self.scaling is None:
            return self, mean, std
        deviations = np.array(std) / self.scaling.factor
        means = np.array(mean) - self.scaling.offset * deviations
        return replace(self, scaling=None), tuple(means.tolist()), tuple(deviations.tolist())

    @cached_property
    def matrix_ops(self) -> tuple[MatrixOp, ...]:
        """The layers with a filter matrix."""
        return tuple(op for op in self.ops if isinstance(op, MatrixOp))

    @cached_property
    def channels(self) -> Mapping[str, int]:
        """Channels of every tensor."""
        channels = {"input": self.input_shape[0]}
        for op in self.ops:
            if isinstance(op, ConcatOp):
                channels[op.name] = len(op.channels)
            else:
                channels[op.name] = op.rows if isinstance(op, MatrixOp) else channels[op.source]
        return channels

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """(channels, height, width) of every tensor."""
        sizes = {op.name: op.output_size for op in self.ops} | {"input": self.input_shape[1:]}
        return {name: (self.channels[name], *size) for name, size in sizes.items()}

    @cached_property
    def weighted_ops(self) -> Mapping[str, MatrixOp]:
        """By weight name the layers whose weights are stored: what is pruned and combined."""
        return {op.weight: op for op in self.matrix_ops if op.weight is not None}

    @property
    def dense_weights(self) -> int:
        """Stored weights of all layers: fewer than dense cells where convolutions are grouped."""
        return sum(prod(op.weight_shape) for op in self.weighted_ops.values())

    @property
    def dense_cells(self) -> int:
        """Sum over layers of N times M."""
        return sum(op.rows * len(op.columns) for op in self.matrix_ops)
