"""Every named array through the RTL, in both organisations."""

from dataclasses import replace

import numpy as np
import pytest

from systopack.hardware.named_arrays import NAMED_ARRAYS
from systopack.verification.verify import verify
from tests.networks import random_images, random_network


@pytest.mark.slow
@pytest.mark.parametrize("organisation", ["tiled", "pipelined"])
@pytest.mark.parametrize("name", NAMED_ARRAYS)
def test_a_named_array_is_equal_in_every_word_and_cycle(name, organisation):
    rng = np.random.default_rng(7)
    network = random_network(rng, layers=4)
    array = NAMED_ARRAYS[name].array
    array = replace(array, accumulator_bits=network.accumulator_bits)
    images = random_images(rng, network, 2)
    result = verify(network, images, array=array, organisation=organisation)
    assert result.passed, str(result.difference)
    assert result.words > 0
