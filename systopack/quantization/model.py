"""The fake-quantized model: in float64 it computes the integers of the waist, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from systopack.frontend.execute import execute
from systopack.frontend.graph import LayerGraph, MatrixOp, PoolOp
from systopack.frontend.weights import stored_weight
from systopack.quantization.rows import ROUNDINGS
from systopack.quantization.scales import Scales
from systopack.quantization.statistics import Weights

_INT32 = (-(2**31), 2**31 - 1)


class _PowerOfTwo(torch.autograd.Function):
    """`powers.nearest_power_of_two`, with straight-through gradients where nothing saturates."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        magnitudes = values.abs()
        fraction, exponent = torch.frexp(magnitudes)
        exponent = torch.where(fraction > 0.75, exponent, exponent - 1).clamp(0, 7)
        power = torch.exp2(exponent.to(values)).minimum(torch.where(values > 0, 64.0, 128.0))
        ctx.save_for_backward((values <= 127) & (values >= -128))
        return torch.where(magnitudes > 0.5, power, 0.0).to(values).copysign(values) + 0.0

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (inside,) = ctx.saved_tensors
        result: Tensor = gradients[0] * inside
        return result


class QuantizedModel(nn.Module):
    """A layer graph with folded weights and torch's own fake quantization.

    In float32 it trains (straight-through gradients; masked weights get none). After `.double()`
    every value is an integer times a power of two below 2**53, so nothing is rounded but where
    docs/method.md, section 3, rounds; float32 is not enough for that from about 1,000 inputs on.

    Args:
        graph: the layers.
        weights: filter matrices and biases, batch norm folded; zeros stay zero.
        scales: from `choose_scales`. Tensors, and the weights given, are equalized by the factors
            that they name: so channels of any range train alike.
        rounding: of the weights on their scales, a name of `rows.ROUNDINGS`.
    """

    def __init__(
        self, graph: LayerGraph, weights: Weights, scales: Scales, *, rounding: str = "int8"
    ) -> None:
        super().__init__()
        self.graph = graph
        self.scales = scales
        self.rounding = rounding
        matrices = [weights[op.name][0].detach().clone() for op in graph.matrix_ops]
        biases = [weights[op.name][1].detach().clone() for op in graph.matrix_ops]
        self.matrices = nn.ParameterList(matrices)
        self.biases = nn.ParameterList(biases)
        self._index = {op.name: index for index, op in enumerate(graph.matrix_ops)}
        for index, (op, matrix) in enumerate(zip(graph.matrix_ops, matrices, strict=True)):
            self.register_buffer(f"mask{index}", matrix != 0)
            # Exponents are integers, so that .double() leaves the scales as they are.
            self.register_buffer(f"factor{index}", torch.from_numpy(scales.factors[op.name]))
            self.register_buffer(f"weight_exponent{index}", torch.empty(0))
            self.register_buffer(f"sum_exponent{index}", torch.empty(0))
        self.rescale(scales)

    def rescale(self, scales: Scales) -> None:
        """Take other exponents; the factors must be the same."""
        self.scales = scales
        for op, index in ((op, self._index[op.name]) for op in self.graph.matrix_ops):
            device = self.get_buffer(f"factor{index}").device
            setattr(
                self,
                f"weight_exponent{index}",
                torch.from_numpy(scales.weights[op.name]).to(device),
            )
            setattr(
                self, f"sum_exponent{index}", torch.from_numpy(scales.accumulator(op)).to(device)
            )

    def folded(self) -> Weights:
        """The real weights and biases by layer, equalized, pruned weights zero."""
        return {
            op.name: (
                (self.matrices[index] * self.get_buffer(f"mask{index}")).detach().cpu(),
                self.biases[index].detach().cpu(),
            )
            for op, index in ((op, self._index[op.name]) for op in self.graph.matrix_ops)
        }

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, C, H, W) to logits (B, classes)."""
        return self.tensors(images)[self.graph.ops[-1].name].flatten(1)

    def tensors(self, images: Tensor) -> dict[str, Tensor]:
        """Every tensor by name, as real numbers on their scales, equalized."""
        return execute(
            self.graph,
            images,
            weights_of=self._kernel,
            after=self._requantize,
            average_factor=self._average_factor,
            limits_of=self._limits,
        )

    def weights_of(self, op: MatrixOp) -> tuple[Tensor, Tensor]:
        """Quantized filter matrix (N, M) and bias (N,) of a layer on equalized tensors."""
        index = self._index[op.name]
        row, total = (
            self.get_buffer(f"{name}{index}") for name in ("weight_exponent", "sum_exponent")
        )
        zero = torch.zeros_like(row, dtype=torch.int32)
        matrix = self.matrices[index] * self.get_buffer(f"mask{index}")
        if self.rounding == "power-of-two":
            scale = torch.exp2(row.to(matrix))[:, None]
            matrix = _PowerOfTwo.apply(matrix / scale) * scale  # type: ignore[no-untyped-call]
        else:
            matrix = torch.fake_quantize_per_channel_affine(
                matrix, torch.exp2(row.float()), zero, 0, *ROUNDINGS[self.rounding].range
            )
        bias = torch.fake_quantize_per_channel_affine(
            self.biases[index], torch.exp2(total.float()), zero, 0, *_INT32
        )
        return matrix, bias

    def _kernel(self, op: MatrixOp) -> tuple[Tensor, Tensor]:
        matrix, bias = self.weights_of(op)
        return stored_weight(op, matrix), bias

    def nonzeros(self) -> int:
        """Weights of filter matrices that may be nonzero."""
        count = len(self.graph.matrix_ops)
        return sum(int(self.get_buffer(f"mask{index}").sum()) for index in range(count))

    def integers(self, tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
        """Tensors of `tensors` (computed in float64) as the integers they stand for."""
        logits = self.graph.ops[-1]
        assert isinstance(logits, MatrixOp)
        exponents = dict(self.scales.activations)
        exponents[logits.name] = int(self.scales.accumulator(logits)[0])
        return {
            name: np.asarray(tensor.detach().cpu() * 2.0 ** -exponents[name]).astype(np.int64)
            for name, tensor in tensors.items()
        }

    def _requantize(self, name: str, tensor: Tensor) -> Tensor:
        exponent = self.scales.activations.get(name)
        if exponent is None:
            return tensor
        return torch.fake_quantize_per_tensor_affine(tensor, 2.0**exponent, 0, -128, 127)

    def _limits(self, op: MatrixOp) -> tuple[Tensor, Tensor]:
        assert op.clip is not None
        factors = self.get_buffer(f"factor{self._index[op.name]}")
        scale = torch.exp2(factors.to(self.matrices[0]))[:, None, None]
        return op.clip[0] * scale, op.clip[1] * scale

    def _average_factor(self, op: PoolOp) -> float:
        multiplier, shift = self.scales.averages[op.name]
        change = self.scales.activations[op.name] - self.scales.activations[op.source]
        return multiplier * 2.0 ** (change - shift)
