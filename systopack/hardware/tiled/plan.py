"""The plan of a network on the tiled accelerator, made once."""

from __future__ import annotations

from dataclasses import replace

from systopack.hardware.array import Array, check_fits
from systopack.hardware.row_tiles import RowTile, row_tiles
from systopack.hardware.tiled.jobs import Need, Walk
from systopack.hardware.tiled.ops import TileOp, TilePlan, Visits
from systopack.hardware.tiled.places import (
    TensorPlace,
    fused_pools,
    place_rows,
    pool_rows,
    pool_tiles,
    scratch_name,
)
from systopack.hardware.tiled.slots import Schedule, find_schedule, lower_bound
from systopack.hardware.tiled.timing import TiledTiming
from systopack.hardware.tiled.walks import (
    gather_walk,
    operand_needs,
    run_walk,
    single_run,
    stream_needs,
)
from systopack.hardware.tiled.weight_ring import WeightMemory
from systopack.network.network import PackedNetwork
from systopack.network.nodes import InputNode, MatrixLayer, PoolLayer

BLOCK = 64  # positions of a block: what the memories of partial sums hold
_WORTH = 1.05  # words that are fetched for every step take more energy


def plan_tiles(
    network: PackedNetwork,
    *,
    array: Array,
    block: int = BLOCK,
    split: bool = True,
    weights: WeightMemory | None = None,
) -> TilePlan:
    """Plan one image on the tiled accelerator around an array.

    Args:
        block: positions that the memories of partial sums hold; more where a row is longer.
        split: whether layers of few rows may compute two positions at once, in both halves of the
            rows of an array of compact cells.
        weights: the memory that they share; None: one that holds them all.

    Raises:
        InvalidOptionError: the network does not fit the array, or two of its tiles the memory.
    """
    check_fits(network, array)
    plan = _Planner(network, TiledTiming(array=array), block, split=split).plan()
    return replace(plan, ring=weights.ring(plan.timing, plan.tiles) if weights else None)


class _Planner:
    """Collects instructions node by node."""

    def __init__(
        self,
        network: PackedNetwork,
        timing: TiledTiming,
        block: int,
        *,
        split: bool,
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
            for walk in [run_walk(layer, self._width(layer), timing.word_bytes)]
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
        self.ops: list[TileOp] = []

    def plan(self) -> TilePlan:
        """All nodes."""
        fused = {pool.name for pool in self.places.fused.values()}
        for node in self.network.nodes:
            if isinstance(node, InputNode):
                channels, height, width = node.shape
                self.ops.append(
                    TileOp(
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
        return TilePlan(
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
            rows = pool_rows(tile.rows, self.timing)
            channels = range(tile.row_start, tile.row_stop)
            needs = operand_needs(source, channels, rows, moved=-corner)
            where = f"Layer '{name}'"
            schedule = find_schedule([[]], needs, walk, self.timing, where=where)
            assert schedule is not None
            self.ops.append(
                TileOp(
                    node=name,
                    kind="pool",
                    positions=pool.output_size[0] * pool.output_size[1],
                    barrier=number == 0 or self._differs(schedule),
                    tile=tile,
                    number=number,
                    rows=rows,
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
                TileOp(
                    node=layer.name,
                    kind="tiles",
                    positions=layer.positions,
                    barrier=number == 0 or is_output or self._differs(schedule),
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
                    TileOp(
                        node=layer.name,
                        kind="send",
                        positions=layer.positions,
                        tile=tile,
                        number=number,
                        entries=tile.rows,
                    )
                )

    def _differs(self, schedule: Schedule) -> bool:
        """Whether its lanes move otherwise than those of the instruction before, or are slower."""
        before = self.ops[-1].schedule
        if before is None or schedule.slots > before.slots:
            return True
        old, new = before.walk, schedule.walk
        return (old.gather, old.parts) != (new.gather, new.parts)

    def _width(self, layer: MatrixLayer) -> int:
        """Of a layer's source."""
        return self.network.shapes[layer.source][2]

    def _best(self, layer: MatrixLayer, tile: RowTile) -> tuple[Schedule, Visits]:
        """Whole words where that takes fewer cycles, else a word for every step."""
        place = self.places.tensors[layer.source]
        needs = stream_needs(layer, tile.band, place, self.timing.array)
        where = f"Layer '{layer.name}'"
        walks = [
            self.half_layers.get(layer.name),
            self.run_layers.get(layer.name),
            gather_walk(layer, self._width(layer), self.timing.word_bytes),
        ]
        best: tuple[int, Schedule, Visits] | None = None
        for walk in walks:
            if walk is None:
                continue
            operands = self._operands(layer, tile, walk)
            visits = self._visits(layer, tile, walk)
            least = walk.steps * self.timing.array.word_cycles
            if best is not None and best[0] <= self._cost(visits, walk, least, 0) * _WORTH:
                continue
            if best is not None:
                least = lower_bound(needs, operands, walk, self.timing)
                if best[0] <= self._cost(visits, walk, least, 0):
                    continue
            once = layer.positions == 1 and not operands
            schedule = find_schedule(needs, operands, walk, self.timing, where=where, once=once)
            if schedule is None:
                continue
            prologue = schedule.slot_stop - schedule.slot_first
            cost = self._cost(visits, walk, schedule.slots, prologue)
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
            for need in operand_needs(
                place, rows, [r - tile.row_start + part * half for r in rows], moved=part
            )
        ]

    def _in_halves(self, layer: MatrixLayer) -> bool:
        """Whether the rows of a layer may stand twice on the array, on positions side by side."""
        array = self.timing.array
        half = array.rows // 2
        tiles = row_tiles(layer, rows=array.rows, columns=array.columns)
        return (
            array.cell_kind.staged
            and array.rows % 2 == 0
            and half % array.input_fanout == 0
            and half % self.timing.banks == 0
            and half % self.timing.lane_rows == 0
            and all(tile.rows <= half for tile in tiles)
            and layer.output_size[1] % 2 == 0
            and self.timing.word_bytes % (2 * layer.stride[1]) == 0
            and layer is not self.network.output
            and layer.name not in self.fused
        )

    def _cost(self, visits: Visits, walk: Walk, slots: int, prologue: int) -> int:
        """Cycles of all steps, and of the first words of all runs."""
        cycles = 0
        for last, blocks in ((False, visits.blocks - 1), (True, 1)):
            runs = visits.runs(last=last)
            periods = -(-visits.run_steps(last=last) // walk.steps) * runs
            starts = 1 if walk.gather else runs
            cycles += blocks * (periods * slots + starts * prologue)
        return cycles * visits.column_tiles

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
            single=not walk.gather and single_run(layer, self._width(layer)),
            parts=walk.parts,
        )

    def _block_rows(self, layer: MatrixLayer, walk: Walk) -> int:
        """Rows of a block: whole windows of a pooling, and blocks start with a word."""
        pool = self.places.fused.get(layer.name)
        unit = pool.kernel[0] if pool is not None else 1
        if not walk.gather:
            while unit * layer.stride[0] * self._width(layer) % walk.word_bytes:
                unit += pool.kernel[0] if pool is not None else 1
        held = self.block * walk.parts
        return max(unit, held // layer.output_size[1] // unit * unit)
