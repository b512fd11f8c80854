"""What the layer-pipelined accelerator builds for each node of a network.

Every convolution and linear layer owns its cells: all columns of its packed filter matrix, cut into
tiles that stand side by side. A unit reads its input from line buffers (windows), whose depth
follows from the displacements of its columns, and gives one word of all output channels at a
time to the units that read it. All delays are fixed numbers of cycles after a position is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array
from systopack.network.network import PackedNetwork
from systopack.network.nodes import ConcatLayer, InputNode, MatrixLayer, PoolLayer

_LANE_STAGES = 9  # pipe_lane: from a row's turn to its word
_POOL_STAGES = 6  # pipe_pool: from the last read's turn to the first channel's word, without one


@dataclass(frozen=True, kw_only=True)
class Window:
    """A line buffer and the displaced words that are read from it, one a cycle.

    Args:
        source: the tensor it holds.
        channels: channels of the tensor that it stores, in order.
        displacements: (dy, dx) of each read, oldest word first.
        stride: (vertical, horizontal) from one position to the next.
    """

    source: str
    channels: tuple[int, ...]
    displacements: tuple[tuple[int, int], ...]
    stride: tuple[int, int]

    @property
    def reads(self) -> int:
        """Cycles that reading for one position takes."""
        return len(self.displacements)


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A used column of a filter matrix: a serial stream into the cells.

    Args:
        column: index of the column in the filter matrix.
        channel, dy, dx: what it reads.
        window: index of the window it is read from.
        turn: index of the read.
        place: index of the channel among the window's channels.
    """

    column: int
    channel: int
    dy: int
    dx: int
    window: int
    turn: int
    place: int


@dataclass(frozen=True, kw_only=True, eq=False)
class BandCells:
    """The cells of a row band: tiles that run in step, sums of blocks of columns added by a tree.

    Args:
        row_start, row_stop: rows of the filter matrix, half open.
        columns: column groups, at least 1.
        block_columns: columns of a tile; the first block of columns may have fewer.
        tile_rows: rows of a tile; the last one may have fewer.
        slots: shape (columns, alpha), int64: number of the stream at each channel of each column,
            -1 where no cell selects one.
        array_cycles: from a word's first bit to its sums' first bit, in front of the tree.
        extra_cycles: wait behind the tree until the slowest band of the layer has its sums.
    """

    row_start: int
    row_stop: int
    columns: int
    block_columns: int
    tile_rows: int
    slots: NDArray[np.int64]
    array_cycles: int
    extra_cycles: int

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.row_stop - self.row_start

    @property
    def blocks(self) -> int:
        """Blocks of columns, side by side."""
        return -(-self.columns // self.block_columns)

    @property
    def tiles(self) -> int:
        """Tiles, side by side and one above the other."""
        return self.blocks * -(-self.rows // self.tile_rows)

    @property
    def levels(self) -> int:
        """Levels of the tree that adds the blocks' sums."""
        return (self.blocks - 1).bit_length()

    @property
    def cells(self) -> int:
        """Cells of all its tiles."""
        return self.rows * self.columns


@dataclass(frozen=True, kw_only=True)
class Unit:
    """The hardware of one node that computes.

    Args:
        name, source: the node and the tensor it reads.
        windows: line buffers of its input.
        interval: word times between two positions, at least.
        valid_cycles: from the cycle in which a position is taken to that in which its word is
            offered to the units that read it.
        word_cycles: word time.
    """

    name: str
    source: str
    windows: tuple[Window, ...]
    interval: int
    valid_cycles: int
    word_cycles: int

    @property
    def reads(self) -> int:
        """Cycles of the window that is read longest."""
        return max(window.reads for window in self.windows)

    @property
    def latency_words(self) -> int:
        """Word times from taking a position until its word can be used by the next unit."""
        return -(-(self.valid_cycles + 1) // self.word_cycles)


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerUnit(Unit):
    """A convolution or linear layer with its own cells.

    Args:
        layer: the node.
        array: tile size and cell.
        alpha: channels of its multiplexers: the largest group.
        streams: used columns of the filter matrix.
        bands: the cells of each row band, from top to bottom.
        residual: line buffer of the residual operand, or None.
        out_cycles: from taking a position until its sums are whole.
        lane_rows: rows that share an output lane.
    """

    layer: MatrixLayer
    array: Array
    alpha: int
    streams: tuple[Stream, ...]
    bands: tuple[BandCells, ...]
    residual: Window | None
    out_cycles: int
    lane_rows: int

    @property
    def feed_cycles(self) -> int:
        """From taking a position until its words go to the cells together."""
        return self.reads + 3

    @property
    def residual_cycles(self) -> int:
        """From taking a position until its residual operand is read."""
        return self.out_cycles - 2

    @property
    def cells(self) -> int:
        """Cells of all tiles."""
        return sum(band.cells for band in self.bands)

    @property
    def tiles(self) -> int:
        """Tiles of all bands."""
        return sum(band.tiles for band in self.bands)


@dataclass(frozen=True, kw_only=True, eq=False)
class PoolUnit(Unit):
    """A pooling layer.

    Args:
        layer: the node.
        lane_channels: channels that share a multiplier, average pooling only.
    """

    layer: PoolLayer
    lane_channels: int


def build_units(network: PackedNetwork, array: Array) -> tuple[LayerUnit | PoolUnit, ...]:
    """The units of a network, in its order.

    Args:
        array: `rows` and `columns` limit a tile, `alpha` a group; the other fields describe cells.
    """
    units: list[LayerUnit | PoolUnit] = []
    for node in network.nodes:
        if isinstance(node, MatrixLayer):
            units.append(_layer_unit(network, node, array))
        elif isinstance(node, ConcatLayer):
            raise InvalidOptionError(
                f"Layer '{node.name}' is a concatenation, which the layer-pipelined accelerator "
                "has no unit for; choose the tiled accelerator."
            )
        elif not isinstance(node, InputNode):
            units.append(_pool_unit(network, node, array))
    return tuple(units)


def _pool_unit(network: PackedNetwork, node: PoolLayer, array: Array) -> PoolUnit:
    channels = network.shapes[node.name][0]
    top, _, left, _ = node.padding
    window = Window(
        source=node.source,
        channels=tuple(range(channels)),
        displacements=tuple(
            (y - top, x - left) for y in range(node.kernel[0]) for x in range(node.kernel[1])
        ),
        stride=node.stride,
    )
    lane = min(channels, array.word_cycles)
    tail = 3 if node.kind == "max" else _POOL_STAGES + lane
    return PoolUnit(
        name=node.name,
        source=node.source,
        windows=(window,),
        interval=-(-window.reads // array.word_cycles),
        valid_cycles=window.reads + tail,
        word_cycles=array.word_cycles,
        layer=node,
        lane_channels=lane,
    )


def _layer_unit(network: PackedNetwork, layer: MatrixLayer, array: Array) -> LayerUnit:
    slots, used = _used_columns(layer)
    interval, windows, streams = _windows(network, layer, array, used)
    number = np.full(len(layer.columns), -1, dtype=np.int64)
    for index, stream in enumerate(streams):
        number[stream.column] = index
    alpha = max(table.shape[1] for table in slots)
    feed = max(window.reads for window in windows) + 3
    serial = array.serial_cycles
    bands = _bands(layer, array, [np.where(t < 0, -1, number[t]) for t in slots], alpha)
    slowest = max(band.array_cycles + band.levels for band in bands)
    bands = tuple(
        replace(band, extra_cycles=slowest - band.array_cycles - band.levels) for band in bands
    )
    out = feed + 1 + slowest + serial
    lane_rows = min(layer.matrix.rows, array.word_cycles)
    return LayerUnit(
        name=layer.name,
        source=layer.source,
        windows=windows,
        interval=interval,
        valid_cycles=out + lane_rows + _LANE_STAGES,
        word_cycles=array.word_cycles,
        layer=layer,
        array=array,
        alpha=alpha,
        streams=streams,
        bands=bands,
        residual=_residual_window(layer),
        out_cycles=out,
        lane_rows=lane_rows,
    )


def _used_columns(layer: MatrixLayer) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
    """For each band the column of the filter matrix at (group, channel), -1 where no cell selects
    it; and all used columns, at least one.
    """
    tables = []
    for band in layer.matrix.bands:
        row, group = np.nonzero(band.values)
        used = np.zeros(band.group_table.shape, dtype=bool)
        used[group, band.channels[row, group]] = True
        table = np.where(used, band.group_table, -1)
        # Channels behind the last one that a cell of the band selects need no multiplexer.
        last = np.flatnonzero(used.any(axis=0))
        table = table[:, : last[-1] + 1 if len(last) else 0]
        if table.size == 0:
            table = np.full((1, 1), -1, dtype=np.int64)
        tables.append(table)
    width = max(table.shape[1] for table in tables)
    slots = [
        np.pad(table, ((0, 0), (0, width - table.shape[1])), constant_values=-1) for table in tables
    ]
    used_columns = np.unique(np.concatenate([table.ravel() for table in tables]))
    used_columns = used_columns[used_columns >= 0]
    return slots, used_columns if len(used_columns) else np.zeros(1, dtype=np.int64)


def _windows(
    network: PackedNetwork, layer: MatrixLayer, array: Array, used: NDArray[np.int64]
) -> tuple[int, tuple[Window, ...], tuple[Stream, ...]]:
    """Line buffers that serve all used columns within the interval: few reads, old words first."""
    width = network.shapes[layer.source][2]
    places = {
        (int(dy), int(dx)): int(dy) * width + int(dx) for _, dy, dx in layer.columns[used].tolist()
    }
    order = sorted(places, key=lambda place: (places[place], place))
    word = array.word_cycles
    interval = -(-len(order) // word) if layer.positions == 1 else 1
    size = word * interval
    windows: list[Window] = []
    streams: list[Stream] = []
    for number, start in enumerate(range(0, len(order), size)):
        displacements = tuple(order[start : start + size])
        turn = {place: index for index, place in enumerate(displacements)}
        # What one read gathers lies side by side.
        own = sorted(
            (
                (column, *layer.columns[column].tolist())
                for column in used.tolist()
                if tuple(layer.columns[column, 1:].tolist()) in turn
            ),
            key=lambda stream: (turn[stream[2], stream[3]], stream[1]),
        )
        channels = tuple(sorted({channel for _, channel, _, _ in own}))
        place_of = {channel: index for index, channel in enumerate(channels)}
        windows.append(
            Window(
                source=layer.source,
                channels=channels,
                displacements=displacements,
                stride=layer.stride,
            )
        )
        streams += [
            Stream(
                column=column,
                channel=channel,
                dy=dy,
                dx=dx,
                window=number,
                turn=turn[dy, dx],
                place=place_of[channel],
            )
            for column, channel, dy, dx in own
        ]
    return interval, tuple(windows), tuple(streams)


def _residual_window(layer: MatrixLayer) -> Window | None:
    residual = layer.residual
    if residual is None:
        return None
    channels = tuple(sorted({int(c) for c in residual.channels if c >= 0})) or (0,)
    return Window(
        source=residual.source,
        channels=channels,
        displacements=((0, 0),),
        stride=residual.stride,
    )


def _bands(
    layer: MatrixLayer, array: Array, slots: list[NDArray[np.int64]], alpha: int
) -> tuple[BandCells, ...]:
    """Tiles as equal as they can be; of a band only plain bit-serial cells are more than one."""
    bands = []
    for start, band, table in zip(layer.matrix.row_starts, layer.matrix.bands, slots, strict=True):
        columns = len(table)
        block_columns, tile_rows = columns, band.rows
        if array.cell_kind.sums == "lanes" and not array.cell_kind.staged:
            block_columns = -(-columns // -(-columns // array.columns))
            tile_rows = -(-band.rows // -(-band.rows // array.rows))
        top = (tile_rows - 1) // array.input_fanout
        bands.append(
            BandCells(
                row_start=start,
                row_stop=start + band.rows,
                columns=columns,
                block_columns=block_columns,
                tile_rows=tile_rows,
                slots=table,
                array_cycles=-(-block_columns // array.cells_per_stage)
                + top
                + int(alpha > 1 and array.cell_kind.registered_multiplexer)
                + array.product_cycles,
                extra_cycles=0,
            )
        )
    return tuple(bands)
