"""A small trained network with every junction that quantization must pass: for accuracy tests.

Depthwise and pointwise convolutions, ReLU and ReLU6, a residual block, a concatenation, max and
average pooling. `python -m tests.quantization.digits` trains it again on the bundled digits.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from systopack.data.images import ImageData
from systopack.data.open import open_data
from systopack.frontend.capture import capture
from systopack.training.model import TrainedModel

FILE = Path(__file__).with_name("digits.safetensors")
SHAPE = (1, 28, 28)


class Digits(nn.Module):
    """1 x 28 x 28 to ten logits in about 7,500 weights."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _conv(1, 8, 3, stride=2)
        self.depthwise = _conv(8, 8, 3, groups=8)
        self.pointwise = _conv(8, 16, 1)
        self.first = _conv(16, 16, 3)
        self.second = _conv(16, 16, 3)
        self.left = _conv(16, 8, 1)
        self.right = _conv(16, 16, 3)
        self.last = _conv(24, 32, 1)
        self.classifier = nn.Linear(32, 10)

    def forward(self, images: Tensor) -> Tensor:
        x = F.relu(self.stem(images))
        x = F.relu6(self.depthwise(x))
        x = F.max_pool2d(F.relu(self.pointwise(x)), 2)
        x = self.middle(F.relu(x + self.second(F.relu(self.first(x)))))
        x = torch.cat([F.relu(self.left(x)), F.relu(self.right(x))], dim=1)
        x = F.relu(self.last(x))
        return self.classifier(F.adaptive_avg_pool2d(x, 1).flatten(1))

    def middle(self, x: Tensor) -> Tensor:
        """Nothing here; a test puts a block in."""
        return x


def _conv(inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    )


@cache
def data() -> ImageData:
    """The bundled digits."""
    return open_data("sample")


def trained_digits() -> Digits:
    """The trained network, in evaluation mode."""
    from safetensors.torch import load_file

    model = Digits()
    model.load_state_dict(load_file(FILE))
    return model.eval()


def as_trained(model: nn.Module) -> TrainedModel:
    """The model as quantization takes it."""
    digits = data()
    return TrainedModel(
        architecture="digits",
        class_names=digits.class_names,
        mean=digits.mean,
        std=digits.std,
        state={name: tensor.detach().clone() for name, tensor in model.state_dict().items()},
        graph=capture(model, SHAPE),
    )


def _normalised(images: Tensor) -> Tensor:
    digits = data()
    return (images.float() / 255 - digits.mean[0]) / digits.std[0]


def train() -> None:
    """Train the network and write its file."""
    from safetensors.torch import save_file

    torch.manual_seed(0)
    digits = data()
    images = _normalised(torch.from_numpy(digits.train_images.copy()))
    labels = torch.from_numpy(digits.train_labels.copy())
    model, epochs, size = Digits(), 5, 100
    optimizer = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, epochs * len(images) // size)
    for _ in range(epochs):
        for part in torch.randperm(len(images)).split(size):
            loss = F.cross_entropy(model(images[part]), labels[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    save_file(model.state_dict(), FILE)
    model.eval()
    tests = _normalised(torch.from_numpy(digits.test_images.copy()))
    right = model(tests).argmax(1).numpy() == digits.test_labels
    print(f"{100 * right.mean():.2f} % of the test images")


if __name__ == "__main__":
    train()
