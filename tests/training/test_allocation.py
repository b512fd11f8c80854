"""Column groups for each layer under budgets, by hand and against trying everything."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systopack.errors import InvalidOptionError
from systopack.training.allocation import (
    Choice,
    TileSize,
    allocate,
    layer_choices,
    streamed_words,
)

TILE = TileSize(rows=4, columns=4)


def choice(groups, cells, words, loss):
    return Choice(groups=groups, cells=cells, streamed_words=words, loss=loss)


def test_words_count_tiles_of_every_band():
    size = {"positions": 10, "tile": TILE}
    assert streamed_words(rows=4, groups=4, band_rows=4, **size) == 10
    assert streamed_words(rows=4, groups=5, band_rows=4, **size) == 20
    assert streamed_words(rows=9, groups=4, band_rows=9, **size) == 30
    assert streamed_words(rows=9, groups=4, band_rows=3, **size) == 30
    assert streamed_words(rows=8, groups=4, band_rows=2, **size) == 40


def test_cells_go_where_they_save_most():
    layers = {
        "a": [choice(1, 10, 1, 5.0), choice(2, 20, 1, 1.0)],
        "b": [choice(1, 10, 1, 3.0), choice(2, 20, 1, 2.0)],
    }
    taken = allocate(layers, cells=30)
    assert {name: c.groups for name, c in taken.items()} == {"a": 2, "b": 1}
    assert {name: c.groups for name, c in allocate(layers).items()} == {"a": 2, "b": 2}


def test_budgets_that_cannot_be_kept_are_refused():
    layers = {"a": [choice(1, 10, 7, 5.0)], "b": [choice(1, 10, 8, 3.0)]}
    with pytest.raises(InvalidOptionError, match="at least 20 cells and 15 words"):
        allocate(layers, cells=19)
    with pytest.raises(InvalidOptionError, match="any number of packed cells and 14 streamed"):
        allocate(layers, streamed_words=14)


numbers = st.integers(1, 20)
choices = st.builds(
    choice, groups=numbers, cells=numbers, words=numbers, loss=st.integers(0, 1000).map(float)
)


@settings(max_examples=30, deadline=None)
@given(
    layers=st.lists(st.lists(choices, min_size=1, max_size=3), min_size=1, max_size=4),
    cells=st.integers(4, 60),
    words=st.integers(4, 60),
)
def test_no_other_choice_within_the_budgets_loses_less(layers, cells, words):
    best = min(
        (
            sum(c.loss for c in taken)
            for taken in product(*layers)
            if sum(c.cells for c in taken) <= cells
            and sum(c.streamed_words for c in taken) <= words
        ),
        default=None,
    )
    named = {str(index): layer for index, layer in enumerate(layers)}
    if best is None:
        with pytest.raises(InvalidOptionError, match="No packing"):
            allocate(named, cells=cells, streamed_words=words)
        return
    taken = allocate(named, cells=cells, streamed_words=words).values()
    assert sum(c.loss for c in taken) == pytest.approx(best, abs=0.01)
    assert sum(c.cells for c in taken) <= cells
    assert sum(c.streamed_words for c in taken) <= words


def test_choices_of_a_layer_run_from_alpha_to_dense():
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((8, 12))
    matrix[:, 3] = 0
    found = layer_choices(
        matrix, np.ones(matrix.shape), positions=5, alpha=4, band_rows=4, tile=TILE
    )
    assert [c.groups for c in found] == list(range(3, 13))
    assert [c.cells for c in found] == [8 * groups for groups in range(3, 13)]
    assert [c.streamed_words for c in found] == [10] * 2 + [20] * 4 + [30] * 4
    losses = [c.loss for c in found]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == 0
    assert 0 < losses[0] < (matrix**2).sum()


def test_wide_layers_are_looked_at_in_growing_steps():
    matrix = np.ones((2, 200))
    found = layer_choices(
        matrix, np.ones(matrix.shape), positions=1, alpha=8, band_rows=2, tile=TILE
    )
    counts = [c.groups for c in found]
    assert counts[:3] == [25, 26, 27]
    assert counts[7:10] == [32, 36, 40]
    assert counts[-1] == 200
    steps = np.diff(counts[7:-1])
    assert (np.diff(steps) >= 0).all() and steps[-1] > 4


def test_important_weights_are_kept():
    matrix = np.array([[1.0, 2.0, 0.0, 0.0], [0.0, 0.0, 1.0, 2.0]])
    importance = np.array([[100.0, 1, 1, 1], [1, 1, 1, 1]])
    plain = layer_choices(
        matrix, np.ones(matrix.shape), positions=1, alpha=2, band_rows=2, tile=TILE
    )
    weighted = layer_choices(matrix, importance, positions=1, alpha=2, band_rows=2, tile=TILE)
    assert plain[0].groups == weighted[0].groups == 2
    assert plain[0].loss == weighted[0].loss == 0  # a column of each row in every group
    one_row = layer_choices(
        matrix[:1, :2], importance[:1, :2], positions=1, alpha=2, band_rows=1, tile=TILE
    )
    assert one_row[0].loss == 4  # the larger weight goes: 1 * 2**2 against 100 * 1**2
