"""Compile a packed network into the tiled accelerator's program and memory images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array, check_fits
from systopack.hardware.placement import Placement, RowTile, place, row_tiles, stream_places
from systopack.hardware.timing import TiledTiming
from systopack.network.network import PackedNetwork
from systopack.network.nodes import ConcatLayer, InputNode, MatrixLayer, PoolLayer
from systopack.rtl.images import (
    BIASES,
    DESCRIPTORS,
    OUTPUT_PROGRAM,
    PARAMETERS,
    PROGRAM,
    ROUTES,
    WEIGHTS,
    MemoryImage,
    image_of_bits,
    image_of_words,
    pack_fields,
)
from systopack.rtl.parameters import array_parameters, bits_for, index_bits

END, TILE, POOL, IMAGE, SEND = range(5)
_ADDRESS_LIMIT = 1 << 20
_TABLE_LIMIT = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One instruction of the program, for those who watch it run.

    Args:
        kind: END, TILE, POOL, IMAGE or SEND.
        node: the node it belongs to, "" for the end.
        row_tile: index of the row tile within the node, -1 where there is none.
        column_tile: index of the column tile within the row tile, -1 where there is none.
    """

    kind: int
    node: str
    row_tile: int = -1
    column_tile: int = -1


@dataclass(frozen=True, kw_only=True, eq=False)
class TiledProgram:
    """A packed network, ready to run on a tiled accelerator.

    Args:
        network, array: what was compiled for what.
        placement: where its tensors lie.
        operations: the program, in words a reader understands.
        parameters: of the Verilog module `tiled_accelerator`.
        images: content of the memories.
    """

    network: PackedNetwork
    array: Array
    placement: Placement
    operations: tuple[Operation, ...]
    parameters: dict[str, int]
    images: tuple[MemoryImage, ...]


def compile_tiled(network: PackedNetwork, *, array: Array) -> TiledProgram:
    """Compile a network for the tiled accelerator around an array.

    Raises:
        InvalidOptionError: the network does not fit; the message names the layer and the limit.
    """
    check_fits(network, array)
    _check_limits(network)
    timing = TiledTiming(array=array)
    compiler = _Compiler(network, timing, place(network, timing))
    for node in network.nodes:
        if isinstance(node, InputNode):
            compiler.add_image(node)
        elif isinstance(node, MatrixLayer):
            compiler.add_layer(node)
        elif isinstance(node, PoolLayer):
            compiler.add_pool(node)
    return compiler.finish()


class _Compiler:
    """Collects instructions and tables node by node."""

    def __init__(self, network: PackedNetwork, timing: TiledTiming, placement: Placement) -> None:
        self.network = network
        self.timing = timing
        self.placement = placement
        self.parts = timing.array.bank_parts
        self.pools = [node for node in network.nodes if isinstance(node, PoolLayer)]
        self.residual_banks = any(layer.residual is not None for layer in network.layers)
        self.banks = timing.banks + (timing.lanes if self.residual_banks else 0)
        self.sources = timing.lanes * timing.lane_rows
        self.operations: list[Operation] = []
        self.program: list[int] = []
        self.output_program: list[int] = []
        self.descriptors: list[list[int]] = [[] for _ in range(self.banks)]
        self.routes: list[list[int]] = [[] for _ in range(self.banks * self.parts)]
        self.weights: list[NDArray[np.uint8]] = []
        self.biases: list[list[int]] = [[] for _ in range(timing.lanes)]
        self.parameters: list[list[int]] = [[] for _ in range(timing.lanes)]
        self.row_tile = 0
        self.largest = 1  # positions that the partial-sum memories hold

    def add_image(self, node: InputNode) -> None:
        """Bytes of the image, channel by channel."""
        channels, height, width = node.shape
        route = len(self.routes[0])
        for bank in range(self.banks):
            self._add_bytes(bank, self.placement.addresses[node.name][bank], channels)
        self._instruct(
            Operation(kind=IMAGE, node=node.name),
            positions=height * width,
            route=route,
            entries=channels,
        )

    def add_pool(self, node: PoolLayer) -> None:
        """Windows reduced in place, the channels of each bank one after another."""
        entries = self.placement.pooled(node.name)
        if entries == 0:
            return
        _, height, width = self.network.shapes[node.source]
        target, source = (self.placement.addresses[name] for name in (node.name, node.source))
        top, _, left, _ = node.padding
        descriptor, route = len(self.descriptors[0]), len(self.routes[0])
        for bank in range(self.banks):
            channels = np.flatnonzero(target[bank] >= 0)
            rows = [
                self._descriptor(int(source[bank, channel]), -top, -left, width)
                for channel in channels
            ]
            self.descriptors[bank] += rows + [0] * (entries - len(rows))
            self._add_bytes(bank, target[bank, channels], entries)
        self._instruct(
            Operation(kind=POOL, node=node.name),
            positions=node.output_size[0] * node.output_size[1],
            out_width=node.output_size[1],
            stride=node.stride,
            size=(height, width),
            window=node.kernel,
            descriptor=descriptor,
            route=route,
            entries=entries,
            pool=(int(node.kind == "max"), node.multiplier, node.shift),
        )

    def add_layer(self, layer: MatrixLayer) -> None:
        """The tiles of a layer, and where their words go."""
        array = self.timing.array
        is_output = layer is self.network.output
        descriptors = [self._add_streams(layer, band) for band in range(len(layer.matrix.bands))]
        tiles = row_tiles(layer, rows=array.rows, columns=array.columns)
        if is_output or any(tile.column_tiles > 1 for tile in tiles):
            self.largest = max(self.largest, layer.positions)
        for number, tile in enumerate(tiles):
            writes, route = 0, 0
            if not is_output:
                writes = self.placement.writes(layer.name, tile)
                route = self._add_routes(layer, tile, writes)
            residual = self._add_rows(layer, tile)
            for column_tile in range(tile.column_tiles):
                last = column_tile == tile.column_tiles - 1
                self._add_weights(layer, tile, column_tile)
                self._instruct(
                    Operation(kind=TILE, node=layer.name, row_tile=number, column_tile=column_tile),
                    barrier=column_tile == 0 and (number == 0 or is_output),
                    first=column_tile == 0,
                    returns=column_tile > 0,
                    spacing=max(1, -(-writes // array.word_cycles)) if last else 1,
                    positions=layer.positions,
                    out_width=layer.output_size[1],
                    stride=layer.stride,
                    size=self.network.shapes[layer.source][1:],
                    descriptor=descriptors[tile.band] + column_tile * self.timing.reads,
                    row_tile=self.row_tile,
                )
                self._follow(layer, last=last, residual=residual, route=route, writes=writes)
            if is_output:
                self._instruct(
                    Operation(kind=SEND, node=layer.name, row_tile=number),
                    positions=layer.positions,
                    entries=tile.rows,
                )
            self.row_tile += 1

    def finish(self) -> TiledProgram:
        """All tables as memory images."""
        self._instruct(Operation(kind=END, node=""))
        array, timing = self.timing.array, self.timing
        accumulator = array.accumulator_bits
        place_bits = self.placement.place_bits
        images = (
            image_of_words(PROGRAM, 211, [self.program]),
            image_of_words(OUTPUT_PROGRAM, 119, [self.output_program]),
            image_of_bits(WEIGHTS, np.concatenate(self.weights)[None]),
            image_of_words(DESCRIPTORS, self.placement.descriptor_bits, self.descriptors),
            image_of_words(ROUTES, 1 + bits_for(self.sources) + place_bits, self.routes),
            image_of_words(BIASES, accumulator, self.biases),
            image_of_words(PARAMETERS, 11 + 2 * accumulator, self.parameters),
        )
        for image, what in ((images[3], "stream descriptors"), (images[4], "routes")):
            if image.words.shape[1] > _TABLE_LIMIT:
                raise InvalidOptionError(
                    f"Network '{self.network.name}' needs {image.words.shape[1]} {what} a bank, "
                    f"but the accelerator addresses {_TABLE_LIMIT}; choose a larger array."
                )
        if self.placement.depth > _ADDRESS_LIMIT:
            raise InvalidOptionError(
                f"Network '{self.network.name}' needs {self.placement.depth} words in a part of "
                "a bank, but "
                f"the accelerator addresses {_ADDRESS_LIMIT}; choose an array with more columns."
            )
        row_bits = bits_for(timing.lane_rows)
        depths = [image.words.shape[1] for image in images]
        parameters = {
            **array_parameters(array),
            "WORD_CYCLES": array.word_cycles,
            "PHASE_BITS": bits_for(array.word_cycles),
            "READS": timing.reads,
            "READ_BITS": bits_for(timing.reads),
            "BANKS_PER_COLUMN": timing.banks_per_column,
            "LANE_ROWS": timing.lane_rows,
            "ROW_BITS": row_bits,
            "LANES": timing.lanes,
            "SOURCE_BITS": bits_for(self.sources),
            "RESIDUALS": int(self.residual_banks),
            "BLOCKS": array.load_blocks,
            "FEED": timing.feed_cycles,
            "OUT": timing.out_cycles,
            "LOAD_WAIT": timing.load_wait_cycles,
            "MIN_LOAD": timing.load_words,
            "MIN_RETURN": timing.return_words,
            "MIN_DRAIN": timing.drain_words,
            "ADDRESS_BITS": self.placement.address_bits,
            "PARTS": self.parts,
            "PART_BITS": self.placement.address_bits - place_bits,
            "PART_WORDS": self.placement.depth,
            "DISPLACEMENT_BITS": self.placement.displacement_bits,
            "AVERAGES": int(any(node.kind != "max" for node in self.pools)),
            "DESCRIPTOR_BITS": bits_for(depths[DESCRIPTORS]),
            "ROUTE_BITS": bits_for(depths[ROUTES]),
            "PARAMETER_BITS": bits_for(self.row_tile) + row_bits,
            "SUM_ADDRESS_BITS": bits_for(self.largest) + row_bits,
            "WEIGHT_BITS": bits_for(depths[WEIGHTS]),
            "WEIGHT_WORDS": depths[WEIGHTS],
            "PROGRAM_BITS": bits_for(len(self.program) + 1),
            "BANK_BITS": bits_for(max(self.banks * self.parts, timing.lanes)),
            "CONFIG_BITS": max(image.bits for image in images),
        }
        return TiledProgram(
            network=self.network,
            array=array,
            placement=self.placement,
            operations=tuple(self.operations),
            parameters=parameters,
            images=images,
        )

    def _instruct(
        self,
        operation: Operation,
        *,
        barrier: bool = True,
        first: bool = False,
        returns: bool = False,
        spacing: int = 1,
        positions: int = 1,
        out_width: int = 1,
        stride: tuple[int, int] = (1, 1),
        size: tuple[int, ...] = (1, 1),
        window: tuple[int, int] = (1, 1),
        descriptor: int = 0,
        route: int = 0,
        row_tile: int = 0,
        entries: int = 1,
        pool: tuple[int, int, int] = (0, 1, 0),
    ) -> None:
        height, width = size
        fields = [
            (operation.kind, 3),
            (int(barrier), 1),
            (int(first), 1),
            (int(returns), 1),
            (spacing, 8),
            (positions, 16),
            (out_width, 12),
            (stride[0], 8),
            (stride[1], 8),
            (width, 12),
            (height, 12),
            (stride[0] * width, 20),
            (window[0], 12),
            (window[1], 12),
            (descriptor, 16),
            (route, 16),
            (row_tile, 16),
            (entries, 16),
            (pool[0], 1),
            (pool[1], 15),
            (pool[2], 5),
        ]
        self.operations.append(operation)
        self.program.append(pack_fields(fields))

    def _follow(
        self, layer: MatrixLayer, *, last: bool, residual: int, route: int, writes: int
    ) -> None:
        """The entry of one tile for what follows the array."""
        stride, width = (1, 1), 1
        if layer.residual is not None:
            stride = layer.residual.stride
            width = self.network.shapes[layer.residual.source][2]
        fields = [
            (layer.positions, 16),
            (int(last), 1),
            (int(not last or layer is self.network.output), 1),
            (int(layer.shift is not None), 1),
            (self.row_tile, 16),
            (residual, 16),
            (route, 16),
            (writes, 12),
            (layer.output_size[1], 12),
            (stride[1], 8),
            (stride[0] * width, 20),
        ]
        self.output_program.append(pack_fields(fields))

    def _add_streams(self, layer: MatrixLayer, band: int) -> int:
        """Descriptors of a band's column tiles; the address of the first."""
        timing = self.timing
        groups = len(layer.matrix.bands[band].groups)
        tiles = max(1, -(-groups // timing.array.columns))
        start = len(self.descriptors[0])
        for table in self.descriptors:
            table.extend([0] * (tiles * timing.reads))
        width = self.network.shapes[layer.source][2]
        addresses = self.placement.addresses[layer.source]
        for group, index, bank, column in stream_places(layer, band, timing).tolist():
            channel, dy, dx = layer.columns[column].tolist()
            place_in_table = group // timing.array.columns * timing.reads + index % timing.reads
            self.descriptors[bank][start + place_in_table] = self._descriptor(
                int(addresses[bank, channel]), dy, dx, width
            )
        return start

    def _add_routes(self, layer: MatrixLayer, tile: RowTile, writes: int) -> int:
        """Where the rows of a tile are written; the address of the first entry."""
        start = len(self.routes[0])
        inside = slice(tile.row_start, tile.row_stop)
        addresses = self.placement.addresses[layer.name][:, inside]
        for part in range(self.parts):
            held = self.placement.held(layer.name, part)[:, inside]
            for bank in range(self.banks):
                rows = np.flatnonzero(held[bank])
                entries = [self._route(int(row), int(addresses[bank, row])) for row in rows]
                table = self.routes[bank * self.parts + part]
                table += entries + [0] * (writes - len(entries))
        return start

    def _add_bytes(self, bank: int, addresses: NDArray[np.int64], entries: int) -> None:
        """Routes of bytes that come one after another: each goes to one part."""
        for part in range(self.parts):
            table = self.routes[bank * self.parts + part]
            table += [
                self._route(0, int(address) if address >> self.placement.place_bits == part else -1)
                for address in addresses
            ]
            table += [0] * (entries - len(addresses))

    def _add_rows(self, layer: MatrixLayer, tile: RowTile) -> int:
        """Bias and parameters of a row tile; the address of its residual descriptors."""
        timing, bits = self.timing, self.timing.array.accumulator_bits
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        residual = layer.residual
        padding = (1 << bits_for(timing.lane_rows)) - timing.lane_rows
        start = len(self.descriptors[0])
        if residual is not None:
            for table in self.descriptors:
                table.extend([0] * timing.lane_rows)
        for lane in range(timing.lanes):
            for place_in_lane in range(timing.lane_rows):
                row = tile.row_start + lane * timing.lane_rows + place_in_lane
                if row >= tile.row_stop:
                    self.biases[lane].append(0)
                    self.parameters[lane].append(0)
                    continue
                lowest, highest = low, high
                if layer.activation == "relu":
                    lowest = 0
                elif layer.clip is not None:
                    lowest, highest = (min(max(int(c), low), high) for c in layer.clip[row])
                channel = -1 if residual is None else int(residual.channels[row])
                amount = 0 if residual is None else int(residual.shift[row])
                shift = 0 if layer.shift is None else int(layer.shift[row])
                self.biases[lane].append(int(layer.bias[row]) & ((1 << bits) - 1))
                fields = [(int(channel >= 0), 1), (amount, 5), (shift, 5)]
                self.parameters[lane].append(
                    pack_fields([*fields, (highest, bits), (lowest, bits)])
                )
                if residual is not None and channel >= 0:
                    bank = timing.banks + lane
                    address = int(self.placement.addresses[residual.source][bank, channel])
                    entry = self._descriptor(address, 0, 0, 0)
                    self.descriptors[bank][start + place_in_lane] = entry
            self.biases[lane] += [0] * padding
            self.parameters[lane] += [0] * padding
        return start if residual is not None else 0

    def _add_weights(self, layer: MatrixLayer, tile: RowTile, column_tile: int) -> None:
        """One tile's weights and indices: block by block, `load_columns` after another."""
        array = self.timing.array
        band = layer.matrix.bands[tile.band]
        start = layer.matrix.row_starts[tile.band]
        rows = slice(tile.row_start - start, tile.row_stop - start)
        groups = slice(column_tile * array.columns, (column_tile + 1) * array.columns)
        values, channels = band.values[rows, groups], band.channels[rows, groups]
        block = array.load_rows or array.rows
        bits = array.weight_bits
        width = bits + index_bits(array)
        together = array.load_columns
        columns = -(-array.columns // together) * together
        cells = np.zeros((array.load_blocks * block, columns, width), dtype=np.uint8)
        part = cells[: values.shape[0], : values.shape[1]]
        part[:, :, :bits] = (values.astype(np.int64)[..., None] >> np.arange(bits)) & 1
        part[:, :, bits:] = (channels.astype(np.int64)[..., None] >> np.arange(width - bits)) & 1
        blocks = cells.reshape(array.load_blocks, block, columns, width)
        ordered = blocks.transpose(0, 2, 3, 1).reshape(array.load_cycles, together * block * width)
        self.weights.append(np.ascontiguousarray(ordered))

    def _descriptor(self, address: int, dy: int, dx: int, width: int) -> int:
        base = address + dy * width + dx
        move = self.placement.displacement_bits
        return pack_fields([(1, 1), (dy, move), (dx, move), (base, self.placement.address_bits)])

    def _route(self, row: int, address: int) -> int:
        if address < 0:
            return 0
        bits = bits_for(self.sources)
        return pack_fields([(1, 1), (row, bits), (address, self.placement.place_bits)])


def _check_limits(network: PackedNetwork) -> None:
    """Refuse, by name, what the instruction fields cannot hold."""
    if not isinstance(network.output, MatrixLayer):
        raise InvalidOptionError(
            f"Layer '{network.output.name}' ends the network with a pooling, but the accelerator "
            "sends the output of a convolution or linear layer; add one after it."
        )
    for node in network.nodes:
        _, height, width = network.shapes[node.name]
        limits = [("output positions", height * width, 65535), ("rows or columns", height, 2047)]
        limits.append(("rows or columns", width, 2047))
        if isinstance(node, ConcatLayer) and (node.channels < 0).any():
            raise InvalidOptionError(
                f"Layer '{node.name}' puts channels of zeros between others, which the tiled "
                "accelerator has no memory for; leave them out of the model."
            )
        if isinstance(node, MatrixLayer | PoolLayer):
            limits.append(("a stride", max(node.stride), 255))
        if isinstance(node, PoolLayer):
            limits.append(("words in a window", node.kernel[0] * node.kernel[1], 65535))
        if isinstance(node, MatrixLayer) and node.residual is not None:
            limits.append(("a residual stride", max(node.residual.stride), 255))
        for what, value, limit in limits:
            if value > limit:
                raise InvalidOptionError(
                    f"Layer '{node.name}' has {what} of {value}, but the accelerator's "
                    f"instructions hold at most {limit}; use a smaller layer."
                )
