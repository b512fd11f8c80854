"""The verbs: names, files and objects are taken alike, and results fit on a screen."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from torch import nn

import systopack
from systopack.errors import InvalidFileError, InvalidOptionError
from systopack.hardware.named_arrays import array_from
from systopack.network.file import save
from tests.networks import random_network

VERBS = [
    *("load_model", "train", "combine", "quantize", "evaluate", "simulate", "energy", "verify"),
    *("write_rtl", "synthesize", "pack", "load"),
]


def fits(value):
    lines = repr(value).splitlines()
    return len(lines) <= 24 and max(map(len, lines)) <= 240


@pytest.fixture
def network():
    return random_network(np.random.default_rng(7))


def test_the_package_shows_its_verbs():
    assert set(VERBS) <= set(dir(systopack))
    for name in dir(systopack):
        assert getattr(systopack, name) is not None
        if name in VERBS:
            assert "Raises:" in systopack.__getattr__(name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'simulte'"):
        _ = systopack.simulte


def test_importing_is_quick():
    code = "import sys, systopack; assert not {'numpy', 'torch', 'pydantic'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_networks_by_object_file_name_and_result(network, tmp_path):
    save(network, tmp_path / "net.spk")
    counted = {
        systopack.simulate(source, "8x8").cycles
        for source in (network, tmp_path / "net.spk", str(tmp_path / "net.spk"))
    }
    assert len(counted) == 1
    assert systopack.simulate("zoo:lenet5-mnist", "paper-32x32").cycles == 14_272
    assert systopack.simulate("zoo:lenet5-mnist").cycles == 12_544
    with pytest.raises(InvalidFileError, match="there are lenet5-mnist"):
        systopack.load("zoo:none")
    with pytest.raises(InvalidOptionError, match="a ndarray was given; give a PackedNetwork"):
        systopack.simulate(np.eye(3))


def test_arrays_by_object_name_size_and_change(network):
    by_size = systopack.simulate(network, "8x8")
    bits = network.accumulator_bits
    assert by_size.array == replace(array_from("8x8"), accumulator_bits=bits)
    assert systopack.simulate(network, by_size.array).figures == by_size.figures
    changed = systopack.simulate(network, "8x8", changes=["weight_buffers=2"])
    assert changed.array.weight_buffers == 2
    with pytest.raises(InvalidOptionError, match="no array 'paper'"):
        systopack.simulate(network, "paper")
    listed = systopack.arrays()
    assert {one.name for one in listed} >= {"paper-32x32", "compact-32x32", "tiny-8x8"}
    measured = {one.name: one for one in listed if one.area_mm2 is not None}
    assert measured["compact-32x32"].energy_uj == pytest.approx(
        systopack.energy("zoo:lenet5-mnist", "compact-32x32").total_pj / 1e6
    )
    assert measured["compact-32x32"].accelerator_uj == pytest.approx(28.961, abs=5e-4)


def test_results_fit_on_a_screen(network):
    for result in (
        network,
        systopack.simulate(network),
        systopack.energy(network, "compact-32x32"),
        systopack.evaluate("zoo:lenet5-mnist"),
        systopack.pack(np.eye(40)),
        next(systopack.zoo()),
    ):
        assert fits(result), repr(result)


def test_pack_takes_matrices_and_files(tmp_path):
    matrix = np.array([[1.0, 0, 0, 2], [0, 3, 0, 0], [0, 0, 0, 4]])
    packed = systopack.pack(matrix, alpha=2, gamma=0)
    np.save(tmp_path / "m.npy", matrix)
    found = systopack.pack(tmp_path / "m.npy", alpha=2, gamma=0)
    assert found.file == tmp_path / "m.packed.safetensors"
    assert found.layers["m"]["groups"] == [len(packed.groups)]
    assert fits(found)


def test_rtl_is_written_and_verified(network, tmp_path):
    written = systopack.write_rtl(network, tmp_path / "rtl", "4x4")
    assert (tmp_path / "rtl" / "accelerator.v").exists()
    assert written.cycles == systopack.simulate(network, "4x4").cycles
    for _ in range(2):  # the package of the same name, once imported, is called like the verb
        with pytest.raises(InvalidFileError, match="images are uint8 of shape"):
            systopack.verify(network, "4x4", data="sample", images=1)


def test_from_a_torch_module_to_a_network_in_five_lines(tmp_path):
    layers = (nn.Conv2d(1, 4, 5, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    module = nn.Sequential(*layers)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    model = systopack.load_model(module, "sample", mean=0.13, std=0.31)
    quick = {"fraction": 0.02, "beta": 0.5, "fine_tune_epochs": 1, "learning_rate": 0.05}
    packed = systopack.combine(model, rho=0.5, **quick)
    found = systopack.quantize(packed, fraction=0.02, out=tmp_path / "packed.spk")
    assert systopack.simulate(found).cycles == systopack.simulate(tmp_path / "packed.spk").cycles
    assert found.network.nonzeros <= 0.5 * sum(w.numel() for w in before.values() if w.ndim > 1)
    assert all((tensor == before[name]).all() for name, tensor in module.state_dict().items())
    assert fits(model) and fits(packed) and fits(found)


def test_settings_are_checked_as_on_the_command_line():
    with pytest.raises(InvalidOptionError, match="--rho is 2, but it must be"):
        systopack.combine("none.safetensors", rho=2)
    with pytest.raises(InvalidOptionError, match="--rho would change nothing"):
        systopack.combine("none.safetensors", rho=0.2, cells=0.3)
    with pytest.raises(InvalidOptionError, match="--learning-rate would change nothing"):
        systopack.quantize("none.safetensors", learning_rate=0.1)
    with pytest.raises(InvalidOptionError, match="--epoch is 3, but it must be one that exists"):
        systopack.train("lenet5-shift", epoch=3)
    with pytest.raises(InvalidOptionError, match="knows its input"):
        systopack.load_model("model.safetensors", mean=0.5)
