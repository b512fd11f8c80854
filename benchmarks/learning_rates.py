"""The range test of `combine` on four small networks: what it chooses, and what other rates do.

Each network is trained briefly on the bundled digits, then combined with the preset `budgets` at
several learning rates and at the measured one. A network without norms breaks where one with
norms does not notice.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from _bench import save
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from systopack.data.open import open_data
from systopack.errors import TrainingError
from systopack.frontend.capture import capture
from systopack.nn import zoo
from systopack.training.devices import DeviceOptions
from systopack.training.events import EpochResult, SilentObserver
from systopack.training.model import TrainedModel
from systopack.training.run import combine
from systopack.training.settings import PRESETS, CombineSettings

RATES = (0.05, 0.02, 0.005, 0.001)
EPOCHS = 6
IMAGES = 3000
MEAN, STD = (0.1307,), (0.3081,)


def separable(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    """A depthwise and a pointwise convolution, each with its norm."""
    return [
        nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False),
        nn.BatchNorm2d(inputs),
        nn.ReLU(),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    ]


def depthwise() -> nn.Sequential:
    """A small depthwise-separable network."""
    first = [nn.Conv2d(1, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU()]
    last = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)]
    blocks = [*separable(8, 16, 1), *separable(16, 24, 2), *separable(24, 32, 1)]
    return nn.Sequential(*first, *blocks, *last)


def plain() -> nn.Sequential:
    """Three convolutions without norms or residuals."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((1, 16), (16, 32), (32, 32)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))


def folded(module: nn.Sequential) -> nn.Sequential:
    """The same network as exporters leave it: norms folded into the convolutions."""
    layers: list[nn.Module] = []
    for layer in module.eval():
        if isinstance(layer, nn.BatchNorm2d):
            layers[-1] = fuse_conv_bn_eval(layers[-1], layer)
        else:
            layers.append(layer)
    return nn.Sequential(*layers)


def trained(module: Any, images: torch.Tensor, labels: torch.Tensor, *, epochs: int) -> Any:
    """Train a dense network briefly."""
    optimizer = torch.optim.Adam(module.parameters(), 4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 6e-3, total_steps=epochs * len(images) // 100
    )
    for _ in range(epochs):
        for part in torch.randperm(len(images)).split(100):
            loss = nn.functional.cross_entropy(module(images[part]), labels[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return module.eval()


NETWORKS: dict[str, Callable[[torch.Tensor, torch.Tensor], Any]] = {
    "LeNet-5-Shift": lambda i, c: trained(zoo.build("lenet5-shift", classes=10), i, c, epochs=2),
    "plain, no norms": lambda i, c: trained(plain(), i, c, epochs=6),
    "depthwise": lambda i, c: trained(depthwise(), i, c, epochs=6),
    "depthwise, norms folded": lambda i, c: folded(trained(depthwise(), i, c, epochs=6)),
}


class Last(SilentObserver):
    """Keeps the last epoch."""

    result: EpochResult | None = None

    def on_epoch(self, result: EpochResult) -> None:
        """Keep it."""
        self.result = result


def run(dense: TrainedModel, data: Any, rate: float | None) -> dict[str, Any]:
    """Combine at a rate; None measures it."""
    seen = Last()
    settings = CombineSettings(
        **{**PRESETS["budgets"], "fine_tune_epochs": EPOCHS, "learning_rate": rate}
    )
    with tempfile.TemporaryDirectory() as folder:
        try:
            packed = combine(
                dense, data, settings=settings, fraction=IMAGES / len(data.train_labels),
                out=Path(folder) / "packed.safetensors", resume=False,
                devices=DeviceOptions(accelerator="cpu"), observer=seen,
            )  # fmt: skip
        except TrainingError:
            return {"learning_rate": rate, "diverged": True}
    assert seen.result is not None
    return {
        "learning_rate": packed.provenance["learning_rate"],
        "diverged": False,
        "dense_held_out_percent": seen.result.dense_accuracy_percent,
        "held_out_percent": seen.result.held_out_accuracy_percent,
        "cells": packed.provenance["cells"],
        "streamed_words_ratio": packed.provenance["streamed_words_ratio"],
    }


def main() -> None:
    """Measure and write the record."""
    torch.set_num_threads(1)
    data = open_data("sample")
    images = (torch.from_numpy(data.train_images[:IMAGES]).float() / 255 - MEAN[0]) / STD[0]
    labels = torch.from_numpy(data.train_labels[:IMAGES])
    figures: dict[str, Any] = {}
    for name, make in NETWORKS.items():
        torch.manual_seed(0)
        module = make(images, labels)
        dense = TrainedModel(
            architecture=name,
            class_names=data.class_names,
            mean=MEAN,
            std=STD,
            state={
                key: tensor.detach().contiguous() for key, tensor in module.state_dict().items()
            },
            graph=capture(module, data.shape),
        )
        found = {"measured": run(dense, data, None)}
        found |= {f"{rate:g}": run(dense, data, rate) for rate in RATES}
        figures[name] = found
        for key, entry in found.items():
            print(name, key, entry, flush=True)
    configuration = {"data": "sample", "images": IMAGES, "fine_tune_epochs": EPOCHS}
    save("learning_rates", figures, configuration=configuration)


if __name__ == "__main__":
    main()
