"""A model that its user pruned stays pruned: through import, combining and the exported weights."""

import copy

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.utils import prune

from systopack.data.open import open_data
from systopack.export.float_model import write_state_dict
from systopack.training.devices import DeviceOptions
from systopack.training.events import SilentObserver
from systopack.training.importing import ImportOptions, open_model
from systopack.training.run import combine
from systopack.training.settings import CombineSettings
from tests.real import small_set


@pytest.fixture(scope="module")
def digits():
    return small_set(open_data("sample"), train=200, test=50)


def network():
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 8, 3, stride=4), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(8 * 49, 10))


def pruned():
    model = network()
    layers = [(model[0], "weight"), (model[4], "weight")]
    prune.global_unstructured(layers, prune.L1Unstructured, amount=0.6)
    return model


def opened(model, digits, **options):
    return open_model(
        model,
        options=ImportOptions(mean=(0.13,), std=(0.31,), **options),
        class_names=digits.class_names,
        images=digits.train_images[:8],
    )


def masks(model):
    return {name.removesuffix("_mask"): mask for name, mask in model.named_buffers()
            if name.endswith("_mask")}  # fmt: skip


BUDGETS = {
    "share of the weights": {"rho": 0.2, "beta": 0.5},
    "no weight less": {"rho": 1.0, "beta": 0.5, "gamma": 0},
    "budget of cells": {"cells": 0.4, "budget_steps": 2, "array_rows": 8, "array_columns": 8},
}


@pytest.mark.parametrize("name", BUDGETS)
def test_what_the_user_pruned_stays_pruned(name, digits, tmp_path):
    model = pruned()
    before = copy.deepcopy({n: t.detach() for n, t in model.state_dict().items()})
    dense = opened(model, digits)
    packed = combine(
        dense,
        digits,
        settings=CombineSettings(
            epochs_per_iteration=1, fine_tune_epochs=1, learning_rate=0.05, batch_size=50,
            held_out=0, importance_images=20, policy="least-loss", **BUDGETS[name],
        ),
        fraction=1.0,
        out=tmp_path / "packed.safetensors",
        resume=False,
        devices=DeviceOptions(accelerator="cpu"),
        observer=SilentObserver(),
    )  # fmt: skip
    write_state_dict(packed, tmp_path / "w.safetensors")
    weights = load_file(tmp_path / "w.safetensors")
    for weight, mask in masks(model).items():
        assert not weights[weight][mask == 0].any(), weight
        assert not dense.state[weight][mask == 0].any()
        assert weights[weight].any()
        if name == "no weight less":  # and no other one was pruned
            assert torch.equal(weights[weight] != 0, mask != 0)
    assert weights["4.weight"].ne(dense.state["4.weight"]).any()  # it was trained
    for weight in masks(model):
        prune.remove(model[int(weight[0])], "weight")
    model.load_state_dict(weights)  # the user's names, once the masks are taken off
    assert all(torch.equal(before[n], t) for n, t in pruned().state_dict().items())


def test_the_state_dict_of_a_pruned_model_is_loaded_into_the_plain_class(
    digits, tmp_path, monkeypatch
):
    model = pruned()
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    monkeypatch.setattr("systopack.training.importing._call", lambda _: network())
    loaded = opened("a:b", digits, weights=tmp_path / "w.safetensors")
    assert loaded.state.keys() == network().state_dict().keys()
    for name, tensor in opened(model, digits).state.items():
        assert torch.equal(loaded.state[name], tensor)
    monkeypatch.setattr("systopack.training.importing._call", lambda _: pruned())
    again = opened("a:b", digits, weights=tmp_path / "w.safetensors")
    assert all(torch.equal(again.state[name], tensor) for name, tensor in loaded.state.items())
