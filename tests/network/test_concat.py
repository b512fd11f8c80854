"""Concatenations: what they hold, their rules, their file, and row permutation through them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systopack.errors import InvalidNetworkError
from systopack.network.file import load, save
from systopack.network.nodes import ConcatLayer
from systopack.network.permute import permute_rows
from systopack.network.reference import run
from systopack.network.text import describe
from tests.networks import concatenated_networks, random_images, random_network


def concats(network):
    return [node for node in network.nodes if isinstance(node, ConcatLayer)]


def a_network():
    for seed in range(100):
        network = random_network(np.random.default_rng(seed), concatenations=True)
        if concats(network):
            return network
    raise AssertionError("no network with a concatenation")


def with_concat(network, **changes):
    node = concats(network)[0]
    nodes = tuple(replace(n, **changes) if n is node else n for n in network.nodes)
    return replace(network, nodes=nodes)


def test_channels_come_from_their_sources_and_minus_one_is_zero():
    network = a_network()
    node = concats(network)[0]
    channels = node.channels.copy()
    channels[-1] = -1
    network = with_concat(network, channels=channels)
    images = random_images(np.random.default_rng(1), network, 3)
    tensors = run(network, images, keep=network.by_name)
    for channel, (operand, source) in enumerate(zip(node.operands, channels, strict=True)):
        expected = 0 if source < 0 else tensors[node.sources[operand]][:, source]
        assert (tensors[node.name][:, channel] == expected).all()


@settings(max_examples=40, deadline=None)
@given(concatenated_networks, st.integers(0, 1000))
def test_row_permutation_changes_no_output(network, seed):
    images = random_images(np.random.default_rng(seed), network, 2)
    name = network.output.name
    assert np.array_equal(run(permute_rows(network), images)[name], run(network, images)[name])


def test_the_file_holds_it(tmp_path):
    network = a_network()
    save(network, tmp_path / "n.spk")
    loaded = load(tmp_path / "n.spk")
    for ours, theirs in zip(concats(network), concats(loaded), strict=True):
        assert ours.sources == theirs.sources
        assert np.array_equal(ours.operands, theirs.operands)
        assert np.array_equal(ours.channels, theirs.channels)
    assert "concatenation" in describe(loaded)


BROKEN = {
    "no source has it": {"channels": np.array([99], np.int32), "operands": np.array([0], np.int32)},
    "outside 0": {"channels": np.array([0], np.int32), "operands": np.array([9], np.int32)},
    "no channels": {"channels": np.zeros(0, np.int32), "operands": np.zeros(0, np.int32)},
    "another scale": {"exponent": 77},
    "must be equal": {"output_size": (50, 50)},
    "no earlier node": {"sources": ("nobody",)},
}


@pytest.mark.parametrize("reason", BROKEN)
def test_broken_rules_are_named(reason):
    message = "does not have" if reason == "no source has it" else reason
    with pytest.raises(InvalidNetworkError, match=message):
        with_concat(a_network(), **BROKEN[reason])
