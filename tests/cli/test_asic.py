"""`systopack synthesize --target asic`: what it refuses, in one sentence each."""

from pathlib import Path

import pytest

from systopack.cli.synthesis import synthesize
from systopack.errors import InvalidFileError, InvalidOptionError
from systopack.records import read_record


def command(tmp_path, **changes):
    synthesize(
        **({"out": tmp_path, "target": "asic", "array": "2x2", "set_": ["alpha=1"]} | changes)
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"block": "chip"}, "--block is 'chip'"),
        ({"array": "2by2"}, "There is no array '2by2'"),
        ({"clock_ns": 0.0}, "clock period is 0.0 ns"),
        ({"target": "ecp5"}, "give its .spk"),
        ({"block": "accelerator"}, "give its .spk"),
        ({"block": "periphery"}, "runs an image of a network"),
        ({"block": "cell", "array": "compact-32x32"}, "cells work in pairs"),
        ({"target": "moon"}, "--target is 'moon'"),
    ],
)
def test_options_out_of_range(tmp_path, changes, words):
    with pytest.raises(InvalidOptionError, match=words):
        command(tmp_path, **changes)


def test_a_library_that_is_not_there(tmp_path):
    with pytest.raises(InvalidFileError, match=r"absent\.lib"):
        command(tmp_path, liberty=tmp_path / "absent.lib")


@pytest.mark.slow
def test_the_logic_outside_the_array(tmp_path, capsys):
    command(tmp_path, network=Path("zoo:lenet5-mnist"), block="periphery", array="16x16", set_=[])
    figures = read_record(tmp_path / "synthesize.json")["figures"]
    assert set(figures["blocks_pj"]) == {"activation banks", "control", "output lanes"}
    assert figures["total_pj"] == pytest.approx(sum(figures["blocks_pj"].values()))
    assert f"{figures['bits_checked']:,}" in capsys.readouterr().out
