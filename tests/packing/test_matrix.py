"""PackedMatrix, its tiles and the permutation that makes groups contiguous."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from systopack import PackedMatrix, pack
from systopack.errors import InvalidMatrixError, InvalidOptionError
from systopack.packing.matrix import PackedBand
from systopack.packing.permutation import contiguous_order, streams_out_of_place
from tests.packing.matrices import filter_matrices, packing_limits


def band(groups, values, channels) -> PackedBand:
    return PackedBand(
        groups=groups, values=np.array(values, float), channels=np.array(channels, np.uint8)
    )


def test_two_bands_unpack_below_each_other():
    upper = band(((0, 2), (3,)), [[1, 2]], [[1, 0]])
    lower = band(((1, 3),), [[5], [6]], [[0], [1]])
    packed = PackedMatrix(columns=4, bands=(upper, lower))
    assert packed.shape == (3, 4)
    assert packed.row_starts == (0, 1)
    assert packed.to_dense().tolist() == [[0, 0, 1, 2], [0, 5, 0, 0], [0, 0, 0, 6]]
    assert (packed.packed_cells, packed.dense_cells, packed.nonzeros) == (4, 12, 4)
    assert packed.packing_efficiency == 1
    with pytest.raises(InvalidMatrixError, match="2 row bands"):
        _ = packed.groups


def test_tiles_of_two_bands():
    upper = band(((0,), (1,), (2,)), np.ones((3, 3)), np.zeros((3, 3)))
    lower = band(((3,),), np.ones((1, 1)), np.zeros((1, 1)))
    tiles = PackedMatrix(columns=4, bands=(upper, lower)).tiles(rows=2, columns=2)
    assert [(t.band, t.row_start, t.row_stop, t.group_start, t.group_stop) for t in tiles] == [
        (0, 0, 2, 0, 2), (0, 0, 2, 2, 3), (0, 2, 3, 0, 2), (0, 2, 3, 2, 3), (1, 3, 4, 0, 1),
    ]  # fmt: skip


def test_refuses_an_array_without_cells():
    with pytest.raises(InvalidOptionError):
        pack([[1.0]], alpha=1, gamma=0).tile_count(rows=0, columns=4)


@pytest.mark.parametrize(
    ("groups", "values", "channels"),
    [
        (((0, 1),), [[1, 2]], [[0, 0]]),  # two cells, one group
        (((0, 0),), [[1]], [[0]]),  # a column twice in a group
        ((tuple(range(257)),), [[1]], [[0]]),  # too large
        (((0, 1),), [[1]], [[2]]),  # channel not in the group
        (((0, 1),), [[0]], [[1]]),  # an empty cell with a channel
        (((0, 1), (0, 1)), [[1, 2]], [[1, 1]]),  # one weight stored twice
        (((0,),), [[np.nan]], [[0]]),
    ],
)
def test_refuses_a_band_that_breaks_a_rule(groups, values, channels):
    with pytest.raises(InvalidMatrixError, match=r"\.$"):
        band(groups, values, channels)


def test_refuses_a_column_beyond_the_matrix():
    with pytest.raises(InvalidMatrixError, match="column 4"):
        PackedMatrix(columns=4, bands=(band(((4,),), [[1]], [[0]]),))


@given(filter_matrices, packing_limits(), st.integers(1, 40), st.integers(1, 5))
def test_tiles_cover_every_packed_cell_once(matrix, limits, rows, columns):
    packed = pack(matrix, alpha=limits[0], gamma=limits[1])
    covered = np.zeros(packed.values.shape, int)
    tiles = packed.tiles(rows=rows, columns=columns)
    for tile in tiles:
        covered[tile.row_start : tile.row_stop, tile.group_start : tile.group_stop] += 1
        assert 1 <= tile.rows <= rows
        # A row tile without groups still runs, for its biases: one tile without columns.
        assert (1 if packed.groups else 0) <= tile.columns <= columns
    assert (covered == 1).all()
    assert len(tiles) == packed.tile_count(rows=rows, columns=columns)


def test_disjoint_groups_become_contiguous():
    order = contiguous_order([(3, 0), (2, 5)], 6).tolist()
    assert order == [0, 3, 1, 2, 5, 4]


@given(filter_matrices, packing_limits())
def test_one_grouping_leaves_no_stream_out_of_place(matrix, limits):
    packed = pack(matrix, alpha=limits[0], gamma=limits[1])
    order = contiguous_order(packed.groups, matrix.shape[1])
    place = np.argsort(order)
    assert np.array_equal(np.sort(order), np.arange(matrix.shape[1]))
    assert streams_out_of_place([place[list(group)] for group in packed.groups]) == 0


def test_streams_out_of_place_by_hand():
    assert streams_out_of_place([(1, 2, 4), (0, 5), (), (3, 3, 4)]) == 2
