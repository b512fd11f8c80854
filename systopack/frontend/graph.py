"""`LayerGraph`: a captured model as the layers of METHOD, with parameters by name.

It mirrors `PackedNetwork` before quantization: the same columns (channel, dy, dx), windows and
residual operands, but weights, biases and norms are names in the model's state dict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from systopack.network.nodes import Activation, MatrixKind, PoolKind, Shape


@dataclass(frozen=True, kw_only=True)
class Norm:
    """Batch norm after a layer: parameter names (scale and offset may be absent) and epsilon."""

    weight: str | None
    bias: str | None
    mean: str
    variance: str
    epsilon: float


@dataclass(frozen=True, kw_only=True, eq=False)
class ResidualOperand:
    """What is added before the activation; fields as in `network.nodes.Residual`."""

    source: str
    channels: NDArray[np.int32]
    stride: tuple[int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class MatrixOp:
    """A layer with a filter matrix; fields as in `network.nodes.MatrixLayer`.

    `weight_shape` is the shape of the weight in the state dict; reshaped to (N, M) it is the
    filter matrix whose columns are `columns`. `clip` holds real numbers.
    """

    name: str
    source: str
    kind: MatrixKind
    weight: str
    weight_shape: tuple[int, ...]
    bias: str | None
    norm: Norm | None
    columns: NDArray[np.int32]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int, int, int]
    output_size: tuple[int, int]
    residual: ResidualOperand | None
    activation: Activation
    clip: tuple[float, float] | None

    @property
    def rows(self) -> int:
        """Filters N."""
        return self.weight_shape[0]

    @property
    def positions(self) -> int:
        """Output positions of one image."""
        return self.output_size[0] * self.output_size[1]


@dataclass(frozen=True, kw_only=True)
class PoolOp:
    """Max or average pooling; fields as in `network.nodes.PoolLayer`."""

    name: str
    source: str
    kind: PoolKind
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    output_size: tuple[int, int]


Op = MatrixOp | PoolOp


@dataclass(frozen=True, kw_only=True)
class LayerGraph:
    """The layers of a model in the order they run.

    Args:
        input_shape: (channels, height, width).
        ops: every op reads "input" or earlier ops; the last gives the logits.
    """

    input_shape: Shape
    ops: tuple[Op, ...]

    @cached_property
    def matrix_ops(self) -> tuple[MatrixOp, ...]:
        """The layers with a filter matrix."""
        return tuple(op for op in self.ops if isinstance(op, MatrixOp))

    @cached_property
    def channels(self) -> Mapping[str, int]:
        """Channels of every tensor."""
        channels = {"input": self.input_shape[0]}
        for op in self.ops:
            channels[op.name] = op.rows if isinstance(op, MatrixOp) else channels[op.source]
        return channels

    @property
    def dense_cells(self) -> int:
        """Sum over layers of N times M."""
        return sum(op.rows * len(op.columns) for op in self.matrix_ops)
