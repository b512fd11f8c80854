"""Cut a packed filter matrix into the pieces that an array holds at once."""

from __future__ import annotations

from dataclasses import dataclass

from systopack.errors import InvalidOptionError


@dataclass(frozen=True, kw_only=True)
class Tile:
    """An at most R x C piece of one row band of a packed filter matrix.

    Args:
        band: index of the row band.
        row_start, row_stop: rows of the filter matrix, half open.
        group_start, group_stop: column groups of the band, half open.
    """

    band: int
    row_start: int
    row_stop: int
    group_start: int
    group_stop: int

    @property
    def rows(self) -> int:
        """Rows of the array in use."""
        return self.row_stop - self.row_start

    @property
    def columns(self) -> int:
        """Columns of the array in use."""
        return self.group_stop - self.group_start


def tile_band(
    *, band: int, row_start: int, row_stop: int, groups: int, rows: int, columns: int
) -> list[Tile]:
    """The tiles of one band: row tiles in order, the column tiles of each one after another.

    A band without groups has one tile without columns for each row tile: its biases have to become
    words all the same.
    """
    return [
        Tile(
            band=band,
            row_start=top,
            row_stop=min(top + rows, row_stop),
            group_start=left,
            group_stop=min(left + columns, groups),
        )
        for top in range(row_start, row_stop, rows)
        for left in range(0, max(groups, 1), columns)
    ]


def column_tiles(groups: int, *, columns: int) -> int:
    """Column tiles of each row tile of a band, at least 1."""
    return max(1, -(-groups // columns))


def check_array_size(rows: int, columns: int) -> None:
    """Refuse arrays without cells.

    Raises:
        InvalidOptionError: rows or columns below 1.
    """
    if rows < 1 or columns < 1:
        raise InvalidOptionError(
            f"An array of {rows} x {columns} cells has no cells; give at least 1 x 1."
        )
