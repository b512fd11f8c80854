"""Trained networks through the RTL of a 32 x 32 array: every word of every layer, every cycle."""

import numpy as np
import pytest

from systopack.hardware.array import Array
from systopack.network.reference import quantize_images
from systopack.verification.verify import verify
from tests.real import cifar10, resnet20_quantized


@pytest.mark.slow
@pytest.mark.shared
def test_the_packed_resnet20_on_two_images():
    network = resnet20_quantized().network
    images = quantize_images(network, cifar10().test_images[:2])
    result = verify(network, images, array=Array())
    assert result.passed, str(result.difference)
    assert result.words > 2 * 190_000  # every stored byte and result, each once


@pytest.mark.slow
def test_a_lenet5_shift_with_random_weights_on_an_odd_array():
    from tests.verify.lenet import random_lenet5_shift

    network = random_lenet5_shift(np.random.default_rng(5), density=0.1)
    images = np.random.default_rng(6).integers(-128, 128, (1, 1, 28, 28)).astype(np.int8)
    array = Array(rows=24, columns=20, input_fanout=2)
    result = verify(network, images, array=array)
    assert result.passed, str(result.difference)
