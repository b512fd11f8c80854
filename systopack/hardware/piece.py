"""A small piece of a real layer with its real input words, to follow cell by cell.

The piece is one row tile of an array of at most 8 x 6 cells: some filters of a layer, its first
column groups, and the words of a few output positions of one image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.network.network import PackedNetwork
from systopack.network.nodes import MatrixLayer
from systopack.network.reference import column_words, run
from systopack.packing.matrix import PackedBand

ROWS = 8
GROUPS = 6
POSITIONS = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class Piece:
    """Rows, column groups and words of one layer; R rows, M columns in G groups, T positions.

    Args:
        layer: name of the layer.
        filters: shape (R,), the rows of the filter matrix.
        columns: shape (M,), ascending: the columns of the filter matrix in the groups.
        groups: G disjoint groups of places in `columns`.
        layer_groups: groups of the layer's row band; more than G where only the first are here.
        weights: shape (R, M), int64: the filter matrix without combining.
        values, channels: shape (R, G), int64: the packed filter matrix.
        bias: shape (R,), int64.
        positions: shape (T, 2): (y, x) of the output.
        words: shape (M, T), int64: the word of each column at each position, -128..127.
        accumulator_bits: width at which sums wrap.
    """

    layer: str
    filters: NDArray[np.int64]
    columns: NDArray[np.int64]
    groups: tuple[tuple[int, ...], ...]
    layer_groups: int
    weights: NDArray[np.int64]
    values: NDArray[np.int64]
    channels: NDArray[np.int64]
    bias: NDArray[np.int64]
    positions: NDArray[np.int64]
    words: NDArray[np.int64]
    accumulator_bits: int

    @property
    def complete(self) -> bool:
        """Whether all groups are there, so that the sums are the layer's own."""
        return len(self.groups) == self.layer_groups

    @property
    def largest_group(self) -> int:
        """Columns of the largest group."""
        return max(len(group) for group in self.groups)


def cut_piece(network: PackedNetwork, image: NDArray[np.int8]) -> Piece | None:
    """Choose a piece and take its words from one image, run through the integer reference.

    The layer is one that combines columns into 2 to 6 groups and has 16 positions, where there
    is one; of these the first with most groups. Then the 8 rows with most weights are taken, in a
    row tile of the array, and the 16 successive positions whose words change most often from one
    to the next: a plain background shows little.

    Args:
        image: shape (C, H, W), int8, as `reference.quantize_images` gives it.

    Returns:
        The piece; None where no layer combines columns into disjoint groups.
    """
    layers = [layer for layer in network.layers if _combines(layer.matrix.bands[0])]
    if not layers:
        return None
    layer = max(layers, key=_rank)
    band = layer.matrix.bands[0]
    groups = band.groups[:GROUPS]
    columns = np.array(sorted(column for group in groups for column in group), dtype=np.int64)
    row = _fullest_rows(band.values[:, : len(groups)])
    rows = slice(row, min(row + ROWS, band.rows))
    source = run(network, image[None], keep=[layer.source])[layer.source]
    words = column_words(layer, source)[0, columns]
    first = _liveliest_position(words)
    positions = np.arange(first, min(first + POSITIONS, words.shape[1]), dtype=np.int64)
    return Piece(
        layer=layer.name,
        filters=np.arange(rows.start, rows.stop, dtype=np.int64),
        columns=columns,
        groups=tuple(
            tuple(int(place) for place in np.searchsorted(columns, group)) for group in groups
        ),
        layer_groups=len(band.groups),
        weights=_filters_of(layer, rows)[:, columns],
        values=band.values[rows, : len(groups)].astype(np.int64),
        channels=band.channels[rows, : len(groups)].astype(np.int64),
        bias=layer.bias[rows].astype(np.int64),
        positions=np.stack(np.divmod(positions, layer.output_size[1]), axis=1),
        words=words[:, positions],
        accumulator_bits=network.accumulator_bits,
    )


def _combines(band: PackedBand) -> bool:
    columns = [column for group in band.groups for column in group]
    return band.largest_group > 1 and len(set(columns)) == len(columns)


def _rank(layer: MatrixLayer) -> tuple[bool, int, int]:
    groups = len(layer.matrix.bands[0].groups)
    return 2 <= groups <= GROUPS, min(layer.positions, POSITIONS), min(groups, GROUPS)


def _fullest_rows(values: NDArray[np.int8]) -> int:
    """The first row of the row tile with most weights."""
    starts = range(0, len(values), ROWS)
    return max(starts, key=lambda start: int(np.count_nonzero(values[start : start + ROWS])))


def _liveliest_position(words: NDArray[np.int64]) -> int:
    """The first of the successive positions whose words change most often."""
    if words.shape[1] <= POSITIONS:
        return 0
    changes = np.count_nonzero(np.diff(words, axis=1), axis=0)
    ends = np.cumsum([0, *changes])
    return int(np.argmax(ends[POSITIONS - 1 :] - ends[: -POSITIONS + 1]))


def _filters_of(layer: MatrixLayer, rows: slice) -> NDArray[np.int64]:
    """Rows of the filter matrix, all in the first band."""
    band = layer.matrix.bands[0]
    dense = np.zeros((band.rows, layer.matrix.columns), dtype=np.int64)
    row, column, value = band.columns_of_cells()
    dense[row, column] = value
    return dense[rows]
