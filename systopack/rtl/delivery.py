"""An accelerator for one network, as it is handed over: files, and what others must know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from systopack.network.network import PackedNetwork
from systopack.rtl.identity import Program
from systopack.rtl.program import TiledProgram


@dataclass(frozen=True, kw_only=True, eq=False)
class Delivery:
    """What is written for a network.

    Args:
        program: the compiled network.
        files: contents by name.
        cycles: the model's, of one image.
        memory_bits: of all memories.
    """

    program: Program
    files: Mapping[str, str]
    cycles: int
    memory_bits: int

    @property
    def network(self) -> PackedNetwork:
        """What was compiled."""
        return self.program.network

    @property
    def sources(self) -> list[str]:
        """Names of the Verilog files that hardware is made of."""
        return self.files["sources.f"].split()

    @property
    def image_bits(self) -> int:
        """Of a beat of the image stream: a pixel, or all channels of a position."""
        return self.program.parameters.get("IMAGE_BITS", 8)

    @property
    def weight_bits(self) -> int:
        """Of a beat of the stream of weights; 0: all weights are held."""
        ring = self.program.plan.ring if isinstance(self.program, TiledProgram) else None
        return 0 if ring is None else ring.beat_bits
