"""Where the feature memory keeps every channel: one copy, in one bank, byte after byte.

A channel's plane lies in the bank of the row that makes it, from a byte of its first word on (its
phase), so that words of different channels are due at different steps. A tensor keeps its place
from the node that makes it to the last one that reads it. What a residual adds up lies in the place
of its operand where nobody else reads that; what only a pooling without overlap reads is pooled on
its way out and has no place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.row_tiles import RowTile, row_tiles
from systopack.hardware.tiled.timing import TiledTiming
from systopack.network.network import PackedNetwork
from systopack.network.nodes import (
    ConcatLayer,
    InputNode,
    MatrixLayer,
    Node,
    PoolLayer,
    sources_of,
)

Numbers = NDArray[np.int64]
_PHASES = {  # by bytes of a word and the width's remainder: those with which few words are two
    4: {0: (1, 0, 2), 2: (0, 2)},
    8: {0: (1, 0, 2, 3), 4: (1, 0, 2), 2: (0, 2, 4), 6: (0, 2, 4)},
}
_ODD = {4: (1, 0, 2), 8: (1, 3, 5)}


@dataclass(frozen=True, kw_only=True, eq=False)
class TensorPlace:
    """Where the channels of a tensor lie.

    Args:
        banks, planes, phases: shape (channels,): bank, address of the first word, byte in it.
        height, width: of every plane.
    """

    banks: Numbers
    planes: Numbers
    phases: Numbers
    height: int
    width: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Places:
    """The memory map of a network on the feature memory.

    Args:
        tensors: by name; those that are never stored are missing.
        operands: by layer, the operand of its residual: as large as the layer's output.
        scratch: by layer with a strided residual, the channels of the operand that are copied.
        fused: by layer, the pooling that happens on its words' way out.
        depth: words of a bank.
    """

    tensors: Mapping[str, TensorPlace]
    operands: Mapping[str, TensorPlace]
    scratch: Mapping[str, Numbers]
    fused: Mapping[str, PoolLayer]
    depth: int


def place_rows(
    network: PackedNetwork,
    timing: TiledTiming,
    *,
    runs: frozenset[str],
    halves: frozenset[str] = frozenset(),
) -> Places:
    """Find a place for every channel.

    Args:
        runs: layers that may read whole words at once; what no such layer reads starts with a word.
        halves: those of them that may compute two positions at once; they read best what starts
            with a word.
    """
    fused = fused_pools(network)
    read = _readers(network, runs), _readers(network, halves)
    placer = _Placer(network, timing, fused, read)
    # Later tensors find larger gaps where the image does not lie at the bottom.
    for start in sorted(placer.sizes):
        other = _Placer(network, timing, fused, read, start=start)
        if other.depth < placer.depth:
            placer = other
    return Places(
        tensors=placer.tensors,
        operands=placer.operands,
        scratch=placer.scratch,
        fused=fused,
        depth=max(1, placer.depth),
    )


def pool_tiles(channels: int, rows: int) -> tuple[RowTile, ...]:
    """The channels of a pooling as rows."""
    return tuple(
        RowTile(band=0, row_start=top, row_stop=min(top + rows, channels), column_tiles=1)
        for top in range(0, channels, rows)
    )


def pool_rows(channels: int, timing: TiledTiming) -> tuple[int, ...]:
    """Rows for the channels of a row tile of a pooling: evenly over banks and lanes."""
    banks, lanes = [0] * timing.banks, [0] * timing.lanes
    rows: list[int] = []
    for _ in range(channels):
        row = min(
            set(range(timing.array.rows)).difference(rows),
            key=lambda r: (banks[r % timing.banks], lanes[r // timing.lane_rows], r),
        )
        banks[row % timing.banks] += 1
        lanes[row // timing.lane_rows] += 1
        rows.append(row)
    return tuple(sorted(rows))


def taken_rows(layer: MatrixLayer) -> Numbers:
    """Rows that add a channel of the layer's residual."""
    channels = () if layer.residual is None else layer.residual.channels
    return np.flatnonzero(np.asarray(channels, dtype=np.int64) >= 0)


class _Placer:
    """First fit, node by node."""

    def __init__(
        self,
        network: PackedNetwork,
        timing: TiledTiming,
        fused: Mapping[str, PoolLayer],
        read: tuple[set[str], set[str]],
        *,
        start: int = 0,
    ) -> None:
        self.network = network
        self.timing = timing
        self.fused = fused
        self.last = _last_readers(network)
        self.read_in_runs, self.read_in_halves = read
        self.tensors: dict[str, TensorPlace] = {}
        self.operands: dict[str, TensorPlace] = {}
        self.scratch: dict[str, Numbers] = {}
        self.living: list[tuple[int, int, int]] = []  # (start, stop, index of the last reader)
        self.depth = 0
        self.start = start  # of the image
        self.sizes: set[int] = set()
        for index, node in enumerate(network.nodes):
            self.add(index, node)

    def add(self, index: int, node: Node) -> None:
        """Place what a node makes."""
        self.living = [item for item in self.living if item[2] >= index]
        if isinstance(node, ConcatLayer):
            self.tensors[node.name] = self._joined(node)
        elif isinstance(node, MatrixLayer):
            self._add_layer(index, node)
        elif not any(node is pool for pool in self.fused.values()):
            channels = self.network.shapes[node.name][0]
            image = isinstance(node, InputNode)
            banks = np.arange(channels) if image else _pool_banks(channels, self.timing)
            self.tensors[node.name] = self._new(
                node.name, banks % self.timing.banks, self.last[node.name], equal=image
            )

    def _add_layer(self, index: int, layer: MatrixLayer) -> None:
        array = self.timing.array
        if layer.residual is not None and len(taken_rows(layer)):
            self.operands[layer.name] = self._operand(index, layer)
        if layer is self.network.output:
            return
        name = self.fused[layer.name].name if layer.name in self.fused else layer.name
        tiles = row_tiles(layer, rows=array.rows, columns=array.columns)
        banks = np.concatenate([np.arange(tile.rows) for tile in tiles]) % self.timing.banks
        place = None
        if name == layer.name and layer.name in self.operands:
            place = self._in_place(index, layer, banks)
        self.tensors[name] = place or self._new(name, banks, self.last[name])

    def _operand(self, index: int, layer: MatrixLayer) -> TensorPlace:
        """The residual's operand, by row of the layer; a copy where positions are left out."""
        residual = layer.residual
        assert residual is not None
        source = self.tensors[residual.source]
        channels = np.asarray(residual.channels, dtype=np.int64)
        if residual.stride == (1, 1) and (source.height, source.width) == layer.output_size:
            return _chosen(source, channels)
        needed = np.unique(channels[channels >= 0])
        order = np.where(channels < 0, 0, np.searchsorted(needed, channels))
        self.scratch[layer.name] = needed
        banks = _pool_banks(len(needed), self.timing)
        place = self._allot(banks, layer.output_size, (0,), index)
        self.tensors[scratch_name(layer)] = place
        return _chosen(place, order)

    def _in_place(self, index: int, layer: MatrixLayer, banks: Numbers) -> TensorPlace | None:
        """The operand's place, where its channels lie like the output's and nobody reads on."""
        operand, residual = self.operands[layer.name], layer.residual
        assert residual is not None
        strided = layer.name in self.scratch
        root = scratch_name(layer) if strided else residual.source
        channels = len(self.tensors[root].banks)
        if residual.channels.min() < 0 or channels != layer.matrix.rows:
            return None
        if not strided and (self.last[root] > index or layer.source == root):
            return None
        if not strided and any(
            isinstance(node, ConcatLayer) and (node.name == root or root in node.sources)
            for node in self.network.nodes
        ):
            return None
        pitch = _pitch(layer.output_size, operand.phases, self.timing.word_bytes)
        start = int(operand.planes.min())
        same = (operand.banks == banks).all() and (
            operand.planes == start + _ranks(banks) * pitch
        ).all()
        if not same:
            return None
        size = (int(_ranks(banks).max()) + 1) * pitch
        own = (start, start + size)
        if own not in [item[:2] for item in self.living]:
            return None
        self.living = sorted(
            (*item[:2], self.last[layer.name]) if item[:2] == own else item for item in self.living
        )
        return operand

    def _joined(self, node: ConcatLayer) -> TensorPlace:
        """A concatenation moves nothing: its channels stay where their sources put them."""
        sources = [self.tensors[name] for name in node.sources]

        def taken(values: str) -> Numbers:
            return np.array(
                [
                    getattr(sources[operand], values)[channel] if channel >= 0 else 0
                    for operand, channel in zip(node.operands, node.channels, strict=True)
                ],
                dtype=np.int64,
            )

        return TensorPlace(
            banks=taken("banks"),
            planes=taken("planes"),
            phases=taken("phases"),
            height=node.output_size[0],
            width=node.output_size[1],
        )

    def _new(self, name: str, banks: Numbers, last: int, *, equal: bool = False) -> TensorPlace:
        """A place of its own; all planes of an image have an equal phase."""
        _, height, width = self.network.shapes[name]
        size = self.timing.word_bytes
        phases: tuple[int, ...] = (0,)
        if name in self.read_in_runs and name not in self.read_in_halves:
            phases = _PHASES[size].get(width % size, _ODD[size])
        return self._allot(banks, (height, width), phases[:1] if equal else phases, last)

    def _allot(
        self, banks: Numbers, size: tuple[int, int], pattern: tuple[int, ...], last: int
    ) -> TensorPlace:
        ranks = _ranks(banks)
        phases = np.array(pattern, dtype=np.int64)[ranks % len(pattern)]
        pitch = _pitch(size, phases, self.timing.word_bytes)
        words = (int(ranks.max()) + 1) * pitch
        start = _first_fit(self.living, words) if self.tensors else self.start
        self.sizes.add(words)
        self.living = sorted([*self.living, (start, start + words, last)])
        self.depth = max(self.depth, start + words)
        return TensorPlace(
            banks=banks.astype(np.int64),
            planes=start + ranks * pitch,
            phases=phases,
            height=size[0],
            width=size[1],
        )


def _pool_banks(channels: int, timing: TiledTiming) -> Numbers:
    rows = [
        row
        for tile in pool_tiles(channels, timing.array.rows)
        for row in pool_rows(tile.rows, timing)
    ]
    return np.array(rows, dtype=np.int64) % timing.banks


def scratch_name(layer: MatrixLayer) -> str:
    """Of the tensor that holds the positions that a strided residual takes."""
    return f"{layer.name} (operand)"


def _chosen(place: TensorPlace, channels: Numbers) -> TensorPlace:
    return TensorPlace(
        banks=place.banks[channels],
        planes=place.planes[channels],
        phases=place.phases[channels],
        height=place.height,
        width=place.width,
    )


def _ranks(banks: Numbers) -> Numbers:
    """How many channels before lie in the same bank."""
    ranks = np.zeros(len(banks), dtype=np.int64)
    for bank in np.unique(banks):
        mine = banks == bank
        ranks[mine] = np.arange(mine.sum())
    return ranks


def _pitch(size: tuple[int, int], phases: Numbers, word_bytes: int) -> int:
    """Words from one plane of a tensor to the next."""
    return -(-(size[0] * size[1] + int(phases.max())) // word_bytes)


def fused_pools(network: PackedNetwork) -> dict[str, PoolLayer]:
    """By layer, the pooling without overlap that alone reads it."""
    readers: dict[str, list[Node]] = {}
    for node in network.nodes:
        for source in sources_of(node):
            readers.setdefault(source, []).append(node)
    return {
        layer.name: pool
        for layer in network.layers
        for pool in readers.get(layer.name, [])
        if len(readers[layer.name]) == 1
        and isinstance(pool, PoolLayer)
        and pool.kernel == pool.stride
        and not any(pool.padding)
    }


def _readers(network: PackedNetwork, layers: frozenset[str]) -> set[str]:
    """Tensors that one of the layers reads, through concatenations too."""
    found: set[str] = set()
    for node in reversed(network.nodes):
        if (isinstance(node, MatrixLayer) and node.name in layers) or (
            isinstance(node, ConcatLayer) and node.name in found
        ):
            found.update(sources_of(node))
    return found


def _last_readers(network: PackedNetwork) -> dict[str, int]:
    """By tensor the index of the last node that reads it, through concatenations too."""
    last = {node.name: index for index, node in enumerate(network.nodes)}
    for index, node in reversed(list(enumerate(network.nodes))):
        reader = last[node.name] if isinstance(node, ConcatLayer) else index
        for source in sources_of(node):
            last[source] = max(last[source], reader)
    return last


def _first_fit(living: list[tuple[int, int, int]], size: int) -> int:
    """The lowest address from which `size` words are free; `living` is sorted."""
    start = 0
    for low, high, _ in living:
        if low - start >= size:
            break
        start = max(start, high)
    return start
