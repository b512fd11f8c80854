"""Design points: an array with the gating of its clocks, each with a name.

The headline quotes one design point, chosen by name and not by its numbers; tables show the others
that were measured.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from systopack.hardware.array import Array
from systopack.hardware.energy.coefficients import Gating
from systopack.network.network import PackedNetwork


@dataclass(frozen=True, kw_only=True)
class DesignPoint:
    """An array and how its clocks are gated.

    Args:
        name: of it.
        array: of the packed network; the dense one has the same with alpha 1.
        gating: of the cells' clocks.
    """

    name: str
    array: Array
    gating: Gating

    def array_for(self, network: PackedNetwork, *, combined: bool) -> Array:
        """The array of a network, with its accumulators; without combining with alpha 1."""
        return replace(
            self.array,
            alpha=self.array.alpha if combined else 1,
            accumulator_bits=network.accumulator_bits,
        )

    def described(self) -> dict[str, Any]:
        """The array's fields and the gating, for a record."""
        return {**asdict(self.array), "gating": self.gating}


HEADLINE = DesignPoint(name="paper-32x32", array=Array(input_fanout=8, sub_banks=2), gating="clock")


def design_point(array: Array, gating: Gating) -> DesignPoint:
    """A design point from an array of any alpha, named after what it changes in the headline's.

    Arrays of alpha 1 and 8 with any accumulators that differ in nothing else are one design point.
    """
    base = HEADLINE.described()
    like = replace(
        array, alpha=HEADLINE.array.alpha, accumulator_bits=HEADLINE.array.accumulator_bits
    )
    point = DesignPoint(name=HEADLINE.name, array=like, gating=gating)
    changed = [
        name if value is True else f"{name} {value}"
        for name, value in point.described().items()
        if value != base[name]
    ]
    return replace(point, name=", ".join([HEADLINE.name, *changed]))
