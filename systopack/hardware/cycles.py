"""The cycle model of the tiled array: exact, in closed form, layer by layer and tile by tile.

One array runs the tiles of all layers in turn, the column tiles of a row tile one after another;
partial sums are kept between them. Time is counted at the edges of the array, from the clock
edge at which the first weight enters to the one at which the last word leaves, memories taken
as ideal. The weights of a tile load while the one before runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.array import Array, check_fits
from systopack.hardware.row_tiles import row_tiles
from systopack.network.network import PackedNetwork
from systopack.network.nodes import MatrixLayer


@dataclass(frozen=True, kw_only=True)
class LayerCycles:
    """What one layer costs for one image.

    `cycles = load_cycles + stream_cycles + stall_cycles + latency_cycles`.

    Args:
        name: the layer.
        positions: output positions T of one image.
        row_tiles: row tiles, of all bands.
        tiles: tiles run. A row tile without any column group still runs one tile of zeros,
            since its bias has to become output words.
        cycles: from the layer's first word (of the first layer: weight) to its last output word.
        streamed_words: positions summed over tiles.
        load_cycles: weight load during which nothing streams.
        stream_cycles: word times in which a position enters.
        stall_cycles: waits between tiles, for weights or for returning partial sums.
        latency_cycles: fill and drain that nothing else hides.
        nonzeros: weights that are not zero.
        multiplications: nonzeros times positions.
        utilization: multiplications per cell and word time, 0..1.
    """

    name: str
    positions: int
    row_tiles: int
    tiles: int
    cycles: int
    streamed_words: int
    load_cycles: int
    stream_cycles: int
    stall_cycles: int
    latency_cycles: int
    nonzeros: int
    multiplications: int
    utilization: float


@dataclass(frozen=True, kw_only=True)
class NetworkCycles:
    """What a network costs for one image on one array.

    Args:
        network: its name.
        array: the array.
        layers: in the order they run.
    """

    network: str
    array: Array
    layers: tuple[LayerCycles, ...]

    @property
    def cycles(self) -> int:
        """Cycles of all layers, one after another."""
        return sum(layer.cycles for layer in self.layers)

    @property
    def tiles(self) -> int:
        """Tiles of all layers."""
        return sum(layer.tiles for layer in self.layers)

    @property
    def streamed_words(self) -> int:
        """Positions summed over tiles and layers."""
        return sum(layer.streamed_words for layer in self.layers)

    @property
    def stall_cycles(self) -> int:
        """Waits between tiles, all layers."""
        return sum(layer.stall_cycles for layer in self.layers)

    @property
    def multiplications(self) -> int:
        """Multiplications by weights that are not zero."""
        return sum(layer.multiplications for layer in self.layers)

    @property
    def utilization(self) -> float:
        """Multiplications per array cell and word time, 0..1."""
        return _utilization(self.multiplications, self.cycles, self.array)


def count_cycles(network: PackedNetwork, *, array: Array) -> NetworkCycles:
    """Count the cycles of one image, in closed form.

    Args:
        network: dense or packed.
        array: its alpha must reach the largest group, its accumulator must be the network's.

    Raises:
        InvalidOptionError: the network does not fit the array.
    """
    check_fits(network, array)
    layers = tuple(
        _count_layer(layer, array, first=index == 0) for index, layer in enumerate(network.layers)
    )
    return NetworkCycles(network=network.name, array=array, layers=layers)


def tile_starts(layer: MatrixLayer, *, array: Array) -> NDArray[np.int64]:
    """The cycle in which each tile's first word enters, the layer's first tile at 0.

    Returns:
        Shape (tiles,), int64, in the order of `PackedMatrix.tiles`, with one tile for each row
        tile without groups.
    """
    column_tiles = _column_tiles(layer, array)
    follows = np.ones(int(column_tiles.sum()), dtype=bool)
    follows[np.cumsum(column_tiles) - column_tiles] = False
    steps = np.where(
        follows,
        tile_interval(array, layer.positions, returns=True),
        tile_interval(array, layer.positions, returns=False),
    )
    steps[0] = 0
    starts: NDArray[np.int64] = np.cumsum(steps, dtype=np.int64)
    return starts


def tile_interval(array: Array, positions: int, *, returns: bool) -> int:
    """Cycles from a tile's first word to the first word of the tile after it.

    Args:
        positions: words of the tile.
        returns: its successor adds to its partial sums (same row tile).
    """
    word = array.word_cycles
    waits = [positions * word, array.swap_cycles + array.load_cycles]
    if returns:
        waits.append(array.latency_cycles - 1 + array.partial_sum_cycles)
    return _round_up(max(waits), word)


def _count_layer(layer: MatrixLayer, array: Array, *, first: bool) -> LayerCycles:
    column_tiles = _column_tiles(layer, array)
    tiles, row_tiles = int(column_tiles.sum()), len(column_tiles)
    positions, word = layer.positions, array.word_cycles
    span = _tile_span(array, positions)
    returning = tile_interval(array, positions, returns=True)
    fresh = tile_interval(array, positions, returns=False)
    last_start = (tiles - row_tiles) * returning + (row_tiles - 1) * fresh
    load = array.first_load_cycles if first else 0
    cycles = load + last_start + span - 1
    stream = tiles * positions * word
    latency = span - positions * word - 1
    nonzeros = layer.matrix.nonzeros
    return LayerCycles(
        name=layer.name,
        positions=positions,
        row_tiles=row_tiles,
        tiles=tiles,
        cycles=cycles,
        streamed_words=tiles * positions,
        load_cycles=load,
        stream_cycles=stream,
        stall_cycles=cycles - load - stream - latency,
        latency_cycles=latency,
        nonzeros=nonzeros,
        multiplications=nonzeros * positions,
        utilization=_utilization(nonzeros * positions, cycles, array),
    )


def _column_tiles(layer: MatrixLayer, array: Array) -> NDArray[np.int64]:
    """Column tiles of every row tile."""
    tiles = row_tiles(layer, rows=array.rows, columns=array.columns)
    return np.array([tile.column_tiles for tile in tiles], dtype=np.int64)


def _tile_span(array: Array, positions: int) -> int:
    """Cycles from a tile's first input bit to its last sum bit, both included."""
    stream = (positions - 1) * array.word_cycles + array.partial_sum_cycles
    return stream + array.latency_cycles - 1


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step


def _utilization(multiplications: int, cycles: int, array: Array) -> float:
    slots = cycles * array.rows * array.columns
    return multiplications * array.word_cycles / slots if slots else 0.0
