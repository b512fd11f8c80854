"""The row tiles of a layer: which rows of its filter matrix are on the array at once."""

from __future__ import annotations

from dataclasses import dataclass

from systopack.network.nodes import MatrixLayer
from systopack.packing.tiling import column_tiles


@dataclass(frozen=True, kw_only=True)
class RowTile:
    """Rows that are on the array at once.

    Args:
        band: index of their row band.
        row_start, row_stop: rows of the filter matrix, half open.
        column_tiles: tiles that run one after another for them, at least 1.
    """

    band: int
    row_start: int
    row_stop: int
    column_tiles: int

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.row_stop - self.row_start


def row_tiles(layer: MatrixLayer, *, rows: int, columns: int) -> tuple[RowTile, ...]:
    """The row tiles of a layer, in the order they run."""
    tiles = []
    for index, (start, band) in enumerate(
        zip(layer.matrix.row_starts, layer.matrix.bands, strict=True)
    ):
        stop = start + band.rows
        tiles += [
            RowTile(
                band=index,
                row_start=top,
                row_stop=min(top + rows, stop),
                column_tiles=column_tiles(len(band.groups), columns=columns),
            )
            for top in range(start, stop, rows)
        ]
    return tuple(tiles)
