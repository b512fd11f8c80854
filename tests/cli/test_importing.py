"""`import`, `export`, and `combine` of a model of others, from the command line."""

import json

import onnx
import pytest
import torch
from safetensors.torch import load_file

from systopack.network.file import load
from tests.cli.test_commands import refused, run  # noqa: F401
from tests.training.test_importing import USER_MODULE

pytest.importorskip("onnxruntime")
NORMALISED = ("--data", "sample", "--mean", "0.13", "--std", "0.31", "--fraction", "0.1")


@pytest.fixture
def user_net(tmp_path):
    (tmp_path / "user_net_cli.py").write_text(USER_MODULE)
    return "user_net_cli:plain"


@pytest.mark.slow
def test_from_a_function_to_every_export(run, user_net, tmp_path):  # noqa: F811
    code, out, err = run("import", user_net, *NORMALISED, "--out", "dense.safetensors")
    assert (code, err) == (0, "")
    assert "the captured layers compute what the model computes" in out
    record = json.loads((tmp_path / "dense.import.json").read_text())
    assert record["figures"]["weights"] == 72 + 72 + 3920
    assert run("export", "dense.safetensors", "--format", "onnx", "--out", "net.onnx")[0] == 0
    settings = ("--rho", 0.5, "--beta", 0.5, "--epochs-per-iteration", 1, "--fine-tune-epochs", 1)
    code, _, err = run("combine", "net.onnx", *NORMALISED, *settings, "--out", "packed.safetensors")
    assert code == 0, err
    assert run("inspect", "packed.safetensors")[0] == 0
    quantize = ("--data", "sample", "--calibration-images", 50, "--out", "packed.spk")
    assert run("quantize", "packed.safetensors", *quantize)[0] == 0
    for kind, source, name in (
        ("state-dict", "packed.safetensors", "w.safetensors"),
        ("onnx", "packed.safetensors", "float.onnx"),
        ("qonnx", "packed.spk", "quantized.onnx"),
    ):
        assert run("export", source, "--format", kind, "--out", name)[0] == 0
    kept = sum(int((w != 0).sum()) for n, w in load_file("w.safetensors").items() if w.ndim > 1)
    assert load("packed.spk").nonzeros <= kept <= 0.5 * record["figures"]["weights"]
    domains = {node.domain for node in onnx.load("quantized.onnx").graph.node}
    assert "qonnx.custom_op.general" in domains


def test_refusals_are_one_sentence(run, user_net, tmp_path):  # noqa: F811
    out = ("--out", "m.safetensors")
    assert refused(run("import", user_net, "--data", "sample", *out), "--mean and --std")
    assert refused(run("import", "user_net_cli:gated", *NORMALISED, *out), "sigmoid", "--partial")
    shape = ("--input-shape", "3by3")
    assert refused(run("import", user_net, *NORMALISED, *shape, *out), "--input-shape", "3by3")
    mean = ("--data", "sample", "--mean", "half", "--std", "1")
    assert refused(run("import", user_net, *mean, *out), "--mean", "half")
    torch.save({"a": torch.zeros(1)}, "weights.pth")
    assert refused(run("combine", "weights.pth", *NORMALISED, *out), "pickle")
    assert refused(run("export", "m.spk", "--format", "coreml", "--out", "m.onnx"), "coreml")
    assert refused(run("export", "m.safetensors", "--format", "qonnx", "--out", "m.onnx"), ".spk")
    assert refused(run("export", "m.safetensors", "--format", "onnx", "--out", "m.txt"), ".onnx")
    assert list(tmp_path.glob("m.*")) == []


def test_pruned_and_copied_weights_are_told(run):  # noqa: F811
    model = "tests.frontend.factories:pruned_and_used_twice"
    code, out, err = run("import", model, *NORMALISED, "--out", "m.safetensors")
    assert code == 0, err
    assert "4 layers with 1,544 weights, 576 of them zero" in out
    assert "'4.weight' is a copy of '2.weight', which the model uses more than once" in err


def test_a_shape_of_two_sizes_is_that_of_signals(run):  # noqa: F811
    model = ("import", "tests.frontend.factories:pruned_and_used_twice", *NORMALISED)
    result = run(*model, "--input-shape", "1x784", "--out", "m.safetensors")
    assert refused(result, "images of (1, 1, 784)")


@pytest.mark.parametrize("factory", ["leaves", "leaves_while_it_runs"])
def test_code_of_others_that_exits_is_an_error(run, factory):  # noqa: F811
    model = f"tests.frontend.factories:{factory}"
    result = run("import", model, "--mean", "0", "--std", "1", "--out", "o.safetensors")
    assert refused(result, "SystemExit" if factory == "leaves" else "cannot be captured")


def test_sys_exit_from_anywhere_is_an_error(run, network, monkeypatch):  # noqa: F811
    def leave(*_):
        raise SystemExit(0)

    monkeypatch.setattr("systopack.network.file.load", leave)
    assert refused(run("simulate", network), "sys.exit")
