"""What the streams of a network on an array need: words, live tensors, tiles, cycles."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.array import Array
from systopack.hardware.cycles import count_cycles
from systopack.hardware.tiled.places import fused_pools
from systopack.hardware.tiled.timing import TiledTiming
from systopack.hardware.tiled.walks import tile_streams
from systopack.network.network import PackedNetwork
from systopack.network.nodes import ConcatLayer, InputNode, MatrixLayer, PoolLayer, sources_of

BLOCK = 64  # positions of a block: what the memory of partial sums holds


@dataclass(frozen=True, kw_only=True, eq=False)
class Tile:
    """One column tile of a band: the streams that it reads, in all row tiles of the band."""

    layer: MatrixLayer
    streams: NDArray[np.int64]  # (streams, 5): array column, place in it, channel, dy, dx
    repeats: int  # row tiles
    last: bool  # its sums become output words
    rows: int  # of the band


@dataclass(frozen=True, kw_only=True)
class Fetch:
    """A row of a tile: its words in one pass, and the array columns that want it."""

    channel: int
    dy: int
    words: float
    columns: tuple[int, ...]


def tiles(network: PackedNetwork, array: Array) -> Iterator[Tile]:
    """All column tiles of a network on an array, band by band."""
    for layer in network.layers:
        for index, band in enumerate(layer.matrix.bands):
            found = tile_streams(layer, index, array)
            for number, streams in enumerate(found):
                places = [
                    [*divmod(stream, array.alpha), *layer.columns[column].tolist()]
                    for stream, column in streams.items()
                ]
                yield Tile(
                    layer=layer,
                    streams=np.array(places, dtype=np.int64).reshape(-1, 5),
                    repeats=math.ceil(band.rows / array.rows),
                    last=number == len(found) - 1,
                    rows=band.rows,
                )


def row_words(
    layer: MatrixLayer, size: tuple[int, int], dy: int, dxs: NDArray[np.int64], *, word: int
) -> int:
    """Words of so many bytes that one pass over a channel's rows y * stride + dy touches.

    A channel is a plane, row after row without gaps, from a word's start on.
    """
    height, width = size
    stride, out = layer.stride, layer.output_size
    rows = np.arange(out[0]) * stride[0] + dy
    rows = rows[(rows >= 0) & (rows < height)]
    first = max(0, int(dxs.min()))
    last = min(width - 1, (out[1] - 1) * stride[1] + int(dxs.max()))
    if not len(rows) or last < first:
        return 0
    starts, stops = (rows * width + first) // word, (rows * width + last) // word
    # A word that ends a row and starts the next one is read once.
    return int((stops - starts + 1).sum() - (starts[1:] == stops[:-1]).sum())


def fetches(tile: Tile, size: tuple[int, int], *, word: int) -> list[Fetch]:
    """Distinct rows of a tile; streams whose dx differ by more than half a word fetch apart.

    Where a layer has one position, words hold what a stream reads in successive tiles.
    """
    if tile.layer.positions == 1:
        return [
            Fetch(channel=c, dy=dy + dx, words=1 / word, columns=(column,))
            for column, _, c, dy, dx in tile.streams.tolist()
        ]
    groups: dict[tuple[int, int, int], list[tuple[int, int]]] = {}
    first = int(tile.layer.columns[:, 2].min())
    for column, _, channel, dy, dx in tile.streams.tolist():
        part = (dx - first) // (word // 2 + 1)
        groups.setdefault((channel, dy, part), []).append((column, dx))
    return [
        Fetch(
            channel=channel,
            dy=dy,
            words=row_words(tile.layer, size, dy, np.array([dx for _, dx in mine]), word=word),
            columns=tuple(sorted({column for column, _ in mine})),
        )
        for (channel, dy, _), mine in groups.items()
    ]


def fetch_cycles(rows: Sequence[Fetch], *, banks: int, buses: int, others: float = 0.0) -> float:
    """Least cycles to fetch them: a word a cycle from a bank, `buses` into an array column.

    Args:
        others: words of results and residual operands, spread over all banks.
    """
    load: Counter[int] = Counter()
    column: Counter[int] = Counter()
    for row in rows:
        load[(row.channel + row.dy) % banks] += row.words  # type: ignore[assignment]
        column.update(dict.fromkeys(row.columns, row.words / buses))  # type: ignore[arg-type]
    return max(max(load.values(), default=0) + others / banks, *column.values(), 0)


def peak(
    network: PackedNetwork,
    sizes: Mapping[str, int],
    *,
    in_place: bool = False,
    pooled: bool = False,
) -> int:
    """Peak of all live tensors of such sizes, placed by first fit.

    Args:
        in_place: a residual operand that nobody reads later is overwritten by the layer's output.
        pooled: a tensor that only a pooling without overlap reads is never stored.
    """
    last = {node.name: index for index, node in enumerate(network.nodes)}
    for index, node in reversed(list(enumerate(network.nodes))):
        for source in sources_of(node):
            reach = last[node.name] if isinstance(node, ConcatLayer) else index
            last[source] = max(last[source], reach)
    pools = fused_pools(network) if pooled else {}
    living: list[tuple[int, int, int]] = []
    at: dict[str, int] = {}
    highest = 0
    for index, node in enumerate(network.nodes):
        kept = pools.get(node.name, node)
        if isinstance(node, ConcatLayer) or node in pools.values():
            continue
        residual = node.residual if isinstance(node, MatrixLayer) else None
        if (
            in_place
            and residual is not None
            and last[residual.source] == index
            and network.shapes[residual.source] == network.shapes[kept.name]
            and len(np.unique(residual.channels)) == len(residual.channels)
            and residual.channels.min() >= 0
        ):
            start = at[residual.source]
            living = [item for item in living if item[0] != start]
        else:
            living = sorted(item for item in living if item[2] >= index)
            start = 0
            for low, high, _ in living:
                if low - start >= sizes[kept.name]:
                    break
                start = max(start, high)
        at[kept.name] = start
        living.append((start, start + sizes[kept.name], last[kept.name]))
        highest = max(highest, living[-1][1])
    return highest


def feature_bytes(network: PackedNetwork, *, in_place: bool = True, pooled: bool = True) -> int:
    """Peak of one copy of every live tensor."""
    sizes = {name: math.prod(shape) for name, shape in network.shapes.items()}
    return peak(network, sizes, in_place=in_place, pooled=pooled)


def schedule(
    network: PackedNetwork,
    array: Array,
    *,
    pooled: bool,
    down: Sequence[int] = (1,),
    across: Sequence[int] = (1,),
) -> dict[str, Any]:
    """Cycles of an image with partial sums added behind the array.

    Args:
        pooled: poolings without overlap happen in the lanes.
        down, across: parts into which rows and columns may be split, on positions of their own.
    """
    load = TiledTiming(array=array).load_words
    words, entered = 0, 0
    split: dict[str, int] = {}
    for layer in network.layers:
        # A word of four bytes has to last two word times, or its place is never free in time.
        parts = [
            (high, wide)
            for high in down
            if high * layer.stride[1] <= 2 or high == 1
            for wide in across
        ]
        for band in layer.matrix.bands:
            found = []
            for high, wide in parts:
                count = math.ceil(band.rows / (array.rows // high)) * max(
                    1, math.ceil(len(band.groups) / (array.columns // wide))
                )
                positions = math.ceil(layer.positions / (high * wide))
                found.append((count * max(positions, load), count, count * positions, high))
            best = min(found)
            words, entered = words + best[0], entered + best[2]
            split[layer.name] = max(split.get(layer.name, 1), best[3])
    drains = len(network.layers) * (array.latency_cycles + array.partial_sum_cycles)
    cycles = words * array.word_cycles + drains + around(network, array, pooled=pooled)
    waiting = (words - entered) * array.word_cycles
    return {"cycles": cycles, "waiting_cycles": waiting, "splits": split}


def around(network: PackedNetwork, array: Array, *, pooled: bool) -> int:
    """Cycles of what is no layer: the image, poolings that are steps of their own, the results."""
    skipped = set(fused_pools(network).values()) if pooled else set()
    total = 3 * math.prod(network.shapes[network.output.name])  # address, memory, handshake
    for node in network.nodes:
        shape = network.shapes[node.name]
        if isinstance(node, InputNode):
            total += math.prod(shape)
        elif isinstance(node, PoolLayer) and node not in skipped:
            steps = math.ceil(shape[0] / array.rows) * shape[1] * shape[2] * math.prod(node.kernel)
            total += steps * array.word_cycles
    return total


def through_the_array(network: PackedNetwork, array: Array) -> dict[str, int]:
    """Cycles where partial sums return through the array, row tile after row tile."""
    found = count_cycles(network, array=array)
    return {
        "cycles": found.cycles + around(network, array, pooled=False),
        "waiting_cycles": found.stall_cycles,
    }
