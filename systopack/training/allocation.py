"""How many column groups each layer gets, under budgets of packed cells and streamed words.

Groups up to the border of a tile cost no time on an array, so a budget of streamed words buys
whole columns of tiles, and a budget of cells bounds what is put into them. Which layer gets how
much is a small knapsack: the least loss that the budgets allow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidOptionError
from systopack.packing.losses import losses_at
from systopack.requirements import needs

_STEPS_A_TILE = 4  # group counts looked at within one column of tiles ...
_FINE_TILES = 8  # ... up to so many columns of tiles; beyond, whole tiles, an eighth more each
_COST_RESOLUTION = 1_000_000  # losses as whole numbers: parts of the largest one
_SEARCH_LIMIT = 20.0  # of CP-SAT's deterministic time, so that equal inputs give equal groups


@dataclass(frozen=True, kw_only=True)
class TileSize:
    """The array that streamed words are counted on.

    Args:
        rows, columns: cells of the array, each at least 1.
    """

    rows: int
    columns: int


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A layer packed to a number of groups.

    Args:
        groups: column groups of each row band.
        cells: packed cells of the layer.
        streamed_words: tiles times output positions of one image.
        loss: what packing so is predicted to cost; only comparisons count.
    """

    groups: int
    cells: int
    streamed_words: int
    loss: float


def streamed_words(
    *, rows: int, groups: int, positions: int, band_rows: int, tile: TileSize
) -> int:
    """Tiles times output positions of a layer with equally many groups in each row band.

    >>> streamed_words(rows=64, groups=33, positions=64, band_rows=32, tile=TileSize(rows=32,
    ... columns=32))
    256
    """
    bands = [min(band_rows, rows - start) for start in range(0, rows, band_rows)]
    row_tiles = sum(-(-band // tile.rows) for band in bands)
    return row_tiles * -(-groups // tile.columns) * positions


def layer_choices(
    matrix: NDArray[Any],
    importance: NDArray[np.float64],
    *,
    positions: int,
    alpha: int,
    band_rows: int,
    tile: TileSize,
    seed: int = 0,
) -> tuple[Choice, ...]:
    """What a layer costs and loses at each number of groups worth looking at.

    Args:
        matrix: filter matrix, shape (N, M).
        importance: shape (N, M), at least 0: the loss is the sum over lost weights of importance
            times square.
        positions: output positions of one image.
        alpha: largest group size.
        band_rows: rows that share column groups.
        tile: the array.
        seed: of the packing policy.

    Returns:
        From the fewest groups that alpha allows to one column a group, by rising groups.
    """
    columns = matrix.shape[1]
    counts = group_counts(matrix, alpha=alpha, band_rows=band_rows, tile=tile)
    packed = [groups for groups in counts if groups < columns]
    losses = losses_at(
        matrix,
        packed,
        alpha=alpha,
        policy="least-loss",  # quick, and layers only have to be compared
        importance=importance,
        band_rows=band_rows,
        seed=seed,
    )
    dense = [0.0] * (len(counts) - len(packed))  # a group a column loses nothing
    return choices_of(
        matrix.shape[0],
        counts,
        [*losses, *dense],
        positions=positions,
        band_rows=band_rows,
        tile=tile,
    )


def choices_of(
    rows: int,
    counts: Sequence[int],
    losses: Sequence[float],
    *,
    positions: int,
    band_rows: int,
    tile: TileSize,
) -> tuple[Choice, ...]:
    """What a layer costs at numbers of groups whose losses are known.

    Args:
        rows: of its filter matrix.
        counts, losses: numbers of groups, and what each is predicted to lose.
        positions, band_rows, tile: as in `layer_choices`.
    """
    return tuple(
        Choice(
            groups=groups,
            cells=rows * groups,
            streamed_words=streamed_words(
                rows=rows, groups=groups, positions=positions, band_rows=band_rows, tile=tile
            ),
            loss=loss,
        )
        for groups, loss in zip(counts, losses, strict=True)
    )


def allocate(
    choices: Mapping[str, Sequence[Choice]],
    *,
    cells: int | None = None,
    streamed_words: int | None = None,
) -> dict[str, Choice]:
    """Choose one packing a layer with the least total loss within the budgets.

    Args:
        choices: layer name -> its choices, at least one.
        cells: packed cells allowed in all; None: any number.
        streamed_words: streamed words allowed in all; None: any number.

    Raises:
        InvalidOptionError: no choice of packings stays within the budgets.
        MissingPackageError: there is no solver.
    """
    needs("ortools")
    from ortools.sat.python import cp_model

    flat = [(name, choice) for name, of_layer in choices.items() for choice in of_layer]
    largest = max((choice.loss for _, choice in flat), default=0.0) or 1.0
    model = cp_model.CpModel()
    taken = [model.new_bool_var("") for _ in flat]
    for name in choices:
        model.add_exactly_one(t for t, (of, _) in zip(taken, flat, strict=True) if of == name)
    if cells is not None:
        model.add(sum(t * c.cells for t, (_, c) in zip(taken, flat, strict=True)) <= cells)
    if streamed_words is not None:
        words = sum(t * c.streamed_words for t, (_, c) in zip(taken, flat, strict=True))
        model.add(words <= streamed_words)
    costs = [round(_COST_RESOLUTION * choice.loss / largest) for _, choice in flat]
    model.minimize(sum(t * cost for t, cost in zip(taken, costs, strict=True)))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = _SEARCH_LIMIT
    if solver.solve(model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        fewest_cells = sum(min(c.cells for c in of_layer) for of_layer in choices.values())
        fewest_words = sum(min(c.streamed_words for c in of_layer) for of_layer in choices.values())
        raise InvalidOptionError(
            f"No packing has at most {_limit(cells)} packed cells and {_limit(streamed_words)} "
            f"streamed words; with this alpha the layers need at least {fewest_cells:,} cells and "
            f"{fewest_words:,} words, so allow more or raise --alpha."
        )
    return {name: c for t, (name, c) in zip(taken, flat, strict=True) if solver.value(t)}


def fewest_groups(matrix: NDArray[Any], *, alpha: int, band_rows: int) -> int:
    """The fewest groups that each row band can have: the columns of the fullest one over alpha."""
    occupied = max(
        int(np.count_nonzero(matrix[start : start + band_rows].any(axis=0)))
        for start in range(0, matrix.shape[0], band_rows)
    )
    return max(1, -(-occupied // alpha))


def group_counts(matrix: NDArray[Any], *, alpha: int, band_rows: int, tile: TileSize) -> list[int]:
    """Group counts to look at: parts of a tile while tiles are few, then ever more whole tiles."""
    columns = matrix.shape[1]
    fewest = fewest_groups(matrix, alpha=alpha, band_rows=band_rows)
    fine = max(1, tile.columns // _STEPS_A_TILE)
    counts = {*range(fine, _FINE_TILES * tile.columns, fine), fewest, columns}
    tiles = _FINE_TILES
    while tiles * tile.columns < columns:
        counts.add(tiles * tile.columns)
        tiles += tiles // _FINE_TILES
    return sorted(count for count in counts if fewest <= count <= columns)


def _limit(number: int | None) -> str:
    return "any number of" if number is None else f"{number:,}"
