"""`pack`: one filter matrix, or every weight of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from systopack.api.sources import shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from systopack.packing.file import Named
    from systopack.packing.layers import Bounding, PackedLayer
    from systopack.packing.matrix import PackedMatrix
    from systopack.packing.objective import Objective
    from systopack.packing.weights import WeightFile


@dataclass(frozen=True, kw_only=True)
class LayerFigures:
    """What became of one weight; the matrix itself is in the file.

    Args:
        name: of the weight.
        rows, columns: its size.
        groups: column groups of every row band.
        groups_lower_bound: fewest that there can be; None: not asked for.
        groups_proven_optimal, gap_percent: the groups against it.
        nonzeros, packed_cells, packing_efficiency: of the packed matrix.
        squared_norm_kept: share of the squared norm after pruning to the density.
        tiles, dense_tiles: on the array, packed and without packing.
        pack_s: seconds.
    """

    name: str
    rows: int
    columns: int
    groups: tuple[int, ...]
    groups_lower_bound: int | None
    groups_proven_optimal: bool | None
    gap_percent: float | None
    nonzeros: int
    packed_cells: int
    packing_efficiency: float
    squared_norm_kept: float
    tiles: int
    dense_tiles: int
    pack_s: float


@dataclass(frozen=True, kw_only=True)
class PackedWeights:
    """The packed weights of a file.

    Args:
        file: that was written.
        layers: its weights.
        left_out: tensors that are no filter matrix.
    """

    file: Path
    layers: tuple[LayerFigures, ...]
    left_out: tuple[str, ...]

    @property
    def packed_cells(self) -> int:
        """Of all weights."""
        return sum(layer.packed_cells for layer in self.layers)

    @property
    def dense_cells(self) -> int:
        """Of all weights before packing."""
        return sum(layer.rows * layer.columns for layer in self.layers)

    @property
    def left_out_text(self) -> str:
        """The first of those left out, and how many more there are."""
        from systopack.packing.weights import some

        return some(list(self.left_out))

    def __repr__(self) -> str:
        return shown(
            self,
            file=str(self.file),
            weights=len(self.layers),
            packed_cells=self.packed_cells,
            dense_cells=self.dense_cells,
        )


@overload
def pack(source: Path | str, **options: Any) -> PackedWeights: ...


@overload
def pack(source: NDArray[Any] | Sequence[Sequence[float]], **options: Any) -> PackedMatrix: ...


def pack(source: Any, **options: Any) -> Any:
    """Combine the columns of a filter matrix, or of every weight of a file.

    Args:
        source: a matrix; or a .npy or .safetensors file, of which the weights are packed one at a
            time and written to another file.
        options: of a matrix those of `packing.pack.pack`, of a file those of `pack_file`.

    Raises:
        InvalidMatrixError, InvalidOptionError, InvalidFileError: see there.
    """
    if isinstance(source, Path | str):
        return pack_file(source, **options)
    from systopack.packing.pack import pack as pack_matrix

    return pack_matrix(source, **options)


def pack_file(
    file: Path | str,
    *,
    out: Path | str | None = None,
    alpha: int = 8,
    gamma: float = 0.5,
    policy: str = "least-loss",
    objective: Objective | str = "groups",
    density: float | None = None,
    only: Sequence[str] = (),
    bound: Bounding = "quick",
    band_rows: int | None = None,
    time_limit_s: float | None = None,
    seed: int = 0,
    array: tuple[int, int] = (32, 32),
    on_weight: Callable[[str], None] | None = None,
    on_packed: Callable[[LayerFigures], None] | None = None,
) -> PackedWeights:
    """Pack every weight of a file of any size, one in memory at a time.

    Args:
        file: a .npy matrix, or a .safetensors file or index.
        out: file to write; None: FILE.packed.safetensors.
        alpha, gamma: limits of a column group.
        policy, objective, seed, time_limit_s, band_rows: as in `packing.pack.pack`; an objective
            may be text, as on the command line.
        density: first keep only this share of each matrix, by magnitude.
        only: patterns of names of weights.
        bound: lower bound on the groups: "quick", "exact" or "none".
        array: rows and columns, to count tiles on.
        on_weight: told the name of each weight before it is packed.
        on_packed: told what became of it.

    Raises:
        InvalidFileError, InvalidMatrixError, InvalidOptionError: nothing is written then.
    """
    from systopack.packing.file import write_matrices
    from systopack.packing.layers import LayerOptions, pack_layer
    from systopack.packing.objective import parse_objective
    from systopack.packing.rule import PackingRule
    from systopack.packing.tiling import check_array_size

    check_array_size(*array)
    options = LayerOptions(
        rule=PackingRule(alpha=alpha, gamma=gamma),
        policy=policy,
        objective=parse_objective(objective) if isinstance(objective, str) else objective,
        seed=seed,
        time_limit_s=time_limit_s,
        band_rows=band_rows,
        density=density,
        bound=bound,
    )
    weights = open_weights(file, only=only)
    place = packed_name(file) if out is None else Path(out)
    layers: list[LayerFigures] = []

    def packed_layers() -> Iterator[Named]:
        for weight in weights.weights:
            if on_weight is not None:
                on_weight(weight.name)
            layer = pack_layer(weights, weight, options)
            layers.append(_figures(layer, array))
            if on_packed is not None:
                on_packed(layers[-1])
            yield layer.name, layer.matrix, "" if layer.gap is None else str(layer.gap)

    write_matrices(place, packed_layers())
    return PackedWeights(file=place, layers=tuple(layers), left_out=weights.left_out)


def packed_name(file: Path | str) -> Path:
    """Where the packed weights of a file go where nothing else is said."""
    return Path(file).with_suffix(".packed.safetensors")


def open_weights(file: Path | str, *, only: Sequence[str] = ()) -> WeightFile:
    """The weights of a file; see `packing.weights.open_weights`."""
    from systopack.packing.weights import open_weights as opened

    return opened(file, only=tuple(only))


def _figures(layer: PackedLayer, array: tuple[int, int]) -> LayerFigures:
    matrix, gap = layer.matrix, layer.gap
    rows, columns = array
    return LayerFigures(
        name=layer.name,
        rows=matrix.rows,
        columns=matrix.columns,
        groups=tuple(len(band.groups) for band in matrix.bands),
        groups_lower_bound=None if gap is None else gap.bound,
        groups_proven_optimal=None if gap is None else gap.optimal,
        gap_percent=None if gap is None else gap.gap_percent,
        nonzeros=matrix.nonzeros,
        packed_cells=matrix.packed_cells,
        packing_efficiency=matrix.packing_efficiency,
        squared_norm_kept=layer.squared_norm_kept,
        tiles=matrix.tile_count(rows=rows, columns=columns),
        dense_tiles=-(-matrix.rows // rows) * -(-matrix.columns // columns),
        pack_s=layer.seconds_s,
    )
