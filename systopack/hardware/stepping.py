"""A piece of a layer on a small array, word time by word time.

Word times are those of the cycle model with bit-parallel cells, whose word time is one cycle;
number 0 is the one in which the first column of weights enters. Cell (row, column) has word p of
a tile that starts at s before its multiplexer in word time s + p + row + column and adds its
product in the same one, with a multiplexer one later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.array import Array
from systopack.hardware.cycles import tile_starts
from systopack.hardware.piece import GROUPS, Piece
from systopack.network.nodes import MatrixLayer
from systopack.network.reference import wrap
from systopack.packing.matrix import PackedBand, PackedMatrix
from systopack.packing.pack import dense


@dataclass(frozen=True, kw_only=True, eq=False)
class TileRun:
    """One column tile on the array; R rows, k columns of the array in use, T positions.

    Args:
        start: word time in which its first word enters.
        inputs: for each column the places of its channels in `Piece.columns`.
        values, channels: shape (R, k), int64: weight and channel index of each cell.
        chosen: shape (R, k, T), int64: the word each cell multiplies.
        sums: shape (R, C + 1, T), int64, wrapped: the partial sum that enters at the left edge,
            then after each column of the array.
    """

    start: int
    inputs: tuple[tuple[int, ...], ...]
    values: NDArray[np.int64]
    channels: NDArray[np.int64]
    chosen: NDArray[np.int64]
    sums: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Streaming:
    """All that happens on the array.

    Args:
        array: bit-parallel, so that a word time is a cycle.
        positions: T.
        tiles: in the order they run.
    """

    array: Array
    positions: int
    tiles: tuple[TileRun, ...]

    @property
    def last_step(self) -> int:
        """The word time in which the last sum is complete: `LayerCycles.cycles` of the piece."""
        last = self.tiles[-1].start + self.positions - 1
        return last + self.array.latency_cycles - 1

    @property
    def results(self) -> NDArray[np.int64]:
        """The sums that leave the last tile: shape (R, T)."""
        return self.tiles[-1].sums[:, -1]

    def enters(self, tile: int, column: int, position: int) -> int:
        """The word time in which a word enters a column at the bottom."""
        return self.tiles[tile].start + position + column

    def multiplies(self, tile: int, row: int, column: int, position: int) -> int:
        """The word time in which a cell adds its product."""
        return self.enters(tile, column, position) + row + self.array.multiplexer_cycles

    def leaves(self, tile: int, row: int, position: int) -> int:
        """The word time in which the last cell of a row completes its sum."""
        return self.multiplies(tile, row, self.array.columns - 1, position)

    def loads(self, tile: int, column: int) -> int:
        """The word time in which a tile's weights enter a column.

        They follow the wave in which the cells take the weights before them over.
        """
        if tile == 0:
            return column
        return self.tiles[tile - 1].start + self.array.swap_cycles + column

    def count_busy(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Multiplications in each word time, and those by weights that are not zero.

        Returns:
            Two of shape (last_step + 1,). Every cell that a word passes counts, those of unused
            columns too.
        """
        busy = np.zeros(self.last_step + 1, dtype=np.int64)
        useful = np.zeros_like(busy)
        for index, tile in enumerate(self.tiles):
            for row in range(self.array.rows):
                for column in range(self.array.columns):
                    first = self.multiplies(index, row, column, 0)
                    busy[first : first + self.positions] += 1
                    if column < tile.values.shape[1] and tile.values[row, column]:
                        useful[first : first + self.positions] += 1
        return busy, useful


def stream_piece(piece: Piece, *, combined: bool) -> Streaming:
    """Run a piece on the array of as many columns as it has groups, at most 6.

    Args:
        combined: with its column groups; otherwise one column of the array for each input, in
            as many column tiles as that takes.
    """
    matrix = _packed_matrix(piece) if combined else dense(piece.weights.astype(np.int8))
    array = Array(
        rows=len(piece.filters),
        columns=min(len(piece.groups), GROUPS),
        alpha=piece.largest_group if combined else 1,
        accumulator_bits=piece.accumulator_bits,
        cell="bit-parallel",
    )
    starts = tile_starts(_as_layer(piece, matrix), array=array) + array.load_cycles
    sums = np.repeat(piece.bias[:, None], piece.words.shape[1], axis=1)
    tiles: list[TileRun] = []
    for start, tile in zip(
        starts, matrix.tiles(rows=array.rows, columns=array.columns), strict=True
    ):
        groups = slice(tile.group_start, tile.group_stop)
        run = _run_tile(
            piece, matrix, groups, start=int(start), entering=sums, columns=array.columns
        )
        tiles.append(run)
        sums = run.sums[:, -1]
    return Streaming(array=array, positions=piece.words.shape[1], tiles=tuple(tiles))


def _run_tile(
    piece: Piece,
    matrix: PackedMatrix,
    groups: slice,
    *,
    start: int,
    entering: NDArray[np.int64],
    columns: int,
) -> TileRun:
    values = matrix.values[:, groups].astype(np.int64)
    channels = matrix.channels[:, groups].astype(np.int64)
    inputs = matrix.groups[groups]
    chosen = np.stack(
        [piece.words[np.array(group)[channels[:, column]]] for column, group in enumerate(inputs)],
        axis=1,
    )
    products = np.zeros((len(values), columns + 1, chosen.shape[2]), dtype=np.int64)
    products[:, 0] = entering
    products[:, 1 : len(inputs) + 1] = values[:, :, None] * chosen
    return TileRun(
        start=start,
        inputs=inputs,
        values=values,
        channels=channels,
        chosen=chosen,
        sums=wrap(np.cumsum(products, axis=1), piece.accumulator_bits),
    )


def _packed_matrix(piece: Piece) -> PackedMatrix:
    band = PackedBand(
        groups=piece.groups,
        values=piece.values.astype(np.int8),
        channels=piece.channels.astype(np.uint8),
    )
    return PackedMatrix(columns=len(piece.columns), bands=(band,))


def _as_layer(piece: Piece, matrix: PackedMatrix) -> MatrixLayer:
    """The piece as a 1 x 1 convolution over its words, for the cycle model."""
    columns = np.zeros((len(piece.columns), 3), dtype=np.int32)
    columns[:, 0] = np.arange(len(piece.columns))
    return MatrixLayer(
        name=piece.layer,
        source="words",
        kind="convolution",
        matrix=matrix,
        columns=columns,
        bias=piece.bias.astype(np.int32),
        stride=(1, 1),
        padding=(0, 0, 0, 0),
        output_size=(1, piece.words.shape[1]),
        residual=None,
        activation="none",
        clip=None,
        shift=None,
        exponent=0,
    )
