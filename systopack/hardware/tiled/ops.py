"""The instructions of the tiled accelerator: what runs, in which order, in which slots.

The compiler encodes them, the cycle model times them, energy and verification read them; nothing
else walks the nodes of a network to find its tiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from systopack.hardware.array import Array
from systopack.hardware.row_tiles import RowTile
from systopack.hardware.tiled.places import Places, TensorPlace
from systopack.hardware.tiled.slots import Schedule
from systopack.hardware.tiled.timing import TiledTiming
from systopack.hardware.tiled.weight_ring import WeightRing
from systopack.network.network import PackedNetwork
from systopack.network.nodes import PoolLayer

OpKind = Literal["image", "pool", "tiles", "send"]


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
class TileOp:
    """One instruction.

    Args:
        node: the node it belongs to; of a strided residual's copy the layer.
        kind: "tiles" is a row tile with all its column tiles, "pool" some channels of a pooling.
        positions: of the output; of an image its pixels.
        barrier: whether words that are still on their way must have been written before it starts.
        tile: of "tiles", "pool" and "send" the rows, else None.
        number: of the row tile within its layer, -1 where there is none.
        entries: channels of an image, rows to send.
        rows: of "pool", rows of the array for the channels of the tile, ascending.
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
    rows: tuple[int, ...] = ()
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
class TilePlan:
    """All instructions of one image.

    Args:
        network: what runs.
        timing: the accelerator.
        places: where its tensors lie.
        ops: in the order they run.
        ring: of tiles' weights, where not all are held; else None.
    """

    network: PackedNetwork
    timing: TiledTiming
    places: Places
    ops: tuple[TileOp, ...]
    ring: WeightRing | None = None

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
