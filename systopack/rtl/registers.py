"""The register map of an accelerator, written once.

From it come the constants of the host, the tables of the documentation and of every README, the C
header and the memory map of IP-XACT. A test holds `axi_registers.v` to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

TILED_IDENTITY, PIPELINED_IDENTITY = 0x53590003, 0x53590002
ADDRESS_BITS = 8  # of a byte; the two lowest are ignored


@dataclass(frozen=True, kw_only=True)
class Bits:
    """Bits of a register that mean something of their own.

    Args:
        name: in capitals, as C has it.
        low: the lowest one.
        width: how many there are.
        access: "clear" means that a written 1 clears it.
        meaning: a clause.
    """

    name: str
    low: int
    width: int = 1
    access: Literal["read", "write", "read, write", "clear"]
    meaning: str

    @property
    def mask(self) -> int:
        """Ones in the places of the bits."""
        return ((1 << self.width) - 1) << self.low


@dataclass(frozen=True, kw_only=True)
class Register:
    """A register of 32 bits. Every one can be read; what is only written reads 0.

    Args:
        name: in capitals.
        address: of its lowest byte.
        access: what it is for.
        idle: it can be written only while the accelerator is idle.
        meaning: a clause.
        bits: in it; none: it is one number.
    """

    name: str
    address: int
    access: Literal["read", "write", "read, write"]
    idle: bool = False
    meaning: str
    bits: tuple[Bits, ...] = ()

    @property
    def told_access(self) -> str:
        """Its access in words."""
        return f"{self.access} while idle" if self.idle else self.access


_BUSY = Bits(name="BUSY", low=0, access="read", meaning="a run goes on, or an abort")
REGISTERS = (
    Register(
        name="CONTROL",
        address=0x00,
        access="read, write",
        meaning="write bit 0: start, bit 1: abort; read bit 0: busy",
        bits=(
            _BUSY,
            Bits(name="START", low=0, access="write", meaning="start"),
            Bits(name="ABORT", low=1, access="write", meaning="stop and forget what goes on"),
        ),
    ),
    Register(name="CYCLES", address=0x04, access="read", meaning="cycles of this or the last run"),
    Register(
        name="MEMORY",
        address=0x08,
        access="read, write",
        idle=True,
        meaning="bits 7..0 memory, bits 31..8 bank",
        bits=(
            Bits(name="NUMBER", low=0, width=8, access="read, write", meaning="which memory"),
            Bits(name="BANK", low=8, width=24, access="read, write", meaning="which of its banks"),
        ),
    ),
    Register(
        name="ADDRESS",
        address=0x0C,
        access="read, write",
        idle=True,
        meaning="word to write next",
    ),
    Register(
        name="DATA",
        address=0x10,
        access="write",
        idle=True,
        meaning="next 32 bits of the word, least significant first",
    ),
    Register(
        name="COMMIT",
        address=0x14,
        access="write",
        idle=True,
        meaning="write the word, go on to the next address",
    ),
    Register(
        name="IDENTITY",
        address=0x18,
        access="read",
        meaning=f"{TILED_IDENTITY:#010x} tiled, {PIPELINED_IDENTITY:#010x} layer-pipelined",
    ),
    Register(
        name="ENTERED",
        address=0x1C,
        access="read",
        meaning="word times in which words entered the array (one array)",
    ),
    Register(
        name="STALLED",
        address=0x20,
        access="read",
        meaning="word times in which only weights or sums were waited for (one array)",
    ),
    Register(
        name="STATUS",
        address=0x24,
        access="read, write",
        meaning="bit 0 busy; bit 1 an image was dropped, bit 2 a stream of weights was "
        "too short or too long: write 1 to clear",
        bits=(
            _BUSY,
            Bits(name="WRONG_LENGTH", low=1, access="clear", meaning="an image was dropped"),
            Bits(
                name="WRONG_WEIGHTS",
                low=2,
                access="clear",
                meaning="a stream of weights was too short or too long",
            ),
        ),
    ),
    Register(
        name="DROPPED",
        address=0x28,
        access="read",
        meaning="images of the wrong length since the last reset",
    ),
    Register(
        name="BUILD",
        address=0x2C,
        access="read",
        meaning="digest of all widths and depths, 31 bits",
    ),
)
CONTROL, CYCLES, MEMORY, ADDRESS, DATA, COMMIT, IDENTITY, ENTERED, STALLED = (
    register.address for register in REGISTERS[:9]
)
STATUS, DROPPED, BUILD = (register.address for register in REGISTERS[9:])
START, ABORT = (bits.mask for bits in REGISTERS[0].bits[1:])
WRONG_WEIGHTS = REGISTERS[9].bits[2].mask


def map_lines(told: Mapping[str, str] | None = None) -> Iterator[str]:
    """The map as a table in Markdown, line by line.

    Args:
        told: of registers by name, in place of their meaning in general.
    """
    yield from ("| address | name | access | meaning |", "|---|---|---|---|")
    for register in REGISTERS:
        meaning = (told or {}).get(register.name, register.meaning)
        yield f"| {register.address:#04x} | {register.name} | {register.told_access} | {meaning} |"
