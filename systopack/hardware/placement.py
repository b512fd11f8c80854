"""Where the tiled accelerator keeps every channel: which banks, which addresses.

A bank feeds one column of the array, so a channel has to lie in the bank of every column whose
groups read it: in one, where a channel is in one column group; in several for k x k
convolutions. Pooling works inside a bank, so its input lies wherever its output is wanted.
Residual operands lie in the bank of the output lane that adds them. A tensor keeps its place
from the node that makes it to the last one that reads it.

A bank may be made of several parts with a write port each. The channels of a tensor are dealt to
them in turn, so that the rows of every row tile are spread evenly; the highest bits of an address
say which part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.timing import TiledTiming
from systopack.network.network import PackedNetwork
from systopack.network.nodes import ConcatLayer, MatrixLayer, PoolLayer, sources_of
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


@dataclass(frozen=True, kw_only=True, eq=False)
class Placement:
    """The memory map of a network on a tiled accelerator.

    Args:
        timing: the accelerator.
        addresses: by tensor, shape (banks, channels), int64: address of the channel's first
            word in each bank, -1 where the bank does not hold it. Column banks come first,
            then one residual bank for each output lane.
        depth: words that a part of a bank must have.
        displacement_bits: that hold every dy and dx of the network, in two's complement.
    """

    timing: TiledTiming
    addresses: Mapping[str, NDArray[np.int64]]
    depth: int
    displacement_bits: int

    @property
    def place_bits(self) -> int:
        """Bits of an address within a part."""
        return max(1, (self.depth - 1).bit_length())

    @property
    def address_bits(self) -> int:
        """Bits of an address: part and place."""
        return self.place_bits + (self.timing.array.sub_banks - 1).bit_length()

    @property
    def descriptor_bits(self) -> int:
        """Bits of a stream's descriptor: in use, dy, dx, address."""
        return 1 + 2 * self.displacement_bits + self.address_bits

    def held(self, name: str, part: int) -> NDArray[np.bool_]:
        """Which channels of a tensor lie in a part of each bank: shape (banks, channels)."""
        addresses = self.addresses[name]
        return np.asarray((addresses >= 0) & (addresses >> self.place_bits == part))

    def writes(self, name: str, tile: RowTile) -> int:
        """Cycles in which the bytes of one position of a row tile are written to the banks."""
        rows = slice(tile.row_start, tile.row_stop)
        parts = range(self.timing.array.sub_banks)
        return max(int(self.held(name, part)[:, rows].sum(axis=1).max()) for part in parts)

    def pooled(self, name: str) -> int:
        """Channels of a pooling's output in the fullest bank."""
        return int((self.addresses[name] >= 0).sum(axis=1).max())


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


def place(network: PackedNetwork, timing: TiledTiming) -> Placement:
    """Find a place for every channel in every bank that reads it."""
    wanted = _wanted(network, timing)
    last_use = _last_readers(network)
    parts = timing.array.sub_banks
    places: dict[str, NDArray[np.int64]] = {}  # part + parts * place within it
    living: list[tuple[int, int, int]] = []  # (start, stop, index of the last reader)
    depth = 1
    for index, node in enumerate(network.nodes):
        if isinstance(node, ConcatLayer):
            places[node.name] = _where_the_sources_are(node, places)
            continue
        held = wanted[node.name]
        words = network.shapes[node.name][1] * network.shapes[node.name][2]
        size = -(-int(held.sum(axis=1).max()) // parts) * words
        living = [item for item in living if item[2] >= index]
        start = _first_fit(living, size)
        if size:
            living.append((start, start + size, last_use[node.name]))
            living.sort()
        depth = max(depth, start + size)
        order = np.cumsum(held, axis=1) - 1
        place = start + order // parts * words
        places[node.name] = np.where(held, order % parts + parts * place, -1)
    placement = Placement(
        timing=timing, addresses={}, depth=depth, displacement_bits=_displacement_bits(network)
    )
    addresses = {
        name: np.where(value < 0, -1, (value % parts << placement.place_bits) + value // parts)
        for name, value in places.items()
    }
    return replace(placement, addresses=addresses)


def stream_places(layer: MatrixLayer, band: int, timing: TiledTiming) -> NDArray[np.int64]:
    """Which streams the groups of a band really read.

    Returns:
        Shape (streams, 4), int64: group, index within the group, bank, column of the filter
        matrix, for every channel of a group that a weight of the band selects.
    """
    packed = layer.matrix.bands[band]
    row, group = np.nonzero(packed.values)
    used = np.zeros(packed.group_table.shape, dtype=bool)
    used[group, packed.channels[row, group]] = True
    group, index = np.nonzero(used)
    column = group % timing.array.columns
    bank = column * timing.banks_per_column + index // timing.reads
    return np.stack([group, index, bank, packed.group_table[group, index]], axis=1)


def _wanted(network: PackedNetwork, timing: TiledTiming) -> dict[str, NDArray[np.bool_]]:
    """By tensor, shape (banks, channels): which bank has to hold which channel."""
    total = timing.banks + timing.lanes
    wanted = {name: np.zeros((total, shape[0]), bool) for name, shape in network.shapes.items()}
    for node in reversed(network.nodes):
        if isinstance(node, PoolLayer):
            wanted[node.source] |= wanted[node.name]
        elif isinstance(node, ConcatLayer):
            for index, source in enumerate(node.sources):
                own = np.flatnonzero((node.operands == index) & (node.channels >= 0))
                for channel, taken in zip(own, node.channels[own], strict=True):
                    wanted[source][:, taken] |= wanted[node.name][:, channel]
        elif isinstance(node, MatrixLayer):
            for band in range(len(node.matrix.bands)):
                places = stream_places(node, band, timing)
                channels = node.columns[places[:, 3], 0]
                wanted[node.source][places[:, 2], channels] = True
            if node.residual is not None:
                banks = timing.banks + lane_of_rows(node, timing)
                added = np.flatnonzero(node.residual.channels >= 0)
                wanted[node.residual.source][banks[added], node.residual.channels[added]] = True
    return wanted


def lane_of_rows(layer: MatrixLayer, timing: TiledTiming) -> NDArray[np.int64]:
    """The output lane that serves each row of a layer: shape (N,)."""
    lanes = np.zeros(layer.matrix.rows, dtype=np.int64)
    for tile in row_tiles(layer, rows=timing.array.rows, columns=timing.array.columns):
        lanes[tile.row_start : tile.row_stop] = np.arange(tile.rows) // timing.lane_rows
    return lanes


def _displacement_bits(network: PackedNetwork) -> int:
    """At least 2, so that a field has more than its sign."""
    moves = [layer.columns[:, 1:] for layer in network.layers if len(layer.columns)]
    moves += [
        np.array([[-node.padding[0], -node.padding[2]]])
        for node in network.nodes
        if isinstance(node, PoolLayer)
    ]
    farthest = max((max(int(move.max()), -int(move.min()) - 1) for move in moves), default=0)
    return max(2, farthest.bit_length() + 1)


def _last_readers(network: PackedNetwork) -> dict[str, int]:
    """By tensor the index of the last node that reads it, through concatenations too."""
    last = {node.name: index for index, node in enumerate(network.nodes)}
    for index, node in reversed(list(enumerate(network.nodes))):
        reader = last[node.name] if isinstance(node, ConcatLayer) else index
        for source in sources_of(node):
            last[source] = max(last[source], reader)
    return last


def _where_the_sources_are(
    node: ConcatLayer, addresses: dict[str, NDArray[np.int64]]
) -> NDArray[np.int64]:
    """A concatenation moves no word: its channels stay where their sources put them."""
    places = [
        addresses[node.sources[operand]][:, channel]
        for operand, channel in zip(node.operands, node.channels, strict=True)
    ]
    return np.stack(places, axis=1)


def _first_fit(living: list[tuple[int, int, int]], size: int) -> int:
    """The lowest address from which `size` words are free; `living` is sorted."""
    start = 0
    for low, high, _ in living:
        if low - start >= size:
            break
        start = max(start, high)
    return start
