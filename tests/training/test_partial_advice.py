"""What cannot be lowered is told with advice that helps, and every parameter is accounted for."""

import warnings

import pytest
import torch
from torch import nn

from systopack.errors import InvalidNetworkError
from systopack.training import importing
from systopack.training.importing import ImportOptions, open_model
from tests.frontend.computed_weights import Adapted, Spare, Token, Two, parametrized


@pytest.fixture
def opened(monkeypatch):
    def open_it(module, *, partial=False):
        monkeypatch.setattr(importing, "_call", lambda _: module)
        options = ImportOptions(input_shape=(1, 8, 8), mean=(0.0,), std=(1.0,), partial=partial)
        return open_model("a:b", options=options)

    return open_it


@pytest.mark.parametrize("kind", ["weight_norm", "spectral_norm", "orthogonal"])
def test_parametrized_weights_are_told_how_to_be_stored(opened, kind):
    how = r"in '1' computes a weight .* torch.nn.utils.parametrize.remove_parametrizations"
    with pytest.raises(InvalidNetworkError, match=how):
        opened(parametrized(kind))
    # The sentence is once in the list of what is left out, however many operations there are.
    left = opened(parametrized(kind), partial=True).left_out
    assert sum("parametriz" in sentence for sentence in left) == 1
    module = parametrized(kind)
    nn.utils.parametrize.remove_parametrizations(module[1], "weight")
    assert not opened(module).left_out


@pytest.mark.parametrize("model", [Adapted, lambda: parametrized("old")])
def test_other_computed_weights(opened, model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = model()
    with pytest.raises(InvalidNetworkError, match="computes with stored numbers alone; store"):
        opened(module)


def test_partial_is_advised_only_where_it_helps(opened):
    helps = nn.Sequential(nn.Conv2d(1, 4, 3), nn.SiLU(), nn.Flatten(), nn.Linear(144, 5))
    with pytest.raises(InvalidNetworkError, match="or pack the other layers with --partial"):
        opened(helps)
    assert "--partial" not in " ".join(opened(helps, partial=True).left_out)
    for module in (Two(), nn.Sequential(nn.Flatten(), nn.SiLU()), Adapted()):
        for partial in (False, True):
            with pytest.raises(InvalidNetworkError) as told:
                opened(module, partial=partial)
            assert "--partial" not in str(told.value)


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
