"""Model factories that end the program instead of giving a model."""

import sys

import torch
from torch import nn
from torch.nn.utils import prune


def leaves():
    """Ends with success."""
    sys.exit(0)


class _Leaves(nn.Module):
    def forward(self, image):
        """Ends while it runs."""
        sys.exit(0)


def leaves_while_it_runs():
    """A model that ends the program when it is called."""
    return _Leaves()


def pruned_and_used_twice():
    """A model of digits: one convolution is used twice, and half of its weights are pruned."""
    torch.manual_seed(0)
    twice = prune.l1_unstructured(nn.Conv2d(8, 8, 3, stride=2), "weight", 0.5)
    layers = [nn.Conv2d(1, 8, 3, stride=2), nn.ReLU(), twice, nn.ReLU(), twice, nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32, 10))
