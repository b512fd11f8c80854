"""`systopack quantize` keeps a layer without weights and says so."""

import sys

import torch

from systopack.cli import main as command_line
from systopack.network.file import load
from systopack.nn import zoo
from systopack.packing.rule import PackingRule
from systopack.training.model import TrainedModel
from systopack.training.one_shot import combine_once


def test_an_all_zero_layer_is_kept_with_a_warning(monkeypatch, capsys, tmp_path):
    torch.manual_seed(0)
    state = zoo.build("lenet5-shift", classes=10).state_dict()
    state["conv2.weight"].zero_()
    model = TrainedModel(
        architecture="lenet5-shift",
        class_names=tuple("0123456789"),
        mean=(0.13,),
        std=(0.31,),
        state=state,
    )
    combined = combine_once(model, rule=PackingRule(alpha=8, gamma=0.5), rho=0.2)
    combined.save(tmp_path / "m.safetensors")
    monkeypatch.chdir(tmp_path)
    arguments = ["quantize", "m.safetensors", "--out", "m.spk", "--calibration-images", "50"]
    monkeypatch.setattr(sys, "argv", ["systopack", *arguments])
    try:
        command_line.main()
    except SystemExit as stop:
        assert not stop.code
    assert "'conv2' has no nonzero weight" in capsys.readouterr().err
    layer = load(tmp_path / "m.spk").by_name["conv2"]
    assert layer.matrix.packed_cells == 0
    assert layer.matrix.packing_efficiency == 1
