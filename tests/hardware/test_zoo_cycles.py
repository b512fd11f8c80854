"""What every network of the zoo computes, and its cycles on the named arrays, do not change.

`zoo_cycles.json` was written by the models: a digest of the output words of two images of noise
and, for each array, cycles of the array alone, of the tiled and of the layer-pipelined accelerator.
"""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from systopack.hardware.cycles import count_cycles
from systopack.hardware.named_arrays import NAMED_ARRAYS
from systopack.hardware.pipelined.cycles import count_pipelined
from systopack.hardware.tiled.cycles import count_tiled
from systopack.network.file import load
from systopack.network.packaged import network_file
from systopack.network.reference import run

FROZEN = json.loads(Path(__file__).with_name("zoo_cycles.json").read_text())


SLOW = ("vgg16-shift-cifar10",)  # thousands of bands to schedule


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in FROZEN]
)
def test_words_and_cycles(name):
    network = load(network_file(Path(f"zoo:{name}")))
    shape = (2, *network.input.shape)
    images = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
    words = np.ascontiguousarray(run(network, images)[network.output.name])
    assert hashlib.sha256(words.tobytes()).hexdigest()[:16] == FROZEN[name]["words"]
    for array_name, expected in FROZEN[name]["cycles"].items():
        array = replace(NAMED_ARRAYS[array_name].array, accumulator_bits=network.accumulator_bits)
        found = [
            count_cycles(network, array=array).cycles,
            count_tiled(network, array=array).cycles,
            count_pipelined(network, array=array).latency_cycles,
        ]
        assert found == expected, array_name
