"""What budgets a network allows, known before any training, and budgets that fit it.

No layer has fewer column groups than its columns that hold weights over alpha, and streamed words
come in whole tiles. So each network has a least share of cells and a largest ratio of words, and
a small one has little to give.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidOptionError
from systopack.frontend.graph import LayerGraph
from systopack.training.allocation import TileSize, fewest_groups, streamed_words

PAPER_RATIO = 3.9  # times fewer streamed words, the throughput of the paper's ResNet-20
PAPER_CELLS = 0.256  # share of the dense cells: the same in cells
_PART_OF_THE_WAY = 0.9  # where the paper's is impossible: so far, as a power, towards the limit


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The tightest budgets that a network allows.

    Args:
        cells: least share of the dense cells.
        streamed_words_ratio: largest ratio of dense to packed streamed words.
        alpha, tile: that they hold for.
    """

    cells: float
    streamed_words_ratio: float
    alpha: int
    tile: TileSize

    def fitted_cells(self) -> float:
        """The paper's share of the cells; where that is impossible, near the least possible."""
        if self.cells <= PAPER_CELLS:
            return PAPER_CELLS
        return _rounded_up(math.pow(self.cells, _PART_OF_THE_WAY))

    def fitted_ratio(self) -> float:
        """The paper's ratio of streamed words; where impossible, near the largest possible."""
        if self.streamed_words_ratio >= PAPER_RATIO:
            return PAPER_RATIO
        possible = math.pow(self.streamed_words_ratio, _PART_OF_THE_WAY)
        return max(1.0, math.floor(1000 * possible) / 1000)

    def check(self, *, cells: float | None, streamed_words_ratio: float | None) -> None:
        """Refuse budgets that no packing keeps.

        Raises:
            InvalidOptionError: by the option's name, with what is possible.
        """
        where = f"with --alpha {self.alpha} on an array of {self.tile.rows}x{self.tile.columns}"
        if cells is not None and cells < self.cells:
            raise InvalidOptionError(
                f"--cells is {cells:g}, but with --alpha {self.alpha} this network needs at least "
                f"{_rounded_up(self.cells):g} of its dense cells; allow more or raise --alpha."
            )
        ratio = streamed_words_ratio
        if ratio is not None and ratio > self.streamed_words_ratio:
            possible = math.floor(1000 * self.streamed_words_ratio) / 1000
            raise InvalidOptionError(
                f"--streamed-words-ratio is {ratio:g}, but {where} this network streams at most "
                f"{possible:g} times fewer words than dense; ask for less, raise --alpha or choose "
                "a smaller --array."
            )


def budget_limits(
    matrices: Mapping[str, NDArray[Any]],
    graph: LayerGraph,
    *,
    alpha: int,
    band_rows: int,
    tile: TileSize,
) -> Limits:
    """The tightest budgets of a network.

    Args:
        matrices: layer name -> filter matrix (N, M); columns of zeros need no group.
        graph: the layers.
        alpha: largest group size.
        band_rows: rows that share column groups.
        tile: the array on which words are counted.
    """
    cells, words = np.zeros(2), np.zeros(2)  # packed, dense
    for op in graph.weighted_ops.values():
        columns = len(op.columns)
        fewest = min(columns, fewest_groups(matrices[op.name], alpha=alpha, band_rows=band_rows))
        cells += op.rows * fewest, op.rows * columns
        words += (
            streamed_words(
                rows=op.rows,
                groups=fewest,
                positions=op.positions,
                band_rows=band_rows,
                tile=tile,
            ),
            streamed_words(
                rows=op.rows,
                groups=columns,
                positions=op.positions,
                band_rows=op.rows,
                tile=tile,
            ),
        )
    return Limits(
        cells=float(cells[0] / cells[1]),
        streamed_words_ratio=float(words[1] / words[0]),
        alpha=alpha,
        tile=tile,
    )


def _rounded_up(share: float) -> float:
    return min(1.0, math.ceil(1000 * share) / 1000)
