"""Scales in two steps: as the tensors like them, then as the accumulator can bear them.

A narrow accumulator bounds the product of weights and activations: bits that one has, the other
lacks. Where it binds, tensors are made coarser as long as that lowers the rounding noise of the
layers that read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from systopack.frontend.graph import LayerGraph, MatrixOp
from systopack.quantization.equalization import (
    Factors,
    equalized_statistics,
    equalized_weights,
)
from systopack.quantization.rows import ROUNDINGS, Exponents, int8
from systopack.quantization.scales import (
    Matrices,
    Scales,
    ScaleTask,
    constant_rows,
    hopeless_classes,
)
from systopack.quantization.sharing import highest_of_shared, scale_holders
from systopack.quantization.statistics import Reals, TensorStatistics, Weights

_COARSEST = 6  # bits that a tensor may lose
_SWEEPS = 3


def choose_scales(
    graph: LayerGraph,
    weights: Weights,
    statistics: Mapping[str, TensorStatistics],
    *,
    pixels: Reals,
    factors: Factors,
    accumulator_bits: int,
    correct_bias: bool,
    rounding: str = "int8",
) -> tuple[Scales, Weights]:
    """Choose all scales for given factors, and the weights that go with them.

    Args:
        graph: the layers.
        weights: filter matrices and biases, batch norm folded.
        statistics: of every tensor, on the calibration images.
        pixels: shape (C, 256): the real number of every pixel value of every channel.
        factors: by which tensors are equalized.
        accumulator_bits: 16 or 32.
        correct_bias: take the mean error of rounded weights off the bias.
        rounding: of the weights, a name of `rows.ROUNDINGS`.

    Returns:
        The scales, and the equalized weights in float32: rows that give one word for every image
        without their weights, biases corrected where asked for.

    Raises:
        InvalidNetworkError: no scales with shifts in 0..31 exist.
    """
    task = ScaleTask(
        graph=graph,
        matrices=_as_arrays(equalized_weights(graph, weights, factors)),
        pixels=pixels,
        factors=factors,
        accumulator_bits=accumulator_bits,
        weights=rounding,
    )
    observed = equalized_statistics(statistics, factors)
    activations = task.start(observed)
    task = replace(task, matrices=constant_rows(task, activations))
    task = replace(task, matrices=hopeless_classes(task, activations))
    wanted = task.wanted()
    scales = task.settle(activations, wanted)
    if _binds(task, scales, wanted):
        activations = _balanced(task, observed, activations, wanted)
        scales = task.settle(activations, wanted)
    if correct_bias:
        task = replace(task, matrices=_corrected(task, observed, scales))
        scales = task.settle(activations, wanted)
    return scales, _as_tensors(task.matrices)


def refit(
    graph: LayerGraph,
    weights: Weights,
    scales: Scales,
    *,
    pixels: Reals,
    accumulator_bits: int,
    rounding: str = "int8",
) -> Scales:
    """The scales of a model whose weights have moved since; exponents only rise.

    Args:
        weights: equalized.
        rounding: of the weights, a name of `rows.ROUNDINGS`.
    """
    task = ScaleTask(
        graph=graph,
        matrices=_as_arrays(weights),
        pixels=pixels,
        factors=scales.factors,
        accumulator_bits=accumulator_bits,
        weights=rounding,
    )
    return task.settle(scales.activations, scales.weights)


def _binds(task: ScaleTask, scales: Scales, wanted: Mapping[str, Exponents]) -> bool:
    """Whether a narrower accumulator than 32 bits costs weights their low bits."""
    if task.accumulator_bits == 32:
        return False
    wide = replace(task, accumulator_bits=32).settle(scales.activations, wanted)
    return any((scales.weights[name] > wide.weights[name]).any() for name in wanted)


def _balanced(
    task: ScaleTask,
    statistics: Mapping[str, TensorStatistics],
    activations: Mapping[str, int],
    wanted: Mapping[str, Exponents],
) -> dict[str, int]:
    """Exponents of the tensors that lose least together with the weights that read them."""
    holder = scale_holders(task.graph)
    logits = task.graph.ops[-1].name
    readers: dict[str, list[MatrixOp]] = {}
    for op in task.graph.matrix_ops:
        for source in {op.source, *([] if op.residual is None else [op.residual.source])}:
            readers.setdefault(holder[source], []).append(op)
    found = dict(activations)
    for _ in range(_SWEEPS):
        before = dict(found)
        for held, ops in readers.items():
            if held == logits:
                continue
            members = [name for name in found if holder[name] == held]
            trials = []
            for coarser in range(_COARSEST + 1):
                trial = found | {name: activations[name] + coarser for name in members}
                trials.append((_noise(task, ops, statistics, trial, wanted), trial))
            found = min(trials, key=lambda pair: pair[0])[1]
        if found == before:
            break
    return highest_of_shared(task.graph, found)


def _noise(
    task: ScaleTask,
    ops: list[MatrixOp],
    statistics: Mapping[str, TensorStatistics],
    activations: Mapping[str, int],
    wanted: Mapping[str, Exponents],
) -> float:
    """Noise of some layers' sums over their signal, added up."""
    reaches = task.reaches(activations)
    total = 0.0
    for op in ops:
        rows = task.row_task(op, activations, reaches).exponents(wanted[op.name])
        matrix, _ = task.matrices[op.name]
        scale = np.exp2(rows.astype(np.float64))[:, None]
        rounded = ROUNDINGS[task.weights](matrix / scale) * scale
        read, source = op.columns[:, 0], statistics[op.source]
        error = float((np.square(matrix - rounded) @ source.mean_square[read]).sum())
        lost = _rounding(source, activations[op.source])
        error += float((np.square(rounded) @ lost[read]).sum())
        if op.residual is not None:
            chosen = op.residual.channels[op.residual.channels >= 0]
            operand = op.residual.source
            error += float(_rounding(statistics[operand], activations[operand])[chosen].sum())
        signal = float(statistics[op.name].variance.sum())
        total += error / signal if signal > 0 else 0.0
    return total


def _rounding(statistics: TensorStatistics, exponent: int) -> Reals:
    """Mean squared error of each channel on a scale, shape (C,)."""
    rounded = int8(statistics.samples * 2.0**-exponent) * 2.0**exponent
    return np.asarray(np.square(rounded - statistics.samples).mean(axis=1))


def _corrected(
    task: ScaleTask, statistics: Mapping[str, TensorStatistics], scales: Scales
) -> Matrices:
    """Biases without the mean error that rounding brings into each row's sum."""
    result = {}
    for op in task.graph.matrix_ops:
        matrix, bias = task.matrices[op.name]
        scale = np.exp2(scales.weights[op.name].astype(np.float64))[:, None]
        rounded = ROUNDINGS[task.weights](matrix / scale) * scale
        samples = statistics[op.source].samples
        unit = 2.0 ** scales.activations[op.source]
        mean, held = samples.mean(axis=1), (int8(samples / unit) * unit).mean(axis=1)
        read = op.columns[:, 0]
        result[op.name] = matrix, bias - (rounded @ held[read] - matrix @ mean[read])
    return result


def _as_arrays(weights: Weights) -> Matrices:
    return {
        name: (matrix.double().numpy(), bias.double().numpy())
        for name, (matrix, bias) in weights.items()
    }


def _as_tensors(matrices: Matrices) -> Weights:
    import torch

    return {
        name: (torch.from_numpy(matrix).float(), torch.from_numpy(bias).float())
        for name, (matrix, bias) in matrices.items()
    }
