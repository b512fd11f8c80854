"""Facts of libraries: read strictly, and held against the Liberty file."""

import pytest

from systopack.errors import InvalidFileError, InvalidOptionError
from systopack.synthesis.facts import FOLDER, LibraryFacts, facts_of, known_facts, read_facts
from systopack.synthesis.liberty import BUNDLED, open_library, read_library

TEXT = (FOLDER / "sky130hd.toml").read_text().replace("sky130hd_tt.lib.gz", str(BUNDLED))


def changed(tmp_path, old="", new=""):
    assert old in TEXT
    path = tmp_path / "mine.toml"
    path.write_text(TEXT.replace(old, new, 1))
    return path


def test_what_the_package_knows():
    assert set(known_facts()) == {"nangate45", "sky130hd"}
    assert facts_of("NangateOpenCellLibrary_slow").node_nm == 45
    assert facts_of("another") == LibraryFacts(name="another")
    library = read_library()
    assert library.facts == known_facts()["sky130hd"]
    assert str(library.corner) == "typical, 1.8 V, 25 C"
    assert library.node_nm == 130


def test_an_own_library_by_its_facts(tmp_path):
    library = open_library(str(changed(tmp_path, "node_nm = 130", "node_nm = 28")))
    assert library.path == BUNDLED
    assert library.node_nm == 28


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("node_nm = 130", "", "lacks 'node_nm'"),
        ("node_nm = 130", "node_nm = true", "'node_nm' of the file is True"),
        ("node_nm = 130", "node_nm = -1", "not above 0"),
        ("node_nm = 130", "node_nm = 130\nmore = 1", "unknown 'more'"),
        ("[cells]", "[cells]\nmore = 1", "unknown 'more'"),
        ("voltage_v = 1.8", "voltage_v = 1.8\nmore = 1", "unknown 'more'"),
        ("voltage_v = 1.8", "voltage_v = nan", "finite"),
        ('"*probe*"', '"a; shell rm"', "patterns of cells' names"),
        ("clock_gate_flip_flops = 3", "clock_gate_flip_flops = 0", "at least 1"),
        ("clock_buffer_pins = 16", "clock_buffer_pins = 1", "at least 2"),
        ("clock_buffer_pins = 16", "clock_buffer_pins = 2.5", "whole number"),
        ("[cells]", "[cells", "TOML"),
        ("[cells]", "x = " + "[" * 9000, "nested too deeply"),
        ("[cells]", "#" + "x" * 20_000, "more than 16,384 bytes"),
    ],
)
def test_facts_are_read_strictly(tmp_path, old, new, words):
    path = changed(tmp_path, old, new)
    with pytest.raises(InvalidFileError, match=r"mine\.toml"):
        read_facts(path)
    if words != "TOML":
        with pytest.raises(InvalidFileError, match=words):
            read_facts(path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("sky130_fd_sc_hd__buf_2", "no_such_cell", "name the cell 'no_such_cell'"),
        ("sky130_fd_sc_hd__clkbuf_4", "no_such_cell", "name the cell 'no_such_cell'"),
        ("voltage_v = 1.8", "voltage_v = 1.1", "say 1.1 V"),
    ],
)
def test_facts_of_another_library_are_refused(tmp_path, old, new, words):
    with pytest.raises(InvalidFileError, match=words):
        open_library(str(changed(tmp_path, old, new)))


def test_a_library_without_facts_has_no_node():
    library = read_library(facts=LibraryFacts(name="mine"))
    with pytest.raises(InvalidOptionError, match="write a TOML file of its facts"):
        _ = library.node_nm
