"""`PackedMatrix`: the one type for dense, N:M and column-combined filter matrices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidMatrixError
from systopack.packing.rule import ALPHA_LIMIT
from systopack.packing.tiling import Tile, check_array_size, column_tiles, tile_band

Groups = tuple[tuple[int, ...], ...]
_SIDE_LIMIT = (1 << 31) - 1  # columns are stored as int32


@dataclass(frozen=True, kw_only=True, eq=False)
class PackedBand:
    """Consecutive rows of a filter matrix that share one list of column groups.

    Args:
        groups: for each packed column the columns of the filter matrix it stands for. The same
            columns may be listed again (N:M lists each block N times).
        values: shape `(rows, groups)`, any real dtype: the weight of each packed cell.
        channels: shape `(rows, groups)`, uint8: index into the group, the column the weight came
            from; 0 where the value is 0.

    Raises:
        InvalidMatrixError: shapes, indices or values break a rule, or a (row, column) weight is
            stored twice.
    """

    groups: Groups
    values: NDArray[Any]
    channels: NDArray[np.uint8]

    def __post_init__(self) -> None:
        _check_band(self)
        for name in ("values", "channels"):
            array = np.ascontiguousarray(getattr(self, name))
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def rows(self) -> int:
        """Rows of the band."""
        return int(self.values.shape[0])

    @property
    def largest_group(self) -> int:
        """Columns in the largest group, 0 without groups: the alpha a cell must offer."""
        return max((len(group) for group in self.groups), default=0)

    @cached_property
    def group_table(self) -> NDArray[np.int64]:
        """Shape `(groups, largest_group)`: the groups as a rectangle, padded with -1."""
        table = np.full((len(self.groups), self.largest_group), -1, dtype=np.int64)
        for row, group in zip(table, self.groups, strict=True):
            row[: len(group)] = group
        return table

    @cached_property
    def nonzeros(self) -> int:
        """Packed cells that hold a weight."""
        return int(np.count_nonzero(self.values))

    def columns_of_cells(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]:
        """Row in the band, column of the filter matrix and value of every nonzero cell."""
        row, group = np.nonzero(self.values)
        return row, self.group_table[group, self.channels[row, group]], self.values[row, group]


@dataclass(frozen=True, kw_only=True, eq=False)
class PackedMatrix:
    """A filter matrix stored in packed columns (docs/method.md, section 1).

    Args:
        columns: columns M of the filter matrix.
        bands: its row bands from top to bottom; one unless rows were grouped by tile.

    `groups`, `values` and `channels` are those of the only band.

    Example: rows (1 0 0 2), (0 3 0 0), (0 0 0 4) with groups (0, 1) and (3,) hold
    values (1 2), (3 0), (0 4) and channels (0 0), (1 0), (0 0).
    """

    columns: int
    bands: tuple[PackedBand, ...]

    def __post_init__(self) -> None:
        if not self.bands:
            raise InvalidMatrixError("A packed matrix needs at least one row band.")
        whole = isinstance(self.columns, int | np.integer) and not isinstance(self.columns, bool)
        if not whole or not 0 <= self.columns <= _SIDE_LIMIT or self.rows > _SIDE_LIMIT:
            raise InvalidMatrixError(
                f"A packed matrix has {self.columns} columns and {self.rows} rows; both must be "
                f"whole numbers up to {_SIDE_LIMIT:,}."
            )
        if len({band.values.dtype for band in self.bands}) > 1:
            raise InvalidMatrixError("The row bands of a packed matrix must share one dtype.")
        for index, band in enumerate(self.bands):
            largest = max((max(group) for group in band.groups), default=-1)
            if largest >= self.columns:
                raise InvalidMatrixError(
                    f"Row band {index}: a group names column {largest}, but the filter matrix "
                    f"has columns 0..{self.columns - 1}."
                )

    def __repr__(self) -> str:
        groups = sum(len(band.groups) for band in self.bands)
        return (
            f"PackedMatrix({self.rows} x {self.columns}, {groups} groups in {len(self.bands)} "
            f"band(s), {self.nonzeros:,} nonzeros, efficiency {self.packing_efficiency:.3f})"
        )

    @property
    def rows(self) -> int:
        """Rows N of the filter matrix."""
        return sum(band.rows for band in self.bands)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (N, M) of the filter matrix."""
        return self.rows, self.columns

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the weights."""
        return self.bands[0].values.dtype

    @property
    def groups(self) -> Groups:
        """The column groups of the only band."""
        return self._only_band().groups

    @property
    def values(self) -> NDArray[Any]:
        """Weights of the only band, shape `(rows, groups)`."""
        return self._only_band().values

    @property
    def channels(self) -> NDArray[np.uint8]:
        """Channel indices of the only band, shape `(rows, groups)`."""
        return self._only_band().channels

    @property
    def packed_cells(self) -> int:
        """Sum over bands of rows times groups."""
        return sum(band.values.size for band in self.bands)

    @property
    def dense_cells(self) -> int:
        """N times M."""
        return self.rows * self.columns

    @property
    def nonzeros(self) -> int:
        """Weights that are not zero."""
        return sum(band.nonzeros for band in self.bands)

    @property
    def packing_efficiency(self) -> float:
        """Nonzeros over packed cells, 0..1; 1 by definition where there is no packed cell."""
        return self.nonzeros / self.packed_cells if self.packed_cells else 1.0

    @property
    def largest_group(self) -> int:
        """The alpha that a cell must offer to hold this matrix."""
        return max(band.largest_group for band in self.bands)

    @property
    def row_starts(self) -> tuple[int, ...]:
        """The first row of every band."""
        starts = np.cumsum([0, *(band.rows for band in self.bands)])
        return tuple(int(start) for start in starts[:-1])

    def to_dense(self) -> NDArray[Any]:
        """The filter matrix, shape (N, M): every stored weight in its place, zeros elsewhere."""
        dense = np.zeros(self.shape, dtype=self.dtype)
        for start, band in zip(self.row_starts, self.bands, strict=True):
            row, column, value = band.columns_of_cells()
            dense[start + row, column] = value
        return dense

    def tiles(self, *, rows: int, columns: int) -> tuple[Tile, ...]:
        """Cut the matrix for an array of `rows` x `columns` cells, in the order they run.

        Raises:
            InvalidOptionError: the array has no cells.
        """
        check_array_size(rows, columns)
        tiles: list[Tile] = []
        for index, (start, band) in enumerate(zip(self.row_starts, self.bands, strict=True)):
            tiles += tile_band(
                band=index,
                row_start=start,
                row_stop=start + band.rows,
                groups=len(band.groups),
                rows=rows,
                columns=columns,
            )
        return tuple(tiles)

    def tile_count(self, *, rows: int, columns: int) -> int:
        """`len(tiles(...))` without listing them."""
        check_array_size(rows, columns)
        return sum(
            -(-b.rows // rows) * column_tiles(len(b.groups), columns=columns) for b in self.bands
        )

    def _only_band(self) -> PackedBand:
        if len(self.bands) != 1:
            raise InvalidMatrixError(
                f"This packed matrix has {len(self.bands)} row bands, each with its own groups; "
                "read them from '.bands'."
            )
        return self.bands[0]


def _check_band(band: PackedBand) -> None:
    groups, values, channels = band.groups, band.values, band.channels
    shape = values.shape
    if values.ndim != 2 or channels.shape != shape or shape[1] != len(groups):
        raise InvalidMatrixError(
            f"A row band with {len(groups)} groups has values of shape {shape} and channels of "
            f"shape {channels.shape}; both must be (rows, {len(groups)})."
        )
    if channels.dtype != np.uint8 or values.dtype.kind not in "fi":
        raise InvalidMatrixError(
            f"A row band needs real values and uint8 channels, not {values.dtype} and "
            f"{channels.dtype}."
        )
    for index, group in enumerate(groups):
        if not all(isinstance(c, int | np.integer) and not isinstance(c, bool) for c in group):
            raise InvalidMatrixError(
                f"Column group {index} is {str(group)[:60]}; its columns must be whole numbers."
            )
        if not 1 <= len(group) <= ALPHA_LIMIT or len(set(group)) != len(group) or min(group) < 0:
            raise InvalidMatrixError(
                f"Column group {index} is {group}; a group lists 1 to {ALPHA_LIMIT} different "
                "columns, counted from 0."
            )
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise InvalidMatrixError("A packed weight is NaN or infinite; weights must be finite.")
    sizes = np.array([len(group) for group in groups], dtype=np.int64)
    if (channels >= sizes[None, :]).any():
        row, group = np.argwhere(channels >= sizes[None, :])[0]
        raise InvalidMatrixError(
            f"Row {row}, column group {group}: channel {channels[row, group]} does not exist in "
            f"a group of {sizes[group]} columns."
        )
    if (channels[values == 0] != 0).any():
        raise InvalidMatrixError("A packed cell whose value is 0 must have channel 0.")
    _check_stored_once(band)


def _check_stored_once(band: PackedBand) -> None:
    # Only columns that several groups list can be stored twice; usually there are none.
    listed = np.concatenate([np.asarray(group) for group in band.groups] or [np.zeros(0, int)])
    if listed.size == np.unique(listed).size:
        return
    row, column, _ = band.columns_of_cells()
    keys = row * (int(listed.max()) + 1) + column
    unique, counts = np.unique(keys, return_counts=True)
    if (counts > 1).any():
        row_twice, column_twice = divmod(int(unique[counts > 1][0]), int(listed.max()) + 1)
        raise InvalidMatrixError(
            f"The weight of row {row_twice}, column {column_twice} is stored twice; each weight "
            "has one packed cell at most."
        )
