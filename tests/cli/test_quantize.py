"""`systopack quantize`: layers without weights, narrow accumulators and what they cost."""

import re
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from systopack.cli import main as command_line
from systopack.network import reference
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


@pytest.mark.slow
def test_lenet5_on_sixteen_bit_accumulators(run):
    """Accepted, its loss printed, and no accumulator wraps on the images that drive it furthest."""
    options = ("--data", "sample", "--fraction", "0.5")
    assert run("train", "lenet5-shift", *options, "--epochs", "3", "--out", "d.safetensors")[0] == 0
    code, out, err = run(
        "quantize", "d.safetensors", *options, "--accumulator-bits", "16", "--out", "n.spk"
    )
    assert code == 0
    narrow = load("n.spk")
    assert narrow.accumulator_bits == 16
    wide = replace(narrow, accumulator_bits=32)
    rng = np.random.default_rng(0)
    images = np.concatenate(
        [rng.integers(0, 256, (20, 1, 28, 28)), rng.choice([0, 255], (20, 1, 28, 28))]
    ).astype(np.uint8)
    images[:2] = [[[[0]]], [[[255]]]]
    results = [
        reference.run(one, reference.quantize_images(one, images), keep=one.by_name)
        for one in (narrow, wide)
    ]
    for name in narrow.by_name:
        assert np.array_equal(results[0][name], results[1][name]), name
    exact, got = map(
        float, re.search(r"held-out images: float (\S+) %, 8 bit (\S+) %", out).groups()
    )
    assert exact > 95
    assert exact - got <= 1 or f"costs {exact - got:.2f} points" in err
