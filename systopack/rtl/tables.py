"""Tables of the tiled accelerator's program that stand for themselves: weights, displacements."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.array import Array
from systopack.hardware.row_tiles import RowTile
from systopack.hardware.tiled.ops import TilePlan, Visits
from systopack.hardware.tiled.places import TensorPlace
from systopack.hardware.tiled.slots import Schedule
from systopack.network.nodes import MatrixLayer
from systopack.rtl.fields import displacement_layout, pack_fields
from systopack.rtl.images import MemoryImage
from systopack.rtl.parameters import bits_for, index_bits

_KEPT_BIT = 19  # of an instruction's address


def weight_words(
    layer: MatrixLayer, tile: RowTile, column_tile: int, parts: int, array: Array
) -> NDArray[np.uint8]:
    """One tile's weights and indices, `load_columns` after another, in all parts of rows."""
    band = layer.matrix.bands[tile.band]
    start = layer.matrix.row_starts[tile.band]
    rows = slice(tile.row_start - start, tile.row_stop - start)
    groups = slice(column_tile * array.columns, (column_tile + 1) * array.columns)
    values, channels = band.values[rows, groups], band.channels[rows, groups]
    bits = array.weight_bits
    width = bits + index_bits(array)
    together = array.load_columns
    cells = np.zeros((array.rows, array.load_cycles * together, width), dtype=np.uint8)
    for part in range(parts):
        first = part * (array.rows // parts)
        own = cells[first : first + values.shape[0], : values.shape[1]]
        own[:, :, :bits] = (values.astype(np.int64)[..., None] >> np.arange(bits)) & 1
        own[:, :, bits:] = (channels.astype(np.int64)[..., None] >> np.arange(width - bits)) & 1
    ordered = cells.transpose(1, 2, 0).reshape(array.load_cycles, together * array.rows * width)
    return np.ascontiguousarray(ordered)


def memory_depth(words: int) -> int:
    """Words of a table's memory: in steps of an eighth of the next power of two.

    Networks of one kind that pack a little differently then run on the same hardware.
    """
    step = max(1, (1 << bits_for(words)) // 8)
    return -(-words // step) * step


def place_of(target: TensorPlace | None, channel: int) -> tuple[int, int, int]:
    """Whether, where and from which byte on a row writes."""
    if target is None:
        return 0, 0, 0
    return 1, int(target.planes[channel]), int(target.phases[channel])


class WeightTiles:
    """The weights of all tiles, in the order of the memory or of the stream that brings them."""

    def __init__(self, plan: TilePlan) -> None:
        self._array, self._ring = plan.array, plan.ring
        self._tiles: list[NDArray[np.uint8]] = []
        self._order: list[int] = []  # in which they come

    def add(self, layer: MatrixLayer, tile: RowTile, visits: Visits, parts: int) -> int:
        """The tiles of a row tile; where its visits find the first one.

        In a ring bit 19 says whether they stay for all blocks; else they come with each.
        """
        columns = range(tile.column_tiles)
        own = list(range(len(self._tiles), len(self._tiles) + len(columns)))
        self._tiles += [weight_words(layer, tile, column, parts, self._array) for column in columns]
        first, kept = len(self._order), False
        if self._ring is not None:
            first %= self._ring.tiles
            kept = self._ring.keeps(len(own), visits.blocks)
            own *= self._ring.streamed(len(own), visits.blocks) // len(own)
        self._order += own
        return first * self._array.load_cycles | kept << _KEPT_BIT

    @property
    def bits(self) -> NDArray[np.uint8]:
        """All words, those of each tile once: shape (1, words, bits)."""
        return np.concatenate(self._tiles)[None]

    @property
    def sizes(self) -> dict[str, int]:
        """The parameters of the Verilog that say what is held."""
        ring = self._ring
        words = (len(self._tiles) if ring is None else ring.tiles) * self._array.load_cycles
        sizes = {"WEIGHT_BITS": bits_for(words), "WEIGHT_WORDS": words}
        return sizes if ring is None else sizes | {"RING": ring.tiles, "BEAT_BITS": ring.beat_bits}

    def beats(self, image: MemoryImage) -> NDArray[np.uint32]:
        """The words as beats, each beginning with one, zeros above it: see `TiledProgram`."""
        assert self._ring is not None
        wide = self._ring.beat_bits // 32
        words = np.pad(image.words[0], ((0, 0), (0, -image.words.shape[2] % wide)))
        return words.reshape(len(self._tiles), -1, wide)[self._order].reshape(-1, wide)


class Displacements:
    """The layers' tables of columns to the right, each once.

    A stream that never leaves the image shares the entry of any other that never does.
    """

    def __init__(self, plan: TilePlan) -> None:
        self.numbers: dict[Schedule, int] = {}
        self.places: dict[Schedule, dict[int, int]] = {}
        tables: dict[tuple[int, ...], int] = {(0,): 0}
        nodes = [""]
        for op in plan.ops:
            schedule = op.schedule
            if schedule is None or schedule in self.numbers:
                continue
            walk = schedule.walk
            found = sorted({tag.dx for tags in schedule.tags for tag in tags.values()})
            last = (walk.out_width - 1) * walk.stride
            inside = [dx for dx in found if dx >= 0 and last + dx < walk.width]
            kept = [dx for dx in found if dx not in inside[1:]]
            self.places[schedule] = {
                dx: kept.index(inside[0] if dx in inside else dx) for dx in found
            }
            self.numbers[schedule] = tables.setdefault(tuple(kept) or (0,), len(tables))
            nodes += [op.node] * (len(tables) - len(nodes))
        self.bits = bits_for(max(len(table) for table in tables))
        self.layout = displacement_layout(self.bits)
        size = 1 << self.bits
        self.words = [
            pack_fields(
                self.layout, [*[0] * (size - len(table)), *table[::-1]], where=f"Layer '{node}'"
            )
            for table, node in zip(tables, nodes, strict=True)
        ]


def signed_bits(value: int) -> int:
    """Bits of a number in two's complement."""
    return (value if value >= 0 else -value - 1).bit_length() + 1
