"""The plan of a network on the tiled accelerator: what runs, in which order, in which slots.

It is made once. The compiler encodes it, the cycle model times it, energy and verification read it;
nothing else walks the nodes of a network to find its tiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from systopack.hardware.array import Array, check_fits
from systopack.hardware.placement import RowTile, row_tiles
from systopack.hardware.rows.jobs import Need, Schedule, Walk, find_schedule, lower_bound
from systopack.hardware.rows.places import (
    Places,
    TensorPlace,
    fused_pools,
    place_rows,
    pool_tiles,
    scratch_name,
)
from systopack.hardware.rows.timing import RowTiming
from systopack.network.network import PackedNetwork
from systopack.network.nodes import InputNode, MatrixLayer, PoolLayer

OpKind = Literal["image", "pool", "tiles", "send"]
BLOCK = 64  # positions of a block: what the memories of partial sums hold


@dataclass(frozen=True, kw_only=True)
class Visits:
    """How often a row tile's column tiles come to the array, and for how long.

    A block is a whole number of output rows; in each, all column tiles visit the array in turn.

    Args:
        column_tiles, blocks: visits are their product.
        block_rows: output rows of a block; the last has what is left.
        rows, width: of the output.
        single: a block is one run of steps; else each of its rows is one.
        parts: positions that are computed at once.
        elements: steps of a position: words of a pooling's window, else 1.
    """

    column_tiles: int
    blocks: int
    block_rows: int
    rows: int
    width: int
    single: bool
    parts: int = 1
    elements: int = 1

    def runs(self, *, last: bool) -> int:
        """Runs of a visit, of the last block or another."""
        return 1 if self.single else self._rows(last)

    def run_steps(self, *, last: bool) -> int:
        """Steps of a run."""
        positions = self.width * (self._rows(last) if self.single else 1)
        return -(-positions // self.parts) * self.elements

    def steps(self, *, last: bool) -> int:
        """Steps of a visit."""
        return self.runs(last=last) * self.run_steps(last=last)

    @property
    def block_positions(self) -> int:
        """Positions of a block."""
        return self.block_rows * self.width

    def _rows(self, last: bool) -> int:
        return self.rows - (self.blocks - 1) * self.block_rows if last else self.block_rows


@dataclass(frozen=True, kw_only=True, eq=False)
class RowOp:
    """One instruction.

    Args:
        node: the node it belongs to; of a strided residual's copy the layer.
        kind: "tiles" is a row tile with all its column tiles, "pool" some channels of a pooling.
        positions: of the output; of an image its pixels.
        barrier: whether words that are still on their way must have been written before it starts.
        tile: of "tiles", "pool" and "send" the rows, else None.
        number: of the row tile within its layer, -1 where there is none.
        entries: channels of an image, rows to send.
        schedule, visits: of "tiles" and "pool".
        operands: by row of the tile, what its lanes read besides, or None.
        pool: that happens on the way out, or is this step.
    """

    node: str
    kind: OpKind
    positions: int
    barrier: bool = True
    tile: RowTile | None = None
    number: int = -1
    entries: int = 1
    schedule: Schedule | None = None
    visits: Visits | None = None
    operands: TensorPlace | None = None
    pool: PoolLayer | None = None
    target: TensorPlace | None = None

    @property
    def residual(self) -> bool:
        """Whether lanes read operands."""
        return self.schedule is not None and bool(self.schedule.residual_tags)

    @property
    def tail(self) -> int:
        """Periods without steps after the visits of the last column tile."""
        return self.schedule.lag + 1 if self.schedule is not None and self.residual else 0


@dataclass(frozen=True, kw_only=True, eq=False)
class RowPlan:
    """All instructions of one image.

    Args:
        network: what runs.
        timing: the accelerator.
        places: where its tensors lie.
        ops: in the order they run.
    """

    network: PackedNetwork
    timing: RowTiming
    places: Places
    ops: tuple[RowOp, ...]

    @property
    def array(self) -> Array:
        """The array it runs on."""
        return self.timing.array

    @property
    def tiles(self) -> int:
        """Tiles of all layers, each counted once."""
        return sum(op.visits.column_tiles for op in self.ops if op.kind == "tiles" and op.visits)

    @property
    def pools(self) -> int:
        """0 where nothing is pooled, 1 maximum only, 2 averages too."""
        kinds = {op.pool.kind for op in self.ops if op.pool is not None}
        return 2 if "average" in kinds else len(kinds)

    @property
    def sum_positions(self) -> int:
        """Positions that the memories of partial sums hold, at least 1."""
        return max(
            (
                -(-op.visits.block_positions // op.visits.parts)
                for op in self.ops
                if op.visits and (op.visits.column_tiles > 1 or op.node == self.network.output.name)
            ),
            default=1,
        )


def plan_rows(
    network: PackedNetwork, *, array: Array, block: int = BLOCK, split: bool = False
) -> RowPlan:
    """Plan one image on the tiled accelerator around an array.

    Args:
        block: positions that the memories of partial sums hold; more where a row is longer.
        split: whether layers of few rows may compute two positions at once, in both halves of the
            array's rows.

    Raises:
        InvalidOptionError: the network does not fit the array.
    """
    check_fits(network, array)
    planner = _Planner(network, RowTiming(array=array), block, split=split)
    return planner.plan()


def tile_streams(layer: MatrixLayer, band: int, array: Array) -> tuple[dict[int, int], ...]:
    """By column tile of a band, the columns of the filter matrix that its streams read.

    Stream `column * alpha + index` is there where a weight of the band selects it.
    """
    packed = layer.matrix.bands[band]
    row, group = np.nonzero(packed.values)
    used = np.zeros(packed.group_table.shape, dtype=bool)
    used[group, packed.channels[row, group]] = True
    tiles: list[dict[int, int]] = [{} for _ in range(max(1, -(-len(used) // array.columns)))]
    for group, index in zip(*(found.tolist() for found in np.nonzero(used)), strict=True):
        stream = group % array.columns * array.alpha + index
        tiles[group // array.columns][stream] = int(packed.group_table[group, index])
    return tuple(tiles)


class _Planner:
    """Collects instructions node by node."""

    def __init__(
        self, network: PackedNetwork, timing: RowTiming, block: int, *, split: bool
    ) -> None:
        self.network = network
        self.timing = timing
        self.block = block
        output = network.output
        if isinstance(output, MatrixLayer):
            self.block = max(block, output.positions)
        self.run_layers: dict[str, Walk] = {
            layer.name: walk
            for layer in network.layers
            for walk in [self._run_walk(layer)]
            if walk is not None
        }
        self.fused = fused_pools(network)
        self.half_layers = {
            layer.name: replace(self.run_layers[layer.name], parts=2)
            for layer in network.layers
            if split and layer.name in self.run_layers and self._in_halves(layer)
        }
        self.places = place_rows(
            network,
            timing,
            runs=frozenset(self.run_layers),
            halves=frozenset(self.half_layers),
        )
        self.ops: list[RowOp] = []

    def plan(self) -> RowPlan:
        """All nodes."""
        fused = {pool.name for pool in self.places.fused.values()}
        for node in self.network.nodes:
            if isinstance(node, InputNode):
                channels, height, width = node.shape
                self.ops.append(
                    RowOp(
                        node=node.name,
                        kind="image",
                        positions=height * width,
                        entries=channels,
                        target=self.places.tensors[node.name],
                    )
                )
            elif isinstance(node, PoolLayer) and node.name not in fused:
                self._add_pool(
                    node.name,
                    node,
                    self.places.tensors[node.source],
                    self.places.tensors[node.name],
                )
            elif isinstance(node, MatrixLayer):
                self._add_copy(node)
                self._add_layer(node)
        return RowPlan(
            network=self.network,
            timing=self.timing,
            places=self.places,
            ops=tuple(self.ops),
        )

    def _add_copy(self, layer: MatrixLayer) -> None:
        """The positions that a strided residual takes, as a pooling of one word."""
        residual = layer.residual
        if layer.name not in self.places.scratch:
            return
        assert residual is not None
        source = self.places.tensors[residual.source]
        channels = self.places.scratch[layer.name]
        pool = PoolLayer(
            name=scratch_name(layer),
            source=residual.source,
            kind="max",
            kernel=(1, 1),
            stride=residual.stride,
            padding=(0, 0, 0, 0),
            output_size=layer.output_size,
            multiplier=1,
            shift=0,
            exponent=0,
        )
        chosen = TensorPlace(
            banks=source.banks[channels],
            planes=source.planes[channels],
            phases=source.phases[channels],
            height=source.height,
            width=source.width,
        )
        self._add_pool(layer.name, pool, chosen, self.places.tensors[pool.name])

    def _add_pool(
        self, name: str, pool: PoolLayer, source: TensorPlace, target: TensorPlace
    ) -> None:
        """A step for the channels of each row tile."""
        walk = Walk(
            gather=True,
            stride=pool.stride[1],
            parts=1,
            out_width=pool.output_size[1],
            width=source.width,
            word_bytes=self.timing.word_bytes,
        )
        visits = Visits(
            column_tiles=1,
            blocks=1,
            block_rows=pool.output_size[0],
            rows=pool.output_size[0],
            width=pool.output_size[1],
            single=False,
            elements=pool.kernel[0] * pool.kernel[1],
        )
        corner = pool.padding[0] * source.width + pool.padding[2]
        for number, tile in enumerate(pool_tiles(len(source.banks), self.timing.array.rows)):
            rows = range(tile.row_start, tile.row_stop)
            schedule = find_schedule(
                [[]],
                _operand_needs(source, rows, -corner),
                walk,
                self.timing,
                where=f"Layer '{name}'",
            )
            assert schedule is not None
            self.ops.append(
                RowOp(
                    node=name,
                    kind="pool",
                    positions=pool.output_size[0] * pool.output_size[1],
                    barrier=number == 0 or self._slower(schedule),
                    tile=tile,
                    number=number,
                    schedule=schedule,
                    visits=visits,
                    operands=source,
                    pool=pool,
                    target=target,
                )
            )

    def _add_layer(self, layer: MatrixLayer) -> None:
        """Row tiles; those of the network's output are sent before the next one runs."""
        array, is_output = self.timing.array, layer is self.network.output
        pool = self.places.fused.get(layer.name)
        target = None if is_output else self.places.tensors[pool.name if pool else layer.name]
        found: dict[int, tuple[Schedule, Visits]] = {}
        tiles = row_tiles(layer, rows=array.rows, columns=array.columns)
        for number, tile in enumerate(tiles):
            if layer.name in self.places.operands or tile.band not in found:
                found[tile.band] = self._best(layer, tile)
            schedule, visits = found[tile.band]
            self.ops.append(
                RowOp(
                    node=layer.name,
                    kind="tiles",
                    positions=layer.positions,
                    barrier=number == 0 or is_output or self._slower(schedule),
                    tile=tile,
                    number=number,
                    schedule=schedule,
                    visits=visits,
                    operands=self.places.operands.get(layer.name),
                    pool=pool,
                    target=target,
                )
            )
            if is_output:
                self.ops.append(
                    RowOp(
                        node=layer.name,
                        kind="send",
                        positions=layer.positions,
                        tile=tile,
                        number=number,
                        entries=tile.rows,
                    )
                )

    def _slower(self, schedule: Schedule) -> bool:
        """Whether its periods are longer than those of the instruction before."""
        before = self.ops[-1].schedule
        return before is None or schedule.slots > before.slots

    def _best(self, layer: MatrixLayer, tile: RowTile) -> tuple[Schedule, Visits]:
        """Whole words where that takes fewer cycles, else a word for every step."""
        needs = self._needs(layer, tile)
        where = f"Layer '{layer.name}'"
        walks = [
            self.half_layers.get(layer.name),
            self.run_layers.get(layer.name),
            self._gather_walk(layer),
        ]
        best: tuple[int, Schedule, Visits] | None = None
        for walk in walks:
            if walk is None:
                continue
            operands = self._operands(layer, tile, walk)
            visits = self._visits(layer, tile, walk)
            if best is not None:
                least = lower_bound(needs, operands, walk, self.timing)
                if best[0] <= self._cost(visits, walk, least, 0):
                    continue
            schedule = find_schedule(needs, operands, walk, self.timing, where=where)
            if schedule is None:
                continue
            prologue = schedule.slot_stop - schedule.slot_first
            cost = self._cost(visits, walk, schedule.step_cycles, prologue)
            if best is None or cost < best[0]:
                best = cost, schedule, visits
        assert best is not None
        return best[1:]

    def _operands(self, layer: MatrixLayer, tile: RowTile, walk: Walk) -> list[Need]:
        """What the lanes of a row tile read besides; of split rows both halves."""
        if layer.name not in self.places.operands:
            return []
        assert layer.residual is not None
        rows = [r for r in range(tile.row_start, tile.row_stop) if layer.residual.channels[r] >= 0]
        half = self.timing.array.rows // 2
        place = self.places.operands[layer.name]
        return [
            need
            for part in range(walk.parts)
            for need in _operand_needs(place, rows, part, tile.row_start - part * half)
        ]

    def _in_halves(self, layer: MatrixLayer) -> bool:
        """Whether the rows of a layer may stand twice on the array, on positions side by side."""
        array = self.timing.array
        half = array.rows // 2
        tiles = row_tiles(layer, rows=array.rows, columns=array.columns)
        return (
            array.rows % 2 == 0
            and half % array.input_fanout == 0
            and half % self.timing.banks == 0
            and all(tile.rows <= half for tile in tiles)
            and layer.output_size[1] % 2 == 0
            and self.timing.word_bytes % (2 * layer.stride[1]) == 0
            and layer is not self.network.output
            and layer.name not in self.fused
        )

    def _cost(self, visits: Visits, walk: Walk, step: int, prologue: int) -> int:
        """Cycles of all steps, and of the first words of all runs."""
        cycles = 0
        for last, blocks in ((False, visits.blocks - 1), (True, 1)):
            runs = visits.runs(last=last)
            periods = -(-visits.run_steps(last=last) // walk.steps) * runs
            starts = 1 if walk.gather else runs
            cycles += blocks * (periods * walk.steps * step + starts * prologue)
        return cycles * visits.column_tiles

    def _run_walk(self, layer: MatrixLayer) -> Walk | None:
        """How whole words are read, where every run starts with a word."""
        size = self.timing.word_bytes
        _, _, width = self.network.shapes[layer.source]
        stride_y, stride = layer.stride
        if layer.positions == 1 or size % stride:
            return None
        if not self._single(layer):
            if stride_y * width % size or layer.residual is not None:
                return None
        elif layer.residual is not None and stride != 1:
            return None
        return Walk(
            gather=False,
            stride=stride,
            parts=1,
            out_width=layer.output_size[1],
            width=width,
            word_bytes=size,
        )

    def _gather_walk(self, layer: MatrixLayer) -> Walk:
        size = self.timing.word_bytes
        _, _, width = self.network.shapes[layer.source]
        pitch = layer.stride[0] * width
        rows, columns = layer.output_size
        return Walk(
            gather=True,
            stride=layer.stride[1],
            parts=1,
            out_width=columns,
            width=width,
            word_bytes=size,
            aligned=(columns == 1 or layer.stride[1] % size == 0)
            and (rows == 1 or pitch % size == 0),
        )

    def _single(self, layer: MatrixLayer) -> bool:
        """Whether the next row's first position follows the last one's byte."""
        _, _, width = self.network.shapes[layer.source]
        follows = layer.stride == (1, 1) and layer.output_size[1] == width
        return follows or layer.output_size[0] == 1

    def _visits(self, layer: MatrixLayer, tile: RowTile, walk: Walk) -> Visits:
        """The largest blocks that the memories of partial sums hold."""
        rows, width = layer.output_size
        block_rows = rows
        if tile.column_tiles > 1 and layer is not self.network.output:
            block_rows = min(self._block_rows(layer, walk), rows)
        return Visits(
            column_tiles=tile.column_tiles,
            blocks=-(-rows // block_rows),
            block_rows=block_rows,
            rows=rows,
            width=width,
            single=not walk.gather and self._single(layer),
            parts=walk.parts,
        )

    def _block_rows(self, layer: MatrixLayer, walk: Walk) -> int:
        """Rows of a block: whole windows of a pooling, and blocks start with a word."""
        _, _, source_width = self.network.shapes[layer.source]
        pool = self.places.fused.get(layer.name)
        unit = pool.kernel[0] if pool is not None else 1
        if not walk.gather:
            while unit * layer.stride[0] * source_width % walk.word_bytes:
                unit += pool.kernel[0] if pool is not None else 1
        held = self.block * walk.parts
        return max(unit, held // layer.output_size[1] // unit * unit)

    def _needs(self, layer: MatrixLayer, tile: RowTile) -> list[list[Need]]:
        """What the streams of each column tile read."""
        place = self.places.tensors[layer.source]
        needs = []
        for number, streams in enumerate(tile_streams(layer, tile.band, self.timing.array)):
            mine = []
            for stream, column in streams.items():
                channel, dy, dx = layer.columns[column].tolist()
                phase = int(place.phases[channel])
                mine.append(
                    Need(
                        bank=int(place.banks[channel]),
                        plane=int(place.planes[channel]),
                        phase=phase,
                        place=phase + dy * place.width + dx,
                        dx=dx,
                        users=((number, stream),),
                    )
                )
            needs.append(mine)
        return needs


def _operand_needs(
    place: TensorPlace, rows: Sequence[int] | range, moved: int, first: int | None = None
) -> list[Need]:
    """What the lanes of a row tile read, `moved` bytes from the position."""
    first = rows[0] if first is None else first
    return [
        Need(
            bank=int(place.banks[row]),
            plane=int(place.planes[row]),
            phase=int(place.phases[row]),
            place=int(place.phases[row]) + moved,
            dx=0,
            users=((-1, row - first),),
        )
        for row in rows
    ]
