"""Pictures decoded back to cells."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from systopack.packing.matrix import PackedMatrix
from systopack.packing.pack import dense, pack
from systopack.report.pictures import (
    Picture,
    channel_colours,
    choose_cells_per_pixel,
    draw_matrix,
)
from tests.networks import random_matrix
from tests.report.contents import WEIGHTS


def pixels(picture: Picture) -> np.ndarray:
    """Shape (height, width, 4)."""
    content = base64.b64decode(picture.uri.partition("base64,")[2])
    image = np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))
    assert image.shape[:2] == (picture.height, picture.width)
    return image


def cells(image: np.ndarray, rows: int, columns: int, zoom: int, shape: tuple[int, int]):
    """'.' for an empty cell, the channel for a weight, with the tile borders taken out."""
    row = np.arange(shape[0]) * zoom + np.arange(shape[0]) // rows + 1
    column = np.arange(shape[1]) * zoom + np.arange(shape[1]) // columns + 1
    names = {(128, 132, 140, 26): "."}
    for index, colour in enumerate(channel_colours(8)):
        names[(*bytes.fromhex(colour[1:]), 255)] = str(index)
    return ["".join(names[tuple(image[r, c])] for c in column) for r in row]


def test_hand_made():
    pictures = draw_matrix(pack(WEIGHTS, alpha=2, gamma=0), rows=2, columns=2)
    first, second = channel_colours(2)
    image = pixels(pictures.packed)
    # Groups (1, 3) and (0,): row 0 takes channel 1 and 0, row 1 channel 0, row 2 channel 1.
    assert image.shape == (3 * 8 + 3, 2 * 8 + 2, 4)
    assert "#" + bytes(image[1, 1, :3]).hex() == second
    assert "#" + bytes(image[1, 9, :3]).hex() == first
    assert image[9, 9].tolist() == [128, 132, 140, 26]
    for border in (0, 17, 26):
        assert (image[border] == [128, 132, 140, 150]).all()
    sparse = pixels(pictures.sparse)
    assert sparse.shape == (27, 4 * 8 + 3, 4)
    assert "#" + bytes(sparse[1, 1, :3]).hex() == first
    assert "#" + bytes(sparse[1, 26, :3]).hex() == second
    assert (sparse[:, [0, 17, 34]] == [128, 132, 140, 150]).all()


def test_every_cell_of_a_wrapped_matrix():
    rng = np.random.default_rng(0)
    weights = (rng.integers(1, 99, (128, 3136)) * (rng.random((128, 3136)) < 0.1)).astype(np.int8)
    matrix = pack(weights, alpha=8, gamma=0.5)
    pictures = draw_matrix(matrix, rows=32, columns=32)
    wrap, strip = 18 * 32, 128 + 5 + 12
    assert pictures.sparse.width == wrap + 19
    image = pixels(pictures.sparse)
    seen = np.concatenate(
        [
            [
                list(line)
                for line in cells(
                    image[index * strip :], 32, 32, 1, (128, min(wrap, 3136 - index * wrap))
                )
            ]
            for index in range(6)
        ],
        axis=1,
    )
    assert (seen != ".").sum() == matrix.nonzeros
    assert ((seen != ".") == (matrix.to_dense() != 0)).all()
    shown = cells(pixels(pictures.packed), 32, 32, 1, matrix.values.shape)
    expected = np.where(matrix.values != 0, matrix.channels.astype(str), ".")
    assert shown == ["".join(line) for line in expected]


def test_bands_are_drawn_one_below_the_other():
    top, bottom = pack(WEIGHTS, alpha=2, gamma=0), dense(WEIGHTS)
    matrix = PackedMatrix(columns=4, bands=(top.bands[0], bottom.bands[0]))
    picture = draw_matrix(matrix, rows=2, columns=2).packed
    assert (picture.height, picture.width) == (27 + 12 + 27, 4 * 8 + 3)
    assert (pixels(picture)[:27, 18:, 3] == 0).all()  # nothing beside the narrower band


@pytest.mark.parametrize("seed", range(30))
def test_random_matrices(seed):
    rng = np.random.default_rng(seed)
    rows, columns = (int(size) for size in rng.integers(1, 70, 2))
    matrix = random_matrix(rng, rows, columns)
    pictures = draw_matrix(matrix, rows=int(rng.integers(1, 40)), columns=int(rng.integers(1, 40)))
    counts = [pixels(p)[..., 3] == 255 for p in (pictures.sparse, pictures.packed) if p]
    if pictures.packed is None:
        assert matrix.packed_cells == 0
    else:  # the same weights, at the same scale
        assert counts[0].sum() == counts[1].sum()
        assert counts[0].sum() % max(matrix.nonzeros, 1) == 0


def test_a_matrix_too_high_to_wrap_is_one_strip():
    matrix = dense(np.ones((512, 2048), dtype=np.int8))
    assert draw_matrix(matrix, rows=32, columns=32).sparse.width == 2048 + 65


def test_huge_matrices_are_shaded():
    assert [choose_cells_per_pixel(cells, 100) for cells in (0, 100, 101, 400, 401)] == [
        1,
        1,
        2,
        2,
        3,
    ]
    assert choose_cells_per_pixel(2_500_000) == 1
    edge = choose_cells_per_pixel(4096 * 25088)
    assert edge == 7
    weights = np.zeros((70, 140), dtype=np.int8)
    weights[:7, :7] = 1
    weights[7, 7] = 1
    picture = draw_matrix(dense(weights), rows=70, columns=70, cells_per_pixel=7).sparse
    image = pixels(picture)
    assert image.shape == (10 + 2, 20 + 3, 4)
    assert image[1, 1, 3] == 255 and image[2, 2, 3] == 60 and image[3, 3, 3] == 26


def test_channel_colours_are_distinct():
    assert channel_colours(0) == ()
    assert len(set(channel_colours(8))) == 8
    assert len(set(channel_colours(16))) == 16
