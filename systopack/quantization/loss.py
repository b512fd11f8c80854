"""What quantization costs: signal to noise of every tensor, and accuracy before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from systopack.data.images import Images, Labels
from systopack.frontend.graph import LayerGraph, sources_of
from systopack.network.network import PackedNetwork
from systopack.network.reference import classify
from systopack.quantization.model import QuantizedModel
from systopack.quantization.statistics import Weights, float_tensors
from systopack.training.model import TrainedModel
from systopack.training.session import accuracy_percent

NOISE_FREE_DB = 120.0  # at most this is reported, also where nothing is lost
_NO_SIGNAL = 1e-9  # of a tensor's squares: the rounding of float32
_BATCH = 100


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Top-1 on some images, in percent: of the float model and of the 8-bit network."""

    images: int
    float_percent: float
    quantized_percent: float

    @property
    def lost_points(self) -> float:
        """What quantization costs; negative where it gains."""
        return self.float_percent - self.quantized_percent


@dataclass(frozen=True, kw_only=True)
class QuantizationLoss:
    """What quantization costs, on images of the training set.

    Args:
        snr_db: tensor name -> signal to noise ratio of the 8-bit tensor against the float one, in
            dB, over training images; the noise of all layers before is in it. Tensors that are
            the same for all images have no signal and are left out.
        calibration: accuracy on the calibration images.
        held_out: on images that neither calibration nor training has seen; None: there are none.
    """

    snr_db: Mapping[str, float]
    calibration: Accuracy
    held_out: Accuracy | None

    @property
    def judged(self) -> Accuracy:
        """The accuracies that count: on held-out images where there are any."""
        return self.calibration if self.held_out is None else self.held_out

    @property
    def figures(self) -> dict[str, Any]:
        """For a record."""
        images = {"calibration": self.calibration, "held_out": self.held_out}
        return {
            "snr_db": {name: round(ratio, 2) for name, ratio in self.snr_db.items()},
            **{
                f"{name}_accuracy": {
                    "images": found.images,
                    "float_percent": found.float_percent,
                    "quantized_percent": found.quantized_percent,
                }
                for name, found in images.items()
                if found is not None
            },
        }

    def worst_layer(self, graph: LayerGraph) -> tuple[str, float, float]:
        """The layer that loses most: its name, the ratio of what it reads and its own, in dB."""

        def drop(name: str, read: float) -> float:
            return read - self.snr_db[name]

        reads = {op.name: min(self.snr_db[source] for source in sources_of(op)) for op in graph.ops}
        name = max(reads, key=lambda layer: drop(layer, reads[layer]))
        return name, reads[name], self.snr_db[name]


@dataclass(frozen=True, kw_only=True)
class TensorError:
    """A quantized tensor against the float one, summed over images and positions.

    Args:
        signal: squared distance of the float tensor from its channels' means.
        power: its squares.
        noise: squared difference of the two.
    """

    signal: float
    power: float
    noise: float

    @property
    def snr_db(self) -> float | None:
        """Signal to noise ratio in dB, at most `NOISE_FREE_DB`; None without signal."""
        if self.signal <= _NO_SIGNAL * self.power:
            return None
        if self.noise <= self.signal * 10 ** (-NOISE_FREE_DB / 10):
            return NOISE_FREE_DB
        return float(10 * np.log10(self.signal / self.noise))


def tensor_errors(
    graph: LayerGraph, weights: Weights, model: QuantizedModel, images: Tensor
) -> dict[str, TensorError]:
    """The error of every tensor of the quantized model.

    Args:
        weights: of the float model, batch norm folded.
        images: normalised, shape (B, C, H, W).
    """
    sums: dict[str, NDArray[np.float64]] = {}  # squares of tensor and error, sum, count; (4, C)
    factors = model.scales.factors
    with torch.inference_mode():
        for batch in torch.split(images, _BATCH):
            exact = float_tensors(graph, weights, batch)
            got = model.tensors(batch)
            for name, expected in exact.items():
                factor = np.exp2(factors[name].astype(np.float64))[:, None]
                held = expected.transpose(0, 1).flatten(1).double().numpy() * factor
                error = got[name].transpose(0, 1).flatten(1).double().numpy() - held
                count = np.full(len(held), held.shape[1])
                parts = (np.square(held).sum(1), np.square(error).sum(1), held.sum(1), count)
                sums[name] = sums.get(name, np.zeros(())) + np.stack(parts)
    return {
        name: TensorError(
            power=float(squares.sum()),
            # A channel that is one number for all images carries no signal to be noisy.
            noise=float(noise[squares - np.square(total) / count > _NO_SIGNAL * squares].sum()),
            signal=float((squares - np.square(total) / count).sum()),
        )
        for name, (squares, noise, total, count) in sums.items()
    }


def compare_accuracy(
    trained: TrainedModel, network: PackedNetwork, images: Images, labels: Labels
) -> Accuracy:
    """Top-1 of the float model and of the network, in percent.

    Args:
        images: shape (B, C, H, W), uint8, at least one; labels: shape (B,).
    """
    module, mean, std = trained.to_module(), trained.mean, trained.std
    return Accuracy(
        images=len(images),
        float_percent=accuracy_percent(module, images, labels, mean=mean, std=std),
        quantized_percent=100 * float((classify(network, images) == labels).mean()),
    )
