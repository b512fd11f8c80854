"""Signals (channels, length) are images of one row, from the torch model to the packed network."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from systopack.errors import InvalidNetworkError
from systopack.export.float_model import to_onnx
from systopack.frontend.bounds import check_run
from systopack.frontend.capture import capture
from systopack.frontend.comparison import take_lines
from systopack.frontend.program_file import load_program
from systopack.network.reference import classify
from systopack.packing.rule import PackingRule
from systopack.quantization.quantize import reference_equals_model
from systopack.training.importing import ImportOptions, open_model
from systopack.training.one_shot import combine_once
from tests.frontend.models import Body, norm
from tests.real import eight_bit

LENGTH = 32
SIGNALS = torch.randn(4, 3, LENGTH, generator=torch.Generator().manual_seed(0))


def line(inputs, outputs, kernel=3, **options):
    options.setdefault("padding", kernel // 2)
    return nn.Conv1d(inputs, outputs, kernel, **options)


def sequence(*layers):
    torch.manual_seed(0)
    first = [line(3, 8, 5, stride=2), norm(8, nn.BatchNorm1d), nn.ReLU()]
    size = nn.Sequential(*first, *layers)(SIGNALS).flatten(1).shape[1]
    return nn.Sequential(*first, *layers, nn.Flatten(), nn.Linear(size, 5)).eval()


def body(function, **layers):
    torch.manual_seed(0)
    return Body(function, **layers).eval()


def residual(m, x):
    a = m.a(x)
    return m.l(torch.cat([F.relu(a + m.b(F.relu(a))), a], 1).amax(2))


MODELS = {
    "max": lambda: sequence(nn.MaxPool1d(2)),
    "max with padding": lambda: sequence(nn.MaxPool1d(3, 2, padding=1)),
    "average": lambda: sequence(nn.AvgPool1d(4)),
    "adaptive average": lambda: sequence(nn.AdaptiveAvgPool1d(1)),
    "adaptive average, overlapping": lambda: sequence(nn.AdaptiveAvgPool1d(5)),
    "adaptive max": lambda: sequence(nn.AdaptiveMaxPool1d(4)),
    "grouped, dilated, same": lambda: sequence(
        nn.Conv1d(8, 8, 3, dilation=2, groups=4, padding="same"), nn.ReLU()
    ),
    "depthwise": lambda: sequence(line(8, 8, groups=8), nn.ReLU6(), line(8, 4, 1)),
    "residual and concatenation": lambda: body(
        residual, a=line(3, 8), b=line(8, 8), l=nn.Linear(16, 5)
    ),
    "padded by hand": lambda: body(
        lambda m, x: m.l(F.relu(m.a(F.pad(x, (2, 0)))).mean(-1)),
        a=line(3, 8, padding=0), l=nn.Linear(8, 5),
    ),
    "an image on the way": lambda: body(
        lambda m, x: m.l(F.relu(m.b(m.a(x[:, :, None]).mean(2).relu())).mean(2)),
        a=nn.Conv2d(3, 8, 1), b=line(8, 8), l=nn.Linear(8, 5),
    ),
}  # fmt: skip


def opened(model):
    options = ImportOptions(input_shape=(3, 1, LENGTH), mean=(0.5,), std=(0.25,))
    return open_model(model, options=options)


@pytest.mark.parametrize("name", MODELS)
def test_models_of_signals_are_read(name, tmp_path):
    model = MODELS[name]()
    found = opened(model)
    with torch.no_grad():
        expected = model(SIGNALS)
        assert torch.allclose(found.to_module().eval()(SIGNALS[:, :, None]), expected, atol=1e-5)
    assert set(found.state) == set(model.state_dict())
    torch.export.save(torch.export.export(model, (SIGNALS,)), tmp_path / "m.pt2")
    loaded, shape, batch = load_program(tmp_path / "m.pt2")
    assert (shape, batch) == ((3, 1, LENGTH), 4)
    assert [op.name for op in capture(loaded, shape, batch=batch).ops] == [
        op.name for op in found.graph.ops
    ] or name == "residual and concatenation"


def test_columns_of_a_line_are_those_of_a_row():
    first, second = opened(MODELS["grouped, dilated, same"]()).graph.ops[:2]
    assert first.columns[:5].tolist() == [[0, 0, dx] for dx in (-2, -1, 0, 1, 2)]
    assert (first.weight_shape, first.window, first.stride) == ((8, 3, 5), (1, 5), (1, 2))
    assert (first.padding, first.output_size) == ((0, 0, 2, 2), (1, 16))
    assert second.columns[:3].tolist() == [[0, 0, dx] for dx in (-2, 0, 2)]


def test_a_signal_may_run_downwards():
    def function(m, x):
        return m.l(F.relu(m.b(m.a(x).mean(3))).mean(2))

    model = body(function, a=nn.Conv2d(3, 8, 3, padding=1), b=line(8, 8), l=nn.Linear(8, 5))
    op = capture(model, (3, 8, 6)).ops[2]  # capture itself compares
    assert (op.window, op.output_size, op.columns[2].tolist()) == ((3, 1), (8, 1), [0, 1, 0])


def test_windows_of_lines_are_counted_before_they_are_computed():
    model = nn.Sequential(nn.AvgPool1d(2**20, 1))
    take_lines(model)
    with pytest.raises(InvalidNetworkError, match="multiplications"):
        check_run("The model", model, 1, (1, 1, 2**22))


def test_a_line_of_images_is_refused():
    model = body(lambda m, x: m.a(x.flatten(2)).mean(2), a=line(3, 8))
    with pytest.raises(InvalidNetworkError, match=r"'aten\.conv1d' in 'a' reads something other"):
        capture(model, (3, 4, 4))


@pytest.mark.parametrize("name", ["max", "residual and concatenation", "depthwise"])
def test_the_packed_network_equals_the_quantized_model(name, tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (40, 3, 1, LENGTH)).astype(np.uint8)
    model = combine_once(opened(MODELS[name]()), rule=PackingRule(alpha=4, gamma=0.5), rho=0.5)
    result = eight_bit(model, data(pixels), images=20)
    differing = reference_equals_model(result, pixels[:6])
    assert differing == dict.fromkeys(differing, 0)
    assert classify(result.network, pixels[:6]).shape == (6,)


def test_a_model_of_signals_is_exported(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    found = opened(MODELS["grouped, dilated, same"]())
    session = runtime.InferenceSession(to_onnx(found).SerializeToString())
    (got,) = session.run(None, {"images": SIGNALS[:, :, None].numpy()})
    with torch.no_grad():
        assert np.allclose(got, found.to_module().eval()(SIGNALS[:, :, None]), atol=1e-5)


def data(pixels):
    from systopack.data.images import ImageData

    return ImageData(
        name="noise",
        class_names=tuple("01234"),
        train_images=pixels,
        train_labels=np.arange(len(pixels)) % 5,
        test_images=pixels,
        test_labels=np.arange(len(pixels)) % 5,
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        sha256="0" * 64,
        flip=False,
    )
