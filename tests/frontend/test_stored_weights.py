"""Weights that are computed, masked or shared: stored as they act, once for every use."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm

from systopack.errors import InvalidNetworkError
from systopack.frontend import comparison
from systopack.frontend.capture import capture_parts, capture_whole
from systopack.frontend.effective import float_copy, with_effective_weights
from systopack.frontend.module import graph_logits
from systopack.frontend.program_file import load_program
from systopack.frontend.reading import stored
from tests.frontend.computed_weights import Adapted
from tests.frontend.models import Body, conv, norm

SHAPE = (3, 8, 8)
IMAGES = torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(0))


class Gated(nn.Module):
    """A parametrization of somebody's own."""

    def forward(self, weight):
        return weight * torch.sigmoid(weight) + weight.mean()


class Standardised(nn.Conv2d):
    """A convolution whose weights have mean 0 and deviation 1 at every run."""

    def forward(self, images):
        axes = (1, 2, 3)
        weight = self.weight - self.weight.mean(axes, keepdim=True)
        weight = weight / (self.weight.std(axes, keepdim=True) + 1e-5)
        return F.conv2d(images, weight, self.bias, padding=1)


def halved(layer):
    return prune.l1_unstructured(layer, "weight", 0.5)


def own(layer):
    parametrize.register_parametrization(layer, "weight", Gated())
    return layer


WRAPPED = {
    "mask": halved,
    "masks one on the other": lambda layer: prune.random_unstructured(halved(layer), "weight", 0.2),
    "mask of filters": lambda layer: prune.ln_structured(layer, "weight", 0.5, 2, 0),
    "mask of a bias": lambda layer: prune.l1_unstructured(layer, "bias", 0.5),
    "weight norm": parametrizations.weight_norm,
    "old weight norm": weight_norm,
    "old weight norm, masked": lambda layer: prune.l1_unstructured(
        weight_norm(layer), "weight_v", 0.5
    ),
    "spectral norm": parametrizations.spectral_norm,
    "old spectral norm": spectral_norm,
    "orthogonal": parametrizations.orthogonal,
    "own": own,
    "own of a bias": lambda layer: (
        parametrize.register_parametrization(layer, "bias", Gated()) or layer
    ),
}


def network(wrap=lambda layer: layer):
    torch.manual_seed(0)
    layers = [wrap(conv(3, 8)), norm(8), nn.ReLU(), wrap(conv(8, 8, 1)), nn.ReLU()]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), wrap(nn.Linear(8, 5))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.Sequential(*layers).eval()


def logits(model):
    with torch.no_grad():
        return model(IMAGES)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", WRAPPED)
def test_a_wrapped_weight_is_stored_as_it_acts(name):
    model = network(WRAPPED[name])
    before, plain = logits(model), set(network().state_dict())
    effective = with_effective_weights(model)
    assert torch.allclose(logits(effective), before, atol=1e-5)
    assert set(effective.state_dict()) == plain
    assert torch.equal(logits(model), before)  # and the model is as it was
    captured = capture_whole(model, SHAPE)  # the same from what the model computes
    assert set(captured.state) >= plain
    for key, tensor in effective.state_dict().items():
        assert torch.allclose(captured.state[key], tensor, atol=1e-5), key


@pytest.mark.filterwarnings("ignore")
def test_pruned_weights_are_zero_and_the_others_as_they_were():
    model = network(halved)
    state = with_effective_weights(model).state_dict()
    for layer in ("0", "3", "7"):
        mask = model.state_dict()[f"{layer}.weight_mask"]
        assert 0 < (mask == 0).sum() < mask.numel()
        kept = model.state_dict()[f"{layer}.weight_orig"] * mask
        assert torch.equal(state[f"{layer}.weight"], kept)


def test_a_shared_weight_under_two_masks_is_masked_by_each_alone():
    a, b = conv(3, 3), conv(3, 3)
    b.weight = a.weight
    model = nn.Sequential(prune.random_unstructured(a, "weight", 0.5), nn.ReLU(),
                          prune.random_unstructured(b, "weight", 0.5), nn.Flatten())  # fmt: skip
    model[2]._parameters["weight_orig"] = model[0]._parameters["weight_orig"]
    before = logits(model)
    assert torch.equal(logits(with_effective_weights(model)), before)


@pytest.mark.filterwarnings("ignore")
def test_a_masked_model_has_layers_that_can_be_packed_in_part():
    layers = [halved(conv(3, 8)), nn.SiLU(), parametrizations.weight_norm(conv(8, 4))]
    graph, refusals = capture_parts(with_effective_weights(nn.Sequential(*layers).eval()), SHAPE)
    assert [op.weight for op in graph.ops] == ["0.weight", "2.weight"]
    assert [refusal.operation for refusal in refusals] == ["aten.silu"]


def features(m, images):
    return m.l(F.relu(m.a(images)).mean((2, 3)))


def masked(m, images):
    return m.l(F.relu(F.conv2d(images, m.a.weight * m.mask, m.a.bias)).mean((2, 3)))


def body(function, **layers):
    torch.manual_seed(0)
    model = Body(function, a=conv(3, 8), l=nn.Linear(8, 5), **layers).eval()
    model.register_buffer("mask", torch.rand(8, 3, 3, 3) > 0.5)
    model.register_buffer("constant", torch.rand(8), persistent=False)
    model.plain = torch.randn(8)  # neither parameter nor buffer
    return model


COMPUTED = {
    "a mask by hand": (masked, "a.weight"),
    "an absolute value": (
        lambda m, x: m.l(F.conv2d(x, m.a.weight.abs(), m.a.bias).mean((2, 3))),
        "a.weight",
    ),
    "one weight twice, once turned": (
        lambda m, x: features(m, F.relu(F.conv2d(x, m.a.weight[:3].flip(0), None, padding=1))),
        "a.weight",
    ),
    "a bias that is no part of the state": (
        lambda m, x: m.l(F.conv2d(x, m.a.weight, m.constant + m.plain).mean((2, 3))),
        "a.weight",
    ),
}


@pytest.mark.parametrize("name", COMPUTED)
def test_what_is_computed_from_weights_alone_is_stored(name):
    function, weight = COMPUTED[name]
    model = body(function)
    captured = capture_whole(model, SHAPE)
    assert weight in captured.state and captured.computed
    with torch.no_grad():
        got = graph_logits(captured.graph, captured.state, IMAGES)
    assert torch.allclose(got, logits(model), atol=1e-5)


def test_adapters_are_merged_and_standardised_weights_kept():
    torch.manual_seed(0)
    state = capture_whole(Adapted().eval(), (1, 8, 8)).state
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == {
        "linear.weight": (5, 64), "linear.bias": (5,),
    }  # fmt: skip
    model = nn.Sequential(Standardised(3, 8, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    weight = capture_whole(model.eval(), SHAPE).state["0.weight"]
    assert torch.allclose(weight.std((1, 2, 3)), torch.ones(8), atol=1e-3)


def test_each_use_of_a_layer_has_weights_of_its_own():
    def function(m, x):
        once = F.relu(m.n(m.b(F.relu(m.a(x)))))
        return m.l(F.relu(m.n(m.b(once))).mean((2, 3)))

    model = body(function, b=conv(8, 8), n=norm(8))
    captured = capture_whole(model, SHAPE)
    assert [op.weight for op in captured.graph.matrix_ops] == [
        "a.weight", "b.weight", "b_2.weight", "l.weight",
    ]  # fmt: skip
    assert captured.graph.matrix_ops[2].norm.mean == "n_2.running_mean"
    assert captured.copies["b_2.weight"] == "b.weight"
    assert torch.equal(captured.state["b_2.weight"], captured.state["b.weight"])
    changed = {**captured.state, "b_2.weight": captured.state["b_2.weight"] * 0}
    assert not torch.equal(*(graph_logits(captured.graph, s, IMAGES)
                             for s in (changed, captured.state)))  # fmt: skip


def test_in_part_a_shared_layer_is_packed_once_under_its_first_name():
    shared = conv(3, 3)
    model = nn.Sequential(shared, nn.SiLU(), shared, nn.ReLU(), nn.Flatten()).eval()
    graph, refusals = capture_parts(model, SHAPE)
    assert [op.weight for op in graph.ops] == ["0.weight"]
    assert set(graph.weighted_ops) <= dict(model.named_parameters()).keys()
    assert any("used twice" in refusal.reason for refusal in refusals)


def test_tied_weights_keep_the_names_of_their_layers():
    b, c = conv(8, 8), conv(8, 8)
    c.weight = b.weight
    model = body(lambda m, x: m.l(m.c(m.b(m.a(x))).mean((2, 3))), b=b, c=c)
    captured = capture_whole(model, SHAPE)
    assert list(captured.graph.weighted_ops) == ["a.weight", "b.weight", "c.weight", "l.weight"]
    assert captured.copies == {"c.weight": "b.weight"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [n for n in WRAPPED if n != "orthogonal"])
def test_saved_programs_store_what_they_compute(name, tmp_path):
    model = network(WRAPPED[name])
    torch.export.save(torch.export.export(model, (IMAGES,)), tmp_path / "m.pt2")
    captured = capture_whole(load_program(tmp_path / "m.pt2")[0], SHAPE, batch=4)
    got = graph_logits(captured.graph, captured.state, IMAGES)
    assert torch.allclose(got, logits(model), atol=1e-5)


def test_what_is_computed_from_weights_has_a_limit(monkeypatch):
    monkeypatch.setattr(stored, "_BYTES", 0)
    monkeypatch.setattr(stored, "_TIMES", 1)
    with pytest.raises(InvalidNetworkError, match="than 1 times the bytes of its weights"):
        capture_whole(body(COMPUTED["a mask by hand"][0]), SHAPE)


def casting(m, images):
    return m.l(F.relu(m.a(images.to(m.a.weight.dtype))).mean((2, 3)).type_as(m.l.weight)).float()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_models_that_cast_are_read_in_one_type(dtype, tmp_path):
    model = body(casting).to(dtype)
    model.l.bias.data = model.l.bias.data.float().to(dtype)
    captured = capture_whole(float_copy(model), SHAPE)
    assert len(captured.graph.ops) == 3
    torch.export.save(torch.export.export(model, (IMAGES,)), tmp_path / "m.pt2")
    program, *_ = load_program(tmp_path / "m.pt2")
    assert {t.dtype for t in program.state_dict().values()} <= {torch.float32, torch.bool}
    assert len(capture_whole(program, SHAPE, batch=4).graph.ops) == 3


def test_a_cast_that_breaks_the_comparison_would_be_seen(monkeypatch):
    model = float_copy(body(lambda m, x: m.l(m.a(x.half()).mean((2, 3)))).half())
    assert len(capture_whole(model, SHAPE).graph.ops) == 3
    monkeypatch.setattr(comparison.OneType, "__torch_function__",
                        lambda s, function, types, args=(), kwargs=None: function(
                            *args, **(kwargs or {})))  # fmt: skip
    with pytest.raises(InvalidNetworkError, match="cannot be captured"):
        capture_whole(model, SHAPE)


def test_what_an_operation_changes_in_place_is_read():
    def function(m, x):
        tensor = m.a(x)
        F.relu_(tensor)  # its result is not taken
        return m.l(tensor.mean((2, 3)))

    assert capture_whole(body(function), SHAPE).graph.ops[0].activation == "relu"
