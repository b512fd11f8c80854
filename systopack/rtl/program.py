"""Compile a packed network into the tiled accelerator's program and memory images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.array import Array
from systopack.hardware.placement import Placement, RowTile, stream_places
from systopack.hardware.plan import Step, TilePlan, plan_tiles
from systopack.hardware.timing import TiledTiming
from systopack.network.network import PackedNetwork
from systopack.network.nodes import InputNode, MatrixLayer, PoolLayer
from systopack.packing.tiling import column_tiles
from systopack.rtl.fields import (
    INSTRUCTION,
    OUTPUT_INSTRUCTION,
    Field,
    bits_of,
    descriptor_layout,
    pack_fields,
    route_layout,
    row_layout,
)
from systopack.rtl.images import (
    BIASES,
    DESCRIPTORS,
    OUTPUT_PROGRAM,
    PARAMETERS,
    PROGRAM,
    ROUTES,
    WEIGHTS,
    MemoryImage,
    clip_limits,
    image_of_bits,
    image_of_words,
)
from systopack.rtl.limits import (
    ADDRESS_LIMIT,
    TABLE_LIMIT,
    check_placement,
    check_tables,
    check_tiled_network,
)
from systopack.rtl.parameters import array_parameters, bits_for, index_bits

END, TILE, POOL, IMAGE, SEND = range(5)
_ONES = {"barrier", "spacing", "positions", "out_width", "stride_y", "stride_x", "width", "height"}
_ONES |= {"stride_pitch", "window_height", "window_width", "entries", "multiplier"}
_NO_EFFECT = {field.name: int(field.name in _ONES) for field in INSTRUCTION}


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
        plan: what runs, in which order, and where tensors lie.
        operations: the program, in words a reader understands.
        parameters: of the Verilog module `tiled_accelerator`.
        images: content of the memories.
    """

    plan: TilePlan
    operations: tuple[Operation, ...]
    parameters: dict[str, int]
    images: tuple[MemoryImage, ...]

    @property
    def network(self) -> PackedNetwork:
        """What was compiled."""
        return self.plan.network

    @property
    def array(self) -> Array:
        """For which array."""
        return self.plan.array

    @property
    def placement(self) -> Placement:
        """Where its tensors lie."""
        return self.plan.placement

    @property
    def timing(self) -> TiledTiming:
        """The delays of the accelerator."""
        return self.placement.timing

    @property
    def banks(self) -> int:
        """Banks of columns and, where the network has residuals, of lanes."""
        residuals = self.parameters["RESIDUALS"] * self.timing.lanes
        return self.timing.banks + residuals


def compile_tiled(network: PackedNetwork, *, array: Array) -> TiledProgram:
    """Compile a network for the tiled accelerator around an array.

    Raises:
        InvalidOptionError: the network does not fit; the message names the layer and the limit.
    """
    check_tiled_network(network)
    plan = plan_tiles(network, array=array)
    check_placement(network, plan.placement)
    compiler = _Compiler(plan)
    for step in plan.steps:
        node = network.by_name[step.node]
        if isinstance(node, InputNode):
            compiler.add_image(node, step)
        elif isinstance(node, PoolLayer):
            compiler.add_pool(node, step)
        elif isinstance(node, MatrixLayer):
            add = compiler.add_row_tile if step.kind == "tiles" else compiler.add_send
            add(node, step)
    return compiler.finish()


class _Compiler:
    """Collects instructions and tables step by step."""

    def __init__(self, plan: TilePlan) -> None:
        self.plan = plan
        network, timing, placement = plan.network, plan.timing, plan.placement
        self.network = network
        self.timing = timing
        self.placement = placement
        self.parts = timing.array.sub_banks
        self.pools = [node for node in network.nodes if isinstance(node, PoolLayer)]
        self.residual_banks = any(layer.residual is not None for layer in network.layers)
        self.banks = timing.banks + (timing.lanes if self.residual_banks else 0)
        self.sources = timing.lanes * timing.lane_rows
        self.routed = route_layout(bits_for(self.sources), placement.place_bits)
        self.described = descriptor_layout(placement.displacement_bits, placement.address_bits)
        self.row = row_layout(timing.array.accumulator_bits)
        self.bias = (Field("bias", timing.array.accumulator_bits, signed=True),)
        self.operations: list[Operation] = []
        self.program: list[int] = []
        self.output_program: list[int] = []
        self.descriptors: list[list[int]] = [[] for _ in range(self.banks)]
        self.routes: list[list[int]] = [[] for _ in range(self.banks * self.parts)]
        self.weights: list[NDArray[np.uint8]] = []
        self.biases: list[list[int]] = [[] for _ in range(timing.lanes)]
        self.parameters: list[list[int]] = [[] for _ in range(timing.lanes)]
        self.row_tile = 0
        self.streams: dict[tuple[str, int], int] = {}  # by layer and band, its first descriptor

    def add_image(self, node: InputNode, step: Step) -> None:
        """Bytes of the image, channel by channel."""
        route = len(self.routes[0])
        for bank in range(self.banks):
            self._add_bytes(
                node.name, bank, self.placement.addresses[node.name][bank], step.entries
            )
        self._instruct(
            Operation(kind=IMAGE, node=node.name),
            {"positions": step.positions, "route": route, "entries": step.entries},
        )

    def add_pool(self, node: PoolLayer, step: Step) -> None:
        """Windows reduced in place, the channels of each bank one after another."""
        entries = step.entries
        width = self.network.shapes[node.source][2]
        target, source = (self.placement.addresses[name] for name in (node.name, node.source))
        top, _, left, _ = node.padding
        descriptor, route = len(self.descriptors[0]), len(self.routes[0])
        for bank in range(self.banks):
            channels = np.flatnonzero(target[bank] >= 0)
            rows = [
                self._descriptor(node.name, int(source[bank, channel]), -top, -left, width)
                for channel in channels
            ]
            self.descriptors[bank] += rows + [0] * (entries - len(rows))
            self._add_bytes(node.name, bank, target[bank, channels], entries)
        self._instruct(
            Operation(kind=POOL, node=node.name),
            {
                **self._walk(node),
                "positions": step.positions,
                "window_height": node.kernel[0],
                "window_width": node.kernel[1],
                "descriptor": descriptor,
                "route": route,
                "entries": entries,
                "maximum": int(node.kind == "max"),
                "multiplier": node.multiplier,
                "pool_shift": node.shift,
            },
        )

    def add_row_tile(self, layer: MatrixLayer, step: Step) -> None:
        """The column tiles of some rows, and where their words go."""
        tile = step.tile
        assert tile is not None
        band = (layer.name, tile.band)
        if band not in self.streams:  # the descriptors of all bands lie before their routes
            for index in range(len(layer.matrix.bands)):
                self.streams[layer.name, index] = self._add_streams(layer, index)
        is_output = layer is self.network.output
        route = 0 if is_output else self._add_routes(layer, tile, step.writes)
        residual = self._add_rows(layer, tile)
        for column_tile in range(tile.column_tiles):
            last = column_tile == tile.column_tiles - 1
            self._add_weights(layer, tile, column_tile)
            self._instruct(
                Operation(
                    kind=TILE, node=layer.name, row_tile=step.number, column_tile=column_tile
                ),
                {
                    **self._walk(layer),
                    "barrier": int(column_tile == 0 and step.waits),
                    "first": int(column_tile == 0),
                    "returns": int(column_tile > 0),
                    "spacing": step.spacing(self.timing.array) if last else 1,
                    "positions": layer.positions,
                    "descriptor": self.streams[band] + column_tile * self.timing.reads,
                    "row_tile": self.row_tile,
                },
            )
            self._follow(layer, last=last, residual=residual, route=route, writes=step.writes)
        self.row_tile += 1

    def add_send(self, layer: MatrixLayer, step: Step) -> None:
        """The results of a row tile on their way out."""
        self._instruct(
            Operation(kind=SEND, node=layer.name, row_tile=step.number),
            {"positions": step.positions, "entries": step.entries},
        )

    def finish(self) -> TiledProgram:
        """All tables as memory images."""
        self._instruct(Operation(kind=END, node=""))
        array, timing = self.timing.array, self.timing
        images = (
            image_of_words(PROGRAM, bits_of(INSTRUCTION), [self.program]),
            image_of_words(OUTPUT_PROGRAM, bits_of(OUTPUT_INSTRUCTION), [self.output_program]),
            image_of_bits(WEIGHTS, np.concatenate(self.weights)[None]),
            image_of_words(DESCRIPTORS, bits_of(self.described), self.descriptors),
            image_of_words(ROUTES, bits_of(self.routed), self.routes),
            image_of_words(BIASES, bits_of(self.bias), self.biases),
            image_of_words(PARAMETERS, bits_of(self.row), self.parameters),
        )
        check_tables(
            self.network,
            {
                "instructions": (images[PROGRAM], ADDRESS_LIMIT),
                "words of weights": (images[WEIGHTS], ADDRESS_LIMIT),
                "stream descriptors a bank": (images[DESCRIPTORS], TABLE_LIMIT),
                "routes a bank": (images[ROUTES], TABLE_LIMIT),
                "rows of output parameters a lane": (images[PARAMETERS], ADDRESS_LIMIT),
            },
        )
        row_bits = bits_for(timing.lane_rows)
        depths = [image.words.shape[1] for image in images]
        parameters = {
            **array_parameters(array),
            "RESIDUALS": int(self.residual_banks),
            "ADDRESS_BITS": self.placement.address_bits,
            "SUB_BANKS": self.parts,
            "SUB_BANK_WORDS": self.placement.depth,
            "DISPLACEMENT_BITS": self.placement.displacement_bits,
            "AVERAGES": int(any(node.kind != "max" for node in self.pools)),
            "DESCRIPTOR_BITS": bits_for(depths[DESCRIPTORS]),
            "ROUTE_BITS": bits_for(depths[ROUTES]),
            "PARAMETER_BITS": bits_for(self.row_tile) + row_bits,
            "SUM_ADDRESS_BITS": bits_for(self.plan.sum_positions) + row_bits,
            "WEIGHT_BITS": bits_for(depths[WEIGHTS]),
            "WEIGHT_WORDS": depths[WEIGHTS],
            "PROGRAM_BITS": bits_for(len(self.program) + 1),
            "BANK_BITS": bits_for(max(self.banks * self.parts, timing.lanes)),
            "CONFIG_BITS": max(image.bits for image in images),
        }
        return TiledProgram(
            plan=self.plan,
            operations=tuple(self.operations),
            parameters=parameters,
            images=images,
        )

    def _instruct(self, operation: Operation, values: Mapping[str, int] | None = None) -> None:
        """An instruction; fields that are not named have no effect on it."""
        word = {**_NO_EFFECT, **(values or {}), "op": operation.kind}
        self.operations.append(operation)
        self.program.append(pack_fields(INSTRUCTION, word, where=f"Layer '{operation.node}'"))

    def _walk(self, node: MatrixLayer | PoolLayer) -> dict[str, int]:
        """Fields that say where the positions of a node lie in its source."""
        _, height, width = self.network.shapes[node.source]
        return {
            "out_width": node.output_size[1],
            "stride_y": node.stride[0],
            "stride_x": node.stride[1],
            "height": height,
            "width": width,
            "stride_pitch": node.stride[0] * width,
        }

    def _follow(
        self, layer: MatrixLayer, *, last: bool, residual: int, route: int, writes: int
    ) -> None:
        """The entry of one tile for what follows the array."""
        stride, width = (1, 1), 1
        if layer.residual is not None:
            stride = layer.residual.stride
            width = self.network.shapes[layer.residual.source][2]
        values = {
            "positions": layer.positions,
            "last": int(last),
            "keep": int(not last or layer is self.network.output),
            "requantized": int(layer.shift is not None),
            "row_tile": self.row_tile,
            "residual": residual,
            "route": route,
            "writes": writes,
            "out_width": layer.output_size[1],
            "stride_x": stride[1],
            "stride_pitch": stride[0] * width,
        }
        self.output_program.append(
            pack_fields(OUTPUT_INSTRUCTION, values, where=f"Layer '{layer.name}'")
        )

    def _add_streams(self, layer: MatrixLayer, band: int) -> int:
        """Descriptors of a band's column tiles; the address of the first."""
        timing = self.timing
        groups = len(layer.matrix.bands[band].groups)
        tiles = column_tiles(groups, columns=timing.array.columns)
        start = len(self.descriptors[0])
        for table in self.descriptors:
            table.extend([0] * (tiles * timing.reads))
        width = self.network.shapes[layer.source][2]
        addresses = self.placement.addresses[layer.source]
        for group, index, bank, column in stream_places(layer, band, timing).tolist():
            channel, dy, dx = layer.columns[column].tolist()
            place_in_table = group // timing.array.columns * timing.reads + index % timing.reads
            self.descriptors[bank][start + place_in_table] = self._descriptor(
                layer.name, int(addresses[bank, channel]), dy, dx, width
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
                entries = [
                    self._route(layer.name, int(row), int(addresses[bank, row])) for row in rows
                ]
                table = self.routes[bank * self.parts + part]
                table += entries + [0] * (writes - len(entries))
        return start

    def _add_bytes(self, node: str, bank: int, addresses: NDArray[np.int64], entries: int) -> None:
        """Routes of bytes that come one after another: each goes to one part."""
        for part in range(self.parts):
            table = self.routes[bank * self.parts + part]
            table += [
                self._route(node, 0, int(a) if a >> self.placement.place_bits == part else -1)
                for a in addresses
            ]
            table += [0] * (entries - len(addresses))

    def _add_rows(self, layer: MatrixLayer, tile: RowTile) -> int:
        """Bias and parameters of a row tile; the address of its residual descriptors."""
        timing, where = self.timing, f"Layer '{layer.name}'"
        clip = clip_limits(layer, timing.array.accumulator_bits)
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
                channel = -1 if residual is None else int(residual.channels[row])
                amount = 0 if residual is None else int(residual.shift[row])
                shift = 0 if layer.shift is None else int(layer.shift[row])
                lowest, highest = clip[row].tolist()
                fields = [int(channel >= 0), amount, shift, highest, lowest]
                self.biases[lane].append(
                    pack_fields(self.bias, [int(layer.bias[row])], where=where)
                )
                self.parameters[lane].append(pack_fields(self.row, fields, where=where))
                if residual is not None and channel >= 0:
                    bank = timing.banks + lane
                    address = int(self.placement.addresses[residual.source][bank, channel])
                    entry = self._descriptor(layer.name, address, 0, 0, 0)
                    self.descriptors[bank][start + place_in_lane] = entry
            self.biases[lane] += [0] * padding
            self.parameters[lane] += [0] * padding
        return start if residual is not None else 0

    def _add_weights(self, layer: MatrixLayer, tile: RowTile, column_tile: int) -> None:
        """One tile's weights and indices, `load_columns` after another."""
        array = self.timing.array
        band = layer.matrix.bands[tile.band]
        start = layer.matrix.row_starts[tile.band]
        rows = slice(tile.row_start - start, tile.row_stop - start)
        groups = slice(column_tile * array.columns, (column_tile + 1) * array.columns)
        values, channels = band.values[rows, groups], band.channels[rows, groups]
        bits = array.weight_bits
        width = bits + index_bits(array)
        together = array.load_columns
        cells = np.zeros((array.rows, array.load_cycles * together, width), dtype=np.uint8)
        part = cells[: values.shape[0], : values.shape[1]]
        part[:, :, :bits] = (values.astype(np.int64)[..., None] >> np.arange(bits)) & 1
        part[:, :, bits:] = (channels.astype(np.int64)[..., None] >> np.arange(width - bits)) & 1
        ordered = cells.transpose(1, 2, 0).reshape(array.load_cycles, together * array.rows * width)
        self.weights.append(np.ascontiguousarray(ordered))

    def _descriptor(self, layer: str, address: int, dy: int, dx: int, width: int) -> int:
        # Addresses count round: where a displacement leads out of the image, nothing is read.
        base = (address + dy * width + dx) % (1 << self.placement.address_bits)
        return pack_fields(self.described, [1, dy, dx, base], where=f"Layer '{layer}'")

    def _route(self, layer: str, row: int, address: int) -> int:
        if address < 0:
            return 0
        inside = address % (1 << self.placement.place_bits)  # the table is that of its part
        return pack_fields(self.routed, [1, row, inside], where=f"Layer '{layer}'")
