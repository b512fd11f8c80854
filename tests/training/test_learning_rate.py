"""Learning rates: the range test where theory knows the answer, and runs that diverge."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from systopack.data.open import open_data
from systopack.errors import TrainingError
from systopack.frontend.capture import capture
from systopack.training.devices import DeviceOptions
from systopack.training.events import SilentObserver
from systopack.training.learning_rate import RATES, Baseline, baseline, check_progress, find_rate
from systopack.training.losses import blind_loss, training_loss
from systopack.training.model import TrainedModel
from systopack.training.run import combine
from systopack.training.settings import CombineSettings
from tests.real import small_set

SETTINGS = CombineSettings(
    cells=0.5, batch_size=50, held_out=100, fine_tune_epochs=4, epochs_per_iteration=0
)


class Parabola:
    """Gradient descent on c w**2 / 2: it converges where rate < 2 / c, and nowhere else."""

    def __init__(self, curvature):
        self.curvature = curvature

    def try_rate(self, rate, *, steps, number):
        weight, losses = 1.0, []
        for _ in range(steps):
            losses.append(self.curvature * weight**2 / 2)
            weight -= rate * self.curvature * weight
        return losses

    def untrained(self, *, steps, number):
        return self.try_rate(0.0, steps=steps, number=number), self.curvature / 2


@pytest.mark.parametrize("curvature", [3.0, 30.0, 300.0, 3000.0])
def test_half_of_the_largest_rate_at_which_a_parabola_is_stable(curvature):
    found = find_rate(
        Parabola(curvature), baseline(Parabola(curvature), number=0, whole=True), number=0
    )
    stable = max(rate for rate in RATES if rate < 2 / curvature)
    assert found == stable / 2


def test_losses_that_are_no_numbers_count_as_worse():
    class Broken(Parabola):
        def try_rate(self, rate, *, steps, number):
            return [1.0] * steps if rate < 0.01 else [1.0] * (steps - 1) + [math.nan]

    found = find_rate(Broken(1), baseline(Broken(1), number=0, whole=True), number=0)
    assert 0.0025 <= found < 0.005


@pytest.mark.parametrize(
    ("loss", "epochs", "stops"),
    [
        (1.9, 2, False),  # 1 before training, 2 of a blind network: it may rise by half of that
        (2.1, 2, True),
        (2.1, 1, False),  # a first epoch may be bad and heal
        (30.0, 1, True),
        (math.nan, 1, True),
        (1.85, 3, False),
        (1.95, 3, True),  # after three epochs no better than a blind network
    ],
)
def test_what_counts_as_diverging(loss, epochs, stops):
    against = Baseline(untrained=(1.0, 1.0, 1.0), blind=2.0)
    arguments = {"rate": 0.05, "epoch": 7, "since_pruning": epochs}
    if stops:
        with pytest.raises(TrainingError, match=r"--learning-rate 0\.05.*epoch 7"):
            check_progress(loss, against, **arguments)
    else:
        check_progress(loss, against, **arguments)


def test_a_blind_network_is_as_good_as_its_best_constant():
    labels = torch.tensor([0, 0, 0, 1])
    settings = CombineSettings()
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert float(blind_loss(labels, teacher_logits=None, settings=settings)) == pytest.approx(
        entropy, abs=0.01
    )
    teacher = torch.tensor([[5.0, 0], [4, 0], [3, 0], [0, 6]])
    imitating = CombineSettings(distill_weight=1.0, distill_temperature=2.0)
    found = float(blind_loss(labels, teacher_logits=teacher, settings=imitating))
    for constant in np.linspace(-3, 3, 301):
        logits = torch.tensor([[constant, 0.0]]).expand(4, -1)
        loss = training_loss(logits, labels, teacher_logits=teacher, settings=imitating)
        assert found <= float(loss) + 1e-6


@pytest.fixture(scope="module")
def digits():
    return small_set(open_data("sample"), train=500, test=10)


@pytest.fixture(scope="module")
def without_norms(digits):
    """A plain network without norms: it stands a tenth of the rate that one with norms likes."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(16, 16, 3, stride=2, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )  # fmt: skip
    images = (torch.from_numpy(digits.train_images).float() / 255 - 0.13) / 0.31
    labels = torch.from_numpy(digits.train_labels)
    optimizer = torch.optim.Adam(module.parameters(), 0.01)
    for _ in range(90):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(images), labels).backward()
        optimizer.step()
    state = {name: tensor.detach().contiguous() for name, tensor in module.state_dict().items()}
    return TrainedModel(
        architecture="plain",
        class_names=digits.class_names,
        mean=(0.13,),
        std=(0.31,),
        state=state,
        graph=capture(module, (1, 28, 28)),
    )


class Notes(SilentObserver):
    def __init__(self):
        self.results, self.notes = [], []

    def on_epoch(self, result):
        self.results.append(result)

    def on_note(self, sentence):
        self.notes.append(sentence)


def packed(dense, digits, out, observer, **settings):
    return combine(
        dense,
        digits,
        settings=SETTINGS.model_copy(update={"distill_weight": 1.0, **settings}),
        fraction=1.0,
        out=out,
        resume=False,
        devices=DeviceOptions(accelerator="cpu"),
        observer=observer,
    )


def test_a_measured_rate_keeps_the_accuracy_and_can_be_said(without_norms, digits, tmp_path):
    observer = Notes()
    found = packed(without_norms, digits, tmp_path / "a.safetensors", observer)
    last = observer.results[-1]
    assert last.dense_accuracy_percent > 75
    assert last.held_out_accuracy_percent > last.dense_accuracy_percent - 10
    rate = found.provenance["learning_rate"]
    assert any(f"Learning rate {rate:g}" in note for note in observer.notes)
    assert f"dense {last.dense_accuracy_percent:.2f} %" in observer.notes[-1]
    again = packed(
        without_norms, digits, tmp_path / "b.safetensors", SilentObserver(), learning_rate=rate
    )
    assert all(torch.equal(found.state[name], again.state[name]) for name in found.state)


def test_a_run_that_diverges_stops_and_says_so(without_norms, digits, tmp_path):
    out, observer = tmp_path / "c.safetensors", Notes()
    with pytest.raises(TrainingError, match=r"diverges at --learning-rate 0\.2"):
        packed(without_norms, digits, out, observer, learning_rate=0.2)
    assert not out.exists()
    assert len(observer.results) < SETTINGS.fine_tune_epochs


def test_a_great_loss_is_called_by_its_name(without_norms, digits, tmp_path):
    observer = Notes()
    packed(
        without_norms,
        digits,
        tmp_path / "d.safetensors",
        observer,
        cells=0.2,
        learning_rate=1e-6,
        fine_tune_epochs=1,
    )
    assert "WARNING" in observer.notes[-1]
    assert "points are lost" in observer.notes[-1]


def test_without_held_out_images_the_accuracy_is_said_to_be_unknown(
    without_norms, digits, tmp_path
):
    observer = Notes()
    out = tmp_path / "e.safetensors"
    packed(without_norms, digits, out, observer, held_out=0, fine_tune_epochs=1)
    assert "not known" in observer.notes[-1]


def test_a_network_with_nothing_to_learn_does_not_count_as_diverging():
    nothing = Baseline(untrained=(0.0, 0.0, 0.0), blind=0.0)
    check_progress(0.0, nothing, rate=0.1, epoch=5, since_pruning=5)


def test_where_every_rate_makes_it_worse_the_run_does_not_start():
    class Worse:
        def try_rate(self, rate, *, steps, number):
            return [9.0] * steps

    with pytest.raises(TrainingError, match="Every learning rate"):
        find_rate(Worse(), Baseline(untrained=(1.0, 1.0, 1.0), blind=2.0), number=0)
