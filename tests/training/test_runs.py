"""Whole runs on a few hundred digits: they train, pack, stop, resume and refuse."""

from dataclasses import replace

import pytest

from systopack.data.open import open_data
from systopack.errors import (
    InvalidFileError,
    InvalidNetworkError,
    InvalidOptionError,
    TrainingError,
)
from systopack.files import checkpoint_path
from systopack.options import checked
from systopack.training.devices import DeviceOptions
from systopack.training.events import SilentObserver
from systopack.training.model import load_model
from systopack.training.run import combine, train
from systopack.training.settings import CombineSettings, TrainSettings
from tests.real import small_set

COMMON = {"fraction": 1.0, "devices": DeviceOptions(accelerator="cpu")}
QUICK = CombineSettings(
    rho=0.3,
    beta=0.5,
    epochs_per_iteration=2,
    fine_tune_epochs=1,
    learning_rate=0.05,
    batch_size=64,
    held_out=50,
)


BUDGET = CombineSettings(
    cells=0.3,
    streamed_words_ratio=2.0,
    array_rows=16,
    array_columns=16,
    budget_steps=2,
    importance="fisher",
    importance_images=128,
    policy="least-loss",
    fine_tune_epochs=1,
    learning_rate=0.05,
    batch_size=64,
    held_out=50,
    distill_weight=0.5,
)


class Killer(SilentObserver):
    """Interrupts a run after a number of epochs, as Ctrl-C would."""

    def __init__(self, epochs=None):
        self.results = []
        self.epochs = epochs

    def on_epoch(self, result):
        self.results.append(result)
        if len(self.results) == self.epochs:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def digits():
    return small_set(open_data("sample"), train=600, test=100)


@pytest.fixture(scope="module")
def dense(digits, tmp_path_factory):
    out = tmp_path_factory.mktemp("dense") / "dense.safetensors"
    settings = TrainSettings(epochs=2, batch_size=64, held_out=50)
    train(
        "lenet5-shift",
        digits,
        settings=settings,
        out=out,
        resume=False,
        observer=SilentObserver(),
        **COMMON,
    )
    return load_model(out)


def test_combining_reaches_rho_and_reports_every_epoch(digits, dense, tmp_path):
    observer = Killer()
    out = tmp_path / "packed.safetensors"
    packed = combine(
        dense, digits, settings=QUICK, out=out, resume=False, observer=observer, **COMMON
    )
    results = observer.results
    assert [r.phase for r in results] == ["joint"] * 4 + ["fine-tune"]
    assert results[-1].nonzeros <= 0.3 * 405_536
    assert results[-1].packed_cells < 0.5 * 405_536
    nonzeros = sum(int(packed.state[f"{name}.weight"].count_nonzero()) for name in packed.groups)
    assert nonzeros <= results[-1].nonzeros
    assert not checkpoint_path(out).exists()
    assert len(load_model(out).history) == 2 + 5


def test_budgets_are_kept_layer_by_layer(digits, dense, tmp_path):
    observer = Killer()
    run = {"out": tmp_path / "packed.safetensors", "resume": False, "observer": observer, **COMMON}
    packed = combine(dense, digits, settings=BUDGET, **run)
    assert [(r.phase, r.iteration) for r in observer.results] == [
        ("joint", 1),
        ("joint", 2),
        ("fine-tune", 0),
    ]
    halfway, full = (result.packed_cells for result in observer.results[:2])
    assert full <= 0.3 * 405_536 < halfway <= 0.3**0.5 * 405_536
    assert packed.gaps == {}
    cells, words, dense_words = 0, 0, 0
    for op in packed.capture().matrix_ops:
        bands = packed.groups[op.name]
        assert all(rows <= 16 for rows, _ in bands) or len(bands[0][1]) == len(op.columns)
        assert max(len(group) for _, groups in bands for group in groups) <= 8
        cells += sum(rows * len(groups) for rows, groups in bands)
        words += op.positions * sum(-(-rows // 16) * -(-len(gs) // 16) for rows, gs in bands)
        dense_words += op.positions * -(-op.rows // 16) * -(-len(op.columns) // 16)
    assert cells == full
    assert words <= dense_words / 2


def test_grouping_in_the_last_iteration_prunes_before_it(digits, dense, tmp_path):
    observer = Killer()
    settings = BUDGET.model_copy(update={"grouping": "last"})
    run = {"out": tmp_path / "packed.safetensors", "resume": False, "observer": observer, **COMMON}
    combine(dense, digits, settings=settings, **run)
    first, second = observer.results[:2]
    assert first.packed_cells == 405_536
    assert first.nonzeros == pytest.approx(0.3**0.5 * 405_536, abs=4)
    assert second.packed_cells <= 0.3 * 405_536


def test_budgets_below_alpha_are_refused(digits, dense, tmp_path):
    settings = BUDGET.model_copy(update={"cells": 0.1, "budget_steps": 1})
    run = {"out": tmp_path / "p.safetensors", "resume": False, "observer": Killer(), **COMMON}
    with pytest.raises(InvalidOptionError, match="raise --alpha"):
        combine(dense, digits, settings=settings, **run)


@pytest.fixture(scope="module")
def unbroken(digits, dense, tmp_path_factory):
    def finished(settings):
        out = tmp_path_factory.mktemp("whole") / "whole.safetensors"
        run = {"settings": settings, "observer": SilentObserver(), **COMMON}
        combine(dense, digits, out=out, resume=False, **run)
        return out.read_bytes()

    return {"plain": finished(QUICK), "budget": finished(BUDGET)}


@pytest.mark.parametrize(
    ("kind", "epochs"),
    [
        ("plain", 1),
        pytest.param("plain", 2, marks=pytest.mark.slow),
        pytest.param("plain", 4, marks=pytest.mark.slow),
        ("budget", 1),
        ("budget", 2),
    ],
)
def test_a_resumed_run_ends_with_identical_weights(digits, dense, unbroken, tmp_path, kind, epochs):
    out = tmp_path / "broken.safetensors"
    run = {"settings": {"plain": QUICK, "budget": BUDGET}[kind], "out": out, **COMMON}
    with pytest.raises(KeyboardInterrupt):
        combine(dense, digits, resume=False, observer=Killer(epochs), **run)
    assert not out.exists()
    combine(dense, digits, resume=True, observer=SilentObserver(), **run)
    assert out.read_bytes() == unbroken[kind]


def test_a_checkpoint_of_other_options_is_refused(digits, dense, tmp_path):
    out = tmp_path / "packed.safetensors"
    with pytest.raises(KeyboardInterrupt):
        combine(dense, digits, settings=QUICK, out=out, resume=False, observer=Killer(1), **COMMON)
    other = QUICK.model_copy(update={"alpha": 4})
    with pytest.raises(InvalidOptionError, match="alpha 8, not 4"):
        combine(dense, digits, settings=other, out=out, resume=True, observer=Killer(), **COMMON)
    checkpoint_path(out).write_bytes(b"damaged")
    with pytest.raises(InvalidFileError, match="checkpoint"):
        combine(dense, digits, settings=QUICK, out=out, resume=True, observer=Killer(), **COMMON)


def test_not_reaching_rho_is_an_error(digits, dense, tmp_path):
    settings = QUICK.model_copy(
        update={"rho": 0.01, "iteration_limit": 1, "epochs_per_iteration": 0}
    )
    with pytest.raises(TrainingError, match="iteration-limit"):
        combine(
            dense,
            digits,
            settings=settings,
            out=tmp_path / "p.safetensors",
            resume=False,
            observer=Killer(),
            **COMMON,
        )


def test_a_loss_that_is_not_finite_stops_the_run(digits, tmp_path):
    settings = TrainSettings(epochs=3, learning_rate=100, batch_size=64, held_out=0)
    with pytest.raises((TrainingError, InvalidNetworkError), match=r"loss became|NaN"):
        train(
            "lenet5-shift",
            digits,
            settings=settings,
            out=tmp_path / "d.safetensors",
            resume=False,
            observer=Killer(),
            **COMMON,
        )
    assert not (tmp_path / "d.safetensors").exists()


def test_models_are_checked_when_loaded(dense, tmp_path):
    path = tmp_path / "model.safetensors"
    dense.save(path)
    state = dict(dense.state)
    state["linear2.bias"] = state["linear2.bias"] * float("nan")
    with pytest.raises(InvalidNetworkError, match=r"linear2\.bias"):
        replace(dense, state=state)
    with pytest.raises(InvalidNetworkError, match="do not fit"):
        replace(dense, class_names=("one", "two"))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InvalidFileError, match="damaged"):
        load_model(path)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (TrainSettings, {"epochs": 0}, "--epochs is 0"),
        (TrainSettings, {"learning_rate": float("nan")}, "--learning-rate is nan"),
        (CombineSettings, {"rho": 0}, "--rho is 0"),
        (CombineSettings, {"beta": 1}, "--beta is 1"),
    ],
)
def test_settings_are_checked(kind, options, message):
    with pytest.raises(InvalidOptionError, match=message):
        checked(kind, **options)


def test_data_of_another_shape_are_refused(digits, tmp_path):
    with pytest.raises(InvalidOptionError, match="resnet20"):
        train(
            "resnet20",
            digits,
            settings=TrainSettings(),
            out=tmp_path / "d.safetensors",
            resume=False,
            observer=Killer(),
            **COMMON,
        )
