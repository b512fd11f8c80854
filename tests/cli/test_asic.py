"""`systopack synthesize --target asic`: what it refuses, in one sentence each."""

import pytest

from systopack.cli.synthesis import synthesize
from systopack.errors import InvalidFileError, InvalidOptionError


def command(tmp_path, **changes):
    synthesize(**({"out": tmp_path, "target": "asic", "array": "2x2", "alpha": 1} | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"block": "chip"}, "--block is 'chip'"),
        ({"array": "2by2"}, "--array is '2by2'"),
        ({"clock_ns": 0.0}, "clock period is 0.0 ns"),
        ({"target": "ecp5"}, "give its .spk"),
        ({"block": "accelerator"}, "give its .spk"),
        ({"target": "moon"}, "--target is 'moon'"),
    ],
)
def test_options_out_of_range(tmp_path, changes, words):
    with pytest.raises(InvalidOptionError, match=words):
        command(tmp_path, **changes)


def test_a_library_that_is_not_there(tmp_path):
    with pytest.raises(InvalidFileError, match=r"absent\.lib"):
        command(tmp_path, liberty=tmp_path / "absent.lib")
