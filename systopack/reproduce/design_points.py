"""Design points: an array with the gating of its clocks, each with a name.

The headline quotes one design point, chosen by name and not by its numbers; tables show the others
that were measured.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from systopack.hardware.array import Array
from systopack.hardware.energy.coefficients import Gating
from systopack.hardware.energy.events import Organisation
from systopack.hardware.named_arrays import NAMED_ARRAYS
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


def design_point(array: Array, gating: Gating) -> DesignPoint:
    """A design point from an array of any alpha, under the name or the label of its array.

    Arrays of alpha 1 and 8 with any accumulators that differ in nothing else are one design point.
    """
    like = replace(array, alpha=_PLAIN.alpha, accumulator_bits=_PLAIN.accumulator_bits)
    names = {named.array: name for name, named in NAMED_ARRAYS.items()}
    name = names.get(like, like.label)
    return DesignPoint(
        name=name if gating == "clock" else f"{name}, gating {gating}", array=like, gating=gating
    )


_PLAIN = Array()
# The one named array that was measured at gate level with and without combining.
HEADLINE = design_point(NAMED_ARRAYS["compact-32x32"].array, "clock")
ORGANISATIONS: tuple[Organisation, ...] = ("tiled", "pipelined")
