"""Channels of other ranges, dead and tiny rows, huge biases: 8 bit follows the float network.

The judge is torch: the float network's own classes on test images, and its logits.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from systopack.data.split import training_part
from systopack.errors import TrainingError
from systopack.network.ranges import bounds
from systopack.network.reference import classify, quantize_images, run
from systopack.quantization.fine_tune import QuantizeSettings
from systopack.quantization.quantize import measure_loss, quantize, reference_equals_model
from systopack.training.devices import DeviceOptions
from systopack.training.events import SilentObserver
from systopack.training.session import accuracy_percent
from tests.quantization.digits import Digits, as_trained, data, trained_digits
from tests.real import small_set

IMAGES = 1500


def quantized(trained, *, bits=32, calibration=200, digits=None):
    digits = data() if digits is None else digits
    return quantize(
        trained,
        training_part(digits, held_out=500),
        settings=QuantizeSettings(calibration_images=calibration, accumulator_bits=bits),
        augment=digits.augment,
        name="digits",
        devices=DeviceOptions(accelerator="cpu"),
        observer=SilentObserver(),
    )


def lost_points(model, *, bits=32):
    """Float accuracy minus 8-bit accuracy on test images, in points."""
    digits, trained = data(), as_trained(model)
    result = quantized(trained, bits=bits)
    images, labels = digits.test_images[:IMAGES], digits.test_labels[:IMAGES]
    exact = accuracy_percent(model, images, labels, mean=digits.mean, std=digits.std)
    got = 100 * (classify(result.network, images) == labels).mean()
    assert exact > 85, "the float network must be worth following"
    assert not any(reference_equals_model(result, images[:20]).values())
    return exact - got


def scale_rows(block, factors):
    """Multiply the rows of a convolution and its norm."""
    with torch.no_grad():
        block[1].weight *= factors
        block[1].bias *= factors


def scale_columns(layer, factors):
    """Divide the columns that read the scaled channels."""
    with torch.no_grad():
        shape = (1, -1) if layer.weight.dim() == 2 else (1, -1, 1, 1)
        layer.weight /= factors.reshape(shape)


def spread(top, seed=0):
    """The same function with channels 2**0 .. 2**-top times as large, wherever that commutes."""
    model = trained_digits()
    generator = torch.Generator().manual_seed(seed)

    def factors(count):
        return torch.exp2(-torch.randint(0, top + 1, (count,), generator=generator).float())

    stem = factors(8)
    scale_rows(model.stem, stem)
    with torch.no_grad():  # a depthwise layer reads one channel a row
        model.depthwise[0].weight /= stem[:, None, None, None]
    tied = factors(16)  # the residual ties the block's input to its output
    scale_rows(model.pointwise, tied)
    scale_columns(model.first[0], tied)
    scale_rows(model.second, tied)
    inner = factors(16)
    scale_rows(model.first, inner)
    scale_columns(model.second[0], inner)
    joined = factors(24)
    scale_columns(model.left[0], tied)
    scale_columns(model.right[0], tied)
    scale_rows(model.left, joined[:8])
    scale_rows(model.right, joined[8:])
    scale_columns(model.last[0], joined)
    pooled = factors(32)
    scale_rows(model.last, pooled)
    scale_columns(model.classifier, pooled)
    return model


class Wider(Digits):
    """The same function with two more channels before the last convolution, and one more block.

    The channels have `gamma` times ordinary weights and the bias `bias`; the norm after them takes
    off what they add. The block's last norm has the scale `zero`, so that it adds next to nothing.
    """

    def __init__(self, *, gamma=1.0, bias=0.0, zero=0.0):
        super().__init__()
        trained = trained_digits()
        self.load_state_dict(trained.state_dict())
        generator = torch.Generator().manual_seed(1)
        weight, norm, last = self.right[0].weight, self.right[1], self.last
        added = torch.randn(32, 2, 1, 1, generator=generator) / 2
        self.right = nn.Sequential(nn.Conv2d(16, 18, 3, 1, 1, bias=False), nn.BatchNorm2d(18))
        self.last = nn.Sequential(nn.Conv2d(26, 32, 1, bias=False), last[1])
        with torch.no_grad():
            self.right[0].weight[:] = torch.cat([weight, weight[:2]])
            for name in ("weight", "bias", "running_mean", "running_var"):
                old = getattr(norm, name)
                getattr(self.right[1], name)[:] = torch.cat([old, old[:2]])
            self.right[1].weight[16:] = gamma
            self.right[1].bias[16:] = bias
            self.last[0].weight[:] = torch.cat([last[0].weight, added], dim=1)
            if abs(gamma) < 1e-2:
                self.last[1].running_mean += max(bias, 0) * added.sum(dim=(1, 2, 3))
        self.zero = nn.Sequential(nn.Conv2d(16, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16))
        with torch.no_grad():
            self.zero[1].weight[:] = zero
            self.zero[1].bias[:] = 0
        self.eval()

    def middle(self, x):
        return F.relu(x + self.zero(x))


def constant_rows(gamma, bias):
    """Two channels that are a constant, or next to it."""
    return Wider(gamma=gamma, bias=bias)


def zero_residual(zero):
    """A residual block whose last norm starts at zero, or next to it."""
    return Wider(gamma=0.0, zero=zero)


def switched_off(bias):
    """Two channels with ordinary weights that a huge bias switches off behind a ReLU."""
    return Wider(gamma=1.0, bias=bias)


def switched_off_in_the_trunk(bias):
    """A residual block that a huge bias in its last norm switches a channel off behind."""
    model = Wider(gamma=0.0)
    with torch.no_grad():
        read = model.left[0].weight.square().sum(dim=(0, 2, 3))
        read += model.right[0].weight.square().sum(dim=(0, 2, 3))
        model.zero[1].bias[read.argmin()] = bias
    return model


def masked_class(bias):
    """A class that never wins."""
    model = trained_digits()
    with torch.no_grad():
        model.classifier.weight[3] = 0
        model.classifier.bias[3] = bias
    return model


@pytest.mark.parametrize(
    ("model", "bits"),
    [
        (spread(8), 32),
        (constant_rows(0.0, 0.0), 32),
        (constant_rows(1e-8, 0.7), 32),
        (zero_residual(0.0), 16),
    ],
    ids=["spread", "dead", "tiny", "zero residual"],
)
def test_eight_bit_follows_the_float_network(model, bits):
    assert lost_points(model, bits=bits) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("bits", [32, 16])
@pytest.mark.parametrize(
    "model",
    [
        *(spread(top, seed) for top in (0, 2, 4, 6, 8) for seed in range(2)),
        constant_rows(0.0, 0.0),
        *(constant_rows(gamma, 0.7) for gamma in (1e-3, 1e-5, 1e-10, 1e-20, 1e-38, 0.0)),
        *(zero_residual(gamma) for gamma in (0.0, 1e-12, 1e-6, 1e-3)),
        *(switched_off(bias) for bias in (-1e2, -1e5, -1e9, -1e20)),
        *(switched_off_in_the_trunk(bias) for bias in (-1e2, -1e5, -1e9)),
        *(masked_class(bias) for bias in (-1e2, -1e4, -1e9)),
    ],
)
def test_eight_bit_follows_every_float_network(model, bits):
    assert lost_points(model, bits=bits) <= 1


class Branches(nn.Module):
    """Two branches that meet in a concatenation; one is `factor` times smaller."""

    def __init__(self, factor, convolutions):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Conv2d(1, 4, 3, 2), nn.Conv2d(1, 4, 3, 2)
        self.c, self.head = nn.Conv2d(8, 8, 3, 2), nn.Linear(8 * 6 * 6, 10)
        with torch.no_grad():
            self.b.weight /= factor
            self.b.bias /= factor
            self.c.weight[:, 4:] *= factor
        self.convolutions = convolutions

    def forward(self, images):
        branches = [F.relu(self.a(images)), F.relu(self.b(images))]
        if self.convolutions == "pooled":
            branches = [F.avg_pool2d(branch, 3, 1, 1) for branch in branches]
        return self.head(F.relu(self.c(torch.cat(branches, 1))).flatten(1))


def snr_db(model):
    """Signal to noise of the logits on images that calibration has not seen."""
    digits, trained = data(), as_trained(model.eval())
    network = quantized(trained).network
    images = digits.test_images[:200]
    real = (torch.from_numpy(images.copy()).double() / 255 - digits.mean[0]) / digits.std[0]
    with torch.no_grad():
        exact = model.double()(real).numpy()
    model.float()
    got = run(network, quantize_images(network, images))[network.output.name].reshape(exact.shape)
    noise = ((got * 2.0**network.output.exponent - exact) ** 2).sum()
    return 10 * np.log10(((exact - exact.mean(0)) ** 2).sum() / noise)


@pytest.mark.parametrize("convolutions", ["plain", "pooled"])
def test_branches_of_different_range_lose_no_more_than_equal_ones(convolutions):
    equal = snr_db(Branches(1, convolutions))
    assert equal > 25
    for factor in (8, 256):
        # Half of a step of the power-of-two scales, which are 6 dB apart.
        assert snr_db(Branches(factor, convolutions)) > equal - 3


def test_the_input_covers_every_pixel_whatever_calibration_shows():
    digits, trained = data(), as_trained(trained_digits())
    dim = replace(digits, train_images=(digits.train_images // 8).astype(np.uint8))
    network = quantized(trained, digits=dim).network
    table = bounds(network).tensors["input"]
    exact = (np.array([0.0, 1.0]) - digits.mean[0]) / digits.std[0] * 2.0**-network.input.exponent
    assert np.abs([table.low[0], table.high[0]] - exact).max() <= 0.5  # rounded, not clipped


def test_the_loss_is_measured_layer_by_layer_and_in_accuracy():
    trained = as_trained(spread(4))
    result = quantized(trained)
    part = training_part(data(), held_out=500)
    loss = measure_loss(result, trained, part, QuantizeSettings(calibration_images=200))
    assert set(loss.snr_db) == {"input", *(op.name for op in result.model.graph.ops)}
    assert all(10 < ratio <= 120 for ratio in loss.snr_db.values())
    assert loss.held_out is not None
    assert loss.held_out.images == 500
    assert abs(loss.judged.lost_points) <= 1
    layer, read, left = loss.worst_layer(result.model.graph)
    assert left == loss.snr_db[layer]
    assert read >= left


class Notes(SilentObserver):
    """Keeps what a run says."""

    def __init__(self):
        self.notes = []

    def on_note(self, sentence):
        self.notes.append(sentence)


@pytest.mark.parametrize("rate", [None, 5.0])
def test_fine_tuning_never_gives_less_than_calibration(rate):
    """Channels of all ranges train alike; a rate that is too high is undone or stops."""
    digits, trained, notes = small_set(data(), train=1200, test=10), as_trained(spread(8)), Notes()
    part = training_part(digits, held_out=300)

    def accuracy(epochs):
        network = quantize(
            trained,
            part,
            settings=QuantizeSettings(
                epochs=epochs, learning_rate=rate, calibration_images=200, batch_size=50
            ),
            augment=replace(digits.augment, pad=0),
            name="digits",
            devices=DeviceOptions(accelerator="cpu"),
            observer=notes,
        ).network
        return (classify(network, part.held_out_images) == part.held_out_labels).mean()

    before = accuracy(0)
    assert before > 0.95
    if rate is None:
        assert accuracy(1) >= before
        assert any("Learning rate" in note for note in notes.notes)
        return
    try:
        assert accuracy(1) == before
    except TrainingError as error:
        assert "--learning-rate" in str(error)
    else:
        assert any("the network before it is kept" in note for note in notes.notes)


def test_tensors_without_signal_have_no_ratio():
    model = constant_rows(0.0, 0.3)
    with torch.no_grad():  # a layer that is one constant for every image
        model.left[1].weight[:] = 0
        model.left[1].bias[:] = 0.25
    loss = measure_loss(
        quantized(as_trained(model)),
        as_trained(model),
        training_part(data(), held_out=100),
        QuantizeSettings(calibration_images=1),
    )
    assert "left.0" not in loss.snr_db
    assert min(loss.snr_db.values()) > 5
