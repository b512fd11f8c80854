"""A piece of a real layer, word time by word time: its integers and its clock."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from systopack.hardware.array import Array
from systopack.hardware.cycles import count_cycles
from systopack.hardware.piece import cut_piece
from systopack.hardware.stepping import Streaming, stream_piece
from systopack.network.network import PackedNetwork
from systopack.network.nodes import InputNode, MatrixLayer
from systopack.network.reference import accumulate_by_cells, run
from systopack.packing.matrix import PackedBand, PackedMatrix
from systopack.packing.pack import dense, n_of_m, pack
from tests.networks import random_images, random_network

SEEDS = range(40)


def layer_network(matrix: PackedMatrix, words: np.ndarray, bias: np.ndarray, bits: int = 32):
    """A 1 x 1 convolution of `matrix` over an image of words, and the image."""
    columns = np.zeros((matrix.columns, 3), dtype=np.int32)
    columns[:, 0] = np.arange(matrix.columns)
    network = PackedNetwork(
        name="piece",
        nodes=(
            InputNode(
                name="input",
                shape=(len(words), 1, words.shape[1]),
                mean=(0.5,) * len(words),
                std=(0.25,) * len(words),
                exponent=-5,
            ),
            MatrixLayer(
                name="layer",
                source="input",
                kind="convolution",
                matrix=matrix,
                columns=columns,
                bias=bias.astype(np.int32),
                stride=(1, 1),
                padding=(0, 0, 0, 0),
                output_size=(1, words.shape[1]),
                residual=None,
                activation="none",
                clip=None,
                shift=None,
                exponent=-12,
            ),
        ),
        accumulator_bits=bits,
    )
    return network, words[None, :, None, :].astype(np.int8)


def pieces():
    """Pieces of random networks, with what they were cut from."""
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        network = random_network(rng)
        image = random_images(rng, network, 1)[0]
        piece = cut_piece(network, image)
        if piece is not None:
            yield network, image, piece


def matrix_of(piece, combined: bool) -> PackedMatrix:
    if not combined:
        return dense(piece.weights.astype(np.int8))
    band = PackedBand(
        groups=piece.groups,
        values=piece.values.astype(np.int8),
        channels=piece.channels.astype(np.uint8),
    )
    return PackedMatrix(columns=len(piece.columns), bands=(band,))


def wide_piece():
    """A piece of a layer with 40 inputs in 6 groups, 8 rows and 16 positions."""
    rng = np.random.default_rng(5)
    weights = rng.integers(-128, 128, (20, 40)).astype(np.int8)
    weights[rng.random(weights.shape) > 0.12] = 0
    words = rng.integers(-128, 128, (40, 30)).astype(np.int8)
    network, image = layer_network(pack(weights, alpha=8, gamma=0.5), words, np.arange(20) - 10)
    return network, image[0], cut_piece(network, image[0])


@pytest.mark.parametrize("combined", [False, True])
def test_a_complete_piece_gives_the_sums_of_the_layer(combined):
    seen = 0
    for network, image, piece in [wide_piece(), *pieces()]:
        layer = network.by_name[piece.layer]
        source = run(network, image[None], keep=[layer.source])[layer.source].swapaxes(0, 1)
        whole = accumulate_by_cells(network, layer, source)[:, 0]
        y, x = piece.positions.T
        expected = whole[piece.filters][:, y, x]
        results = stream_piece(piece, combined=combined).results
        assert results.shape == expected.shape
        if piece.complete:
            seen += 1
            assert (results == expected).all()
    assert seen > 10


@pytest.mark.parametrize("combined", [False, True])
def test_sums_are_the_reference_of_the_piece_and_end_with_the_cycle_model(combined):
    for network, _, piece in [wide_piece(), *pieces()]:
        own, image = layer_network(
            matrix_of(piece, combined), piece.words, piece.bias, network.accumulator_bits
        )
        streaming = stream_piece(piece, combined=combined)
        assert (streaming.results == run(own, image)["layer"][0, :, 0]).all()
        layer = count_cycles(own, array=streaming.array).layers[0]
        assert streaming.last_step == layer.cycles
        assert len(streaming.tiles) == layer.tiles
        assert streaming.last_step == max(
            streaming.leaves(len(streaming.tiles) - 1, row, streaming.positions - 1)
            for row in range(streaming.array.rows)
        )


@pytest.mark.parametrize("combined", [False, True])
def test_words_meet_sums_as_in_a_register_by_register_array(combined):
    _, _, piece = wide_piece()
    streaming = stream_piece(piece, combined=combined)
    for tile in range(len(streaming.tiles)):
        assert_registers_agree(streaming, piece, tile)


def assert_registers_agree(streaming: Streaming, piece, index: int) -> None:
    """Simulate one tile with a register after every multiplexer, input step and sum."""
    tile, array = streaming.tiles[index], streaming.array
    rows, used = tile.values.shape
    x = [[None] * array.columns for _ in range(rows)]  # channels on the wires of each cell
    held = [[None] * array.columns for _ in range(rows)]  # behind the registered multiplexer
    sums = [[None] * array.columns for _ in range(rows)]
    seen = 0
    for step in range(tile.start, tile.start + streaming.positions + array.latency_cycles + 2):
        for row in reversed(range(rows)):
            for column in range(array.columns):
                position = step - tile.start - column
                inside = 0 <= position < streaming.positions and column < used
                bottom = (
                    [piece.words[place, position] for place in tile.inputs[column]]
                    if inside
                    else None
                )
                x[row][column] = x[row - 1][column] if row else bottom
        chosen = [
            [
                None if x[row][c] is None else x[row][c][tile.channels[row, c]]
                for c in range(array.columns)
            ]
            for row in range(rows)
        ]
        present = held if array.multiplexer_cycles else chosen
        new = [[None] * array.columns for _ in range(rows)]
        for row in range(rows):
            for column in range(array.columns):
                if column >= used:
                    new[row][column] = sums[row][column - 1]
                elif present[row][column] is not None:
                    position = step - tile.start - row - column - array.multiplexer_cycles
                    assert step == streaming.multiplies(index, row, column, position)
                    before = sums[row][column - 1] if column else tile.sums[row, 0, position]
                    assert present[row][column] == tile.chosen[row, column, position]
                    new[row][column] = before + tile.values[row, column] * present[row][column]
                    assert new[row][column] == tile.sums[row, column + 1, position]
                    seen += 1
            position = step - streaming.leaves(index, row, 0)
            if 0 <= position < streaming.positions:
                assert new[row][-1] == tile.sums[row, -1, position]
        sums, held = new, chosen
    assert seen == rows * used * streaming.positions


def test_tiles_hand_their_sums_on_and_loads_never_meet():
    _, _, piece = wide_piece()
    streaming = stream_piece(piece, combined=False)
    array = streaming.array
    assert len(streaming.tiles) == -(-len(piece.columns) // array.columns) > 3
    for index in range(1, len(streaming.tiles)):
        before, tile = streaming.tiles[index - 1], streaming.tiles[index]
        assert (tile.sums[:, 0] == before.sums[:, -1]).all()
        assert streaming.leaves(index - 1, 0, 0) < streaming.multiplies(index, 0, 0, 0)
        for column in range(array.columns):
            taken = streaming.multiplies(index - 1, array.rows - 1, column, 0)
            assert taken < streaming.loads(index, column) < streaming.enters(index, column, 0)


def test_combining_needs_one_tile_and_ends_earlier():
    _, _, piece = wide_piece()
    packed, apart = (stream_piece(piece, combined=combined) for combined in (True, False))
    assert len(packed.tiles) == 1 and packed.last_step < apart.last_step
    assert (packed.results == apart.results).all()
    assert (packed.array.rows, packed.array.columns) == (apart.array.rows, apart.array.columns)
    (_, useful), (_, all_useful) = packed.count_busy(), apart.count_busy()
    work = np.count_nonzero(piece.values) * packed.positions
    assert useful.sum() == all_useful.sum() == work
    busy, _ = apart.count_busy()
    assert busy.sum() == len(apart.tiles) * apart.array.rows * apart.array.columns * 16


def test_chooses_the_layer_whose_groups_fit_and_a_row_tile():
    network, image, piece = wide_piece()
    assert piece.layer == "layer" and piece.complete
    assert piece.filters[0] % 8 == 0 and len(piece.filters) == 8
    values = network.layers[0].matrix.values
    blocks = [np.count_nonzero(values[start : start + 8]) for start in (0, 8, 16)]
    assert piece.filters[0] == 8 * int(np.argmax(blocks))
    assert (piece.words == image[:, 0][:, piece.positions[:, 1]][piece.columns]).all()


def test_takes_the_positions_where_words_change():
    rng = np.random.default_rng(3)
    weights = rng.integers(1, 9, (4, 6)).astype(np.int8) * np.tile(np.eye(2, dtype=np.int8), (2, 3))
    words = np.full((6, 60), -14, dtype=np.int8)
    words[:, 21:37] = rng.integers(-128, 128, (6, 16))
    network, image = layer_network(pack(weights, alpha=2, gamma=0), words, np.zeros(4))
    first = int(cut_piece(network, image[0]).positions[0, 1])
    assert first in (20, 21)


def test_more_groups_than_six_are_cut_to_the_first_column_tile():
    rng = np.random.default_rng(0)
    weights = rng.integers(-5, 6, (9, 40)).astype(np.int8)
    words = rng.integers(-128, 128, (40, 3)).astype(np.int8)
    network, image = layer_network(pack(weights, alpha=2, gamma=0.5), words, np.zeros(9))
    piece = cut_piece(network, image[0])
    assert len(piece.groups) == 6 < piece.layer_groups and not piece.complete
    assert len(piece.columns) == sum(len(group) for group in network.layers[0].matrix.groups[:6])
    assert stream_piece(piece, combined=True).results.shape == (8, 3)


def test_nothing_to_show_without_combined_columns():
    weights = np.arange(1, 13, dtype=np.int8).reshape(3, 4)
    words = np.ones((4, 2), dtype=np.int8)
    for matrix in (dense(weights), n_of_m(weights, n=2, m=4)):
        network, image = layer_network(matrix, words, np.zeros(3))
        assert cut_piece(network, image[0]) is None


def test_a_sum_that_wraps_wraps_after_every_column():
    weights = np.full((1, 6), 127, dtype=np.int8) * np.eye(6, dtype=np.int8)[:1]
    weights = np.vstack([weights, np.roll(weights, 1)])
    words = np.full((6, 2), 127, dtype=np.int8)
    network, image = layer_network(pack(weights, alpha=2, gamma=0), words, np.zeros(2), 16)
    piece = replace(cut_piece(network, image[0]), bias=np.array([32_000, 0]))
    assert stream_piece(piece, combined=True).results[0].tolist() == [-17_407, -17_407]


def test_the_array_is_no_larger_than_the_piece():
    network, image = layer_network(
        pack(np.array([[1, 0], [0, 2]], dtype=np.int8), alpha=2, gamma=0),
        np.array([[3], [-4]], dtype=np.int8),
        np.array([10, 20]),
    )
    piece = cut_piece(network, image[0])
    packed = stream_piece(piece, combined=True)
    assert packed.array == Array(rows=2, columns=1, alpha=2, cell="bit-parallel")
    assert packed.results.tolist() == [[13], [12]]
