"""Legal forms of a torch model: what it returns, its types, its axes, and what is refused."""

import typing

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from systopack.errors import InvalidNetworkError
from systopack.frontend.capture import capture, capture_parts
from systopack.frontend.comparison import compare, disagreement
from systopack.frontend.execute import execute
from systopack.frontend.module import graph_logits
from systopack.frontend.weights import raw_weights
from tests.frontend.models import Body, conv

SHAPE = (3, 8, 8)


class Named(typing.NamedTuple):
    logits: torch.Tensor


def classifier(function, **layers):
    torch.manual_seed(0)
    return Body(function, a=conv(3, 4), l=nn.Linear(4, 4), **layers).eval()


def features(model, images):
    return model.l(F.relu(model.a(images)).mean((2, 3)))


RETURNED = {
    "tuple": lambda y: (y,),
    "list": lambda y: [y],
    "dict": lambda y: {"logits": y},
    "named tuple": Named,
    "with nothing": lambda y: (y, None),
    "as an image": lambda y: y[:, :, None, None],
}


@pytest.mark.parametrize("form", RETURNED)
def test_the_logits_may_come_inside_a_container(form):
    model = classifier(lambda m, x: RETURNED[form](features(m, x)))
    graph = capture(model, SHAPE)
    images = torch.randn(3, *SHAPE)
    assert torch.allclose(
        graph_logits(graph, model.state_dict(), images), features(model, images), atol=1e-5
    )


def test_two_tensors_are_refused():
    with pytest.raises(InvalidNetworkError, match=r"returns 2 tensors.*logits; wrap it"):
        capture(classifier(lambda m, x: (features(m, x), x.flatten(1))), SHAPE)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_types_are_captured(dtype):
    assert len(capture(classifier(features).to(dtype), SHAPE).ops) == 3


def test_axes_exchanged_before_a_flattening_permute_columns():
    def channels_last(m, x):
        return m.l(F.relu(m.a(x)).permute(0, 2, 3, 1).flatten(1))

    model = Body(channels_last, a=conv(3, 4), l=nn.Linear(256, 4)).eval()
    graph = capture(model, SHAPE)
    columns = graph.ops[-1].columns
    assert columns[:5].tolist() == [[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0], [0, 0, 1]]
    twice = Body(
        lambda m, x: m.l(
            m.a(x).transpose(1, 3).transpose(1, 2).transpose(3, 2).transpose(1, 2).flatten(1)
        ),
        **dict(model.named_children()),
    )
    assert capture(twice.eval(), SHAPE).ops[-1].rows == 4  # capture itself compares


def test_images_with_channels_last_are_refused_by_the_exchange():
    model = Body(lambda m, x: m.a(x.permute(0, 3, 1, 2)).mean((2, 3)), a=conv(3, 4)).eval()
    with pytest.raises(InvalidNetworkError, match=r"'a' reads an image whose axes 'permute'"):
        capture(model, (8, 8, 3))


def test_a_sigmoid_at_the_end_is_an_ending_and_a_gate_is_none():
    assert capture(classifier(lambda m, x: features(m, x).sigmoid()), SHAPE).ending == "sigmoid"
    with pytest.raises(InvalidNetworkError, match=r"'aten\.sigmoid'.*leave out the gate"):
        capture(classifier(lambda m, x: m.l(m.a(x).sigmoid().mean((2, 3)))), SHAPE)
    with pytest.raises(InvalidNetworkError, match="softmax inside the network"):
        capture(classifier(lambda m, x: m.l(m.a(x).mean((2, 3)).softmax(1))), SHAPE)


def test_operations_in_place_are_read():
    model = classifier(lambda m, x: m.l(F.relu6(m.a(x), inplace=True).mean((2, 3))))
    assert capture(model, SHAPE).ops[0].clip == (0.0, 6.0)


def test_padding_of_a_maximum_is_below_every_value():
    def function(m, x):
        return m.l(F.max_pool2d(F.pad(m.a(x), (0, 1, 0, 1), value=-torch.inf), 3, 2).mean((2, 3)))

    pool = capture(classifier(function), SHAPE).ops[1]
    assert pool.padding == (0, 1, 0, 1)
    # Zeros among values of both signs are pixels, which a layer of ones puts there.
    ops = capture(
        classifier(lambda m, x: m.l(F.max_pool2d(F.pad(m.a(x), (0, 1, 0, 1)), 3, 2).mean((2, 3)))),
        SHAPE,
    ).ops
    assert (ops[1].padding, ops[1].weight, ops[2].padding) == ((0, 1, 0, 1), None, (0, 0, 0, 0))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cells = nn.LSTM(8, 6, batch_first=True)
        self.out = nn.Linear(6, 3)

    def forward(self, images):
        steps, _ = self.cells(images.flatten(1, 2))
        return self.out(steps[:, -1])


REFUSED = {
    "scripted": (lambda: torch.jit.script(nn.Flatten()), "TorchScript"),
    "lazy": (lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(3)), "lazy module"),
    "no layer": (nn.Flatten, "cannot be captured|no layer with weights|images of"),
    "another size": (lambda: nn.Conv2d(5, 2, 3), "cannot be captured by torch.export"),
    "complex": (lambda: nn.Linear(4, 4, dtype=torch.complex64), "complex numbers"),
    "recurrent": (Recurrent, "aten.lstm|flattens|reshapes"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_captured_is_one_sentence(name):
    build, message = REFUSED[name]
    with pytest.raises(InvalidNetworkError, match=message):
        capture(build(), SHAPE)


def parameters_of(model):
    return {name.rpartition(".")[0] for name, _ in model.named_parameters()}


PARTIAL = {
    "two transposed convolutions": [
        conv(3, 8), nn.SiLU(), nn.ConvTranspose2d(8, 8, 2, 2), nn.ReLU(),
        nn.ConvTranspose2d(8, 8, 2, 2), nn.ReLU(),
    ],
    "norms and slopes": [conv(3, 8), nn.SiLU(), nn.GroupNorm(2, 8), nn.PReLU(), conv(8, 8)],
    "batch norm that nothing takes in": [conv(3, 8), nn.SiLU(), nn.BatchNorm2d(8), nn.ReLU()],
    "computed weight": [
        nn.utils.parametrizations.weight_norm(conv(3, 8)), nn.ReLU(), conv(8, 8),
    ],
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PARTIAL)
def test_every_layer_with_parameters_is_packed_or_named(name):
    model = nn.Sequential(*PARTIAL[name], nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
    graph, refusals = capture_parts(model, SHAPE)
    packed = {name.rpartition(".")[0] for op in graph.ops for name in (op.weight, op.norm and
              op.norm.weight) if name}  # fmt: skip
    named = {refusal.layer for refusal in refusals}
    for layer in parameters_of(model):
        inside = {layer.rpartition(".")[0], layer.split(".")[0], layer}
        assert inside & (packed | named), (layer, packed, named)
    assert not packed & named


@pytest.mark.filterwarnings("ignore")
def test_a_recurrent_layer_and_an_unused_one_are_named():
    model = Recurrent()
    model.unused = nn.Linear(2, 2)
    graph, refusals = capture_parts(model, SHAPE)
    assert [op.name for op in graph.ops] == ["out"]
    assert {"cells", "unused"} <= {refusal.layer for refusal in refusals}


def misread(model, graph, factor):
    """The graph with one weight a little off, as a misread would leave it."""
    state = {name: tensor.double() for name, tensor in model.state_dict().items()}

    def weights_of(op):
        weight, bias = raw_weights(op, state)
        return (weight * factor if op.name == "a" else weight), bias

    def logits(graph, _, images):
        tensors = execute(graph, images.double(), weights_of=weights_of)
        return tensors[graph.ops[-1].name].flatten(1)

    return logits


SCALES = {"as trained": (1.0, 0.0), "small": (1e-6, 0.0), "offset": (1e-4, 1e3)}


@pytest.mark.parametrize("name", SCALES)
def test_a_misread_is_caught_at_every_scale_of_the_outputs(name, monkeypatch):
    scale, offset = SCALES[name]
    model = classifier(features)
    with torch.no_grad():
        model.l.weight *= scale
        model.l.bias.fill_(offset)
    graph = capture(model, SHAPE)
    images = torch.randn(4, *SHAPE)
    compare(model, graph, images)
    monkeypatch.setattr("systopack.frontend.comparison.graph_logits", misread(model, graph, 1.003))
    with pytest.raises(InvalidNetworkError, match="1e-4 of its range"):
        compare(model, graph, images)


def test_each_output_has_its_own_scale():
    expected = torch.tensor([[0.0, 1000.0], [1e-3, 2000.0]], dtype=torch.float64)
    assert not disagreement(expected, expected + torch.tensor([1e-8, 1e-2]), noise=1e-12)
    assert "output 0" in disagreement(expected, expected + torch.tensor([1e-6, 0]), noise=1e-12)
    assert "NaN" in disagreement(expected, expected * torch.nan, noise=1)
    assert "shape" in disagreement(expected, expected[:, :1], noise=1)


def test_a_model_may_end_in_a_mean():
    class Ends(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.logits = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 1)

        def forward(self, x):
            return self.logits(torch.relu(self.a(x))).mean((2, 3))

    names = [op.name for op in capture(Ends().eval(), (3, 8, 8)).ops]
    assert names == ["a", "logits", "mean", "logits_1"]
