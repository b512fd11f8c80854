"""Tables of the tiled accelerator's program that stand for themselves: weights, displacements."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.array import Array
from systopack.hardware.row_tiles import RowTile
from systopack.hardware.tiled.ops import TilePlan
from systopack.hardware.tiled.slots import Schedule
from systopack.network.nodes import MatrixLayer
from systopack.rtl.fields import displacement_layout, pack_fields
from systopack.rtl.parameters import bits_for, index_bits


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
