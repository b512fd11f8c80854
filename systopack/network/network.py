"""`PackedNetwork`: a trained network as packed integers, checked once when it is made."""

from __future__ import annotations

from dataclasses import dataclass

from systopack.network.checks import check_network
from systopack.network.graph import NetworkGraph


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PackedNetwork(NetworkGraph):
    """A frozen graph of layers: all that reference, cycle model and hardware need to know.

    Args:
        name: what to call it.
        nodes: in an order in which every node reads only earlier ones; the first is the only
            `InputNode`, the last gives the output.
        accumulator_bits: 16 or 32; accumulation wraps at this width.
        class_names: one per logit, or empty.
        history: what was done to get here, free text by topic; part of the file's hash.

    Raises:
        InvalidNetworkError: a rule of `network.checks` is broken; the message names the layer.
    """

    def __post_init__(self) -> None:
        check_network(self)

    def __repr__(self) -> str:
        """One line; `network.text.describe` tells all."""
        return (
            f"PackedNetwork({self.name!r}, {len(self.layers)} layers, {self.packed_cells:,} of "
            f"{self.dense_cells:,} cells, {self.nonzeros:,} nonzeros)"
        )
