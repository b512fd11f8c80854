"""The counts of benchmarks/memory_study.py on networks small enough to count by hand."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from systopack.hardware.array import Array
from systopack.network.network import PackedNetwork
from systopack.network.nodes import InputNode, MatrixLayer, PoolLayer, Residual
from systopack.packing.matrix import PackedBand, PackedMatrix

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
ARRAY = Array(rows=2, columns=2, alpha=2, cell="bit-serial-compact", weight_buffers=1)


def module(name):
    @pytest.fixture
    def fixture(monkeypatch):
        monkeypatch.syspath_prepend(str(FOLDER))
        return importlib.import_module(name)

    return fixture


counts, ways, prices = map(module, ("_memory_counts", "_memory_ways", "_memory_prices"))


def layer(name, source, groups, columns, *, rows=2, residual=None, size=(8, 8)):
    """Every cell holds the first column of its group, but for odd rows: the last."""
    values = np.ones((rows, len(groups)), dtype=np.int8)
    channels = np.array([[0 if r % 2 == 0 else len(g) - 1 for g in groups] for r in range(rows)])
    band = PackedBand(groups=groups, values=values, channels=channels.astype(np.uint8))
    reach = np.array(columns)[:, 1:]
    top, left = np.maximum(0, -reach.min(axis=0))
    bottom, right = np.maximum(0, reach.max(axis=0))
    return MatrixLayer(
        name=name,
        source=source,
        kind="convolution",
        matrix=PackedMatrix(columns=len(columns), bands=(band,)),
        columns=np.array(columns, dtype=np.int32),
        bias=np.zeros(rows, dtype=np.int32),
        stride=(1, 1),
        padding=(int(top), int(bottom), int(left), int(right)),
        output_size=size,
        residual=residual,
        activation="relu",
        clip=None,
        shift=np.full(rows, 8, dtype=np.uint8),
        exponent=-4,
    )


def made(*, pool=False):
    """Two channels of 8 x 8; three groups, so two column tiles; then a layer with a residual."""
    columns = [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, -1, 0), (1, 0, 0)]
    first = layer("first", "input", ((0, 1), (2, 3), (4,)), columns)
    adds = Residual(
        source="first",
        channels=np.arange(2, dtype=np.int32),
        stride=(1, 1),
        shift=np.full(2, 8, dtype=np.uint8),
    )
    second = layer("second", "first", ((0,), (1,)), [(0, 0, 0), (1, 0, 0)])
    third = layer("third", "second", ((0, 1),), [(0, 0, 0), (1, 0, 0)], residual=adds)
    nodes = [
        InputNode(name="input", shape=(2, 8, 8), mean=(0.5,) * 2, std=(0.5,) * 2, exponent=-4),
        first,
        second,
        third,
    ]
    if pool:
        nodes.append(
            PoolLayer(
                name="pool",
                source="third",
                kind="max",
                kernel=(2, 2),
                stride=(2, 2),
                padding=(0, 0, 0, 0),
                output_size=(4, 4),
                multiplier=1,
                shift=0,
                exponent=-4,
            )
        )
    return PackedNetwork(name="hand", nodes=tuple(nodes))


def test_a_tile_reads_these_streams_and_rows(counts):
    network = made()
    tiles = list(counts.tiles(network, ARRAY))
    assert [len(tile.streams) for tile in tiles] == [4, 1, 2, 2]
    assert [tile.last for tile in tiles] == [False, True, True, True]
    # Channel 0 at dy 0 is read with dx 0 and 1 by array column 0: one row, eight words of 8 bytes.
    # dy 1 and -1 leave one of the eight rows of the image.
    rows = counts.fetches(tiles[0], (8, 8), word=8)
    assert sorted((row.channel, row.dy, row.words, row.columns) for row in rows) == [
        (0, 0, 8, (0,)),
        (0, 1, 7, (1,)),
        (1, -1, 7, (1,)),
    ]
    assert {row.words for row in counts.fetches(tiles[0], (8, 8), word=4)} == {16, 14}


def test_words_that_end_a_row_and_start_the_next_are_read_once(counts):
    small = layer("small", "input", ((0,),), [(0, 0, 0)], rows=1, size=(4, 4))
    assert counts.row_words(small, (4, 4), 0, np.array([0]), word=8) == 2  # 16 bytes
    assert counts.row_words(small, (4, 4), 1, np.array([0]), word=8) == 2  # bytes 4 to 15


def test_a_fetch_is_bound_by_banks_and_by_array_columns(counts):
    rows = [
        counts.Fetch(channel=c, dy=0, words=words, columns=columns)
        for c, words, columns in ((0, 4.0, (0, 1)), (2, 4.0, (0,)), (1, 2.0, (1,)))
    ]
    # Bank 0 has two of them, column 0 too.
    assert counts.fetch_cycles(rows, banks=2, buses=1) == 8
    assert counts.fetch_cycles(rows, banks=4, buses=2) == 4
    assert counts.fetch_cycles(rows, banks=4, buses=2, others=8) == 6


def test_a_feature_memory_holds_these_bytes(counts):
    network = made(pool=True)
    # All tensors have 128 bytes. first lives on as the residual of third.
    assert counts.feature_bytes(network, in_place=False, pooled=False) == 3 * 128
    assert counts.feature_bytes(network, in_place=True, pooled=False) == 2 * 128
    assert counts.feature_bytes(network, in_place=False, pooled=True) == 2 * 128 + 32


def test_the_schedule_of_sums_behind_the_array(counts):
    network = made()
    around = 128 + 3 * 128 + 3 * (ARRAY.latency_cycles + ARRAY.partial_sum_cycles)
    lanes = counts.schedule(network, ARRAY, pooled=False)
    # 64 positions: two column tiles, one, one. Nothing is waited for.
    assert (lanes["cycles"] - around, lanes["waiting_cycles"]) == (256 * 8, 0)
    # Split in two columns' halves a tile has one group: three tiles of half the time, and so on.
    split = counts.schedule(network, ARRAY, pooled=False, down=(1, 2), across=(1, 2))
    assert split["cycles"] - around == (3 * 32 + 64 + 32) * 8
    pooled = [counts.schedule(made(pool=True), ARRAY, pooled=p)["cycles"] for p in (False, True)]
    assert pooled[0] - pooled[1] == 16 * 4 * 8  # a word time for each word of a window


def test_a_memory_for_each_column_holds_what_its_groups_read(ways):
    held = ways.held_channels(made(pool=True), ARRAY)
    # Columns 0 and 1, then the one lane. Groups 0 and 2 of the first layer read channel 0.
    assert held["input"].tolist() == [[True, True], [True, True], [False, False]]
    assert held["second"].tolist() == [[True, True], [False, False], [False, False]]
    assert held["first"].tolist() == [[True, False], [False, True], [True, True]]
    banks, tags = ways.banks_way(made(), ARRAY).memories
    assert (banks.count, banks.ports) == (2 * 3, 2)
    assert banks.words == 2 * 64  # one channel in each part; first waits while second is written
    assert banks.reads == (4 + 1 + 2 + 2) * 64 + 128
    assert banks.writes == (4 + 4 + 2) * 64
    assert (tags.words, tags.reads) == (4 * 2, (4 + 1 + 2 + 2) * 64)


def test_windows_and_row_words_read_what_the_streams_need(ways):
    network = made()
    windows = {memory.name: memory for memory in ways.windows_way(network, ARRAY).memories}
    # Streams times positions; a window is filled with every channel that its array column reads.
    assert windows["windows"].reads == (4 + 1 + 2 + 2) * 64
    assert windows["windows"].writes == (3 + 1 + 2 + 2) * 64
    features = ways.rows_way(network, ARRAY, banks=2, word=8).memories[0]
    residual = 128 / 8
    assert features.reads == (8 + 7 + 7) + 8 + 16 + 16 + residual
    assert features.writes == 4 * 128 / 8


def test_weights_and_sums_are_counted_by_tiles(ways):
    memories = ways.shared_memories(made(), ARRAY)
    # A tile: two columns, one loaded after the other, of two rows of 8 + 1 bits.
    assert (memories["weights"].width, memories["weights"].words) == (18, 4 * 2)
    assert memories["weights"].reads == 4 * 2
    # Two rows of 64 positions wait once, two sums in a word.
    assert memories["partial sums"].reads == memories["partial sums"].writes == 64


def test_prices_follow_width_words_and_ports(prices):
    one, two = prices.macro(64, 1024, 1), prices.macro(64, 1024, 2)
    assert one.area_um2 == pytest.approx(26291.2, rel=1e-3)  # 8 KiB in records/memory_table.json
    assert two.area_um2 > 1.9 * one.area_um2
    byte = prices.macro(8, 8192, 1)
    assert byte.read_pj > 0.7 * one.read_pj  # not an eighth
    assert prices.macro(128, 1024, 1).area_um2 == pytest.approx(2 * one.area_um2)
