"""From a size of the whole network to the sizes of its layers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from systopack.frontend.graph import LayerGraph
from systopack.training.allocation import Choice, TileSize, allocate, fewest_groups
from systopack.training.combining import dense_size
from systopack.training.compress.sensitivity import LayerSensitivity, Packing, search_choices
from systopack.training.compress.settings import CompressSettings
from systopack.training.layer_shares import groups_at, layer_share, shares_of

Matrices = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Allotted:
    """The layers of a network of some size.

    Args:
        layers: `NAME=SHARE` of every layer.
        cells, streamed_words: packed cells, and streamed words of one image.
        text: both against dense, for people.
    """

    layers: tuple[str, ...]
    cells: int
    streamed_words: int
    text: str


class Allotment:
    """What the layers of a network cost and are predicted to lose, and how a size is dealt out.

    Args:
        graph: the layers.
        matrices: layer name -> filter matrix (N, M).
        table: of the layers alone, whose size is free.
        packing: how layers are packed.
        in_words: sizes are shares of the dense streamed words, not of the dense cells.
    """

    def __init__(
        self,
        graph: LayerGraph,
        matrices: Matrices,
        table: tuple[LayerSensitivity, ...],
        *,
        packing: Packing,
        in_words: bool,
    ) -> None:
        self._matrices, self._in_words = matrices, in_words
        self._dense_cells, self._dense_words = dense_size(graph, tile=packing.tile)
        self._choices = search_choices(graph, matrices, table, packing)

    def least_size(self) -> float:
        """The least size that there is, above 0 to 1."""
        least = sum(
            min(c.streamed_words if self._in_words else c.cells for c in of_layer)
            for of_layer in self._choices.values()
        )
        return min(1.0, least / (self._dense_words if self._in_words else self._dense_cells))

    def at(self, size: float) -> Allotted:
        """The layers of the network of a size that is predicted to lose least.

        Raises:
            InvalidOptionError: there is none so small.
        """
        if self._in_words:
            words = math.floor(size * self._dense_words + 1e-6)
            allotted = allocate(self._choices, streamed_words=words)
        else:
            cells = math.floor(size * self._dense_cells + 1e-6)
            allotted = allocate(self._choices, cells=cells)
        taken: list[Choice] = list(allotted.values())
        cells, words = sum(c.cells for c in taken), sum(c.streamed_words for c in taken)
        return Allotted(
            layers=tuple(
                layer_share(name, choice.groups, self._matrices[name].shape[1])
                for name, choice in allotted.items()
            ),
            cells=cells,
            streamed_words=words,
            text=f"{cells / self._dense_cells:.3f} of the cells, "
            f"{self._dense_words / words:.2f} times fewer streamed words",
        )


def packing_of(settings: CompressSettings, matrices: Matrices) -> Packing:
    """How the settings pack layers.

    Raises:
        InvalidOptionError: a layer's own size is none, or smaller than there is.
    """
    band_rows = settings.band_rows or settings.array_rows
    fixed = {}
    for name, share in shares_of(settings.layers, matrices.keys()).items():
        fewest = fewest_groups(matrices[name], alpha=settings.alpha, band_rows=band_rows)
        columns = matrices[name].shape[1]
        fixed[name] = groups_at(name, share, columns=columns, fewest=fewest, alpha=settings.alpha)
    return Packing(
        alpha=settings.alpha,
        band_rows=band_rows,
        tile=TileSize(rows=settings.array_rows, columns=settings.array_columns),
        policy=settings.policy,
        seed=settings.seed,
        fixed=fixed,
    )
