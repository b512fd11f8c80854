"""Limits of the budgets: by hand on two layers, and said before anything is trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from systopack.data.open import open_data
from systopack.errors import InvalidOptionError
from systopack.frontend.capture import capture
from systopack.training.allocation import TileSize, allocate, layer_choices
from systopack.training.devices import DeviceOptions
from systopack.training.events import SilentObserver
from systopack.training.limits import PAPER_CELLS, PAPER_RATIO, Limits, budget_limits
from systopack.training.model import TrainedModel
from systopack.training.run import combine
from systopack.training.settings import PRESETS, CombineSettings
from tests.real import small_set

TILE = TileSize(rows=4, columns=4)


def limits(cells=0.5, ratio=2.0):
    return Limits(cells=cells, streamed_words_ratio=ratio, alpha=8, tile=TILE)


@pytest.fixture(scope="module")
def small():
    """A 3 x 3 convolution, 1 -> 6 on 28 x 28, and a linear layer 6 -> 10."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(6, 10),
    )  # fmt: skip
    state = {name: tensor.detach().contiguous() for name, tensor in module.state_dict().items()}
    graph = capture(module, (1, 28, 28))
    return TrainedModel(
        architecture="small", class_names=tuple("0123456789"), mean=(0.13,), std=(0.31,),
        state=state, graph=graph,
    )  # fmt: skip


def matrices_of(model):
    rng = np.random.default_rng(0)
    ops = model.graph.weighted_ops.values()
    return {op.name: rng.standard_normal((op.rows, len(op.columns))) for op in ops}


def test_limits_by_hand(small):
    found = budget_limits(matrices_of(small), small.graph, alpha=4, band_rows=4, tile=TILE)
    # Nine columns make 3 groups of at most 4, six make 2: cells 6 * 3 + 10 * 2 of 54 + 60.
    assert found.cells == pytest.approx(38 / 114)
    # Streamed words: 784 positions in 2 row tiles of 3 -> 1 column tiles, 3 row tiles of 2 -> 1.
    assert found.streamed_words_ratio == pytest.approx((784 * 6 + 6) / (784 * 2 + 3))


def test_limits_are_reached_and_never_beaten(small):
    matrices = matrices_of(small)
    found = budget_limits(matrices, small.graph, alpha=4, band_rows=4, tile=TILE)
    choices = {
        op.name: layer_choices(
            matrices[op.name],
            np.ones_like(matrices[op.name]),
            positions=op.positions,
            alpha=4,
            band_rows=4,
            tile=TILE,
        )
        for op in small.graph.weighted_ops.values()
    }
    cells, words = round(found.cells * 114), round((784 * 6 + 6) / found.streamed_words_ratio)
    allocate(choices, cells=cells, streamed_words=words)
    for tighter in ({"cells": cells - 1}, {"streamed_words": words - 1}):
        with pytest.raises(InvalidOptionError, match="No packing"):
            allocate(choices, **tighter)


def test_budgets_that_fit():
    assert limits(0.05, 8.0).fitted_cells() == PAPER_CELLS  # there is room: the paper's
    assert limits(0.05, 8.0).fitted_ratio() == PAPER_RATIO
    assert limits(0.25, 4.08).fitted_ratio() == PAPER_RATIO  # just possible: the paper's too
    assert limits(0.5, 2.0).fitted_cells() == 0.536  # 0.5 ** 0.9, rounded away from the limit
    assert limits(0.5, 2.0).fitted_ratio() == 1.866
    assert (limits(1.0, 1.0).fitted_cells(), limits(1.0, 1.0).fitted_ratio()) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("budgets", "message"),
    [
        ({"cells": 0.499}, r"--cells is 0\.499.*at least 0\.5 of"),
        ({"streamed_words_ratio": 2.1}, r"--streamed-words-ratio is 2\.1.*at most 2 times"),
    ],
)
def test_impossible_budgets_are_named(budgets, message):
    everything = {"cells": None, "streamed_words_ratio": None}
    with pytest.raises(InvalidOptionError, match=message):
        limits().check(**{**everything, **budgets})
    limits().check(cells=0.5, streamed_words_ratio=2.0)


class Deaf(SilentObserver):
    """Fails where anything is trained."""

    def __init__(self):
        self.notes = []

    def on_batch(self, *_):
        raise AssertionError("trained")

    def on_note(self, sentence):
        self.notes.append(sentence)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cells": 0.05}, "--cells"),
        ({"streamed_words_ratio": 3.9}, "--streamed-words-ratio"),
        ({"rho": 1e-9}, "--rho"),
    ],
)
def test_what_is_impossible_is_said_before_any_training(small, options, message, tmp_path):
    with pytest.raises(InvalidOptionError, match=f"^{message} is"):
        run(small, CombineSettings(**options), tmp_path / "p.safetensors", Deaf())
    assert not list(tmp_path.iterdir())


def test_the_preset_fits_a_network_for_which_the_papers_ratio_is_impossible(small, tmp_path):
    preset = {**PRESETS["budgets"], "fine_tune_epochs": 0, "held_out": 20, "batch_size": 40}
    observer = Deaf()
    packed = run(small, CombineSettings(**preset), tmp_path / "p.safetensors", observer)
    assert packed.groups is not None
    assert 1 <= packed.provenance["streamed_words_ratio"] < 3.9
    assert packed.provenance["cells"] == 0.256  # possible here
    assert "most possible" in observer.notes[0]


def run(model, settings, out, observer):
    return combine(
        model,
        small_set(open_data("sample"), train=100, test=10),
        settings=settings,
        fraction=1.0,
        out=out,
        resume=False,
        devices=DeviceOptions(accelerator="cpu"),
        observer=observer,
    )
