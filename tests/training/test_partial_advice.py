"""What cannot be lowered is told with advice that helps, and every parameter is accounted for."""

import pytest
import torch
from torch import nn

from systopack.errors import InvalidNetworkError
from systopack.training import importing
from systopack.training.importing import ImportOptions, open_model
from tests.frontend.computed_weights import Spare, Token, Two


@pytest.fixture
def opened(monkeypatch):
    def open_it(module, *, partial=False):
        monkeypatch.setattr(importing, "_call", lambda _: module)
        options = ImportOptions(input_shape=(1, 8, 8), mean=(0.0,), std=(1.0,), partial=partial)
        return open_model("a:b", options=options)

    return open_it


def test_partial_is_advised_only_where_it_helps(opened):
    helps = nn.Sequential(nn.Conv2d(1, 4, 3), nn.SiLU(), nn.Flatten(), nn.Linear(144, 5))
    with pytest.raises(InvalidNetworkError, match="or pack the other layers with --partial"):
        opened(helps)
    assert "--partial" not in " ".join(opened(helps, partial=True).left_out)
    for module in (Two(), nn.Sequential(nn.Flatten(), nn.SiLU())):
        for partial in (False, True):
            with pytest.raises(InvalidNetworkError) as told:
                opened(module, partial=partial)
            assert "--partial" not in str(told.value)


class Answer(nn.Module):
    """Logits among other tensors."""

    def __init__(self, name):
        super().__init__()
        self.name, self.linear = name, nn.Linear(64, 5)

    def forward(self, images):
        logits = self.linear(images.flatten(1))
        return {"hidden": images * images, self.name: logits, "loss": None}


def test_logits_are_known_by_their_name(opened):
    assert opened(Answer("logits")).graph.ops[0].name == "linear"
    with pytest.raises(InvalidNetworkError, match="returns 2 tensors"):
        opened(Answer("answer"))


def test_parameters_in_no_layer_are_named(opened):
    found = opened(Spare())
    assert set(found.provenance["in_no_layer"]) == {"aux.weight", "aux.bias", "plain"}
    assert opened(nn.Sequential(nn.Flatten(), nn.Linear(64, 5))).provenance["in_no_layer"] == []


def test_plain_parameters_are_named_by_their_own_names(opened):
    left = " ".join(opened(Token(), partial=True).left_out)
    assert "'token'" in left


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_model_that_gives_no_numbers_is_told_so(opened, number):
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 5))
    with torch.no_grad():
        module[1].bias[0] = number
    with pytest.raises(InvalidNetworkError, match="itself gives NaN or infinite outputs"):
        opened(module)


def test_a_model_without_numbers():
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 5, device="meta"))
    with pytest.raises(InvalidNetworkError, match=r"'1\.weight' is on the device 'meta'"):
        importing.check_kind(module)
