"""What the memories of the accelerator must hold and deliver, counted; and what that costs.

`memory_study.py` compares ways with it. Counts come from packed networks and the timing of the
tiled accelerator; memories are priced by width, words and ports from the record `memory_table`,
logic by cells of NanGate 45 nm. What is neither counted, cited nor measured stands in `Assumed`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.hardware.array import Array
from systopack.hardware.energy.technology import load_technology
from systopack.hardware.placement import stream_places
from systopack.hardware.tiled import count_tiled
from systopack.hardware.timing import TiledTiming
from systopack.network.network import PackedNetwork
from systopack.network.nodes import ConcatLayer, MatrixLayer, PoolLayer, sources_of
from systopack.records import STORE, read_record

WORD = 8  # bytes of a feature memory's word
BLOCK = 64  # positions of a block: what the memory of partial sums holds
Fetch = tuple[int, int, float, int]  # channel, dy, words, array columns as a bit mask
NODE_V = 1.1  # supply of the array's library, to which the memories are scaled
LATCH_UM2, MUX_UM2, GATE_UM2, FLIP_FLOP_UM2 = 2.660, 1.862, 0.798, 4.522  # DLH, MUX2, NAND2, DFF
MUX_PIN_FF, CLOCK_EDGE_FJ = 0.95, 6.9  # of MUX2_X1; of a flip-flop, docs/silicon.md


@dataclass(frozen=True, kw_only=True)
class Assumed:
    """What is assumed, each changed to half and twice in the record.

    Args:
        bus_ff: capacitance of one wire of a bus along the array, its pins included.
        toggles: share of a bus' wires that change from word to word.
        latch_fj: energy of writing a latch, clock and data.
        read_fj: energy of reading a bit of a buffer through its multiplexer, 8 to 1 at the end.
        sram_pj, sram_um2: factors on what CACTI says.
    """

    bus_ff: float = 250.0
    toggles: float = 0.5
    latch_fj: float = 10.0
    read_fj: float = 10.0
    sram_pj: float = 1.0
    sram_um2: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Equal memories and what is read and written in them for one image, all together."""

    name: str
    width: int
    words: int
    count: int
    ports: int = 1
    reads: float = 0.0
    writes: float = 0.0

    @property
    def bytes(self) -> float:
        """Of all of them."""
        return self.width * self.words * self.count / 8


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to feed the array: memories, and the logic that only this way needs."""

    name: str
    memories: Sequence[Memory]
    ports: str
    stall_cycles: int = 0
    late_tiles: int = 0  # whose words cannot all come in the time that buffers leave
    latches: int = 0
    flip_flops: int = 0
    muxes: int = 0
    gates: int = 0
    luts: int = 0
    bus_words: float = 0.0  # words of 64 bits sent along the array
    latch_writes: float = 0.0  # bits
    latch_reads: float = 0.0  # bits
    other_pj: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Tile:
    """One column tile of a band: the streams that it reads, in all row tiles of the band."""

    layer: MatrixLayer
    streams: NDArray[np.int64]  # (streams, 4): array column, channel, dy, dx
    repeats: int  # row tiles
    last: bool  # its sums become output words
    rows: int  # of the band


# ---- prices


@cache
def _points(width: int, ports: int) -> list[dict[str, float]]:
    points = read_record(STORE / "memory_table.json")["figures"]["points"]
    return [p for p in points if p["width_bits"] == width and p["ports"] == ports]


def macro(width: int, words: int, ports: int) -> dict[str, float]:
    """Area, leakage and energy of an access at 45 nm, 1.1 V: macros of at most 64 bits side by
    side, banks of at most 64 KiB behind each other; none smaller than 256 bytes."""
    wide = math.ceil(width / 64)
    each = min(w for w in (8, 16, 32, 64) if w >= min(64, math.ceil(width / wide)))
    banks = math.ceil(each * words / 8 / 65536)
    size = max(256.0, each * words / 8 / banks)
    points = _points(each, ports)
    x = np.log([p["bytes"] for p in points])
    technology = load_technology()
    node = technology.node("45-hp")
    volts = technology.energy_factor(source=node, source_v=1.0, target=node, target_v=NODE_V)

    def at(key: str) -> float:
        return float(np.exp(np.interp(math.log(size), x, np.log([p[key] for p in points]))))

    return {
        "um2": at("um2") * wide * banks,
        "leakage_mw": at("leakage_mw") * wide * banks,
        "read_pj": at("read_pj") * wide * volts,
        "write_pj": at("write_pj") * wide * volts,
        "macros": wide * banks,
    }


def ecp5(memory: Memory) -> tuple[int, int]:
    """Block RAMs and LUT4 on an ECP5: distributed below 65 words, else blocks of 18 kbit."""
    if memory.words <= 64:
        deep = math.ceil(memory.words / 16)
        luts = 6 * deep * math.ceil(memory.width / 4) + (deep - 1) * memory.width
        return 0, luts * memory.count
    modes = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))
    blocks = min(math.ceil(memory.width / w) * math.ceil(memory.words / d) for w, d in modes)
    return blocks * memory.count, 0


def cost(way: Way, assumed: Assumed) -> dict[str, float]:
    """Everything of a way in um2, pJ of an image, mW, block RAMs and LUT4."""
    priced = [(m, macro(m.width, m.words, m.ports)) for m in way.memories]
    bus = 64 * assumed.toggles * 0.5e-3 * assumed.bus_ff * NODE_V**2  # pJ a word
    blocks, luts = zip(*(ecp5(m) for m in way.memories), strict=True)
    return {
        "bytes": sum(m.bytes for m in way.memories) + (way.latches + way.flip_flops) / 8,
        "um2_memories": assumed.sram_um2 * sum(p["um2"] * m.count for m, p in priced),
        "um2_logic": LATCH_UM2 * way.latches
        + FLIP_FLOP_UM2 * way.flip_flops
        + MUX_UM2 * way.muxes
        + GATE_UM2 * way.gates,
        "pj_memories": assumed.sram_pj
        * sum(p["read_pj"] * m.reads + p["write_pj"] * m.writes for m, p in priced),
        "pj_logic": way.other_pj
        + bus * way.bus_words
        + 1e-3 * (assumed.latch_fj * way.latch_writes + assumed.read_fj * way.latch_reads),
        "leakage_mw": sum(p["leakage_mw"] * m.count for m, p in priced),
        "block_rams": sum(blocks),
        "lut4": sum(luts) + way.luts,
    }


# ---- what the data needs


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
    """Distinct rows of a tile: channel, dy, words of a pass, array columns as a bit mask.

    Where a layer has one position, words hold what a stream reads in successive tiles.
    """
    single = tile.layer.positions == 1
    keys = tile.streams[:, 1:] if single else tile.streams[:, 1:3]
    found: list[Fetch] = []
    unique, inverse = np.unique(keys, axis=0, return_inverse=True)
    for index, key in enumerate(unique):
        mine = tile.streams[inverse.ravel() == index]
        words = (
            1 / word if single else row_words(tile.layer, size, int(key[1]), mine[:, 3], word=word)
        )
        mask = sum(1 << int(column) for column in np.unique(mine[:, 0]))
        found.append((int(key[0]), int(key[1]) + (int(key[2]) if single else 0), words, mask))
    return found


def fetch_cycles(rows: Sequence[Fetch], banks: int, buses: int) -> float:
    """Least cycles to fetch them: a word a cycle from a bank, `buses` into an array column."""
    load = np.zeros(banks)
    column = np.zeros(max((mask.bit_length() for *_, mask in rows), default=1))
    for channel, dy, words, mask in rows:
        load[(channel + dy) % banks] += words
        column[[i for i in range(mask.bit_length()) if mask >> i & 1]] += words / buses
    return float(max(load.max(), column.max()))


def list_schedule(rows: Sequence[Fetch], banks: int) -> int:
    """Cycles in which a greedy list really fetches one word of each row, one into a column."""
    queues: list[list[int]] = [[] for _ in range(banks)]
    for channel, dy, _, mask in sorted(rows, key=lambda row: -row[3].bit_count()):
        queues[(channel + dy) % banks].append(mask)
    cycles = 0
    while any(queues):
        busy = 0
        for queue in sorted(queues, key=len, reverse=True):
            free = next((i for i, mask in enumerate(queue) if not mask & busy), None)
            if free is not None:
                busy |= queue.pop(free)
        cycles += 1
    return cycles


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
            for high in down:
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
