"""The counts of benchmarks/memory_study.py on networks small enough to count by hand."""

import sys
from pathlib import Path

import numpy as np
import pytest

from systopack.hardware.array import Array
from systopack.network.network import PackedNetwork
from systopack.network.nodes import InputNode, MatrixLayer, PoolLayer, Residual
from systopack.packing.matrix import PackedBand, PackedMatrix

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
ARRAY = Array(rows=2, columns=2, alpha=2, cell="bit-serial-compact", weight_buffers=1)


@pytest.fixture
def counts(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import _memory_counts

    yield _memory_counts
    sys.modules.pop("_memory_counts")


@pytest.fixture
def prices(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import _memory_prices

    yield _memory_prices
    sys.modules.pop("_memory_prices")


@pytest.fixture
def ways(counts, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import _memory_ways

    yield _memory_ways
    sys.modules.pop("_memory_ways")


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
    rows = [
        (row.channel, row.dy, row.words, row.columns, row.reach)
        for row in counts.fetches(tiles[0], (8, 8))
    ]
    assert sorted(rows) == [
        (0, 0, 8, (0,), (0, 1)),
        (0, 1, 7, (1,), (0, 0)),
        (1, -1, 7, (1,), (0, 0)),
    ]
    assert {row.words for row in counts.fetches(tiles[0], (8, 8), word=4)} == {16, 14}


def test_words_that_end_a_row_and_start_the_next_are_read_once(counts):
    columns = [(0, 0, 0)]
    small = layer("small", "input", ((0,),), columns, rows=1, size=(4, 4))
    assert counts.row_words(small, (4, 4), 0, np.array([0])) == 2  # 16 bytes
    assert counts.row_words(small, (4, 4), 1, np.array([0])) == 2  # bytes 4 to 15


def rows_of(counts, *rows):
    """Rows from channel, dy, words, array columns, lowest and highest dx."""
    return [
        counts.Fetch(channel=c, dy=dy, words=words, columns=columns, reach=reach)
        for c, dy, words, columns, reach in rows
    ]


def test_a_fetch_is_bound_by_banks_and_by_array_columns(counts):
    rows = rows_of(
        counts,
        (0, 0, 4.0, (0, 1), (0, 0)),
        (2, 0, 4.0, (0,), (0, 0)),
        (1, 0, 2.0, (1,), (0, 0)),
    )
    assert counts.fetch_cycles(rows, 2, 1) == 8  # bank 0 has two of them, column 0 too
    assert counts.fetch_cycles(rows, 4, 2) == 4


def test_words_arrive_in_their_time_or_the_word_time_grows(counts):
    # A word of two bytes lasts two positions of four cycles: eight words in eight cycles.
    pace = counts.Pace(banks=1, buses=1, word=2, step=1, cycles=4)
    assert [pace.needed(number, 0) for number in (0, 1, 2)] == [0, 8, 16]
    assert [pace.needed(number, 1) for number in (0, 1, 2)] == [-4, 4, 12]  # dx 1: a byte sooner
    eight = rows_of(counts, *((channel, 0, 1.0, (channel,), (0, 0)) for channel in range(8)))
    assert counts.arrives(eight, pace)
    nine = [*eight, *rows_of(counts, (8, 0, 1.0, (8,), (0, 0)))]
    assert not counts.arrives(nine, pace)
    assert counts.word_time(nine, pace) == 5  # ten cycles for nine words
    # All into one array column: as many as in one bank.
    one = rows_of(counts, *((channel, 0, 1.0, (0,), (0, 0)) for channel in range(9)))
    wide = counts.Pace(banks=9, buses=1, word=2, step=1, cycles=4)
    assert not counts.arrives(one, wide)
    # Streams whose dx differ by a whole word's bytes have never place for it at one time.
    assert not counts.arrives(rows_of(counts, (0, 0, 1.0, (0,), (0, 2))), pace)
    # Results take a word every other cycle.
    assert not counts.arrives(eight, counts.replace(pace, others=0.5))
    assert counts.arrives(eight[:4], counts.replace(pace, others=0.5))


def test_a_feature_memory_holds_these_bytes(counts):
    network = made(pool=True)
    # All tensors have 128 bytes. first lives on as the residual of third.
    assert counts.feature_bytes(network, in_place=False, pooled=False) == 3 * 128
    assert counts.feature_bytes(network, in_place=True, pooled=False) == 2 * 128
    assert counts.pooled_at_lanes(network) == {"third"}
    assert counts.feature_bytes(network, in_place=False, pooled=True) == 2 * 128 + 32


def test_the_schedule_waits_for_sums_only_where_they_return(counts):
    network = made()
    lanes = counts.schedule(network, ARRAY, sums="lanes", pooled=False)
    # 64 positions: two column tiles, one, one. Nothing is waited for.
    assert (lanes["tiles"], lanes["entered_words"], lanes["waiting_cycles"]) == (4, 256, 0)
    assert lanes["layer_cycles"] == 256 * 8
    returned = counts.schedule(network, ARRAY, sums="interleaved", pooled=False)
    assert returned["layer_cycles"] == 256 * 8  # 64 positions are longer than the way back
    # Split in two columns' halves a tile has one group: three tiles of half the time, and so on.
    split = counts.schedule(network, ARRAY, sums="lanes", pooled=False, across=(1, 2))
    assert split["entered_words"] == 3 * 32 + 64 + 32
    assert split["splits"] == {"first": (1, 2), "second": (1, 1), "third": (1, 2)}


def test_sums_that_return_are_waited_for(counts):
    timing = counts.TiledTiming(array=ARRAY)
    back = timing.return_words
    assert counts._interleaved(1, 3, 1, timing) == 2 * back + 1
    assert counts._interleaved(2, 3, 1, timing) == 2 * back + 2
    assert counts._interleaved(back, 3, 1, timing) == 3 * back


def test_windows_and_row_words_read_what_the_streams_need(counts, ways):
    network = made()
    windows = {memory.name: memory for memory in ways.windows_way(network, ARRAY).memories}
    # Streams times positions; a window is filled with every channel that its array column reads.
    assert windows["windows"].reads == (4 + 1 + 2 + 2) * 64
    assert windows["windows"].writes == (3 + 1 + 2 + 2) * 64
    rows = {memory.name: memory for memory in ways.rows_way(network, ARRAY, banks=2).memories}
    residual = 128 / 8
    assert rows["features"].reads == (8 + 7 + 7) + 8 + 16 + 16 + residual
    assert rows["features"].writes == 4 * 128 / 8


def test_weights_and_sums_are_counted_by_tiles(ways):
    memories = ways.shared_memories(made(), ARRAY)
    # A tile: two columns, one loaded after the other, of two rows of 8 + 1 bits.
    assert (memories["weights"].width, memories["weights"].words) == (18, 4 * 2)
    assert memories["weights"].reads == 4 * 2
    # Two rows of 64 positions wait once, two sums in a word.
    assert memories["partial sums"].reads == memories["partial sums"].writes == 64


def test_prices_follow_width_words_and_ports(prices):
    one, two = prices.macro(64, 1024, 1), prices.macro(64, 1024, 2)
    assert one["um2"] == pytest.approx(26291.2, rel=1e-3)  # 8 KiB in records/memory_table.json
    assert two["um2"] > 1.9 * one["um2"]
    byte = prices.macro(8, 8192, 1)
    assert byte["read_pj"] > 0.7 * one["read_pj"]  # not an eighth
    assert prices.macro(128, 1024, 1)["um2"] == pytest.approx(2 * one["um2"])
    assert prices.ecp5(prices.Memory(name="", width=36, words=512, count=2)) == (2, 0)
    assert prices.ecp5(prices.Memory(name="", width=8, words=16, count=1)) == (0, 12)
