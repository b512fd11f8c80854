"""The cycle model: typed-out cases, SCALE-Sim's formula, and a plain simulation of events."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systopack.hardware.array import Array
from systopack.hardware.cycles import count_cycles, tile_starts
from systopack.network.network import PackedNetwork
from systopack.network.nodes import InputNode, MatrixLayer
from systopack.packing.matrix import PackedMatrix
from systopack.packing.pack import dense, pack_groups
from tests.networks import networks


def one_layer(matrix: PackedMatrix, height: int, width: int) -> PackedNetwork:
    channels = matrix.columns
    layer = MatrixLayer(
        name="layer",
        source="input",
        kind="convolution",
        matrix=matrix,
        columns=np.stack([np.arange(channels), *np.zeros((2, channels))], 1).astype(np.int32),
        bias=np.zeros(matrix.rows, np.int32),
        stride=(1, 1),
        padding=(0, 0, 0, 0),
        output_size=(height, width),
        residual=None,
        activation="none",
        clip=None,
        shift=None,
        exponent=0,
    )
    image = InputNode(
        name="input",
        shape=(channels, height, width),
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
        exponent=0,
    )
    return PackedNetwork(name="one", nodes=(image, layer))


def ones(rows: int, columns: int) -> np.ndarray:
    return np.ones((rows, columns), np.int8)


parallel = {"cell": "bit-parallel", "alpha": 1}


@settings(max_examples=200, deadline=None)
@given(*(st.integers(1, high) for high in (9, 9, 30)))
def test_a_tile_of_bit_parallel_cells_is_the_count_of_scale_sim(R, C, T):
    """2C + R + T - 2 cycles a tile (Samajdar et al., ISPASS 2020), which overlaps no load."""
    network = one_layer(dense(ones(R, C)), 1, T)
    counted = count_cycles(network, array=Array(rows=R, columns=C, **parallel))
    assert counted.cycles == 2 * C + R + T - 2 - 1


def test_bit_serial_by_hand():
    # One tile of 2 x 2 on 2 x 2, three words: load 2, words at 0, 8, 16; the last sum's 32 bits
    # start to leave 1 (multiplexer) + 2 columns + 1 row later: edges 20..51 after the first word.
    network = one_layer(dense(ones(2, 2)), 1, 3)
    layer = count_cycles(network, array=Array(rows=2, columns=2)).layers[0]
    assert layer.cycles == 2 + 16 + 1 + 2 + 1 + 32 - 1 - 1
    assert (layer.load_cycles, layer.stream_cycles, layer.stall_cycles) == (2, 24, 0)


def test_a_tile_waits_for_its_returning_partial_sums():
    # Two column tiles of one word: the sum is back 4 - 1 + 32 = 35 cycles after it started.
    network = one_layer(dense(ones(2, 4)), 1, 1)
    array = Array(rows=2, columns=2)
    assert tile_starts(network.layers[0], array=array).tolist() == [0, 40]
    assert count_cycles(network, array=array).layers[0].stall_cycles == 32
    # Two row tiles need no sums back: only the 3 + 2 cycles of take-over and load.
    network = one_layer(dense(ones(4, 2)), 1, 1)
    assert tile_starts(network.layers[0], array=array).tolist() == [0, 8]


def test_a_packed_layer_runs_fewer_tiles():
    weights = np.array([[1, 0, 0, 2], [0, 3, 0, 0], [0, 0, 4, 0]], np.int8)
    array = Array(rows=3, columns=1)
    packed = one_layer(pack_groups(weights, [(0, 1), (2, 3)]), 2, 2)
    plain = one_layer(dense(weights), 2, 2)
    assert [count_cycles(n, array=array).tiles for n in (packed, plain)] == [2, 4]
    assert count_cycles(packed, array=array).multiplications == 4 * 4


def test_an_all_zero_layer_runs_one_tile_for_each_row_tile():
    network = one_layer(pack_groups(np.zeros((5, 3), np.int8), []), 2, 2)
    layer = count_cycles(network, array=Array(rows=2, columns=2)).layers[0]
    assert (layer.tiles, layer.row_tiles, layer.utilization) == (3, 3, 0.0)


def simulate(layer: MatrixLayer, array: Array, *, first: bool) -> tuple[int, int]:
    """(last edge, first word) of a layer, from what each cell sees; one cycle after another."""
    tiles = []
    for band in layer.matrix.bands:
        for _ in range(0, band.rows, array.rows):
            tiles += [j > 0 for j in range(0, max(1, len(band.groups)), array.columns)]
    word = array.word_cycles
    mux = 1 if array.alpha > 1 else 0
    visits = [(range(array.rows), column) for column in range(array.columns)]
    taken = {(r, c): -1 for r in range(array.rows) for c in range(array.columns)}
    back = {}  # position -> cycle from which its partial sum is in memory
    time = enter = 0
    first_word = 0
    for number, returns in enumerate(tiles):
        loaded = first or number > 0
        if loaded:
            start = time
            while any(start + k <= taken[r, c] for k, (rows, c) in enumerate(visits) for r in rows):
                start += 1
            ready = start + len(visits)
        else:
            ready = 0
        if number == 0:
            begin = ready
            first_word = begin
        else:
            begin = first_word
            while begin < ready or begin < enter or (returns and begin < back[0]):
                begin += word
        for r in range(array.rows):
            for c in range(array.columns):
                taken[r, c] = begin + r // array.input_fanout + c + mux
        last = 0
        for t in range(layer.positions):
            entered = begin + t * word
            top = entered + mux + (array.rows - 1) // array.input_fanout
            last = top + array.columns - 1 + array.partial_sum_cycles
            if returns:
                assert back[t] <= entered
            back[t] = last
        enter = begin + layer.positions * word
        time = begin
    return last - 1, first_word


@settings(max_examples=150, deadline=None)
@given(networks, st.data())
def test_the_closed_form_equals_a_simulation_of_every_cell(network, data):
    rows = data.draw(st.integers(1, 6))
    array = Array(
        rows=rows,
        columns=data.draw(st.integers(1, 6)),
        alpha=8,
        cell=data.draw(st.sampled_from(["bit-serial", "balanced", "bit-parallel"])),
        input_fanout=data.draw(st.integers(1, rows)),
    )
    counted = count_cycles(network, array=array)
    for index, (layer, result) in enumerate(zip(network.layers, counted.layers, strict=True)):
        last, _ = simulate(layer, array, first=index == 0)
        assert result.cycles == last
        parts = result.load_cycles + result.stream_cycles
        assert result.cycles == parts + result.stall_cycles + result.latency_cycles
        assert result.stall_cycles >= 0
        assert 0 <= result.utilization <= 1


def test_numbers_are_plain_so_that_they_go_into_a_record():
    counted = count_cycles(one_layer(dense(ones(3, 5)), 2, 3), array=Array(rows=2, columns=2))
    assert json.loads(json.dumps(asdict(counted)))["layers"][0]["tiles"] == 6


@pytest.mark.parametrize("cell", ["bit-serial", "balanced", "bit-parallel"])
def test_no_bubble_between_tiles_where_the_words_last_long_enough(cell):
    network = one_layer(dense(ones(4, 8)), 16, 16)
    layer = count_cycles(network, array=Array(rows=4, columns=4, cell=cell)).layers[0]
    assert layer.stall_cycles == 0
