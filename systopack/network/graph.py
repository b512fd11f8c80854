"""The nodes of a network as a graph, before any rule is checked: what the checks read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from systopack.network.nodes import ConcatLayer, InputNode, MatrixLayer, Node, Shape


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkGraph:
    """A graph of layers; fields as in `network.PackedNetwork`, which is one that was checked."""

    name: str
    nodes: tuple[Node, ...]
    accumulator_bits: int = 32
    class_names: tuple[str, ...] = ()
    history: Mapping[str, str] = field(default_factory=dict)

    @property
    def input(self) -> InputNode:
        """The node of the images."""
        node = self.nodes[0]
        assert isinstance(node, InputNode)  # checked when made
        return node

    @property
    def output(self) -> Node:
        """The node of the result."""
        return self.nodes[-1]

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        """The nodes by the name of their tensor."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def layers(self) -> tuple[MatrixLayer, ...]:
        """The layers that hold a packed filter matrix, in order."""
        return tuple(node for node in self.nodes if isinstance(node, MatrixLayer))

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """(channels, height, width) of every tensor."""
        shapes: dict[str, Shape] = {}
        for node in self.nodes:
            if isinstance(node, InputNode):
                shapes[node.name] = node.shape
            elif isinstance(node, MatrixLayer):
                shapes[node.name] = (node.matrix.rows, *node.output_size)
            elif isinstance(node, ConcatLayer):
                shapes[node.name] = (len(node.channels), *node.output_size)
            else:
                shapes[node.name] = (shapes[node.source][0], *node.output_size)
        return shapes

    @property
    def packed_cells(self) -> int:
        """Sum over layers and bands of band rows times groups."""
        return sum(layer.matrix.packed_cells for layer in self.layers)

    @property
    def dense_cells(self) -> int:
        """Sum over layers of N times M."""
        return sum(layer.matrix.dense_cells for layer in self.layers)

    @property
    def nonzeros(self) -> int:
        """Weights that are not zero, biases not counted."""
        return sum(layer.matrix.nonzeros for layer in self.layers)

    @property
    def packing_efficiency(self) -> float:
        """Nonzeros over packed cells, 1 where there is no packed cell."""
        return self.nonzeros / self.packed_cells if self.packed_cells else 1.0

    def tile_count(self, *, rows: int, columns: int) -> int:
        """Tiles of all layers on an array of `rows` x `columns` cells."""
        return sum(layer.matrix.tile_count(rows=rows, columns=columns) for layer in self.layers)

    def streamed_words(self, *, rows: int, columns: int) -> int:
        """Sum over layers of tiles times output positions, for one image."""
        return sum(
            layer.matrix.tile_count(rows=rows, columns=columns) * layer.positions
            for layer in self.layers
        )
