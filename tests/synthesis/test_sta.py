"""OpenSTA, another program altogether, times the same netlists."""

import pytest

from systopack.errors import InvalidFileError
from systopack.hardware.array import Array
from systopack.synthesis.asic import map_array
from systopack.synthesis.delays import propagate
from systopack.synthesis.liberty import read_library
from systopack.synthesis.sta import find_opensta, opensta_critical_ns


@pytest.mark.parametrize("alpha", [1, pytest.param(8, marks=pytest.mark.slow)])
def test_opensta_finds_the_same_longest_path(alpha):
    if find_opensta() is None:
        pytest.skip("needs OpenSTA: apt-get install opensta")
    array = Array(rows=2, columns=2, alpha=alpha, cell="bit-serial-compact", cells_per_stage=2)
    netlist = map_array(array, library=read_library())
    ours = propagate(netlist).critical_ns
    assert ours == pytest.approx(opensta_critical_ns(netlist), rel=0.02)


@pytest.mark.slow
def test_a_machine_without_it_is_told_what_to_install(monkeypatch, tmp_path):
    array = Array(rows=1, columns=1, alpha=1, cell="bit-serial-compact")
    netlist = map_array(array, library=read_library())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidFileError, match="apt-get install opensta"):
        opensta_critical_ns(netlist)
