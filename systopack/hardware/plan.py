"""The plan of a network on the tiled accelerator: what runs, in which order, waiting for what.

It is made once. The compiler encodes it, the cycle model times it, energy and verification read it;
nothing else walks the nodes of a network to find its tiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from systopack.hardware.array import Array, check_fits
from systopack.hardware.placement import Placement, RowTile, place, row_tiles
from systopack.hardware.timing import TiledTiming
from systopack.network.network import PackedNetwork
from systopack.network.nodes import InputNode, MatrixLayer, PoolLayer

StepKind = Literal["image", "pool", "tiles", "send"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that the accelerator does: an image in, a pooling, a row tile, results out.

    Args:
        node: the node it belongs to.
        kind: "tiles" is a row tile: its column tiles one after another, an instruction each; the
            others are one instruction.
        positions: of the node's output; of an image its pixels.
        waits: whether words that are still on their way must have been written before it starts.
        tile: of "tiles" and "send" the rows, else None.
        number: of the row tile within its layer, -1 where there is none.
        entries: channels of an image, of the fullest bank of a pooling, rows to send.
        writes: of "tiles": cycles in which one position's bytes are written, 0: nothing is.
        window: words of a pooling's window, else 1.
    """

    node: str
    kind: StepKind
    positions: int
    waits: bool = True
    tile: RowTile | None = None
    number: int = -1
    entries: int = 1
    writes: int = 0
    window: int = 1

    @property
    def column_tiles(self) -> int:
        """Tiles that run, 0 but for "tiles"."""
        return self.tile.column_tiles if self.kind == "tiles" and self.tile else 0

    def spacing(self, array: Array) -> int:
        """Word times between positions of the last column tile, so that writes keep up."""
        return max(1, -(-self.writes // array.word_cycles))


@dataclass(frozen=True, kw_only=True, eq=False)
class TilePlan:
    """All steps of one image.

    Args:
        network: what runs.
        placement: where its tensors lie, and on which accelerator.
        steps: in the order they run.
    """

    network: PackedNetwork
    placement: Placement
    steps: tuple[Step, ...]

    @property
    def timing(self) -> TiledTiming:
        """Delays and waits of the accelerator."""
        return self.placement.timing

    @property
    def array(self) -> Array:
        """The array it runs on."""
        return self.placement.timing.array

    @property
    def tiles(self) -> int:
        """Tiles of all layers."""
        return sum(step.column_tiles for step in self.steps)

    @property
    def sum_positions(self) -> int:
        """Positions that the memories of partial sums hold, at least 1."""
        kept = [
            step.positions for step in self.steps if step.column_tiles > 1 or step.kind == "send"
        ]
        return max(kept, default=1)

    def row_tiles(self, layer: str) -> tuple[Step, ...]:
        """The row tiles of a layer."""
        return tuple(s for s in self.steps if s.node == layer and s.kind == "tiles")


def plan_tiles(network: PackedNetwork, *, array: Array) -> TilePlan:
    """Plan one image on the tiled accelerator around an array.

    Raises:
        InvalidOptionError: the network does not fit the array.
    """
    check_fits(network, array)
    placement = place(network, TiledTiming(array=array))
    steps: list[Step] = []
    for node in network.nodes:
        if isinstance(node, InputNode):
            channels, height, width = node.shape
            steps.append(
                Step(node=node.name, kind="image", positions=height * width, entries=channels)
            )
        elif isinstance(node, PoolLayer):
            entries = placement.pooled(node.name)
            if entries:  # else nobody reads it
                steps.append(
                    Step(
                        node=node.name,
                        kind="pool",
                        positions=node.output_size[0] * node.output_size[1],
                        entries=entries,
                        window=node.kernel[0] * node.kernel[1],
                    )
                )
        elif isinstance(node, MatrixLayer):
            steps += _layer(network, node, placement)
    return TilePlan(network=network, placement=placement, steps=tuple(steps))


def _layer(network: PackedNetwork, layer: MatrixLayer, placement: Placement) -> list[Step]:
    """Row tiles; those of the network's output are sent before the next one runs."""
    array, is_output = placement.timing.array, layer is network.output
    steps = []
    tiles = row_tiles(layer, rows=array.rows, columns=array.columns)
    for number, tile in enumerate(tiles):
        steps.append(
            Step(
                node=layer.name,
                kind="tiles",
                positions=layer.positions,
                waits=number == 0 or is_output,
                tile=tile,
                number=number,
                writes=0 if is_output else placement.writes(layer.name, tile),
            )
        )
        if is_output:
            steps.append(
                Step(
                    node=layer.name,
                    kind="send",
                    positions=layer.positions,
                    tile=tile,
                    number=number,
                    entries=tile.rows,
                )
            )
    return steps
