"""The networks that come with the package: whole, as their records say, and found by name."""

import json
from pathlib import Path

import pytest

from systopack.errors import InvalidFileError
from systopack.network.file import load, to_bytes
from systopack.network.packaged import network_file, packaged_names, record_beside, record_file
from systopack.records import sha256_of_file

NAMES = packaged_names()


def test_there_are_some():
    assert {"resnet20-cifar10", "resnet20-cifar10-tenth"} <= set(NAMES)
    assert {"lenet5-mnist", "lenet5-mnist-dense"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_file_and_record_belong_together(name):
    path = network_file(Path(f"zoo:{name}"))
    record = json.loads(record_file(name).read_text())
    assert sha256_of_file(path) in record["outputs"].values()
    network = load(path)
    assert to_bytes(network)[0] == path.read_bytes()
    figures = record["figures"]
    assert network.packed_cells == figures["packed_cells"]
    cells, dense_words = {
        "resnet20": (268_336, 57_218),
        "lenet5": (405_536, 1_572),
        "vgg16": (1_641_152, 35_856),
    }[name.partition("-")[0]]
    assert network.dense_cells == figures["dense_cells"] == cells
    words = network.streamed_words(rows=32, columns=32)
    assert words == figures["streamed_words_32x32"]
    assert figures["streamed_words_ratio"] == dense_words / words


def test_paths_are_left_alone_and_unknown_names_refused():
    assert network_file(Path("a/b.spk")) == Path("a/b.spk")
    with pytest.raises(InvalidFileError, match="'lenet' comes with systopack; there are lenet5"):
        network_file(Path("zoo:lenet"))


def test_results_about_a_name_are_written_here():
    assert record_beside(Path("zoo:x"), "verify") == Path("x.verify.json")
    assert record_beside(Path("a/b.spk"), "simulate") == Path("a/b.simulate.json")
