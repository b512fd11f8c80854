"""Cached image sets: whatever is changed in the file, what is read is what was decoded."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields

import numpy as np
import pytest

from systopack.data.cache import read_cache, write_cache
from systopack.data.images import make_image_data
from systopack.data.open import open_data


@pytest.fixture
def few():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 1, 3, 4), dtype=np.uint8)
    labels = np.arange(6, dtype=np.int64) % 2
    return make_image_data(
        name="few", class_names=("odd", "even"), train=(images, labels), test=(images, labels)
    )


def same(one, other):
    return all(
        np.array_equal(getattr(one, field.name), getattr(other, field.name))
        for field in fields(one)
    )


def test_what_is_written_is_read(few, tmp_path):
    path = tmp_path / "few.safetensors"
    write_cache(path, few)
    assert same(read_cache(path), few)


def test_no_flipped_bit_gives_other_data(few, tmp_path):
    path = tmp_path / "few.safetensors"
    write_cache(path, few)
    content = path.read_bytes()
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << (place % 8)
        path.write_bytes(changed)
        found = read_cache(path)
        assert found is None or same(found, few), place  # a bit of white space changes nothing


def test_a_file_cut_short_or_made_longer_is_absent(few, tmp_path):
    path = tmp_path / "few.safetensors"
    write_cache(path, few)
    content = path.read_bytes()
    for changed in (b"", content[:7], content[:100], content[:-1], content + b"\0", b"\xff" * 99):
        path.write_bytes(changed)
        assert read_cache(path) is None


def test_a_file_under_the_name_of_another_is_absent(few, tmp_path):
    write_cache(tmp_path / "few.safetensors", few)
    shutil.copy(tmp_path / "few.safetensors", tmp_path / "other.safetensors")
    assert read_cache(tmp_path / "other.safetensors") is None


@pytest.mark.parametrize("field", ["mean", "std", "flip"])
def test_changed_statistics_are_noticed_and_the_set_is_decoded_anew(field, tmp_path):
    right = open_data("sample", cache_dir=tmp_path)
    path = next(tmp_path.iterdir())
    content = path.read_bytes()
    value = getattr(right, field)
    text = json.dumps(json.dumps(value[0] if isinstance(value, tuple) else value)).strip('"')
    place = content.index(text.encode(), content.index(f'\\"{field}\\"'.encode()))
    changed = bytearray(content)
    changed[place + 2] ^= 4
    path.write_bytes(changed)
    assert same(open_data("sample", cache_dir=tmp_path), right)
    assert path.read_bytes() == content  # and written anew
