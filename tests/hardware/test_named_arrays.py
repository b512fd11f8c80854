"""Arrays by name, size and file: one function, and what one command writes all read."""

import json
from dataclasses import replace

import pytest

from systopack.errors import InvalidFileError, InvalidOptionError
from systopack.hardware.array import Array
from systopack.hardware.named_arrays import DEFAULT_ARRAY, NAMED_ARRAYS, array_from, array_toml
from systopack.records import STORE


def test_a_name_a_size_and_a_change():
    default = NAMED_ARRAYS[DEFAULT_ARRAY].array
    assert array_from() == default == array_from("32x32")
    assert array_from("16x8") == replace(default, rows=16, columns=8)
    shared = {"input_fanout": 8, "cells_per_stage": 4}
    assert array_from("8x4") == replace(default, rows=8, columns=4, **shared)
    assert array_from("compact-32x32", ["weight-buffers=1", "alpha = 4"]) == Array(
        cell="bit-serial-compact",
        alpha=4,
        input_fanout=16,
        cells_per_stage=8,
        weight_buffers=1,
    )


def test_the_default_is_the_design_point_of_the_headline():
    figures = json.loads((STORE / "headline.json").read_text())["figures"]
    assert {one["design_point"] for one in figures.values()} == {DEFAULT_ARRAY}


def test_accumulators_are_the_networks_unless_they_are_said():
    assert array_from(accumulator_bits=16).accumulator_bits == 16
    assert array_from(changes=["accumulator_bits=32"], accumulator_bits=16).accumulator_bits == 32


def test_accumulators_that_a_file_says_are_kept(tmp_path):
    (tmp_path / "a.toml").write_text("accumulator_bits = 32\n")
    (tmp_path / "b.toml").write_text("rows = 8\n")
    assert array_from(str(tmp_path / "a.toml"), accumulator_bits=16).accumulator_bits == 32
    assert array_from(str(tmp_path / "b.toml"), accumulator_bits=16).accumulator_bits == 16


@pytest.mark.parametrize("name", NAMED_ARRAYS)
def test_a_file_that_was_written_is_read(tmp_path, name):
    array = NAMED_ARRAYS[name].array
    (tmp_path / "a.toml").write_text(array_toml(array))
    assert array_from(str(tmp_path / "a.toml")) == array


@pytest.mark.parametrize(
    ("text", "changes", "words"),
    [
        ("32", (), "There is no array '32'; give one of paper-32x32"),
        ("0x4", (), "There is no array '0x4'"),
        ("2000x4", (), "rows is 2000"),
        ("٣x4", (), "There is no array"),
        ("8x8", ("alpha",), "'alpha' changes nothing"),
        ("8x8", ("magic=1",), "'magic=1' changes nothing"),
        ("8x8", ("alpha=x",), "alpha is 'x', but it must be a whole number"),
        ("8x8", ("alpha=99",), "alpha is 99"),
        ("8x8", ("cell=xx",), "cell is 'xx', but it must be one of bit-serial, balanced"),
    ],
)
def test_what_is_no_array_is_refused(text, changes, words):
    with pytest.raises(InvalidOptionError, match=words):
        array_from(text, changes)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("rows = 8\nmagic = 1\n", "has the key 'magic'"),
        ("rows = 8.0\n", "rows is 8.0, but it is a whole number"),
        ("rows = true\n", "rows is True, but it is a whole number"),
        ("cell = 3\n", "cell is 3, but it is a text"),
        ("rows = 2000\n", "describes no array: rows is 2000"),
        ("rows = [", "is no TOML file"),
        ("", "says nothing of an array"),
        ("# " + "x" * 70_000, "longer than 65536 bytes"),
    ],
)
def test_a_file_that_is_no_array_is_refused(tmp_path, content, words):
    path = tmp_path / "a.toml"
    path.write_text(content)
    with pytest.raises(InvalidFileError, match=words):
        array_from(str(path))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InvalidFileError, match="cannot be read"):
        array_from(str(tmp_path / "a.toml"))
