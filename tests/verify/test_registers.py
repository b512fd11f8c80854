"""`axi_registers.v` has the addresses, names and access rights of the register map."""

import re

import numpy as np
import pytest

from systopack.hardware.array import Array
from systopack.rtl.identity import build_digest, identity
from systopack.rtl.parameters import VERILOG
from systopack.rtl.pipelined.program import compile_pipelined
from systopack.rtl.program import compile_tiled
from systopack.rtl.registers import (
    ADDRESS_BITS,
    BUILD,
    CONTROL,
    DATA,
    IDENTITY,
    MEMORY,
    REGISTERS,
    STATUS,
)
from tests.networks import network_of_positions, random_images
from tests.verify.axi_host import OKAY, SLVERR, SimulatedBoard

MAP = {register.address: register for register in REGISTERS}
EVERYWHERE = range(0, 1 << ADDRESS_BITS, 4)
BITS = {(r.name, b.name): b.mask for r in REGISTERS for b in r.bits}
WEIGHTS = 2  # a memory that both organisations have


@pytest.fixture(params=[compile_tiled, compile_pipelined], ids=["tiled", "pipelined"])
def program(request):
    return request.param(network_of_positions(), array=Array(rows=2, columns=2))


@pytest.fixture
def board(program):
    return SimulatedBoard(program)


def answers(board):
    """By address: what reading and writing it answers."""
    found = {}
    for address in EVERYWHERE:
        board.write(MEMORY, WEIGHTS)
        board.write(DATA, 0)
        value = WEIGHTS if address == MEMORY else 0
        found[address] = (board.read(address)[1], board.write(address, value))
    return found


def told(idle):
    """The same as the map has it."""
    return {
        address: (
            OKAY if register else SLVERR,
            OKAY
            if register and "write" in register.access and (idle or not register.idle)
            else SLVERR,
        )
        for address, register in ((address, MAP.get(address)) for address in EVERYWHERE)
    }


def test_every_address_answers_as_the_map_says(program, board):
    assert answers(board) == told(idle=True)
    board.host.configure(program)
    board.host.start()
    images = random_images(np.random.default_rng(6), program.network, 1)
    board.send(images[0], beats=2, last=False)
    board.advance(200)
    assert board.read(CONTROL) == (BITS["CONTROL", "BUSY"], OKAY)
    assert answers(board) == told(idle=False)


def test_what_registers_read(program, board):
    assert board.read(IDENTITY)[0] == identity(program)
    assert board.read(BUILD)[0] == build_digest(program)
    for register in REGISTERS:
        if register.access == "read, write" and register.address not in (CONTROL, STATUS):
            board.write(register.address, 0xFFFFFFFF)
            masks = [bits.mask for bits in register.bits if bits.access == "read, write"]
            assert board.read(register.address)[0] == sum(masks) or not register.bits
        if register.access == "write":
            board.write(register.address, 0xFFFFFFFF)
            assert board.read(register.address) == (0, OKAY)


def test_the_bit_of_a_dropped_image_is_cleared_by_a_one(program, board):
    board.host.configure(program)
    board.host.start()
    board.send(random_images(np.random.default_rng(6), program.network, 1)[0], beats=1)
    board.advance(500)
    wrong = BITS["STATUS", "WRONG_LENGTH"]
    board.write(STATUS, 0xFFFFFFFF ^ wrong)
    assert board.read(STATUS)[0] & wrong
    board.write(STATUS, wrong)
    assert not board.read(STATUS)[0] & wrong


def test_the_verilog_calls_them_by_their_names():
    text = (VERILOG / "axi_registers.v").read_text()
    assert re.findall(r"^//   (0x\w\w) (\w+) ", text, re.MULTILINE) == [
        (f"{register.address:#04x}", register.name) for register in REGISTERS
    ]
    own = {"IDENTITY": "WHICH", "BUILD": "BUILT"}  # names of parameters
    numbers = {name: int(number) for name, number in re.findall(r"(\w+) = 6'd(\d+)", text)}
    assert numbers == {own.get(r.name, r.name): r.address // 4 for r in REGISTERS}


def test_no_two_bits_that_are_read_or_written_overlap():
    for register in REGISTERS:
        for way in (("read", "read, write", "clear"), ("write", "read, write", "clear")):
            masks = [bits.mask for bits in register.bits if bits.access in way]
            assert sum(masks) == int(np.bitwise_or.reduce(masks or [0]))
