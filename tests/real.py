"""Real networks for tests: the bundled digits' LeNet-5-Shift and the published ResNet-20."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from systopack.data.images import ImageData
from systopack.data.open import open_data
from systopack.data.split import training_part
from systopack.packing.rule import PackingRule
from systopack.quantization.fine_tune import QuantizeSettings
from systopack.quantization.quantize import Quantized, quantize
from systopack.training.devices import DeviceOptions
from systopack.training.events import SilentObserver
from systopack.training.model import TrainedModel
from systopack.training.one_shot import combine_once

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


def shared(name: str) -> Path:
    """A file or folder of the shared data; skips the test where it is not there (never in CI)."""
    path = SHARED / name
    if not path.exists():
        if os.environ.get("CI"):
            pytest.fail(f"the shared data lack {name}")
        pytest.skip(f"needs the shared data: {name}")
    return path


@cache
def resnet20_dense() -> TrainedModel:
    """The dense ResNet-20 for CIFAR-10, 91.73 % by its authors."""
    from safetensors.torch import load_file

    return TrainedModel(
        architecture="resnet20",
        class_names=CIFAR10_CLASSES,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        state=load_file(shared("pretrained/resnet20_cifar10.safetensors")),
    )


@cache
def cifar10() -> ImageData:
    """All of CIFAR-10."""
    return open_data(str(shared("cifar10")))


@cache
def resnet20_quantized(rho: float = 0.16) -> Quantized:
    """The ResNet-20, pruned to `rho` by magnitude, packed without retraining, in 8 bit."""
    combined = combine_once(resnet20_dense(), rule=PackingRule(alpha=8, gamma=0.5), rho=rho)
    return eight_bit(combined, cifar10(), images=200)


def eight_bit(model: TrainedModel, data: ImageData, *, images: int) -> Quantized:
    """Quantize with calibration alone."""
    return quantize(
        model,
        training_part(data, fraction=1.0, held_out=0, seed=0),
        settings=QuantizeSettings(calibration_images=images),
        augment=data.augment,
        name=model.architecture,
        devices=DeviceOptions(accelerator="cpu"),
        observer=SilentObserver(),
    )


def small_set(data: ImageData, *, train: int, test: int) -> ImageData:
    """The first images of a set, for quick runs."""
    from dataclasses import replace

    return replace(
        data,
        train_images=np.ascontiguousarray(data.train_images[:train]),
        train_labels=data.train_labels[:train],
        test_images=np.ascontiguousarray(data.test_images[:test]),
        test_labels=data.test_labels[:test],
    )
