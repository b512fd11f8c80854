"""The search for the smallest network: what it tries, what it says, and that it goes on."""

import numpy as np
import pytest
import torch

from systopack.data.open import open_data
from systopack.errors import InvalidOptionError
from systopack.files import checkpoint_path
from systopack.options import checked
from systopack.training.compress.journal import Judged
from systopack.training.compress.run import compress
from systopack.training.compress.sensitivity import LayerSensitivity
from systopack.training.compress.settings import CompressSettings, check_compress
from systopack.training.compress.sizes import Point, next_probe, next_size
from systopack.training.devices import DeviceOptions
from systopack.training.events import SilentObserver
from systopack.training.layer_shares import groups_at, layer_share, shares_of
from systopack.training.model import load_model
from systopack.training.run import combine, train
from systopack.training.settings import CombineSettings, TrainSettings
from tests.real import small_set

COMMON = {"fraction": 1.0, "devices": DeviceOptions(accelerator="cpu")}
QUICK = {
    "policy": "least-loss",
    "sensitivity_images": 40,
    "fine_tune_epochs": 1,
    "learning_rate": 0.02,
    "batch_size": 64,
    "held_out": 60,
}


class Listener(SilentObserver):
    """Keeps what is told; interrupts after a number of sentences or epochs."""

    def __init__(self, *, notes=None, epochs=None):
        self.notes, self.tables, self.left, self.epochs = [], [], [], 0
        self._notes, self._epochs = notes, epochs

    def on_note(self, sentence):
        self.notes.append(sentence)
        if len(self.notes) == self._notes:
            raise KeyboardInterrupt

    def on_epoch(self, result):
        self.epochs += 1
        if self.epochs == self._epochs:
            raise KeyboardInterrupt

    def on_table(self, header, rows):
        self.tables.append((header, rows))

    def on_remaining(self, seconds):
        self.left.append(seconds)


@pytest.fixture(scope="module")
def digits():
    return small_set(open_data("sample"), train=400, test=50)


@pytest.fixture(scope="module")
def dense(digits, tmp_path_factory):
    out = tmp_path_factory.mktemp("dense") / "dense.safetensors"
    settings = TrainSettings(epochs=3, batch_size=32, held_out=60, learning_rate=0.05)
    run = {"settings": settings, "out": out, "resume": False, **COMMON}
    return train("lenet5-shift", digits, observer=SilentObserver(), **run)


def search(digits, dense, out, observer, *, resume=False, **settings):
    chosen = CompressSettings(**{**QUICK, **settings})
    run = {"settings": chosen, "out": out, "resume": resume, "observer": observer, **COMMON}
    return compress(dense, digits, **run)


def test_the_first_sizes_are_halves_by_factors():
    assert next_probe([], least=0.25, allowed=1) == 0.5
    good, bad = Point(size=0.5, loss_points=1.0), Point(size=0.5, loss_points=50.0)
    assert next_probe([good], least=0.25, allowed=1) == pytest.approx(0.125**0.5)
    assert next_probe([bad], least=0.25, allowed=1) == pytest.approx(0.5**0.5)


def test_a_miss_asks_for_more_and_room_for_less():
    probes = [Point(size=size, loss_points=loss) for size, loss in [(0.2, 20), (0.4, 8), (0.7, 2)]]
    ask = {"least": 0.125, "allowed": 1.0}
    first = next_size(probes, [], **ask)
    assert 0.4 < first < 0.7
    missed = [Point(size=first, loss_points=2.5)]
    assert next_size(probes, missed, **ask) >= 1.15 * first
    assert next_size(probes, [Point(size=0.8, loss_points=9.0)], **ask) == pytest.approx(0.92)
    assert next_size(probes, [Point(size=0.95, loss_points=2.5)], **ask) is None
    room = [Point(size=first, loss_points=0.4)]
    assert 0.125 <= next_size(probes, room, **ask) < 0.9 * first
    assert next_size(probes, [Point(size=first, loss_points=0.99)], **ask) is None
    both = [Point(size=0.5, loss_points=1.1), Point(size=0.56, loss_points=0.2)]
    assert next_size(probes, both, **ask) is None


def test_a_larger_network_is_never_expected_to_lose_more():
    noisy = [Point(size=0.2, loss_points=1.0), Point(size=0.5, loss_points=4.0)]
    assert next_size(noisy, [], least=0.1, allowed=0.5) > 0.5


def test_sizes_of_single_layers():
    names = ("conv1", "conv2", "a[0]=b", "linear")
    assert shares_of(("conv*=0.5", "linear=1"), names) == {"conv1": 0.5, "conv2": 0.5, "linear": 1}
    for groups, columns in [(7, 49), (1, 3), (147, 3136), (3136, 3136)]:
        for name in names:
            share = shares_of((layer_share(name, groups, columns),), names)[name]
            found = groups_at(name, share, columns=columns, fewest=1, alpha=8)
            assert found == groups
    for wrong in ("conv1", "conv1=", "=0.5", "conv1=0", "conv1=1.5", "conv1=nan", "fc=0.5"):
        with pytest.raises(InvalidOptionError, match="--layer is"):
            shares_of((wrong,), names)
    with pytest.raises(InvalidOptionError, match="has a size already"):
        shares_of(("conv1=0.5", "conv*=0.6"), names)
    with pytest.raises(InvalidOptionError, match=r"needs at least 0\.125"):
        groups_at("conv1", 0.1, columns=64, fewest=8, alpha=8)


def test_predicted_losses_never_rise_with_groups():
    one = {"name": "a", "rows": 4, "columns": 32, "lost_points": (3.0, 1.0, 2.0)}
    layer = LayerSensitivity(groups=(4, 8, 16), divergences=(1.0, 0.2, 0.4), **one)
    predicted = layer.predicted(np.array([4, 6, 8, 16, 24, 32]))
    assert predicted[0] == 1.0 and predicted[2] == predicted[3] == 0.4 and predicted[-1] == 0
    assert sorted(predicted, reverse=True) == predicted


def test_a_loss_has_its_error():
    judged = Judged(images=100, dense_right=95, packed_right=94, lost=5, gained=4)
    assert judged.loss_points == 1.0 and judged.error_points == 3.0


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({}, "but none is given"),
        ({"max_loss": 1.0, "cells": 0.3}, "--max-loss and --cells are given"),
        ({"cells": 0.3, "probes": 2}, "--probes would change nothing"),
        ({"max_loss": 1.0, "held_out": 5}, "--held-out is 5"),
        ({"max_loss": -1.0}, "--max-loss is -1"),
    ],
)
def test_goals_and_settings_are_checked(options, word):
    with pytest.raises(InvalidOptionError, match=word):
        check_compress(checked(CompressSettings, **options), options.keys())


def test_a_size_is_kept_and_everything_is_told(digits, dense, tmp_path):
    out, heard = tmp_path / "packed.safetensors", Listener()
    before = {name: tensor.clone() for name, tensor in dense.state.items()}
    found = search(digits, dense, out, heard, cells=0.3, layers=("conv1=1",))
    assert found.met and found.cells_share <= 0.3
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    assert all(torch.equal(dense.state[name], before[name]) for name in before)
    packed = load_model(out)
    assert len(packed.groups["conv1"][0][1]) == 25
    cells = sum(rows * len(groups) for bands in packed.groups.values() for rows, groups in bands)
    assert cells == found.chosen.cells
    header, rows = heard.tables[0]
    assert header[0] == "layer alone" and [row[0] for row in rows] == [
        "conv2",
        "linear1",
        "linear2",
    ]
    assert "held-out training images" in heard.notes[0]
    assert heard.epochs == 1 and heard.left[-1] == 0
    assert found.figures["runs"][0]["planned"]["epochs"] == 1
    assert found.outcome.startswith("Met: ") and "standard error" in found.outcome


def test_layers_of_combine_get_their_sizes(digits, dense, tmp_path):
    names = ("policy", "fine_tune_epochs", "learning_rate", "batch_size", "held_out")
    settings = CombineSettings(
        **{name: QUICK[name] for name in names},
        epochs_per_iteration=0,
        layers=("linear1=0.25", "conv2=0.5"),
    )
    run = {"out": tmp_path / "p.safetensors", "resume": False, "observer": Listener(), **COMMON}
    packed = combine(dense, digits, settings=settings, **run)
    counts = {name: len(bands[0][1]) for name, bands in packed.groups.items()}
    assert counts == {"conv1": 25, "conv2": 16, "linear1": 784, "linear2": 128}
    nothing = settings.model_copy(update={"layers": ("conv?=1",)})
    with pytest.raises(InvalidOptionError, match="nothing is packed"):
        combine(dense, digits, settings=nothing, **run)


@pytest.mark.slow
def test_a_search_finds_a_size_and_goes_on_after_any_stop(digits, dense, tmp_path):
    goal = {"max_loss": 5.0, "probes": 2, "fine_tune_epochs": 2, "full_runs": 1}
    whole = tmp_path / "whole.safetensors"
    found = search(digits, dense, whole, Listener(), **goal)
    judged = found.chosen.judged
    assert found.met == (judged.loss_points <= 5.0)
    assert len(found.journal.probes) == 2
    for number, stop in enumerate([{"notes": 2}, {"epochs": 1}, {"epochs": 2}]):
        out = tmp_path / f"broken-{number}.safetensors"
        with pytest.raises(KeyboardInterrupt):
            search(digits, dense, out, Listener(**stop), **goal)
        assert not out.exists() and checkpoint_path(out).exists()
        if "notes" in stop:
            with pytest.raises(InvalidOptionError, match="alpha 8, not 4"):
                search(digits, dense, out, Listener(), resume=True, alpha=4, **goal)
        again = Listener()
        search(digits, dense, out, again, resume=True, **goal)
        theirs, ours = load_model(whole), load_model(out)
        assert all(torch.equal(theirs.state[name], ours.state[name]) for name in theirs.state)
        assert theirs.groups == ours.groups
        probes = [note for note in again.notes if note.startswith("Probe")]
        assert len(probes) == (1 if stop == {"notes": 2} else 0)
        assert sorted(path.name for path in tmp_path.glob("broken*")) == sorted(
            f"broken-{one}.safetensors" for one in range(number + 1)
        )


@pytest.mark.slow
def test_a_goal_that_cannot_be_met_is_said(digits, dense, tmp_path):
    fast = {"max_loss": 0.0, "probes": 1, "fine_tune_epochs": 1, "learning_rate": 1e-6}
    out = tmp_path / "packed.safetensors"
    found = search(digits, dense, out, Listener(), full_runs=2, alpha=64, **fast)
    assert len(found.journal.runs) <= 2
    assert found.outcome.startswith("Met" if found.met else "Not met")
    assert found.met == (found.chosen.judged.loss_points <= 0)
    sizes = [run.planned.size for run in found.journal.runs]
    assert sizes == sorted(sizes) or found.met
