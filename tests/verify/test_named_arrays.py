"""Every named array through the RTL, in both organisations where they exist."""

from dataclasses import replace

import numpy as np
import pytest

from systopack.hardware.named_arrays import NAMED_ARRAYS
from systopack.verification.verify import verify
from tests.networks import random_images, random_network

CASES = [
    (name, organisation)
    for name, named in NAMED_ARRAYS.items()
    for organisation in ("tiled", "pipelined")
    if organisation == "tiled"
    or (named.array.cell_kind.layer_pipelined and named.array.weight_buffers == 2)
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "organisation"), CASES)
def test_a_named_array_is_equal_in_every_word_and_cycle(name, organisation):
    rng = np.random.default_rng(7)
    network = random_network(rng, layers=4)
    array = NAMED_ARRAYS[name].array
    array = replace(array, accumulator_bits=network.accumulator_bits)
    images = random_images(rng, network, 2)
    result = verify(network, images, array=array, organisation=organisation)
    assert result.passed, str(result.difference)
    assert result.words > 0


def test_all_named_arrays_are_cases():
    assert {name for name, _ in CASES} == set(NAMED_ARRAYS)
    assert sum(organisation == "pipelined" for _, organisation in CASES) == 5
