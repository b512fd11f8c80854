"""From a trained model to a packed 8-bit network, in one call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from systopack.data.augment import Augment
from systopack.data.batches import evaluation_batches
from systopack.data.split import TrainingPart
from systopack.frontend.weights import folded_weights
from systopack.network.network import PackedNetwork
from systopack.network.reference import quantize_images, run
from systopack.quantization.fine_tune import Progress, QuantizeSettings, fine_tune
from systopack.quantization.lower import lower
from systopack.quantization.model import QuantizedModel
from systopack.quantization.scales import calibrate
from systopack.training.devices import DeviceOptions
from systopack.training.events import Observer
from systopack.training.model import TrainedModel

_CALIBRATION_BATCH = 250


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
    """Fold batch norm, calibrate, fine-tune where asked to, and lower.

    Args:
        trained: dense or combined.
        part: the images that may be read.
        augment: for fine-tuning.
        progress: where fine-tuning writes checkpoints; None: nowhere.

    Raises:
        InvalidFileError, InvalidOptionError: the checkpoint is damaged or of another run.
        InvalidNetworkError: the model cannot be lowered, or an accumulator could overflow.
    """
    graph = trained.capture()
    weights = {op.name: folded_weights(op, trained.state) for op in graph.matrix_ops}
    calibration = part.train_images[: settings.calibration_images]
    scales = calibrate(graph, weights, _calibration_batches(trained, part, len(calibration)))
    model = QuantizedModel(graph, weights, scales)
    if settings.epochs:
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


def _calibration_batches(trained: TrainedModel, part: TrainingPart, count: int) -> Iterator[Tensor]:
    for images, _ in evaluation_batches(
        images=part.train_images[:count],
        labels=part.train_labels[:count],
        batch_size=_CALIBRATION_BATCH,
        mean=trained.mean,
        std=trained.std,
    ):
        yield images


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
