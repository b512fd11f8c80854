"""`systopack synthesize`: what it refuses, before any tool runs."""

import pytest

from systopack.cli import fpga
from tests.cli.test_commands import refused, run  # noqa: F401 (a fixture)

NETWORK = "zoo:lenet5-mnist"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--target", "vhdl"], "--target is 'vhdl', but it must be one of asic, ecp5, xilinx"),
        (["--device", "XC7"], "it must be one of LFE5U-25F"),
        (["--seeds", "0"], "--seeds is 0; give at least 1"),
        (["--array", "12"], "There is no array '12'"),
        (["--set", "alpha=1"], "alpha"),
        (["--clock-mhz", "0"], "above 0"),
        (["--target", "xilinx", "--part", "x y"], "Vivado's name of a device"),
    ],
)
def test_refusals(run, tmp_path, options, sentence):  # noqa: F811
    assert refused(run("synthesize", NETWORK, "--out", str(tmp_path), *options), sentence)


def test_the_commands_go_to_their_targets(run, tmp_path, monkeypatch):  # noqa: F811
    calls = []
    monkeypatch.setattr(fpga, "synthesize_ecp5", lambda *_, **o: calls.append(o["device"]))
    monkeypatch.setattr(fpga, "synthesize_xilinx", lambda *_, **o: calls.append(o["part"]))
    for target in ("ecp5", "xilinx"):
        code, _, _ = run("synthesize", NETWORK, "--out", str(tmp_path), "--target", target)
        assert code == 0
    assert calls == ["LFE5UM-85F", "xcku035-fbva676-2-e"]
