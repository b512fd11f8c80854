"""Model files that are whole, sealed and of the right form, but could not have been trained."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from systopack.errors import InvalidFileError, InvalidNetworkError
from systopack.frontend.capture import capture
from systopack.nn import zoo
from systopack.training.groups import groups_misfit, weights_misfit
from systopack.training.model import TrainedModel, load_model

EPOCH = {
    "phase": "joint", "iteration": 1, "epoch": 1, "loss": 0.5, "train_accuracy_percent": 50.0,
    "held_out_accuracy_percent": None, "nonzeros": 5, "packed_cells": 6, "packing_efficiency": 0.8,
    "learning_rate": 0.1, "dense_accuracy_percent": None,
}  # fmt: skip
GROUPS = {"0": ((2, ((0, 1), (2, 3))),), "3": ((2, ((0,), (1, 2), (3,))),)}


@pytest.fixture
def model():
    """Two layers with a norm; the first has two column groups, and keeps to them."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[1.0, 0, 0, 1], [0, 2, 0, 0]]).reshape(2, 1, 2, 2))
        module[3].weight.copy_(torch.tensor([[1.0, 0, 2, 3, 0, 0, 0, 0]] * 2))
    module.eval()
    return TrainedModel(
        architecture="tiny",
        class_names=("a", "b"),
        mean=(0.25,),
        std=(0.5,),
        state={name: tensor.detach() for name, tensor in module.state_dict().items()},
        graph=capture(module, (1, 3, 3)),
        groups=GROUPS,
        history=(EPOCH,),
    )


def reload(model, tmp_path):
    model.save(tmp_path / "m.safetensors")
    return load_model(tmp_path / "m.safetensors")


def test_the_model_itself_is_read(model, tmp_path):
    assert reload(model, tmp_path).groups == GROUPS


@pytest.mark.parametrize(
    "first",
    [
        ((2, ((0, 1), (1, 3))),),  # doubled
        ((2, ((0, 1), (2, 4))),),  # out of range
        ((2, ((0, 1), (2,))),),  # a column with a weight in no group
        ((2, ((0, 3), (1, 2))),),  # two weights of a row in one group
        ((1, ((0, 1), (2, 3))),),  # a row in no band
    ],
)
def test_groups_that_the_weights_do_not_keep_to(model, tmp_path, first):
    changed = replace(model, groups={**GROUPS, "0": first})
    with pytest.raises(InvalidFileError, match="not a trained model as it should be"):
        reload(changed, tmp_path)


def test_a_layer_without_groups_or_groups_without_a_layer():
    assert weights_misfit({}, {"a": torch.ones(2, 4)}) is not None
    assert groups_misfit({"a": ()}, {}) is not None
    bands = {"a": ((1, ((0, 1),)), (1, ((0,), (1,))))}
    assert weights_misfit(bands, {"a": torch.tensor([[1.0, 0], [1, 1]])}) is None
    told = weights_misfit(bands, {"a": torch.tensor([[1.0, 1], [1, 1]])})
    assert told is not None
    assert "row 0 " in told


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("0.weight", lambda tensor: tensor.int()),
        ("3.bias", lambda tensor: tensor.to(torch.int8)),
        ("1.running_mean", lambda tensor: tensor.bool()),
        ("1.running_var", lambda tensor: -tensor),
        ("1.running_var", lambda tensor: tensor.long()),
    ],
)
def test_tensors_of_another_kind(model, name, change):
    with pytest.raises(InvalidNetworkError, match=r"floating point|variance"):
        replace(model, state={**model.state, name: change(model.state[name])})


@pytest.mark.parametrize(
    "change",
    [{"std": (1e-300,)}, {"std": (1e300,)}, {"mean": (1e38,)}, {"mean": (float("nan"),)}],
)
def test_normalisations_that_no_images_have(model, change):
    with pytest.raises(InvalidNetworkError, match="means"):
        replace(model, **change)


@pytest.mark.parametrize(
    "entry",
    [{}, {**EPOCH, "nonzeros": "5"}, {**EPOCH, "loss": None}, {**EPOCH, "phase": "\x07"}],
)
def test_histories_that_no_run_writes(model, tmp_path, entry):
    with pytest.raises(InvalidFileError, match=r"history|text"):
        reload(replace(model, history=(entry,)), tmp_path)


@pytest.mark.parametrize(
    ("ending", "change"),
    [
        ("weight", lambda tensor: tensor.int()),
        ("displacements", lambda tensor: tensor.float()),
        ("displacements", lambda tensor: tensor.long()),
        ("displacements", lambda tensor: tensor + 256),
        ("displacements", lambda tensor: torch.full_like(tensor, -(2**31))),
        ("running_var", lambda tensor: tensor - 2),
    ],
)
def test_states_of_the_zoo(ending, change):
    state = zoo.build("lenet5-shift", classes=10).state_dict()
    name = next(name for name in state if name.endswith(ending))
    with pytest.raises(InvalidNetworkError, match=name):
        TrainedModel(
            architecture="lenet5-shift",
            class_names=tuple("0123456789"),
            mean=(0.1,),
            std=(0.3,),
            state={**state, name: change(state[name])},
        )


def test_displacements_of_a_captured_layer_are_bounded(model):
    layer = model.graph.ops[0]
    columns = layer.columns.copy()
    columns[0, 1] = -(2**31)
    graph = replace(model.graph, ops=(replace(layer, columns=columns), *model.graph.ops[1:]))
    with pytest.raises(InvalidNetworkError, match="displacement"):
        replace(model, graph=graph)
