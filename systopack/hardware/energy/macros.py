"""What a memory costs by its width, depth and ports: macros of CACTI 7 side by side and in banks.

The record `memory_table` holds macros of 8 to 64 bits and 256 bytes to 128 KiB with one port and
with two, at 45 nm (`benchmarks/memory_table.py`). A wider memory is macros of 64 bits side by side,
a deeper one banks behind each other, and none is smaller than 256 bytes. Between two capacities
costs lie on a straight line of their logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from systopack.errors import InvalidOptionError
from systopack.hardware.energy.technology import Node, load_technology
from systopack.records import STORE, read_record

_WIDEST_BITS = 64
_BANK_BYTES = 65536
_SMALLEST_BYTES = 256
_COSTS = ("um2", "read_pj", "write_pj", "leakage_mw")


@dataclass(frozen=True, kw_only=True)
class MacroCost:
    """What a memory costs at one node and supply.

    Args:
        area_um2: of all its macros.
        read_pj, write_pj: of an access of a whole word.
        leakage_mw: standby power.
        macros: how many.
    """

    area_um2: float
    read_pj: float
    write_pj: float
    leakage_mw: float
    macros: int


def macro_cost(
    *, width_bits: int, words: int, ports: int = 1, node: Node, voltage_v: float
) -> MacroCost:
    """Price a memory.

    Args:
        width_bits: of a word, at least 1; an access reads or writes a whole one.
        words: at least 1.
        ports: 1 (reads or writes in a cycle) or 2 (does both).
        node, voltage_v: where; area goes by the node's, energy by its energy polynomial.

    Raises:
        InvalidOptionError: there are no such memories.
    """
    if width_bits < 1 or words < 1 or ports not in (1, 2):
        raise InvalidOptionError(
            f"A memory of {words} words of {width_bits} bits with {ports} ports has no price; give "
            "at least one word of one bit, and 1 or 2 ports."
        )
    table, wide = _table(), math.ceil(width_bits / _WIDEST_BITS)
    least = min(_WIDEST_BITS, math.ceil(width_bits / wide))
    each = min(width for width, own in table if own == ports and width >= least)
    banks = math.ceil(each * words / 8 / _BANK_BYTES)
    size = max(float(_SMALLEST_BYTES), each * words / 8 / banks)
    sizes, costs = table[each, ports]
    found = {name: float(np.exp(np.interp(math.log(size), sizes, costs[name]))) for name in _COSTS}
    technology = load_technology()
    source = technology.node("45-hp")
    energy = technology.energy_factor(source=source, source_v=1.0, target=node, target_v=voltage_v)
    return MacroCost(
        area_um2=found["um2"] * wide * banks * node.area / source.area,
        read_pj=found["read_pj"] * wide * energy,
        write_pj=found["write_pj"] * wide * energy,
        leakage_mw=found["leakage_mw"] * wide * banks,
        macros=wide * banks,
    )


@cache
def _table() -> Mapping[tuple[int, int], tuple[Sequence[float], Mapping[str, Sequence[float]]]]:
    """By width and ports: logarithms of capacities, and of every cost."""
    points = read_record(STORE / "memory_table.json")["figures"]["points"]
    found = {}
    for width, ports in {(point["width_bits"], point["ports"]) for point in points}:
        own = sorted(
            (p for p in points if (p["width_bits"], p["ports"]) == (width, ports)),
            key=lambda point: point["bytes"],
        )
        found[width, ports] = (
            np.log([point["bytes"] for point in own]).tolist(),
            {name: np.log([point[name] for point in own]).tolist() for name in _COSTS},
        )
    return found
