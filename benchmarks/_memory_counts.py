"""What the streams of a network on an array need: words, live tensors, tiles, cycles.

Counts come from packed networks and the timing of the tiled accelerator.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from systopack.hardware.timing import TiledTiming

from systopack.hardware.array import Array
from systopack.hardware.row_tiles import stream_places
from systopack.hardware.tiled.cycles import count_tiled
from systopack.network.network import PackedNetwork
from systopack.network.nodes import ConcatLayer, MatrixLayer, PoolLayer, sources_of

WORD = 8  # bytes of a feature memory's word
BLOCK = 64  # positions of a block: what the memory of partial sums holds


@dataclass(frozen=True, kw_only=True, eq=False)
class Tile:
    """One column tile of a band: the streams that it reads, in all row tiles of the band."""

    layer: MatrixLayer
    streams: NDArray[np.int64]  # (streams, 4): array column, channel, dy, dx
    repeats: int  # row tiles
    last: bool  # its sums become output words
    rows: int  # of the band


@dataclass(frozen=True, kw_only=True)
class Fetch:
    """A row of a tile: its words in one pass, the array columns that want it, their dx."""

    channel: int
    dy: int
    words: float
    columns: tuple[int, ...]
    reach: tuple[int, int]


def tiles(network: PackedNetwork, array: Array) -> Iterator[Tile]:
    """All column tiles of a network on an array, band by band."""
    timing = TiledTiming(array=array)
    for layer in network.layers:
        for index, band in enumerate(layer.matrix.bands):
            places = stream_places(layer, index, timing)
            count = max(1, math.ceil(len(band.groups) / array.columns))
            for tile in range(count):
                mine = places[places[:, 0] // array.columns == tile]
                streams = np.column_stack([mine[:, 0] % array.columns, layer.columns[mine[:, 3]]])
                yield Tile(
                    layer=layer,
                    streams=streams.astype(np.int64),
                    repeats=math.ceil(band.rows / array.rows),
                    last=tile == count - 1,
                    rows=band.rows,
                )


def row_words(
    layer: MatrixLayer, size: tuple[int, int], dy: int, dxs: NDArray[np.int64], *, word: int = WORD
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


def fetches(tile: Tile, size: tuple[int, int], *, word: int = WORD) -> list[Fetch]:
    """Distinct rows of a tile; streams whose dx differ by more than half a word fetch apart.

    Where a layer has one position, words hold what a stream reads in successive tiles.
    """
    if tile.layer.positions == 1:
        return [
            Fetch(channel=c, dy=dy + dx, words=1 / word, columns=(column,), reach=(0, 0))
            for column, c, dy, dx in tile.streams.tolist()
        ]
    groups: dict[tuple[int, int, int], list[tuple[int, int]]] = {}
    for column, channel, dy, dx in tile.streams.tolist():
        first = int(tile.layer.columns[:, 2].min())
        part = (dx - first) // (word // 2 + 1)
        groups.setdefault((channel, dy, part), []).append((column, dx))
    return [
        Fetch(
            channel=channel,
            dy=dy,
            words=row_words(tile.layer, size, dy, np.array([dx for _, dx in mine]), word=word),
            columns=tuple(sorted({column for column, _ in mine})),
            reach=(min(dx for _, dx in mine), max(dx for _, dx in mine)),
        )
        for (channel, dy, _), mine in groups.items()
    ]


def fetch_cycles(rows: Sequence[Fetch], banks: int, buses: int) -> float:
    """Least cycles to fetch them: a word a cycle from a bank, `buses` into an array column."""
    load: Counter[int] = Counter()
    column: Counter[int] = Counter()
    for row in rows:
        load[(row.channel + row.dy) % banks] += row.words
        column.update(dict.fromkeys(row.columns, row.words / buses))
    return float(max([0, *load.values(), *column.values()]))


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How words of `word` bytes are used up.

    Args:
        banks, buses: words that can be read, and brought into an array column, in a cycle.
        word: bytes.
        step: bytes of a row from one word time to the next.
        cycles: of a word time.
        others: words a cycle that results and residual operands take of all banks.
    """

    banks: int
    buses: int
    word: int
    step: int
    cycles: int
    others: float = 0.0

    def needed(self, number: int, offset: int) -> int:
        """The cycle in which a stream starts to read its word of a number."""
        return self.cycles * math.ceil((self.word * number - offset) / self.step)


def arrives(rows: Sequence[Fetch], pace: Pace) -> bool:
    """Whether every word comes when all its streams have a place for it and none waits yet.

    A stream has place for two words, so that word n may come from when it starts word n - 1. Planes
    start at the byte of their word that is their channel modulo its size. The earliest deadline
    goes first. Rows repeat, so some words of each show it.
    """
    jobs: list[list[tuple[int, int, tuple[int, ...]]]] = [[] for _ in range(pace.banks)]
    for row in rows:
        low, high = (dx + row.channel % pace.word for dx in row.reach)
        for number in range(3, 11):
            job = (pace.needed(number, high), pace.needed(number - 1, low), row.columns)
            jobs[(row.channel + row.dy) % pace.banks].append(job)
    last = max((job[0] for queue in jobs for job in queue), default=0)
    each = pace.others / pace.banks
    for queue in jobs:  # results may wait for two words' time
        span = 2 * pace.cycles * pace.word // pace.step
        queue += [(int(i / each) + span, int(i / each), ()) for i in range(math.floor(each * last))]
        queue.sort()
    for now in range(last + 1):
        taken: Counter[int] = Counter()
        for queue in jobs:
            for place, (deadline, release, columns) in enumerate(queue):
                if deadline <= now:
                    return False
                if release <= now and all(taken[column] < pace.buses for column in columns):
                    taken.update(columns)
                    del queue[place]
                    break
    return True


def word_time(rows: Sequence[Fetch], pace: Pace) -> int:
    """The shortest word time, in cycles, in which all words arrive; four times its own at most."""
    for cycles in range(pace.cycles, 4 * pace.cycles):
        if arrives(rows, replace(pace, cycles=cycles, others=pace.others * pace.cycles / cycles)):
            return cycles
    return 4 * pace.cycles


def pooled_at_lanes(network: PackedNetwork) -> set[str]:
    """Tensors that only a pooling without overlap reads: lanes can pool them on their way out."""
    readers: dict[str, list[Any]] = {}
    for node in network.nodes:
        for source in sources_of(node):
            readers.setdefault(source, []).append(node)
    return {
        layer.name
        for layer in network.layers
        for found in [readers.get(layer.name, [])]
        if len(found) == 1
        and isinstance(found[0], PoolLayer)
        and found[0].kernel == found[0].stride
        and not any(found[0].padding)
    }


def feature_bytes(network: PackedNetwork, *, in_place: bool, pooled: bool) -> int:
    """Peak of one copy of every live tensor, placed by first fit.

    Args:
        in_place: a residual operand that nobody reads later is overwritten by the layer's output.
        pooled: see `pooled_at_lanes`; such tensors are never stored.
    """
    last = {node.name: index for index, node in enumerate(network.nodes)}
    for index, node in reversed(list(enumerate(network.nodes))):
        for source in sources_of(node):
            reach = last[node.name] if isinstance(node, ConcatLayer) else index
            last[source] = max(last[source], reach)
    skipped = pooled_at_lanes(network) if pooled else set()
    pools = {  # written while the layer before runs, in the place of its own tensor
        node.source: node
        for node in network.nodes
        if isinstance(node, PoolLayer) and node.source in skipped
    }
    living: list[tuple[int, int, int]] = []
    at: dict[str, int] = {}
    peak = 0
    for index, node in enumerate(network.nodes):
        kept = pools.get(node.name, node)
        size = math.prod(network.shapes[kept.name])
        if node in pools.values():
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
            living = [item for item in living if item[2] >= index]
            start = 0
            for low, high, _ in sorted(living):
                if low - start >= size:
                    break
                start = max(start, high)
        at[kept.name] = start
        if not isinstance(node, ConcatLayer):
            living.append((start, start + size, last[kept.name]))
            peak = max(peak, start + size)
    return peak


# ---- schedules


def schedule(
    network: PackedNetwork,
    array: Array,
    *,
    sums: str,
    pooled: bool,
    down: Sequence[int] = (1,),
    across: Sequence[int] = (1,),
) -> dict[str, Any]:
    """Cycles of an image, every row tile at its best.

    Args:
        sums: "interleaved": partial sums pass through the array again, row tiles and blocks of
            positions in the order with the fewest cycles; "lanes": they are added behind it.
        pooled: poolings happen in the lanes, where they can.
        down, across: parts into which rows and columns may be split, on positions of their own.
    """
    timing, word = TiledTiming(array=array), array.word_cycles
    words, tiles_run, entered = 0, 0, 0
    chosen: dict[str, tuple[int, int]] = {}
    for layer in network.layers:
        for band in layer.matrix.bands:
            best: tuple[int, int, int, tuple[int, int]] | None = None
            # A word of four bytes has to last two word times, or its place is never free in time.
            for high in (parts for parts in down if parts == 1 or parts * layer.stride[1] <= 2):
                for wide in across:
                    rows = math.ceil(band.rows / (array.rows // high))
                    columns = max(1, math.ceil(len(band.groups) / (array.columns // wide)))
                    positions = math.ceil(layer.positions / (high * wide))
                    if sums == "lanes":
                        spent = rows * columns * max(positions, timing.load_words)
                    else:
                        spent = _interleaved(rows, columns, positions, timing)
                    count = rows * columns
                    found = (spent, count, count * positions, (high, wide))
                    best = min(best, found) if best else found
            assert best is not None
            words, tiles_run, entered = words + best[0], tiles_run + best[1], entered + best[2]
            chosen[layer.name] = best[3]
    steps = count_tiled(network, array=array).steps
    lane_pools = {
        node.name
        for node in network.nodes
        if isinstance(node, PoolLayer) and node.source in pooled_at_lanes(network)
    }
    other = sum(
        step.cycles
        for step in steps
        if step.kind != "layer" and not (pooled and step.name in lane_pools)
    )
    drains = timing.drain_words * word * len(network.layers)
    return {
        "cycles": words * word + other + drains,
        "layer_cycles": words * word,
        "entered_words": entered,
        "waiting_cycles": (words - entered) * word,
        "tiles": tiles_run,
        "splits": chosen,
    }


def _interleaved(rows: int, columns: int, positions: int, timing: TiledTiming) -> int:
    """Fewest word times where sums return through the array: `rows` x `columns` tiles."""
    best: int | None = None
    for together in range(1, rows + 1):
        for block in {positions, *(b for b in (BLOCK, 128, 256, 512) if b < positions)}:
            spent = 0
            for done in range(0, positions, block):
                size = max(min(block, positions - done), timing.load_words)
                for first in range(0, rows, together):
                    each = min(together, rows - first) * size
                    spent += (columns - 1) * max(each, timing.return_words) + each
            best = spent if best is None else min(best, spent)
    return best or 0
