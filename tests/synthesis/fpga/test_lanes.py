"""Netlists of small modules, simulated in 64 lanes, against plain Python."""

import numpy as np
import pytest

from systopack.errors import InvalidFileError
from systopack.rtl.parameters import sources
from systopack.synthesis.fpga.design import FpgaDesign
from systopack.synthesis.fpga.ecp5 import synthesize_ecp5
from systopack.synthesis.fpga.lanes import LaneSimulation
from systopack.synthesis.fpga.simulate import as_lanes, of_lanes


def simulation(top, **parameters):
    files = tuple(sources((f"{top}.v",)))
    netlist = synthesize_ecp5(FpgaDesign(top=top, sources=files, parameters=parameters))
    return LaneSimulation(netlist.netlist, top=top)


@pytest.mark.parametrize(("width", "words"), [(36, 500), (18, 900), (4, 12), (9, 1700)])
def test_memories_keep_words_of_each_lane(width, words):
    bits = (words - 1).bit_length()
    pins = simulation("memory", WIDTH=width, ADDRESS_BITS=bits, WORDS=words)
    rng = np.random.default_rng(width)
    kept = {}
    for address in rng.integers(0, words, 20).tolist() * 2:
        values = rng.integers(0, 1 << min(width, 31), 64).astype(np.uint32)
        pins.set("write", 1)
        pins.set("write_address", address)
        pins.set_lanes("write_data", as_lanes(values[:, None], width)[0])
        kept[address] = values
        pins.clock()
    pins.set("write", 0)
    for address, values in kept.items():
        pins.set("read_address", address)
        pins.clock()
        assert (of_lanes(pins.lanes("read_data"), 64) == values).all()


def test_one_address_for_all_lanes():
    pins = simulation("memory", WIDTH=36, ADDRESS_BITS=9, WORDS=500)
    pins.set_lanes("read_address", as_lanes(np.arange(64, dtype=np.uint32)[:, None], 9)[0])
    with pytest.raises(InvalidFileError, match="one image at a time"):
        pins.clock()


def test_registers_with_a_mask():
    pins = simulation("masked_register", WIDTH=8)
    pins.set("in", 0b10101010)
    pins.set("mask", 0b11110000)
    pins.clock()
    assert pins.get("out") == 0b10100000


def test_rounding_in_every_lane():
    pins = simulation("requantize", WIDTH=16)
    values = np.random.default_rng(0).integers(-(1 << 15), 1 << 15, 64)
    for shift in (0, 1, 5, 15):
        pins.set("shift", shift)
        pins.set_lanes("value", as_lanes((values & 0xFFFF).astype(np.uint32)[:, None], 16)[0])
        pins.settle()
        rounded = np.clip(np.rint(values / 2.0**shift), -128, 127).astype(np.int64) & 255
        assert (of_lanes(pins.lanes("result"), 64) == rounded).all()
