"""From a trained model to a packed 8-bit network, in one call."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from systopack.data.augment import Augment
from systopack.data.batches import normalised
from systopack.data.split import TrainingPart
from systopack.errors import InvalidNetworkError
from systopack.frontend.graph import LayerGraph
from systopack.frontend.weights import folded_weights
from systopack.network.network import PackedNetwork
from systopack.network.reference import quantize_images, run
from systopack.quantization.equalization import equalize, no_factors
from systopack.quantization.fine_tune import Progress, fine_tune
from systopack.quantization.loss import (
    Accuracy,
    QuantizationLoss,
    compare_accuracy,
    tensor_errors,
)
from systopack.quantization.lower import lower
from systopack.quantization.model import QuantizedModel
from systopack.quantization.precision import choose_scales, refit
from systopack.quantization.settings import QuantizeSettings
from systopack.quantization.statistics import Reals, Weights, observe
from systopack.training.devices import DeviceOptions, is_main_process
from systopack.training.events import Observer
from systopack.training.model import TrainedModel
from systopack.training.session import accuracy_percent

_CALIBRATION_BATCH = 250
_TRIAL_IMAGES = 200  # on which ways of choosing scales are compared
_MEASURED_IMAGES = 1000  # at most, for accuracies


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantized:
    """The result: the network, and the fake-quantized model that it equals in float64."""

    network: PackedNetwork
    model: QuantizedModel


def quantize(
    trained: TrainedModel,
    part: TrainingPart,
    *,
    settings: QuantizeSettings,
    augment: Augment,
    name: str,
    devices: DeviceOptions,
    observer: Observer,
    progress: Progress | None = None,
) -> Quantized:
    """Fold batch norm, equalize, calibrate, fine-tune where asked to, and lower.

    Args:
        trained: dense or combined.
        part: the images that may be read.
        augment: for fine-tuning.
        progress: where fine-tuning writes checkpoints; None: nowhere.

    Raises:
        InvalidFileError, InvalidOptionError: the checkpoint is damaged or of another run.
        InvalidNetworkError: the model cannot be lowered, or an accumulator could overflow.
        TrainingError: fine-tuning diverges.
    """
    graph = trained.capture()
    weights = _folded(graph, trained)
    images = _calibration_images(trained, part, settings.calibration_images)
    pixels = pixel_values(trained)
    model = calibrate(
        graph,
        weights,
        images,
        pixels=pixels,
        accumulator_bits=settings.accumulator_bits,
        rounding=settings.rounding,
    )
    if settings.epochs:
        calibrated = deepcopy(model)
        fine_tune(
            model,
            trained,
            part,
            settings=settings,
            augment=augment,
            devices=devices,
            observer=observer,
            progress=progress,
        )
        model.rescale(
            refit(
                graph,
                model.folded(),
                model.scales,
                pixels=pixels,
                accumulator_bits=settings.accumulator_bits,
                rounding=settings.rounding,
            )
        )
        model = _better(model, calibrated, part, trained, observer)
    network = lower(
        model,
        trained,
        name=name,
        accumulator_bits=settings.accumulator_bits,
        history={
            "architecture": trained.architecture,
            **{f"groups of {layer}": gap for layer, gap in trained.gaps.items()},
        },
    )
    return Quantized(network=network, model=model)


def _better(
    tuned: QuantizedModel,
    calibrated: QuantizedModel,
    part: TrainingPart,
    trained: TrainedModel,
    observer: Observer,
) -> QuantizedModel:
    """The tuned model, unless held-out images say that tuning has lost accuracy."""
    if not len(part.held_out_labels):
        return tuned
    after, before = (
        accuracy_percent(
            model, part.held_out_images, part.held_out_labels, mean=trained.mean, std=trained.std
        )
        for model in (tuned, calibrated)
    )
    if after >= before:
        return tuned
    if is_main_process():
        observer.on_note(
            f"Fine-tuning has lost accuracy on the held-out images ({before:.2f} % before, "
            f"{after:.2f} % after), so the network before it is kept; to gain, give a smaller "
            "--learning-rate or more --epochs."
        )
    return calibrated


def measure_loss(
    quantized: Quantized, trained: TrainedModel, part: TrainingPart, settings: QuantizeSettings
) -> QuantizationLoss:
    """Compare a network with the float model that it was made from.

    Args:
        part, settings: as they were given to `quantize`.
    """
    graph = quantized.model.graph
    seen = min(settings.calibration_images, len(part.train_images))
    images = _calibration_images(trained, part, _TRIAL_IMAGES)

    errors = tensor_errors(graph, _folded(graph, trained), quantized.model, images)

    def accuracy(images: np.ndarray, labels: np.ndarray) -> Accuracy:
        chosen = slice(_MEASURED_IMAGES)
        return compare_accuracy(trained, quantized.network, images[chosen], labels[chosen])

    return QuantizationLoss(
        snr_db={name: error.snr_db for name, error in errors.items() if error.snr_db is not None},
        calibration=accuracy(part.train_images[:seen], part.train_labels[:seen]),
        held_out=accuracy(part.held_out_images, part.held_out_labels)
        if len(part.held_out_labels)
        else None,
    )


def pixel_values(trained: TrainedModel) -> Reals:
    """The real number of every pixel value of every channel: shape (C, 256)."""
    mean, std = (np.array(part, dtype=np.float64)[:, None] for part in (trained.mean, trained.std))
    values: Reals = (np.arange(256)[None, :] / 255 - mean) / std
    return values


def _folded(graph: LayerGraph, trained: TrainedModel) -> Weights:
    weights = {op.name: folded_weights(op, trained.state) for op in graph.matrix_ops}
    for name, parts in weights.items():
        if not all(bool(torch.isfinite(part).all()) for part in parts):
            raise InvalidNetworkError(
                f"Layer '{name}' has weights that are not finite once its batch norm is folded in; "
                "its running variance is negative or too small, so train the model again."
            )
    return weights


def calibrate(
    graph: LayerGraph,
    weights: Weights,
    images: Tensor,
    *,
    pixels: Reals,
    accumulator_bits: int,
    rounding: str = "int8",
) -> QuantizedModel:
    """The 8-bit model whose logits come closest to the float model's on some calibration images.

    Tensors are equalized or not, and biases corrected or not: what helps one network harms
    another, so the images decide.

    Args:
        weights: filter matrices and biases, batch norm folded.
        images: normalised, shape (B, C, H, W): the calibration images.
        pixels: shape (C, 256): the real number of every pixel value of every channel.
        accumulator_bits: 16 or 32.
        rounding: of the weights, a name of `rows.ROUNDINGS`.

    Raises:
        InvalidNetworkError: no scales with shifts in 0..31 exist.
    """
    statistics = observe(graph, weights, torch.split(images, _CALIBRATION_BATCH))
    trials: list[tuple[float, QuantizedModel]] = []  # noise of the logits, and the model
    impossible: InvalidNetworkError | None = None
    for factors in (no_factors(graph), equalize(graph, weights, statistics)):
        for correct_bias in (False, True):
            try:
                scales, own = choose_scales(
                    graph,
                    weights,
                    statistics,
                    pixels=pixels,
                    factors=factors,
                    accumulator_bits=accumulator_bits,
                    correct_bias=correct_bias,
                    rounding=rounding,
                )
            except InvalidNetworkError as error:
                impossible = error
                continue
            model = QuantizedModel(graph, own, scales, rounding=rounding)
            errors = tensor_errors(graph, weights, model, images[:_TRIAL_IMAGES])
            trials.append((errors[graph.ops[-1].name].noise, model))
    if impossible is not None and not trials:
        raise impossible
    return min(trials, key=lambda trial: trial[0])[1]


def _calibration_images(trained: TrainedModel, part: TrainingPart, count: int) -> Tensor:
    return normalised(part.train_images[:count], mean=trained.mean, std=trained.std)


def reference_equals_model(quantized: Quantized, images: np.ndarray) -> dict[str, int]:
    """Words of each tensor in which the integer reference and the float64 model differ.

    Args:
        images: shape (B, C, H, W), uint8.

    Returns:
        Tensor name -> differing words; all zero by construction.
    """
    network = quantized.network
    integers = quantize_images(network, images)
    expected = run(network, integers, keep=network.by_name)
    model = quantized.model.double().eval()
    with torch.inference_mode():
        real = torch.from_numpy(integers).double() * 2.0**network.input.exponent
        got = model.integers(model.tensors(real))
    quantized.model.float()
    return {name: int((got[name] != expected[name]).sum()) for name in network.by_name}
