"""The ways to feed the array, each as memories, logic and what is read and written for an image."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from _memory_counts import (
    BLOCK,
    WORD,
    Pace,
    Tile,
    feature_bytes,
    fetch_cycles,
    fetches,
    pooled_at_lanes,
    tiles,
    word_time,
)
from _memory_prices import NODE_V, Memory, Way
from systopack.hardware.plan import plan_tiles

from systopack.hardware.array import Array
from systopack.rtl.tiled_events import tiled_events, weight_bits
from systopack.network.network import PackedNetwork
from systopack.network.nodes import ConcatLayer, MatrixLayer, PoolLayer

MUX_PIN_FF, CLOCK_EDGE_FJ = 0.95, 6.9  # of MUX2_X1; of a flip-flop, docs/silicon.md
BANKS = {"bit-serial": 4, "bit-parallel": 32}  # of 64 bits, of the feature memory
WINDOW_BLOCK = 256  # positions of a block with windows, which are filled again for each block
BUSES = {"bit-serial": 1, "bit-parallel": 2}  # words into an array column in a cycle


def banks_way(network: PackedNetwork, array: Array) -> Way:
    """Today: a memory of bytes for each array column, every channel whole in each that reads it."""
    events = tiled_events(network, array=array)
    placement = plan_tiles(network, array=array).placement
    memories = []
    widths = {"activations": 8, "residuals": 8, "descriptors": placement.descriptor_bits}
    for name, width in widths.items():
        if name in events.memories:
            memory = events.memories[name]
            used = [s.accesses[name] for s in events.steps if name in s.accesses]
            memories.append(
                Memory(
                    name=name,
                    width=width,
                    words=math.ceil(memory.capacity_bits / width),
                    count=memory.instances,
                    ports=1 if name == "descriptors" else 2,
                    reads=sum(a.read_bits for a in used) / width,
                    writes=sum(a.write_bits for a in used) / width,
                )
            )
    per_column = placement.timing.banks_per_column
    flip_flops, clock_pj = _serializers(network, array)
    return Way(
        name="banks",
        memories=memories,
        flip_flops=flip_flops,
        other_pj=clock_pj,
        ports=f"{per_column * array.columns} x 8 bit read, "
        f"{per_column * array.columns * array.sub_banks} x 8 bit write",
    )


def _feature(network: PackedNetwork, *, banks: int, reads: float, word: int = WORD) -> Memory:
    """One copy of every live tensor, residuals in place, poolings in the lanes; single port."""
    skipped = pooled_at_lanes(network)
    written, others = 0.0, 0.0
    # What a layer of one position reads is written byte by byte, in the order of its streams.
    scattered = {
        layer.source: len(layer.matrix.bands) for layer in network.layers if layer.positions == 1
    }
    for node in network.nodes:
        size = math.prod(network.shapes[node.name])
        if node.name not in skipped and not isinstance(node, ConcatLayer):
            written += size * scattered.get(node.name, 0) or size / word
        if isinstance(node, PoolLayer) and node.source not in skipped:
            others += math.prod(network.shapes[node.source]) / word
        if isinstance(node, MatrixLayer) and node.residual is not None:
            others += size / word
    words = math.ceil(feature_bytes(network, in_place=True, pooled=True) / word / banks)
    return Memory(
        name="features",
        width=8 * word,
        words=words,
        count=banks,
        reads=reads + others,
        writes=written,
    )


def _pooling(network: PackedNetwork, array: Array) -> list[Memory]:
    """Rows of halves that wait in the lanes for the second row of a pooling's window."""
    skipped = pooled_at_lanes(network)
    found = [
        node
        for node in network.nodes
        if isinstance(node, PoolLayer) and node.source in skipped and node.output_size[1] > 1
    ]
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

    A transposer for eight streams (docs/hardware/streams.md), a shift register for a single one.
    """
    if array.word_cycles == 1:
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
    reach = int(np.ptp(layer.columns[:, 1]))
    return (rows + reach) / rows


def windows_way(network: PackedNetwork, array: Array, *, homes: int = 0) -> Way:
    """Rolling windows of k + 1 rows for each array column (for each stream if bit-parallel).

    Args:
        homes: array columns that share a home of a channel, each with its own copy; 0: no homes.
    """
    parallel = array.word_cycles == 1
    deepest, fills, words, reads, stall = 1, 0.0, 0.0, 0.0, 0.0
    for tile in tiles(network, array):
        layer = tile.layer
        _, height, width = network.shapes[layer.source]
        single = layer.positions == 1
        pairs = np.unique(tile.streams[:, [0, 1, 2, 3] if single else [0, 1]], axis=0)
        distinct = len(np.unique(pairs[:, 1:], axis=0))
        rows = min(height, int(np.ptp(layer.columns[:, 1])) + 2)
        held = np.bincount(pairs[:, 0], minlength=1)
        each = 1 if parallel else math.ceil(distinct / (array.columns / homes)) if homes else None
        channels = each if each is not None else int(held.max(initial=0))
        deepest = max(deepest, channels * (1 if single else rows * width))
        plane = 1 if single else height * width
        again = _halo(tile, array) * tile.repeats
        copies = distinct * homes if homes else len(tile.streams) if parallel else len(pairs)
        fills += copies * plane * again
        words += distinct * plane / WORD * again
        reads += len(tile.streams) * layer.positions * tile.repeats
        banks = BANKS["bit-parallel" if parallel else "bit-serial"]
        fetched = distinct * plane / WORD / banks * again / tile.repeats
        fetched += _results(tile, network) / tile.repeats / WORD / banks
        time = max(fetched, channels * plane * again / tile.repeats)
        stall += tile.repeats * max(0.0, time - layer.positions * array.word_cycles)
    count = array.columns * (array.alpha if parallel else 1)
    banks = BANKS["bit-parallel" if parallel else "bit-serial"]
    window = Memory(
        name="windows", width=8, words=deepest, count=count, ports=2, reads=reads, writes=fills
    )
    flip_flops, clock_pj = _serializers(network, array)
    return Way(
        name=f"homes of {homes} columns" if homes else "windows",
        memories=[
            _feature(network, banks=banks, reads=words),
            window,
            *_pooling(network, array),
        ],
        flip_flops=flip_flops,
        other_pj=clock_pj,
        ports=f"{banks} x 64 bit read or write; {count} x (8 bit read, 8 bit write)",
        stall_cycles=round(stall),
        latches=_descriptor_latches(network, array),
        muxes=array.columns * (banks - 1) * 64 + count * 7 * 8,
        luts=array.columns * 64 * banks // 2,
        bus_words=words,
    )


def taps_way(network: PackedNetwork, array: Array) -> Way:
    """All words under the window in registers; each stream chooses among them by a crossbar."""
    parallel = array.word_cycles == 1
    wires = 8 if parallel else 1
    taps, inputs, words, switched = 1, 1, 0.0, 0.0
    for tile in tiles(network, array):
        layer = tile.layer
        reach = np.ptp(layer.columns[:, 1:], axis=0) + 1
        channels = len(np.unique(layer.columns[:, 0]))
        taps = max(taps, channels * int(reach[0]) * int(reach[1]))
        inputs = max(inputs, len(layer.columns))
        used = len(np.unique(tile.streams[:, 1:], axis=0))
        each = len(np.unique(tile.streams[:, 1] // WORD)) * int(reach[0])
        if layer.positions > 1:  # new columns of the window at every position
            each *= min(layer.stride[1], int(reach[1]))
        else:
            each = math.ceil(used / WORD)
        words += each * layer.positions * tile.repeats
        switched += used * 8 * layer.positions * tile.repeats
    outputs = array.columns * array.alpha
    banks = BANKS["bit-parallel" if parallel else "bit-serial"]
    load_pj = outputs * MUX_PIN_FF * 0.5 * 0.5 * NODE_V**2 * 1e-3  # pins alone, no wire
    return Way(
        name="taps",
        memories=[_feature(network, banks=banks, reads=words), *_pooling(network, array)],
        latch_reads=switched,
        ports=f"{banks} x 64 bit read or write; {taps} registers of a byte, {inputs} to "
        f"{outputs} crossbar of {wires} bit",
        flip_flops=8 * taps,
        latches=outputs * math.ceil(math.log2(max(2, inputs))),
        muxes=wires * outputs * (inputs - 1) + (0 if parallel else 7 * taps),
        luts=wires * outputs * inputs // 2,
        bus_words=words,
        other_pj=switched * load_pj + words * 64 * 2 * CLOCK_EDGE_FJ * 1e-3,
    )


def rows_way(
    network: PackedNetwork,
    array: Array,
    *,
    banks: int,
    word: int = WORD,
    splits: Mapping[str, tuple[int, int]] | None = None,
) -> Way:
    """Row words: every stream keeps two words of its channel's plane and reads them by bytes.

    A word is fetched once for all streams of a tile that read this row, whatever their dx.

    Args:
        banks: of the feature memory, `word` bytes wide.
        word: bytes of a word.
        splits: by layer the parts into which its rows are split: each reads the same buffers
            through a multiplexer of its own, at positions side by side.
    """
    parallel = array.word_cycles == 1
    buses = BUSES["bit-parallel" if parallel else "bit-serial"]
    words, sent, stall, read, slow, used_words, longest = 0.0, 0.0, 0.0, 0.0, 0, 0, 0
    for tile in tiles(network, array):
        layer = tile.layer
        rows = fetches(tile, network.shapes[layer.source][1:], word=word)
        words += sum(row.words for row in rows) * tile.repeats
        sent += sum(row.words * len(row.columns) for row in rows) * tile.repeats * 8 * word
        read += len(tile.streams) * layer.positions * tile.repeats * 8
        parts = splits[layer.name][0] if splits else 1
        positions = math.ceil(layer.positions / parts)
        others = _results(tile, network) / tile.repeats / word / positions / array.word_cycles
        pace = Pace(
            banks=banks,
            buses=buses,
            word=word,
            step=layer.stride[1] * parts,
            cycles=array.word_cycles,
            others=others,
        )
        if layer.positions > 1:
            waits = (word_time(rows, pace) - array.word_cycles) * positions
            slow += waits > 0
            known = len(np.unique(layer.columns[:, :2], axis=0))
            # Where streams are few, control reads their descriptors in the place of these bits.
            bits = known if known < _descriptor_latches(network, array) else 0
            used_words, longest = used_words + math.ceil(bits / 64), max(longest, bits)
        else:  # all streams in turn
            waits = max(0, fetch_cycles(rows, banks, buses) - array.word_cycles)
        stall += math.ceil(tile.repeats / parts) * waits
    streams = array.columns * array.alpha
    feature = _feature(network, banks=banks, reads=words, word=word)
    used = Memory(name="rows in use", width=64, words=used_words, count=1, reads=used_words)
    readers = max(high for high, _ in splits.values()) if splits else 1
    return Way(
        name=f"row words of {8 * word}, {banks} banks" + (", rows split" if splits else ""),
        memories=[feature, used, *_pooling(network, array)],
        ports=f"{banks} x {8 * word} bit read or write; {streams} x {2 * word} bytes of latches",
        stall_cycles=round(stall),
        slow_tiles=slow,
        latches=streams * 16 * word
        + 2 * array.rows * 8 * word
        + _descriptor_latches(network, array)
        + longest,
        muxes=readers * streams * (16 * word - 1) + array.columns * buses * (banks - 1) * 8 * word,
        gates=streams * 3 * _descriptor_bits(network, array) + 4 * longest,
        luts=streams * 12 + array.columns * buses * 8 * word * banks // 2 + array.rows * 12,
        bus_words=words * word / 8,
        latch_reads=read,
        latch_writes=sent + feature.writes * 8 * word,
    )


def _results(tile: Tile, network: PackedNetwork) -> int:
    """Bytes that a band's last column tile writes, and the residual operand that it reads."""
    if not tile.last or tile.layer is network.output:
        return 0
    return tile.rows * tile.layer.positions * (1 + (tile.layer.residual is not None))


def _descriptor_bits(network: PackedNetwork, array: Array) -> int:
    """Of a stream: channel, dy, dx, in use."""
    channels = max(len(np.unique(layer.columns[:, 0])) for layer in network.layers)
    reach = max(int(np.ptp(layer.columns[:, 1:])) for layer in network.layers) + 1
    return 1 + math.ceil(math.log2(max(2, channels))) + 2 * math.ceil(math.log2(max(2, reach)))


def _descriptor_latches(network: PackedNetwork, array: Array) -> int:
    return array.columns * array.alpha * _descriptor_bits(network, array)


def tile_visits(network: PackedNetwork, array: Array, *, block: int = BLOCK) -> int:
    """How often a tile is loaded: for every block of positions whose sums wait for other tiles."""
    visits = 0
    for layer in network.layers:
        for band in layer.matrix.bands:
            columns = max(1, math.ceil(len(band.groups) / array.columns))
            blocks = math.ceil(layer.positions / block) if columns > 1 else 1
            visits += math.ceil(band.rows / array.rows) * columns * blocks
    return visits


def shared_memories(
    network: PackedNetwork, array: Array, *, block: int = BLOCK
) -> dict[str, Memory]:
    """Weights and descriptors as wide as they are loaded, partial sums of a block of positions."""
    all_tiles, sums = 0, 0.0
    for layer in network.layers:
        for band in layer.matrix.bands:
            rows = math.ceil(band.rows / array.rows)
            columns = max(1, math.ceil(len(band.groups) / array.columns))
            all_tiles += rows * columns
            sums += (columns - 1) * band.rows * layer.positions
    width = array.load_columns * array.rows * weight_bits(array)
    streams = array.load_columns * array.alpha * _descriptor_bits(network, array)
    loads = tile_visits(network, array, block=block) * array.load_cycles
    all_words = all_tiles * array.load_cycles
    lanes = array.rows // min(array.rows, array.word_cycles)
    return {
        "weights": Memory(name="weights", width=width, words=all_words, count=1, reads=loads),
        "descriptors": Memory(
            name="descriptors", width=streams, words=all_words, count=1, reads=loads
        ),
        "partial sums": Memory(  # two sums in a word: one port reads and writes them in time
            name="partial sums",
            width=64,
            words=array.rows // lanes * block // 2,
            count=lanes,
            reads=sums / 2,
            writes=sums / 2,
        ),
    }
