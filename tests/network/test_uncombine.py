"""A network taken apart again has the same weights and computes the same."""

import numpy as np
import pytest

from systopack.network.nodes import MatrixLayer
from systopack.network.reference import run
from systopack.network.uncombine import uncombined
from tests.networks import random_network


@pytest.mark.parametrize("seed", range(5))
def test_the_same_words_from_single_columns(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    apart = uncombined(network)
    for node in apart.nodes:
        if isinstance(node, MatrixLayer):
            assert all(len(group) == 1 for band in node.matrix.bands for group in band.groups)
            before = network.by_name[node.name]
            assert np.array_equal(node.matrix.to_dense(), before.matrix.to_dense())
    images = rng.integers(-128, 128, (2, *network.nodes[0].shape)).astype(np.int8)
    words, single = run(network, images), run(apart, images)
    assert words.keys() == single.keys()
    assert all(np.array_equal(words[name], single[name]) for name in words)
