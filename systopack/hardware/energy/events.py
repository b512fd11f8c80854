"""What energy is counted by: the events of one image, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from systopack.hardware.array import Array

Organisation = Literal["tiled", "pipelined"]


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Equal memories of an accelerator.

    Args:
        width_bits: of a word.
        words: of one of them.
        instances: how many there are.
        ports: 1, or 2 where it is read and written in one cycle.
    """

    width_bits: int
    words: int
    instances: int = 1
    ports: int = 1


@dataclass(frozen=True, kw_only=True)
class Access:
    """Words read from and written to memories of one kind."""

    reads: int = 0
    writes: int = 0


@dataclass(frozen=True, kw_only=True)
class StepEvents:
    """Events of one node, for one image.

    A cell word is one array cell in one word time in which words stream; so
    `active + zero_input + zero_weight` are all cell words of the step.

    Args:
        name: the node.
        kind: "image", "layer", "pool" or "send".
        cycles: clock cycles until the next step may start.
        cell_cycles: cells times cycles.
        running_cell_cycles: the part of them in which words stream or are still on their way.
        active: cell words with a weight and a word that are not zero.
        zero_input: cell words with a weight that is not zero and a word that is.
        zero_weight: cell words with the weight 0, cells outside the matrix included.
        loads: weights written into cells.
        hops: words that are not zero, times the cells that they pass.
        accesses: by memory.
        off_chip_bits: from and to the host.
    """

    name: str
    kind: str
    cycles: int
    cell_cycles: int
    running_cell_cycles: int
    active: float
    zero_input: float
    zero_weight: float
    loads: int
    hops: float
    accesses: Mapping[str, Access]
    off_chip_bits: int

    @property
    def cell_words(self) -> float:
        """All cell words."""
        return self.active + self.zero_input + self.zero_weight


@dataclass(frozen=True, kw_only=True)
class NetworkEvents:
    """Events of one image on one accelerator.

    Args:
        network: its name.
        array: the array; of the layer-pipelined accelerator the largest tile.
        organisation: "tiled" or "pipelined".
        cells: cells in the accelerator.
        memories: by name.
        steps: in order.
        images: images whose activations were counted; 0: every word counts as not zero.
    """

    network: str
    array: Array
    organisation: Organisation
    cells: int
    memories: Mapping[str, Memory]
    steps: tuple[StepEvents, ...]
    images: int

    @property
    def cycles(self) -> int:
        """Cycles of all steps; of the layer-pipelined accelerator between two images."""
        return sum(step.cycles for step in self.steps)
