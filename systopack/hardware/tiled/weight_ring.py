"""Weights that do not fit on chip: a ring of tiles, which a stream fills while the array works.

Tiles come in the order in which visits load them for the first time. Those of a row tile whose
column tiles all fit into the ring stay in it for all its blocks; else they come again with every
block. The times are a recurrence, visit by visit; nothing loops over beats or cycles.
"""

from __future__ import annotations

from dataclasses import dataclass

from systopack.errors import InvalidOptionError
from systopack.hardware.tiled.timing import TiledTiming

BEAT_BITS = (32, 64, 128)
ADDRESSES = (1 << 19) - 1  # words of a ring that an instruction numbers
FREE_CYCLES = 3  # from the cycle before a visit's first step until its tile's place takes beats
_THERE_CYCLES = 3  # from a tile's last beat to the first cycle in which its load may begin


@dataclass(frozen=True, kw_only=True)
class WeightMemory:
    """The size of the weight memory, where not all weights have to fit into it.

    Args:
        capacity_bytes: that it may have at most, 1 or more.
        beat_bits: of the stream that brings what does not fit: 32, 64 or 128.

    Raises:
        InvalidOptionError: a value is outside its range.
    """

    capacity_bytes: int
    beat_bits: int = 64

    def __post_init__(self) -> None:
        size = self.capacity_bytes
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise InvalidOptionError(
                f"The weight memory has {size} bytes, but it needs a whole number from 1 on."
            )
        if self.beat_bits not in BEAT_BITS:
            raise InvalidOptionError(
                f"The stream of weights has {self.beat_bits} bits, but it is built with 32, 64 or "
                "128; give one of them."
            )

    def ring(self, timing: TiledTiming, tiles: int) -> WeightRing | None:
        """As many places as fit; None where all tiles of a network do.

        Args:
            tiles: of the network, each counted once.

        Raises:
            InvalidOptionError: it does not hold two tiles.
        """
        bits = timing.array.load_cycles * timing.weight_bits
        places = min(8 * self.capacity_bytes // bits, ADDRESSES // timing.array.load_cycles)
        if tiles <= places:
            return None
        if places < 2:
            raise InvalidOptionError(
                f"The weight memory has {self.capacity_bytes} bytes, but must hold two tiles of "
                f"{timing.array.label}, one that loads and one that comes; give it "
                f"{-(-2 * bits // 8)} bytes or more."
            )
        return WeightRing(tiles=places, beat_bits=self.beat_bits)


def check_organisation(weights: WeightMemory | None, organisation: str) -> None:
    """Refuse a weight memory where there is none.

    Raises:
        InvalidOptionError: the organisation is not "tiled".
    """
    if weights is not None and organisation != "tiled":
        raise InvalidOptionError(
            "The layer-pipelined accelerator holds every weight in a cell of its own, so it has no "
            "weight memory; leave the size of one out, or choose the tiled organisation."
        )


@dataclass(frozen=True, kw_only=True)
class WeightRing:
    """A weight memory of some tiles.

    Args:
        tiles: places, 2 or more.
        beat_bits: of the stream, 32, 64 or 128; a word of weights begins with a beat.
    """

    tiles: int
    beat_bits: int

    def tile_beats(self, timing: TiledTiming) -> int:
        """Beats of a tile."""
        return timing.array.load_cycles * -(-timing.weight_bits // self.beat_bits)

    def tile_bytes(self, timing: TiledTiming) -> int:
        """Bytes of a tile on the stream."""
        return self.tile_beats(timing) * self.beat_bits // 8

    def keeps(self, column_tiles: int, blocks: int) -> bool:
        """Whether a row tile's column tiles stay in the ring for all its blocks."""
        return blocks > 1 and column_tiles <= self.tiles

    def streamed(self, column_tiles: int, blocks: int) -> int:
        """Tiles that come for a row tile."""
        return column_tiles * (1 if self.keeps(column_tiles, blocks) else blocks)


class RingTimes:
    """When tiles come, load and go in one image with a stream that never pauses.

    It is asked for every visit in order. Beats come from the first cycle of the run on, one a cycle
    while a place is free.

    Args:
        ring: the memory.
        timing: the accelerator.
    """

    def __init__(self, ring: WeightRing, timing: TiledTiming) -> None:
        self._places = ring.tiles
        self._beats = ring.tile_beats(timing)
        self._word = timing.array.word_cycles
        self._least = timing.load_words * self._word
        self._ahead = timing.array.weight_buffers == 2
        self._free_from: list[int] = []  # by tile of the stream: when its place takes beats again
        self._tiles = 0  # that have come
        self._last_beat = -1
        self._taken = 0  # first step of the visit before, or the start of the run

    def take(self, ready: int, *, first: bool, leaves: bool) -> int:
        """The cycle of a visit's first step.

        Args:
            ready: in which it could be, but for its weights.
            first: whether its tile has not been loaded before.
            leaves: whether it is not loaded again.
        """
        there = self._come() if first else 0
        if self._ahead:  # loads with the visit before, or as soon as it is there
            taken = max(ready, max(self._taken, there) + self._least)
        else:
            taken = max(ready, self._taken + self._least, there)
        if leaves:
            self._free_from.append(taken + FREE_CYCLES - 1)
        self._taken = taken
        return taken

    def _come(self) -> int:
        """The first word time in which the next tile of the stream may load."""
        number = self._tiles
        free = 0 if number < self._places else self._free_from[number - self._places]
        self._last_beat = max(self._last_beat + 1, free) + self._beats - 1
        self._tiles += 1
        return -(-(self._last_beat + _THERE_CYCLES) // self._word) * self._word
