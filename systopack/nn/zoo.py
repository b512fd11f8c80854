"""The networks of docs/method.md, section 7, and the plain ResNet-20 for CIFAR-10."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from systopack.errors import InvalidOptionError
from systopack.nn.shift import Shift, deal_displacements

Shape = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class ZooEntry:
    """A model that can be built by name.

    Args:
        build: class count -> model with fresh weights.
        input_shape: (channels, height, width) of its images.
        summary: one line for help texts.
    """

    build: Callable[[int], nn.Module]
    input_shape: Shape
    summary: str


def build(name: str, *, classes: int) -> nn.Module:
    """Make a zoo model with fresh weights (torch's random state decides them).

    Raises:
        InvalidOptionError: there is no such model, or it would have no class.
    """
    if classes < 2:
        raise InvalidOptionError(f"A classifier needs at least 2 classes, not {classes}.")
    return entry(name).build(classes)


def entry(name: str) -> ZooEntry:
    """Look a model up.

    Raises:
        InvalidOptionError: there is no such model; the message lists those there are.
    """
    if name not in ZOO:
        raise InvalidOptionError(
            f"There is no model '{name}'; the zoo has {', '.join(sorted(ZOO))}."
        )
    return ZOO[name]


Layers = dict[str, nn.Module]


def _convolution(name: str, inputs: int, outputs: int, kernel: int) -> Layers:
    return {
        name: nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        f"{name}_norm": nn.BatchNorm2d(outputs),
        f"{name}_relu": nn.ReLU(),
    }


def _shift_convolution(name: str, inputs: int, outputs: int) -> Layers:
    shift = {f"{name}_shift": Shift(deal_displacements(inputs))}
    return shift | _convolution(name, inputs, outputs, 1)


def lenet5_shift(classes: int) -> nn.Module:
    """LeNet-5-Shift for 28 x 28 x 1 images."""
    layers = _convolution("conv1", 1, 32, 5)
    layers["pool1"] = nn.MaxPool2d(2)
    layers |= _shift_convolution("conv2", 32, 64)
    layers |= {
        "pool2": nn.MaxPool2d(2),
        "flatten": nn.Flatten(),
        "linear1": nn.Linear(64 * 7 * 7, 128),
        "linear1_relu": nn.ReLU(),
        "linear2": nn.Linear(128, classes),
    }
    return nn.Sequential(OrderedDict(layers))


def vgg16_shift(classes: int) -> nn.Module:
    """VGG-16-Shift for 32 x 32 x 3 images: one 3 x 3 convolution, twelve shift convolutions."""
    layers = _convolution("conv1", 3, 64, 3)
    inputs = 64
    number = 1
    for stage, outputs in enumerate((64, 128, 256, 512, 512)):
        for _ in range((1, 2, 3, 3, 3)[stage]):
            number += 1
            layers |= _shift_convolution(f"conv{number}", inputs, outputs)
            inputs = outputs
        layers[f"pool{stage + 1}"] = nn.MaxPool2d(2)
    layers |= {"flatten": nn.Flatten(), "linear": nn.Linear(512, classes)}
    return nn.Sequential(OrderedDict(layers))


class _ResidualBlock(nn.Module):
    """Two convolutions and a shortcut without weights (subsampled, padded with zero channels)."""

    def __init__(self, inputs: int, outputs: int, stride: int, *, shifted: bool) -> None:
        super().__init__()
        self.stride = stride
        self.added = outputs - inputs
        self.shift1 = Shift(deal_displacements(inputs)) if shifted else nn.Identity()
        self.shift2 = Shift(deal_displacements(outputs)) if shifted else nn.Identity()
        kernel = 1 if shifted else 3
        self.conv1 = nn.Conv2d(
            inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False
        )
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, images: Tensor) -> Tensor:
        hidden = F.relu(self.bn1(self.conv1(self.shift1(images))))
        output = self.bn2(self.conv2(self.shift2(hidden)))
        shortcut = images
        if self.stride > 1:
            shortcut = shortcut[:, :, :: self.stride, :: self.stride]
        if self.added:
            before = self.added // 2
            shortcut = F.pad(shortcut, (0, 0, 0, 0, before, self.added - before))
        return F.relu(output + shortcut)


class ResNet20(nn.Module):
    """ResNet-20 for 32 x 32 x 3 images, widths w, 2w, 4w; plain, or shift + pointwise.

    The state dict has the keys conv1, bn1, layer{1,2,3}.{0,1,2}.{conv1,bn1,conv2,bn2}, linear.
    """

    def __init__(self, classes: int, *, width: int, shifted: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        inputs = width
        for stage in range(3):
            outputs = width << stage
            blocks = []
            for block in range(3):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(_ResidualBlock(inputs, outputs, stride, shifted=shifted))
                inputs = outputs
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.linear = nn.Linear(inputs, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, 32, 32) to logits (B, classes)."""
        hidden = F.relu(self.bn1(self.conv1(images)))
        for stage in range(3):
            hidden = self.get_submodule(f"layer{stage + 1}")(hidden)
        hidden = F.adaptive_avg_pool2d(hidden, 1).flatten(1)
        logits: Tensor = self.linear(hidden)
        return logits


ZOO = {
    "lenet5-shift": ZooEntry(
        build=lenet5_shift,
        input_shape=(1, 28, 28),
        summary="LeNet-5 with a shift convolution, for MNIST",
    ),
    "vgg16-shift": ZooEntry(
        build=vgg16_shift,
        input_shape=(3, 32, 32),
        summary="VGG-16 with shift convolutions, for CIFAR-10",
    ),
    "resnet20-shift": ZooEntry(
        build=lambda classes: ResNet20(classes, width=96, shifted=True),
        input_shape=(3, 32, 32),
        summary="ResNet-20 with shift convolutions, widths 96, 192, 384, for CIFAR-10",
    ),
    "resnet20-shift-small": ZooEntry(
        build=lambda classes: ResNet20(classes, width=32, shifted=True),
        input_shape=(3, 32, 32),
        summary="the same with widths 32, 64, 128",
    ),
    "resnet20": ZooEntry(
        build=lambda classes: ResNet20(classes, width=16, shifted=False),
        input_shape=(3, 32, 32),
        summary="the plain 3 x 3 ResNet-20 for CIFAR-10, widths 16, 32, 64",
    ),
}
