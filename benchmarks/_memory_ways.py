"""The ways to feed the array, each as memories, logic and what is read and written for an image."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from _memory_counts import (
    BLOCK,
    Tile,
    feature_bytes,
    fetch_cycles,
    fetches,
    peak,
    tiles,
)
from _memory_prices import NODE_V, Memory, Way
from numpy.typing import NDArray

from systopack.hardware.array import Array
from systopack.hardware.row_tiles import row_tiles
from systopack.hardware.tiled.places import fused_pools
from systopack.network.network import PackedNetwork
from systopack.network.nodes import ConcatLayer, MatrixLayer, PoolLayer

MUX_PIN_FF, CLOCK_EDGE_FJ = 0.95, 6.9  # of MUX2_X1; of a flip-flop, docs/silicon.md
WORD = 8  # bytes of a word of windows and taps
WINDOW_BLOCK = 256  # positions of a block with windows, which are filled again for each block


def parallel(array: Array) -> bool:
    """Whether a stream takes a word in every cycle."""
    return array.word_cycles == 1


def feature_banks(array: Array) -> int:
    """Banks of the feature memory behind windows and taps."""
    return 32 if parallel(array) else 4


def column_memories(array: Array) -> tuple[int, int]:
    """Streams that a memory of bytes serves, one a cycle, and memories for an array column."""
    reads = min(array.alpha, array.word_cycles)
    return reads, math.ceil(array.alpha / reads)


def held_channels(network: PackedNetwork, array: Array) -> dict[str, NDArray[np.bool_]]:
    """By tensor which memory of a column, or of a lane's operands, holds which channel whole.

    A pooling works inside a memory, so its input lies wherever its output is wanted.
    """
    reads, each = column_memories(array)
    columns, lane_rows = array.columns * each, min(array.rows, array.word_cycles)
    total = columns + math.ceil(array.rows / lane_rows)
    held = {name: np.zeros((total, shape[0]), bool) for name, shape in network.shapes.items()}
    found = list(tiles(network, array))
    for node in reversed(network.nodes):
        own = held[node.name]
        if isinstance(node, PoolLayer):
            held[node.source] |= own
        elif isinstance(node, ConcatLayer):
            for channel, taken in enumerate(node.channels):
                if taken >= 0:
                    held[node.sources[node.operands[channel]]][:, taken] |= own[:, channel]
        elif isinstance(node, MatrixLayer):
            for tile in (tile for tile in found if tile.layer is node):
                column, index, channel = tile.streams[:, :3].T
                held[node.source][column * each + index // reads, channel] = True
            if node.residual is not None:
                for tile in row_tiles(node, rows=array.rows, columns=array.columns):
                    channels = node.residual.channels[tile.row_start : tile.row_stop]
                    lanes = columns + np.arange(tile.rows) // lane_rows
                    held[node.residual.source][lanes[channels >= 0], channels[channels >= 0]] = True
    return held


def banks_way(network: PackedNetwork, array: Array) -> Way:
    """A memory of bytes for each array column, every channel whole in each that reads it.

    Channels are dealt to its parts in turn.
    """
    parts = 1 if parallel(array) else 2  # so that results are written in time
    held = held_channels(network, array)
    planes = {name: shape[1] * shape[2] for name, shape in network.shapes.items()}
    words = peak(
        network,
        {n: math.ceil(h.sum(axis=1).max() / parts) * planes[n] for n, h in held.items()},
    )
    streams, runs, reads, writes = 0.0, 0, 0.0, 0.0
    for tile in tiles(network, array):
        streams += len(tile.streams) * tile.layer.positions * tile.repeats
        runs += tile.repeats
    for node in network.nodes:
        if not isinstance(node, ConcatLayer):
            writes += held[node.name].sum() * planes[node.name]
        if isinstance(node, PoolLayer):
            reads += held[node.name].sum() * planes[node.name] * math.prod(node.kernel)
        if isinstance(node, MatrixLayer) and node.residual is not None:
            reads += (node.residual.channels >= 0).sum() * planes[node.name]
    each_reads, each = column_memories(array)
    columns = array.columns * each
    used = np.logical_or.reduce([one.any(axis=1) for one in held.values()])
    count = columns + int(used[columns:].sum())  # those of the lanes where residuals are added
    reach = max(int(np.ptp(layer.columns[:, 1:])) for layer in network.layers) + 1
    tag = 1 + 2 * math.ceil(math.log2(max(2, reach))) + math.ceil(math.log2(max(2, parts * words)))
    flip_flops, clock_pj = _serializers(network, array)
    return Way(
        name="banks",
        memories=[
            Memory(
                name="banks",
                width=8,
                words=words,
                count=parts * count,
                ports=2,
                reads=streams + reads,
                writes=writes,
            ),
            Memory(
                name="descriptors",
                width=tag,
                words=runs * each_reads,
                count=columns,
                reads=streams,
            ),
        ],
        flip_flops=flip_flops,
        other_pj=clock_pj,
        ports=f"{columns} x 8 bit read, {parts * columns} x 8 bit write",
    )


def _feature(network: PackedNetwork, *, banks: int, reads: float, word: int = WORD) -> Memory:
    """One copy of every live tensor, residuals in place, poolings in the lanes; single port."""
    pools = fused_pools(network)
    written, others = 0.0, 0.0
    # What a layer of one position reads is written byte by byte, in the order of its streams.
    scattered = {
        layer.source: len(layer.matrix.bands) for layer in network.layers if layer.positions == 1
    }
    for node in network.nodes:
        size = math.prod(network.shapes[node.name])
        if node.name not in pools and not isinstance(node, ConcatLayer):
            written += size * scattered.get(node.name, 0) or size / word
        if isinstance(node, PoolLayer) and node.source not in pools:
            others += math.prod(network.shapes[node.source]) / word
        if isinstance(node, MatrixLayer) and node.residual is not None:
            others += size / word
    return Memory(
        name="features",
        width=8 * word,
        words=math.ceil(feature_bytes(network) / word / banks),
        count=banks,
        reads=reads + others,
        writes=written,
    )


def _pooling(network: PackedNetwork, array: Array) -> list[Memory]:
    """Rows of halves that wait in the lanes for the second row of a pooling's window."""
    found = [pool for pool in fused_pools(network).values() if pool.output_size[1] > 1]
    if not found:
        return []
    passed = sum(math.prod(network.shapes[node.name]) * (node.kernel[0] - 1) for node in found)
    return [
        Memory(
            name="pooling rows",
            width=64,
            words=max(node.output_size[1] for node in found),
            count=math.ceil(array.rows / 8),
            ports=2,
            reads=passed / 8,
            writes=passed / 8,
        )
    ]


def _serializers(network: PackedNetwork, array: Array) -> tuple[int, float]:
    """Flip-flops that make bit streams of bytes, and the energy of their clock in pJ.

    A square of 8 x 9 that shifts both ways for eight streams, a shift register for a single one.
    """
    if parallel(array):
        return 0, 0.0
    cycles = sum(t.layer.positions * t.repeats for t in tiles(network, array)) * array.word_cycles
    each, running = (72, 72) if array.alpha == 8 else (16 * array.alpha, 8 * array.alpha)
    return each * array.columns, running * array.columns * cycles * CLOCK_EDGE_FJ * 1e-3


def _halo(tile: Tile, array: Array) -> float:
    """How often a row is fetched again where positions come in blocks that a window overlaps."""
    layer = tile.layer
    several = max(len(band.groups) for band in layer.matrix.bands) > array.columns
    if layer.positions <= WINDOW_BLOCK or not several:
        return 1.0
    rows = max(1, WINDOW_BLOCK // layer.output_size[1]) * layer.stride[0]
    return (rows + int(np.ptp(layer.columns[:, 1]))) / rows


def windows_way(network: PackedNetwork, array: Array, *, homes: int = 0) -> Way:
    """Rolling windows of k + 1 rows for each array column (for each stream if bit-parallel).

    Args:
        homes: array columns that share a home of a channel, each with its own copy; 0: no homes.
    """
    banks, per_stream = feature_banks(array), parallel(array)
    deepest, fills, words, reads, stall = 1, 0.0, 0.0, 0.0, 0.0
    for tile in tiles(network, array):
        layer = tile.layer
        _, height, width = network.shapes[layer.source]
        single = layer.positions == 1
        pairs = np.unique(tile.streams[:, [0, 2, 3, 4] if single else [0, 2]], axis=0)
        distinct = len(np.unique(pairs[:, 1:], axis=0))
        rows = min(height, int(np.ptp(layer.columns[:, 1])) + 2)
        channels = int(np.bincount(pairs[:, 0], minlength=1).max(initial=0))
        if per_stream or homes:
            channels = 1 if per_stream else math.ceil(distinct / (array.columns / homes))
        plane = 1 if single else height * width
        deepest = max(deepest, channels * (1 if single else rows * width))
        again = _halo(tile, array)
        copies = distinct * homes if homes else len(tile.streams if per_stream else pairs)
        fills += copies * plane * again * tile.repeats
        words += distinct * plane / WORD * again * tile.repeats
        reads += len(tile.streams) * layer.positions * tile.repeats
        fetched = (distinct * plane * again + _results(tile, network)) / WORD / banks
        time = max(fetched, channels * plane * again)
        stall += tile.repeats * max(0.0, time - layer.positions * array.word_cycles)
    count = array.columns * (array.alpha if per_stream else 1)
    flip_flops, clock_pj = _serializers(network, array)
    window = Memory(
        name="windows", width=8, words=deepest, count=count, ports=2, reads=reads, writes=fills
    )
    return Way(
        name=f"homes of {homes} columns" if homes else "windows",
        memories=[_feature(network, banks=banks, reads=words), window, *_pooling(network, array)],
        flip_flops=flip_flops,
        other_pj=clock_pj,
        ports=f"{banks} x 64 bit read or write; {count} x (8 bit read, 8 bit write)",
        stall_cycles=round(stall),
        latches=_tag_latches(network, array),
        muxes=array.columns * (banks - 1) * 64 + count * 7 * 8,
        bus_words=words,
    )


def taps_way(network: PackedNetwork, array: Array) -> Way:
    """All words under the window in registers; each stream chooses among them by a crossbar."""
    banks, outputs = feature_banks(array), array.columns * array.alpha
    wires = 8 if parallel(array) else 1
    taps, inputs, words, switched = 1, 1, 0.0, 0.0
    for tile in tiles(network, array):
        layer = tile.layer
        reach = np.ptp(layer.columns[:, 1:], axis=0) + 1
        taps = max(taps, len(np.unique(layer.columns[:, 0])) * int(reach[0]) * int(reach[1]))
        inputs = max(inputs, len(layer.columns))
        used = len(np.unique(tile.streams[:, 2:], axis=0))
        each = math.ceil(used / WORD)
        if layer.positions > 1:  # new columns of the window at every position
            each = len(np.unique(tile.streams[:, 2] // WORD)) * int(reach[0])
            each *= min(layer.stride[1], int(reach[1]))
        words += each * layer.positions * tile.repeats
        switched += used * 8 * layer.positions * tile.repeats
    load_pj = outputs * MUX_PIN_FF * 0.5 * 0.5 * NODE_V**2 * 1e-3  # pins alone, no wire
    return Way(
        name="taps",
        memories=[_feature(network, banks=banks, reads=words), *_pooling(network, array)],
        latch_reads=switched,
        ports=f"{banks} x 64 bit read or write; {taps} registers of a byte, {inputs} to "
        f"{outputs} crossbar of {wires} bit",
        flip_flops=8 * taps,
        latches=outputs * math.ceil(math.log2(max(2, inputs))),
        muxes=wires * outputs * (inputs - 1) + (0 if parallel(array) else 7 * taps),
        bus_words=words,
        other_pj=switched * load_pj + words * 64 * 2 * CLOCK_EDGE_FJ * 1e-3,
    )


def rows_way(
    network: PackedNetwork,
    array: Array,
    *,
    banks: int,
    word: int,
    splits: Mapping[str, int] | None = None,
) -> Way:
    """Row words: every stream keeps two words of its channel's plane and reads them by bytes.

    A word is fetched once for all streams of a tile that read this row, whatever their dx.

    Args:
        banks: of the feature memory, `word` bytes wide.
        word: bytes of a word.
        splits: by layer the parts into which its rows are split: each reads the same words
            through a multiplexer of its own, at positions side by side.
    """
    buses = 2 if parallel(array) else 1
    words, sent, stall, read = 0.0, 0.0, 0.0, 0.0
    for tile in tiles(network, array):
        layer = tile.layer
        rows = fetches(tile, network.shapes[layer.source][1:], word=word)
        words += sum(row.words for row in rows) * tile.repeats
        sent += sum(row.words * len(row.columns) for row in rows) * tile.repeats * 8 * word
        read += len(tile.streams) * layer.positions * tile.repeats * 8
        parts = splits[layer.name] if splits else 1
        others = _results(tile, network) / word
        least = fetch_cycles(rows, banks=banks, buses=buses, others=others)
        waits = max(0.0, least - math.ceil(layer.positions / parts) * array.word_cycles)
        stall += math.ceil(tile.repeats / parts) * waits
    streams = array.columns * array.alpha
    feature = _feature(network, banks=banks, reads=words, word=word)
    readers = max(splits.values()) if splits else 1
    return Way(
        name=f"row words of {8 * word}, {banks} banks" + (", rows split" if splits else ""),
        memories=[feature, *_pooling(network, array)],
        ports=f"{banks} x {8 * word} bit read or write; {streams} x {2 * word} bytes of latches",
        stall_cycles=round(stall),
        latches=streams * 16 * word + 2 * array.rows * 8 * word + _tag_latches(network, array),
        muxes=readers * streams * (16 * word - 1) + array.columns * buses * (banks - 1) * 8 * word,
        gates=streams * 3 * _tag_bits(network),
        bus_words=words * word / 8,
        latch_reads=read,
        latch_writes=sent + feature.writes * 8 * word,
    )


def _results(tile: Tile, network: PackedNetwork) -> float:
    """Bytes that a row tile's last column tile writes, and the residual operand that it reads."""
    if not tile.last or tile.layer is network.output:
        return 0
    both = 1 + (tile.layer.residual is not None)
    return tile.rows * tile.layer.positions * both / tile.repeats


def _tag_bits(network: PackedNetwork) -> int:
    """Of a stream: channel, dy, dx, in use."""
    channels = max(len(np.unique(layer.columns[:, 0])) for layer in network.layers)
    reach = max(int(np.ptp(layer.columns[:, 1:])) for layer in network.layers) + 1
    return 1 + math.ceil(math.log2(max(2, channels))) + 2 * math.ceil(math.log2(max(2, reach)))


def _tag_latches(network: PackedNetwork, array: Array) -> int:
    return array.columns * array.alpha * _tag_bits(network)


def shared_memories(
    network: PackedNetwork, array: Array, *, block: int = BLOCK
) -> dict[str, Memory]:
    """Weights and descriptors as wide as they are loaded, partial sums of a block of positions."""
    all_tiles, visits, sums = 0, 0, 0.0
    for layer in network.layers:
        for tile in row_tiles(layer, rows=array.rows, columns=array.columns):
            several = tile.column_tiles > 1  # whose sums wait: loaded again for every block
            visits += tile.column_tiles * (math.ceil(layer.positions / block) if several else 1)
            all_tiles += tile.column_tiles
            sums += (tile.column_tiles - 1) * tile.rows * layer.positions
    cell_bits = array.weight_bits + max(0, (array.alpha - 1).bit_length())
    widths = {
        "weights": array.load_columns * array.rows * cell_bits,
        "descriptors": array.load_columns * array.alpha * _tag_bits(network),
    }
    lanes = array.rows // min(array.rows, array.word_cycles)
    loaded = {
        name: Memory(
            name=name,
            width=width,
            words=all_tiles * array.load_cycles,
            count=1,
            reads=visits * array.load_cycles,
        )
        for name, width in widths.items()
    }
    return loaded | {
        "partial sums": Memory(  # two sums in a word: one port reads and writes them in time
            name="partial sums",
            width=64,
            words=array.rows // lanes * block // 2,
            count=lanes,
            reads=sums / 2,
            writes=sums / 2,
        ),
    }
