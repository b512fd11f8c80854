"""What memories and the logic beside them cost: um2, pJ, leakage.

Memories are priced by width, words and ports from the record `memory_table`, logic by cells of
NanGate 45 nm. What is neither cited nor measured stands in `Assumed`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from systopack.hardware.energy.macros import MacroCost, macro_cost
from systopack.hardware.energy.technology import load_technology

NODE_V = 1.1  # supply of the array's library, to which the memories are scaled
LATCH_UM2, MUX_UM2, GATE_UM2, FLIP_FLOP_UM2 = 2.660, 1.862, 0.798, 4.522  # DLH, MUX2, NAND2, DFF


@dataclass(frozen=True, kw_only=True)
class Assumed:
    """What is assumed, each changed to half and twice in the record.

    Args:
        bus_ff: capacitance of one wire of a bus along the array, its pins included.
        toggles: share of a bus' wires that change from word to word.
        latch_fj: energy of writing a latch, clock and data.
        read_fj: energy of reading a bit of a buffer through its multiplexer, 8 to 1 at the end.
        sram_pj, sram_um2: factors on what CACTI says.
    """

    bus_ff: float = 250.0
    toggles: float = 0.5
    latch_fj: float = 10.0
    read_fj: float = 10.0
    sram_pj: float = 1.0
    sram_um2: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Equal memories and what is read and written in them for one image, all together."""

    name: str
    width: int
    words: int
    count: int
    ports: int = 1
    reads: float = 0.0
    writes: float = 0.0

    @property
    def bytes(self) -> float:
        """Of all of them."""
        return self.width * self.words * self.count / 8


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to feed the array: memories, and the logic that only this way needs."""

    name: str
    memories: Sequence[Memory]
    ports: str
    stall_cycles: int = 0
    latches: int = 0
    flip_flops: int = 0
    muxes: int = 0
    gates: int = 0
    bus_words: float = 0.0  # words of 64 bits sent along the array
    latch_writes: float = 0.0  # bits
    latch_reads: float = 0.0  # bits
    other_pj: float = 0.0


def macro(width: int, words: int, ports: int) -> MacroCost:
    """A memory at 45 nm, 1.1 V."""
    node = load_technology().node("45-hp")
    return macro_cost(width_bits=width, words=words, ports=ports, node=node, voltage_v=NODE_V)


def cost(way: Way, assumed: Assumed) -> dict[str, float]:
    """Everything of a way in um2, pJ of an image and mW."""
    priced = [(m, macro(m.width, m.words, m.ports)) for m in way.memories]
    bus = 64 * assumed.toggles * 0.5e-3 * assumed.bus_ff * NODE_V**2  # pJ a word
    return {
        "bytes": sum(m.bytes for m in way.memories) + (way.latches + way.flip_flops) / 8,
        "um2_memories": assumed.sram_um2 * sum(p.area_um2 * m.count for m, p in priced),
        "um2_logic": LATCH_UM2 * way.latches
        + FLIP_FLOP_UM2 * way.flip_flops
        + MUX_UM2 * way.muxes
        + GATE_UM2 * way.gates,
        "pj_memories": assumed.sram_pj
        * sum(p.read_pj * m.reads + p.write_pj * m.writes for m, p in priced),
        "pj_logic": way.other_pj
        + bus * way.bus_words
        + 1e-3 * (assumed.latch_fj * way.latch_writes + assumed.read_fj * way.latch_reads),
        "leakage_mw": sum(p.leakage_mw * m.count for m, p in priced),
    }
