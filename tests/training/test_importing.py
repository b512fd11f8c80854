"""Opening models of every kind, and the refusals."""

import pickle
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from systopack.data.open import open_data
from systopack.errors import InvalidFileError, InvalidNetworkError, InvalidOptionError
from systopack.export.float_model import write_onnx
from systopack.frontend import capture as capturing
from systopack.nn import zoo
from systopack.sealed import sealed
from systopack.training.devices import DeviceOptions
from systopack.training.events import SilentObserver
from systopack.training.importing import ImportOptions, open_model
from systopack.training.model import load_model
from systopack.training.run import combine
from systopack.training.session import predictions
from systopack.training.settings import CombineSettings
from tests.frontend.models import SHAPE, build
from tests.real import cifar10, eight_bit, resnet20_dense, small_set

OPTIONS = ImportOptions(input_shape=SHAPE, mean=(0.5,), std=(0.25,))
USER_MODULE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, gated):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8)
        self.head = nn.Linear(8 * 49, 10)
        self.gated = gated

    def forward(self, images):
        tensor = self.depthwise(self.norm(self.conv(images)).relu())
        tensor = tensor * tensor.sigmoid() if self.gated else tensor.relu()
        return self.head(tensor.flatten(1))

def plain():
    torch.manual_seed(0)
    return Net(False)

def gated():
    torch.manual_seed(0)
    return Net(True)

def number():
    return 7

def needs(width):
    return Net(False)

def breaks():
    raise KeyError("width")

class Answer(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Net(True)

    def forward(self, images):
        return {"logits": self.net(images)}

def answer():
    torch.manual_seed(0)
    return Answer()
"""


@pytest.fixture
def user_module(tmp_path, monkeypatch):
    (tmp_path / "user_net.py").write_text(USER_MODULE)
    (tmp_path / "no_text.py").write_text("def f(:")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("user_net", None)
    yield "user_net"
    sys.modules.pop("user_net", None)


@pytest.fixture(scope="module")
def digits():
    return small_set(open_data("sample"), train=400, test=100)


def opened(model, digits, **options):
    return open_model(
        model,
        options=ImportOptions(mean=(0.13,), std=(0.31,), **options),
        class_names=digits.class_names,
        images=digits.train_images[:8],
    )


def combined(model, digits, out):
    return combine(
        model,
        digits,
        settings=CombineSettings(
            rho=0.4,
            epochs_per_iteration=1,
            fine_tune_epochs=1,
            learning_rate=0.05,
            batch_size=100,
            held_out=0,
        ),
        fraction=1.0,
        out=out,
        resume=False,
        devices=DeviceOptions(accelerator="cpu"),
        observer=SilentObserver(),
    )


def test_a_users_own_function_is_combined_saved_and_quantized(user_module, digits, tmp_path):
    dense = opened(f"{user_module}:plain", digits)
    combined(dense, digits, tmp_path / "packed.safetensors")
    sys.modules.pop("user_net")
    (tmp_path / "user_net.py").unlink()  # the file holds all: the user's code is not needed again
    packed = load_model(tmp_path / "packed.safetensors")
    assert packed.state.keys() == dense.state.keys()
    weights = {name: packed.state[name] for name in packed.graph.weighted_ops}
    kept = sum(int((weight != 0).sum()) for weight in weights.values())
    assert kept <= 0.4 * dense.graph.dense_weights
    assert set(packed.groups) == {"conv", "depthwise", "head"}
    network = eight_bit(packed, digits, images=50).network
    assert network.nonzeros <= kept


def test_part_of_a_model_is_packed_and_the_rest_is_named(user_module, digits, tmp_path):
    with pytest.raises(InvalidNetworkError, match=r"sigmoid.*--partial"):
        opened(f"{user_module}:gated", digits)
    dense = opened(f"{user_module}:gated", digits, partial=True)
    assert any("sigmoid" in reason for reason in dense.left_out)
    combined(dense, digits, tmp_path / "packed.safetensors")
    packed = load_model(tmp_path / "packed.safetensors")
    assert packed.left_out == dense.left_out
    share = sum(int((packed.state[n] != 0).sum()) for n in packed.graph.weighted_ops)
    assert share <= 0.4 * dense.graph.dense_weights
    with pytest.raises(InvalidNetworkError, match="Only a part"):
        packed.to_module()


def test_a_part_of_a_model_that_returns_a_dict_is_packed(user_module, digits, tmp_path):
    dense = opened(f"{user_module}:answer", digits, partial=True)
    assert [op.name for op in dense.graph.ops] == ["net.conv", "net.depthwise", "net.head"]
    combined(dense, digits, tmp_path / "packed.safetensors")
    assert load_model(tmp_path / "packed.safetensors").left_out == dense.left_out


def test_an_option_without_effect_is_refused(digits, tmp_path):
    torch.export.save(
        torch.export.export(build("split"), (torch.randn(2, *SHAPE),)), tmp_path / "m.pt2"
    )
    options = ImportOptions(mean=(0.5,), std=(0.25,), input_shape=(1, 9, 9))
    with pytest.raises(InvalidOptionError, match="but --input-shape is"):
        open_model(str(tmp_path / "m.pt2"), options=options)
    options = ImportOptions(mean=(0.5,), std=(0.25,), weights=tmp_path / "w.safetensors")
    with pytest.raises(InvalidOptionError, match="holds its own weights"):
        open_model(str(tmp_path / "m.pt2"), options=options)


def test_programs_and_onnx_files(tmp_path):
    pytest.importorskip("onnx")
    pixels = np.random.default_rng(0).integers(0, 256, (5, *SHAPE)).astype(np.uint8)
    model = build("dense block")
    example = (torch.randn(2, *SHAPE),)
    torch.export.save(torch.export.export(model, example), tmp_path / "m.pt2")
    torch.onnx.export(model, example, tmp_path / "m.onnx", dynamo=False)
    for name in ("m.pt2", "m.onnx"):
        options = ImportOptions(mean=(0.5,), std=(0.25,))
        found = open_model(str(tmp_path / name), options=options, class_names="abc", images=pixels)
        assert found.input_shape == SHAPE
        with torch.no_grad():
            assert torch.allclose(found.to_module().eval()(*example), model(*example), atol=1e-4)


def test_zoo_names_need_weights(tmp_path, digits):
    with pytest.raises(InvalidOptionError, match="no trained weights"):
        opened("lenet5-shift", digits)
    save_file(zoo.build("lenet5-shift", classes=10).state_dict(), tmp_path / "w.safetensors")
    found = opened("zoo:lenet5-shift", digits, weights=tmp_path / "w.safetensors")
    assert found.graph is None and found.architecture == "lenet5-shift"


def test_a_mismatch_on_real_images_stops_the_import(user_module, digits, monkeypatch):
    def changed_afterwards(module, *_, **__):
        module.register_forward_hook(lambda _, __, logits: logits + 1)

    # Capture itself finds nothing; only the images of the data set tell.
    monkeypatch.setattr(capturing, "compare", changed_afterwards)
    with pytest.raises(InvalidNetworkError, match="do not compute what the model computes"):
        opened(f"{user_module}:plain", digits)


REFUSED = {
    "no_such_module:f": (InvalidOptionError, "cannot be imported"),
    "user_net:nothing": (InvalidOptionError, "cannot be imported"),
    "user_net:number": (InvalidOptionError, "gives a int"),
    "user_net:needs": (InvalidOptionError, "TypeError when it is called without arguments"),
    "user_net:breaks": (InvalidOptionError, "KeyError when it is called without arguments"),
    "no_text:f": (InvalidOptionError, "SyntaxError while it is imported"),
    "nothing": (InvalidOptionError, "There is no model 'nothing'"),
    "weights.pth": (InvalidFileError, "Python pickle"),
}


@pytest.mark.parametrize("model", REFUSED)
def test_refusals(model, user_module, digits):
    error, message = REFUSED[model]
    with pytest.raises(error, match=message):
        opened(model, digits)


def test_what_a_model_does_not_tell_has_to_be_given(user_module, digits):
    with pytest.raises(InvalidOptionError, match="--mean and --std"):
        open_model(f"{user_module}:plain", options=ImportOptions(), images=digits.train_images[:4])
    with pytest.raises(InvalidOptionError, match="--input-shape"):
        open_model(f"{user_module}:plain", options=ImportOptions(mean=(0.0,), std=(1.0,)))
    with pytest.raises(InvalidOptionError, match="10 classes apart, but the data set has 3"):
        open_model(
            f"{user_module}:plain",
            options=ImportOptions(input_shape=(1, 28, 28), mean=(0.0,), std=(1.0,)),
            class_names="abc",
        )


def test_nothing_in_a_model_file_is_run(tmp_path):
    """A file that names a callable as its architecture is data all the same."""
    path = tmp_path / "m.safetensors"
    path.write_bytes(pickle.dumps("anything"))
    with pytest.raises(InvalidFileError):
        load_model(path)
    model = open_model("tests.frontend.test_coverage:a_model", options=OPTIONS, class_names="abc")
    model.save(path)
    changed = path.read_bytes().replace(
        b"tests.frontend.test_coverage", b"tests.frontend.no_such_module"[:28]
    )
    path.write_bytes(sealed(changed))
    assert load_model(path).architecture.startswith("tests.frontend.no_such")


@pytest.mark.shared
def test_a_real_network_comes_back_from_onnx_as_it_was(tmp_path):
    pytest.importorskip("onnxruntime")
    model, images = resnet20_dense(), cifar10()
    write_onnx(model, tmp_path / "resnet20.onnx")
    found = open_model(
        str(tmp_path / "resnet20.onnx"),
        options=ImportOptions(mean=model.mean, std=model.std),
        class_names=model.class_names,
        images=images.train_images[:16],
    )
    assert found.graph.dense_weights == model.capture().dense_weights
    some = images.test_images[:300]
    classes = [
        predictions(m.to_module(), some, mean=model.mean, std=model.std) for m in (found, model)
    ]
    assert np.array_equal(*classes)
    assert (classes[0] == images.test_labels[:300]).mean() > 0.88
