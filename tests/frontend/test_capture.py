"""Capture of torch models: columns typed out, every zoo model, and refusals by name."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from systopack.errors import InvalidNetworkError
from systopack.frontend.capture import capture
from systopack.frontend.graph import MatrixOp, PoolOp
from systopack.nn import zoo
from systopack.nn.shift import Shift


class Classifier(nn.Module):
    """Any body, then global average pooling and a linear layer."""

    def __init__(self, body, channels):
        super().__init__()
        self.body = body
        self.linear = nn.Linear(channels, 3)

    def forward(self, images):
        return self.linear(self.body(images).mean((2, 3)))


@pytest.mark.parametrize("name", zoo.ZOO)
def test_every_zoo_model_is_captured(name):
    # capture() itself compares the captured layers with the model.
    graph = capture(zoo.build(name, classes=10), zoo.entry(name).input_shape)
    assert graph.channels[graph.ops[-1].name] == 10


def test_columns_of_a_strided_convolution_with_uneven_padding():
    body = nn.Sequential(nn.ZeroPad2d((2, 0, 1, 0)), nn.Conv2d(2, 4, (1, 2), stride=2))
    graph = capture(Classifier(body, 4), (2, 5, 6))
    op = graph.ops[0]
    assert op.columns.tolist() == [[0, -1, -2], [0, -1, -1], [1, -1, -2], [1, -1, -1]]
    assert (op.padding, op.stride, op.output_size) == ((1, 0, 2, 0), (2, 2), (3, 4))


def test_columns_of_a_shift_convolution():
    body = nn.Sequential(Shift([(0, 1), (-1, 0)]), nn.Conv2d(2, 4, 1, stride=2))
    op = capture(Classifier(body, 4), (2, 6, 6)).ops[0]
    assert op.kind == "shift"
    assert op.columns.tolist() == [[0, 0, 1], [1, -1, 0]]
    assert op.padding == (1, 0, 0, 1)


class Shortcuts(nn.Module):
    """Residual additions of every kind, in both orders of the operands."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.b = nn.Conv2d(8, 8, 3, padding=1)
        self.c = nn.Conv2d(8, 12, 3, stride=2, padding=1)
        self.d = nn.Conv2d(8, 12, 1, stride=2)
        self.norm = nn.BatchNorm2d(8)
        self.linear = nn.Linear(12 * 4 * 4, 5)

    def forward(self, images):
        a = F.relu(self.a(images))
        b = F.relu6(a + self.norm(self.b(a)))
        shortcut = F.pad(b[:, :, ::2, ::2], (0, 0, 0, 0, 1, 3))
        c = F.relu(shortcut + self.c(b))
        e = c + self.d(a)
        return self.linear(e.flatten(1))


def test_residual_additions():
    graph = capture(Shortcuts(), (3, 8, 8))
    ops = {op.name: op for op in graph.ops}
    assert ops["b"].residual.source == "a"
    assert ops["b"].activation == "clip"
    assert ops["c"].residual.channels.tolist() == [-1, 0, 1, 2, 3, 4, 5, 6, 7, -1, -1, -1]
    assert ops["c"].residual.stride == (2, 2)
    assert ops["d"].residual.source == "c"


def test_average_and_dilation():
    body = nn.Sequential(
        nn.Conv2d(3, 4, 3, dilation=2, padding=2), nn.ReLU(), nn.AvgPool2d(2), nn.Dropout(0.5)
    )
    graph = capture(Classifier(body, 4), (3, 8, 8))
    convolution, average, mean, linear = graph.ops
    assert isinstance(convolution, MatrixOp)
    assert convolution.columns[:3].tolist() == [[0, -2, -2], [0, -2, 0], [0, -2, 2]]
    assert isinstance(average, PoolOp)
    assert (average.kernel, mean.kernel, linear.kind) == ((2, 2), (4, 4), "linear")


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, images):
        tensor = self.conv(images)
        return tensor * torch.sigmoid(tensor)


REFUSED = {
    "gelu": (nn.Sequential(nn.Conv2d(3, 4, 1), nn.GELU()), r"'aten\.gelu' in 'body\.1' .*ReLU"),
    "gate": (Gate(), r"'aten\.sigmoid' in 'body' .*leave out the gate"),
    "upsampling": (
        nn.Sequential(nn.Conv2d(3, 4, 1), nn.Upsample(scale_factor=2)),
        r"'aten\.upsample_nearest2d' in 'body\.1'",
    ),
    "uneven adaptive pooling": (
        nn.Sequential(nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d((2, 5))),
        r"in 'body\.1' pools 4 x 4 to 2 x 5 in windows of unequal .* 2 or 3 or 4 columns",
    ),
    "uneven average": (
        nn.Sequential(nn.Conv2d(3, 4, 1), nn.AvgPool2d(2, padding=1, count_include_pad=False)),
        r"count_include_pad=True",
    ),
    "other padding": (
        nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"),
        r"'aten\.pad' in 'body' pads with something other than zeros",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_unknown_layers_are_refused_by_name_and_place(name):
    body, message = REFUSED[name]
    with pytest.raises(InvalidNetworkError, match=message):
        capture(Classifier(body, 4), (3, 4, 4))


def test_a_layer_used_twice_becomes_two():
    shared = nn.Conv2d(4, 4, 1)
    body = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), shared, nn.ReLU(), shared)
    ops = capture(Classifier(body, 4), (3, 4, 4)).ops  # capture itself compares
    assert [op.weight for op in ops[:3]] == [f"body.{n}.weight" for n in (0, 2, 4)]


def test_the_model_is_left_as_it_was():
    model = zoo.build("lenet5-shift", classes=10).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    capture(model, (1, 28, 28))
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
