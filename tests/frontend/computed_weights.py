"""Models whose weights are computed at every run, or whose parameters are in no layer."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, weight_norm


class Adapted(nn.Module):
    """A linear layer with an adapter of low rank beside its weight."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(64, 5)
        self.down = nn.Parameter(torch.randn(2, 64))
        self.up = nn.Parameter(torch.randn(5, 2))

    def forward(self, images):
        return F.linear(images.flatten(1), self.linear.weight + self.up @ self.down)


class Spare(nn.Module):
    """Parameters that no output depends on."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(64, 5)
        self.tied = self.linear
        self.aux = nn.Linear(3, 3)
        self.plain = nn.Parameter(torch.ones(2))

    def forward(self, images):
        return self.linear(images.flatten(1))


class Two(nn.Module):
    """Two outputs, and an operation that cannot be lowered."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(64, 5)

    def forward(self, images):
        logits = self.linear(F.silu(images).flatten(1))
        return {"one": logits, "again": logits.sum(1)}


class Token(nn.Module):
    """A plain parameter added to tokens after an operation that cannot be lowered."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, 4))
        self.linear = nn.Linear(4, 5)

    def forward(self, images):
        tokens = F.silu(self.conv(images).flatten(2).transpose(1, 2)) + self.token
        return self.linear(tokens.mean(1))


def parametrized(kind):
    """Two linear layers; the first has a weight of another form."""
    layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 5)).eval()
    wrap = {
        "weight_norm": parametrizations.weight_norm,
        "spectral_norm": parametrizations.spectral_norm,
        "orthogonal": parametrizations.orthogonal,
        "old": weight_norm,
    }[kind]
    wrap(layers[1])
    return layers.eval()
