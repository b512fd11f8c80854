"""Placement and the cycle model of the tiled accelerator, without the RTL."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systopack.hardware.array import Array
from systopack.hardware.placement import RowTile, place, row_tiles, stream_places
from systopack.hardware.tiled import count_tiled, operation_starts
from systopack.hardware.timing import TiledTiming
from systopack.network.nodes import MatrixLayer
from systopack.packing.pack import dense
from systopack.rtl.program import END, IMAGE, POOL, SEND, TILE, compile_tiled
from tests.hardware.test_cycles import one_layer
from tests.networks import concatenated_networks, networks

arrays = st.builds(
    lambda rows, columns, cell, parts: Array(
        rows=rows, columns=columns, alpha=8, cell=cell, sub_banks=parts
    ),
    st.integers(1, 6),
    st.integers(1, 6),
    st.sampled_from(["bit-serial", "balanced", "bit-parallel"]),
    st.sampled_from([1, 2, 4]),
)


def test_one_tile_by_hand():
    # 2 x 2 bit-serial, alpha 8: banks read 8 words, lanes 2 rows, so words enter after 8 + 3 + 1
    # cycles; 1 + 2 + 1 through the array and 32 bits later the sums are whole: cycle 48.
    timing = TiledTiming(array=Array(rows=2, columns=2))
    assert (timing.feed_cycles, timing.out_cycles) == (11, 48)
    assert (timing.load_words, timing.return_words, timing.drain_words) == (1, 7, 8)
    # 2 channels of 3 positions: word time 1..1 for the image (6 bytes and 1 cycle), 3 for the
    # tile, 8 to drain, then 6 results of 3 cycles and 1: 1 + 1 + 3 + 8 + 3 word times.
    network = one_layer(dense(np.ones((2, 2), np.int8)), 1, 3)
    counted = count_tiled(network, array=Array(rows=2, columns=2))
    assert counted.cycles == 8 * (1 + 1 + 3 + 8 + 3)
    image, layer, send = counted.steps
    assert (image.cycles, layer.cycles, send.cycles) == (8, 8 * 11, 8 * 3)
    assert (layer.stream_cycles, layer.drain_cycles, layer.stall_cycles) == (24, 64, 0)


def test_column_tiles_wait_for_their_partial_sums_and_long_ones_do_not():
    array = Array(rows=2, columns=2)
    short = count_tiled(one_layer(dense(np.ones((2, 6), np.int8)), 1, 3), array=array).steps[1]
    assert short.tiles == 3
    assert short.stall_cycles == 8 * 2 * (7 - 3)
    long = count_tiled(one_layer(dense(np.ones((2, 6), np.int8)), 1, 7), array=array).steps[1]
    assert long.stall_cycles == 0


@settings(max_examples=60, deadline=None)
@given(networks | concatenated_networks, arrays)
def test_the_steps_add_up_to_the_run(network, array):
    counted = count_tiled(network, array=array)
    now = array.word_cycles
    for step in counted.steps:
        # Results leave between the row tiles of the last layer, everything else in turn.
        assert step.start_cycle == now or step.kind == "send"
        now += step.cycles
        parts = step.stream_cycles + step.write_cycles + step.stall_cycles + step.drain_cycles
        assert parts == step.cycles
        assert min(step.stream_cycles, step.stall_cycles, step.drain_cycles) >= 0
    assert now == counted.cycles


@settings(max_examples=60, deadline=None)
@given(networks | concatenated_networks, arrays)
def test_instructions_of_model_and_program_are_the_same(network, array):
    program = compile_tiled(network, array=array)
    starts = operation_starts(program.plan)
    assert len(starts) == len(program.operations)
    assert (np.diff(starts) > 0).all()
    kinds = [operation.kind for operation in program.operations]
    assert kinds[0] == IMAGE and kinds[-1] == END and kinds[-2] == SEND
    counted = count_tiled(network, array=array)
    assert kinds.count(TILE) == counted.tiles
    assert kinds.count(POOL) == sum(step.kind == "pool" for step in counted.steps)


@settings(max_examples=60, deadline=None)
@given(networks, arrays)
def test_every_stream_finds_its_channel_and_no_living_tensor_is_overwritten(network, array):
    timing = TiledTiming(array=array)
    placement = place(network, timing)
    for layer in network.layers:
        for band in range(len(layer.matrix.bands)):
            for _, index, bank, column in stream_places(layer, band, timing):
                assert index % timing.reads < timing.reads
                assert placement.addresses[layer.source][bank, layer.columns[column, 0]] >= 0
    last = {node.name: i for i, node in enumerate(network.nodes)}
    for i, node in enumerate(network.nodes):
        for source in {getattr(node, "source", None)} - {None}:
            last[source] = max(last[source], i)
        if isinstance(node, MatrixLayer) and node.residual is not None:
            last[node.residual.source] = max(last[node.residual.source], i)
    for bank in range(timing.banks + timing.lanes):
        owner = {}
        for i, node in enumerate(network.nodes):
            words = int(np.prod(network.shapes[node.name][1:]))
            for address in placement.addresses[node.name][bank]:
                for place_of_word in range(address, address + words) if address >= 0 else ():
                    previous = owner.get(place_of_word)
                    assert previous is None or last[previous] < i
                    owner[place_of_word] = node.name
        in_part = (1 << placement.place_bits) - 1
        assert all(address & in_part < placement.depth for address in owner)
        assert max(owner, default=0) >> placement.place_bits < array.sub_banks


def test_parts_of_a_bank_share_the_rows_of_every_row_tile():
    # 7 rows go to one bank: at most 4 of them to one of two parts, 2 to one of four.
    network = one_layer(dense(np.ones((3, 7), np.int8)), 1, 1)
    tile = RowTile(band=0, row_start=0, row_stop=7, column_tiles=1)
    for parts, cycles in ((1, 7), (2, 4), (4, 2)):
        array = Array(rows=8, columns=1, sub_banks=parts)
        placement = place(network, TiledTiming(array=array))
        assert placement.writes(network.input.name, tile) == cycles
        assert placement.depth == cycles


def test_row_tiles_follow_the_bands():
    network = one_layer(dense(np.ones((5, 3), np.int8)), 1, 1)
    tiles = row_tiles(network.layers[0], rows=2, columns=2)
    assert [(t.row_start, t.row_stop, t.column_tiles) for t in tiles] == [
        (0, 2, 2),
        (2, 4, 2),
        (4, 5, 2),
    ]


@pytest.mark.parametrize("alpha", [1, 8, 16])
def test_banks_serve_as_many_streams_as_a_word_time_has_cycles(alpha):
    serial = TiledTiming(array=Array(alpha=alpha))
    assert serial.reads * serial.banks_per_column >= alpha
    assert serial.reads <= 8
    parallel = TiledTiming(array=Array(alpha=alpha, cell="bit-parallel"))
    assert (parallel.reads, parallel.banks_per_column) == (1, alpha)
