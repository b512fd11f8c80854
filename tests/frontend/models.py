"""Small models of every kind that the frontend covers, with norms that are not the identity."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Classifier(nn.Module):
    """Any body, then global average pooling and a linear layer."""

    def __init__(self, body: nn.Module, channels: int) -> None:
        super().__init__()
        self.body = body
        self.linear = nn.Linear(channels, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(self.body(images).mean((2, 3)))


class Body(nn.Module):
    """Layers, and a function of them and the images."""

    def __init__(self, function, **layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, images: Tensor) -> Tensor:
        return self.function(self, images)


class Shuffle(nn.Module):
    """The channel shuffle of ShuffleNet, in two parts."""

    def forward(self, images: Tensor) -> Tensor:
        batch, channels, height, width = images.shape
        parts = images.view(batch, 2, channels // 2, height, width)
        return parts.transpose(1, 2).contiguous().view(batch, channels, height, width)


def norm(channels: int, kind=nn.BatchNorm2d) -> nn.Module:
    layer = kind(channels)
    layer.running_mean.normal_()
    layer.running_var.uniform_(0.5, 2)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    return layer


def conv(inputs: int, outputs: int, kernel: int = 3, **options) -> nn.Conv2d:
    options.setdefault("padding", kernel // 2)
    return nn.Conv2d(inputs, outputs, kernel, **options)


def _depthwise():
    layers = [conv(3, 4), nn.ReLU(), conv(4, 4, stride=2, groups=4), norm(4), nn.ReLU6()]
    layers.append(conv(4, 6, 1))
    return Classifier(nn.Sequential(*layers), 6)


def _grouped():
    convolution = nn.Conv2d(3, 6, (3, 2), padding=(1, 0), groups=3, dilation=2)
    return Classifier(nn.Sequential(convolution, nn.ReLU()), 6)


def _same_padding():
    return Classifier(
        nn.Sequential(nn.Conv2d(3, 4, (4, 3), padding="same"), nn.ReLU(), conv(4, 4)), 4
    )


def _preactivation():
    def function(self, images):
        tensor = self.stem(images)
        return tensor + self.b(F.relu(self.norm_b(self.a(F.relu(self.norm_a(tensor))))))

    layers = {"a": conv(4, 4), "b": conv(4, 4), "norm_a": norm(4), "norm_b": norm(4)}
    return Classifier(Body(function, stem=conv(3, 4), **layers), 4)


def _pool_before_relu():
    return Classifier(Body(lambda self, x: F.relu(F.max_pool2d(self.a(x), 2)), a=conv(3, 4)), 4)


def _dense_block():
    def function(self, images):
        a = F.relu(self.norm(torch.cat([self.a(images), images], 1)))
        return torch.cat([self.b(a), a], 1)

    return Classifier(Body(function, a=conv(3, 4), b=conv(7, 4), norm=norm(7)), 11)


def _inception():
    def function(self, images):
        parts = [self.a(images), self.b(images), F.avg_pool2d(images, 3, 1, 1)]
        return F.relu(torch.cat(parts[:2], 1)) + self.c(torch.cat(parts, 1))

    return Classifier(Body(function, a=conv(3, 3, 1), b=conv(3, 5), c=conv(11, 8, 1)), 8)


def _shuffle():
    layers = [conv(3, 8), nn.ReLU(), Shuffle(), conv(8, 8, groups=8)]
    return Classifier(nn.Sequential(*layers), 8)


def _split():
    def function(self, images):
        left, right = F.relu(self.a(images)).chunk(2, 1)
        return torch.cat([left, F.relu(self.b(right))], 1)

    return Classifier(Body(function, a=conv(3, 8), b=conv(4, 4)), 8)


def _subsampled():
    def function(self, images):
        return self.b(F.relu(self.a(images))[:, :, :11:2, ::3])

    return Classifier(Body(function, a=conv(3, 8), b=conv(8, 4, stride=2)), 4)


def _zero_channels():
    def function(self, images):
        a = F.relu(self.a(images))
        return F.relu(self.b(a) + F.pad(a[:, :, ::2, ::2], (0, 0, 0, 0, 4, 4)))

    return Classifier(Body(function, a=conv(3, 8), b=conv(8, 16, stride=2)), 16)


def _pools():
    layers = [
        conv(3, 4),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d((6, 12)),
        nn.ZeroPad2d((0, 1, 0, 1)),
        nn.MaxPool2d(2, 1),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.AvgPool2d(3, 1, padding=1),
    ]
    return Classifier(nn.Sequential(*layers), 4)


def _ends_in_pooling():
    return nn.Sequential(conv(3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def _linear_layers():
    layers = [conv(3, 4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 12 * 12, 5)]
    layers += [norm(5, nn.BatchNorm1d), nn.ReLU(), nn.Dropout(), nn.Linear(5, 3), nn.LogSoftmax(1)]
    return nn.Sequential(*layers)


def _sums():
    def function(self, images):
        a = self.a(images)
        return F.relu(F.relu(a) + self.b(a) + F.hardtanh(self.c(images), -0.5, 0.75))

    return Classifier(Body(function, a=conv(3, 8), b=conv(8, 8), c=conv(3, 8, 1)), 8)


_BUILD = {
    "depthwise": _depthwise,
    "grouped and dilated": _grouped,
    "same padding": _same_padding,
    "norm before activation": _preactivation,
    "pool before activation": _pool_before_relu,
    "dense block": _dense_block,
    "inception": _inception,
    "channel shuffle": _shuffle,
    "split": _split,
    "subsampled": _subsampled,
    "zero channels": _zero_channels,
    "pools": _pools,
    "ends in pooling": _ends_in_pooling,
    "linear layers": _linear_layers,
    "sums": _sums,
}
NAMES = tuple(_BUILD)
SHAPE = (3, 12, 12)


def build(name: str) -> nn.Module:
    """One of the models, always the same, in evaluation mode; its images are of `SHAPE`."""
    torch.manual_seed(0)
    return _BUILD[name]().eval()
