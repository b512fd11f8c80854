"""Stored numbers in torch models: frozen norms, LayerScale, and what scales the images."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from systopack.errors import InvalidNetworkError
from systopack.frontend.capture import capture
from systopack.frontend.graph import Scaling
from systopack.frontend.reading.view import averaged_windows
from systopack.training.importing import ImportOptions, open_model
from tests.frontend.models import Body, conv

SHAPE = (3, 8, 8)


class Frozen(nn.Module):
    """A batch norm as detection models have it: buffers, and no statistics of a batch."""

    def __init__(self, channels):
        super().__init__()
        for name in ("weight", "bias", "mean"):
            self.register_buffer(name, torch.randn(channels))
        self.register_buffer("variance", torch.rand(channels) + 0.5)

    def forward(self, images):
        scale = self.weight * (self.variance + 1e-5).rsqrt()
        offset = self.bias - self.mean * scale
        return images * scale.reshape(1, -1, 1, 1) + offset.reshape(1, -1, 1, 1)


class Scaled(nn.Module):
    """A number a channel that is trained."""

    def __init__(self, channels):
        super().__init__()
        self.gamma = nn.Parameter(torch.rand(channels, 1, 1))

    def forward(self, images):
        return images * self.gamma


def classifier(function, **layers):
    torch.manual_seed(0)
    return Body(function, a=conv(3, 4), l=nn.Linear(4, 4), **layers).eval()


def test_frozen_norms_and_scales_are_in_the_layer_before():
    def block(m, x):
        kept = F.relu(m.f(m.a(x)))
        return m.l((m.s(m.b(kept)) + kept).mean((2, 3)))

    model = classifier(block, f=Frozen(4), s=Scaled(4), b=conv(4, 4))
    graph = capture(model, SHAPE)
    first, second, *_ = graph.matrix_ops
    frozen = model.f
    factor = (frozen.weight / (frozen.variance + 1e-5).sqrt()).double().numpy()
    assert np.allclose(first.scaling.factor, factor, rtol=1e-6)
    assert first.activation == "relu" and second.scaling.parameters == ("s.gamma",)
    assert len(graph.ops) == 4  # two convolutions, a mean, a linear layer


def test_what_a_model_does_to_its_images_is_their_normalisation():
    mean = torch.tensor([0.1, 0.2, 0.3]).reshape(3, 1, 1)
    model = classifier(lambda m, x: m.l(F.relu(m.a((x / 255 - mean) / 0.5)).mean((2, 3))))
    trained = open_model(
        model, options=ImportOptions(input_shape=SHAPE, mean=(0.0,), std=(1 / 255,))
    )
    assert np.allclose(trained.mean, [0.1, 0.2, 0.3]) and np.allclose(trained.std, 0.5)
    assert trained.graph.scaling is None and len(trained.graph.ops) == 3


def test_two_scalings_are_one():
    first = Scaling(factor=np.array([2.0, 3.0]), offset=np.array([1.0, -1.0]), parameters=("a",))
    both = first.then(Scaling(factor=np.array([5.0, -1.0]), offset=np.array([0.5, 0.0])))
    x = np.array([0.25, 4.0])
    assert np.array_equal(x * both.factor + both.offset, [(0.5 + 1) * 5 + 0.5, -(12.0 - 1)])
    assert first.rises and not both.rises


def test_numbers_for_every_pixel_are_refused_where_nothing_takes_them_in():
    mask = torch.rand(1, 1, 8, 8)
    with pytest.raises(InvalidNetworkError, match="another number for every pixel"):
        capture(classifier(lambda m, x: m.l(F.relu(m.a(x) * mask).mean((2, 3)))), SHAPE)


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("ceiled", [False, True])
def test_averages_along_one_axis_are_those_of_torch(counted, ceiled):
    """Equal windows times factors, for all small sizes."""
    for size in range(2, 8):
        image = torch.randn(1, 1, 1, size, dtype=torch.float64)
        for kernel in range(1, size + 1):
            for stride in range(1, 4):
                for pad in range(kernel // 2 + 1):
                    expected = F.avg_pool2d(
                        image, (1, kernel), (1, stride), (0, pad), ceiled, counted
                    )
                    found = averaged_windows(
                        size, kernel=kernel, stride=stride, pads=(pad, pad), counted=counted,
                        ceiled=ceiled,
                    )  # fmt: skip
                    padded = F.pad(image, found.pads)
                    means = F.avg_pool2d(padded, (1, found.kernel), (1, found.stride))
                    got = means * torch.from_numpy(found.factors)
                    assert torch.allclose(got, expected), (size, kernel, stride, pad)
