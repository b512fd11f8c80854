"""Imported models through the RTL: depthwise, concatenated, shuffled, with layers put in."""

import numpy as np
import pytest

from systopack.hardware.array import Array
from systopack.network.reference import quantize_images
from systopack.packing.rule import PackingRule
from systopack.training.one_shot import combine_once
from systopack.verification.verify import verify
from tests.frontend.test_coverage import data, images, trained
from tests.real import eight_bit


@pytest.mark.slow
@pytest.mark.parametrize("name", ["depthwise", "inception", "channel shuffle"])
def test_every_word_and_cycle_of_an_imported_model(name):
    model = combine_once(trained(name), rule=PackingRule(alpha=4, gamma=0.5), rho=0.5)
    network = eight_bit(model, data(), images=20).network
    pixels = quantize_images(network, images(1)[0])
    result = verify(network, pixels, array=Array(rows=8, columns=8, alpha=4))
    assert result.passed, result.difference
    assert result.words > np.prod(network.shapes["input"])
