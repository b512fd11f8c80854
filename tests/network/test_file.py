"""Saved networks: the round trip, and every way a file can be wrong."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systopack.errors import InvalidFileError
from systopack.network.file import load, save, to_bytes
from systopack.network.permute import count_streams_out_of_place, permute_rows
from systopack.network.ranges import accumulator_bounds
from systopack.network.reference import run
from systopack.network.text import describe
from tests.network.spk_files import build, parse
from tests.networks import networks, random_images, random_network


@settings(max_examples=30, deadline=None)
@given(network=networks)
def test_a_loaded_network_saves_to_the_same_bytes(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("spk") / "net.spk"
    digest = save(network, path)
    again = load(path)
    assert to_bytes(again) == (path.read_bytes(), digest)
    assert describe(again) == describe(network)


@settings(max_examples=60, deadline=None)
@given(network=networks, seed=st.integers(0, 1000))
def test_row_permutation_keeps_the_output(network, seed):
    images = random_images(np.random.default_rng(seed), network, 2)
    permuted = permute_rows(network)
    name = network.output.name
    assert np.array_equal(run(network, images)[name], run(permuted, images)[name])
    before = sum(count_streams_out_of_place(network).values())
    assert sum(count_streams_out_of_place(permuted).values()) <= before


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "net.spk"
    save(random_network(np.random.default_rng(5)), path)
    return path


def test_every_flipped_bit_is_found(saved):
    content = saved.read_bytes()
    rng = np.random.default_rng(0)
    header = np.arange(200)
    for position in np.concatenate([header, rng.integers(0, len(content), 300)]):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(rng.integers(8))
        saved.write_bytes(bytes(damaged))
        with pytest.raises(InvalidFileError):
            load(saved)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 100, -1])
def test_a_truncated_file_is_refused(saved, length):
    saved.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(InvalidFileError, match="damaged"):
        load(saved)


def test_a_newer_version_is_refused(saved):
    saved.write_bytes(saved.read_bytes().replace(b'format_version\\": 2', b'format_version\\": 9'))
    with pytest.raises(InvalidFileError, match="version 9"):
        load(saved)


def test_a_pickle_is_refused_unread(saved):
    saved.write_bytes(pickle.dumps({"weights": [1, 2]}))
    with pytest.raises(InvalidFileError, match="pickle"):
        load(saved)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InvalidFileError, match=r"no file .*none\.spk"):
        load(tmp_path / "none.spk")


def test_any_safetensors_reader_can_open_it(saved):
    from safetensors import safe_open

    with safe_open(saved, framework="numpy") as reader:
        header = json.loads(reader.metadata()["systopack"])
    assert header["format_version"] == 2


def of_version_1(content, ranges):
    """The file as version 1 wrote it: every node names the range that calibration saw."""
    header, tensors = parse(content)
    nodes = [{**node, "range": ranges} for node in header["nodes"]]
    return build({**header, "format_version": 1, "nodes": nodes}, tensors)


@pytest.mark.parametrize("ranges", [None, [-3, 7], [0, 0]])
def test_version_1_is_read_and_its_ranges_prove_nothing(saved, ranges):
    network = load(saved)
    saved.write_bytes(of_version_1(saved.read_bytes(), ranges))
    again = load(saved)
    assert to_bytes(again) == to_bytes(network)
    assert accumulator_bounds(again) == accumulator_bounds(network)


@pytest.mark.parametrize("ranges", [[7, -3], [-129, 0], [0.0, 1.0], [True, True], "ab", 3, {}])
def test_wrong_ranges_of_version_1_are_refused(saved, ranges):
    saved.write_bytes(of_version_1(saved.read_bytes(), ranges))
    with pytest.raises(InvalidFileError, match="range"):
        load(saved)
