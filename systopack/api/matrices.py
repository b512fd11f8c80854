"""`pack`: one filter matrix, or every weight of a file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from systopack.api.sources import shown
from systopack.options import checked, option, refuse_idle
from systopack.training.settings import GroupSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from systopack.packing.file import Named
    from systopack.packing.layers import PackedLayer
    from systopack.packing.matrix import PackedMatrix
    from systopack.packing.weights import WeightFile


_SEARCH, _KEEP = "Search", "What is packed"
# The policies that an option of the search has an effect on.
_SEARCHING = {
    "seed": ("refine", "best"),
    "time_limit_s": ("polish", "refine", "best"),
}


class PackSettings(GroupSettings):
    """How every weight is packed."""

    policy: str = option(
        "least-loss",
        "dense-column-first, authors, least-loss, assignment, polish, refine or best.",
        group=_SEARCH,
    )
    objective: str = option(
        "groups",
        "groups: as few as can be; groups!: the same at any cost of squared norm; tiles:COLUMNS: "
        "fewest tiles of an array so wide, its last columns filled; norm:GROUPS: most squared "
        "norm in so many groups.",
        group=_SEARCH,
    )
    density: float | None = option(
        None,
        "First keep only this share of each matrix, by magnitude.",
        gt=0,
        le=1,
        shown_default="all",
        group=_KEEP,
    )
    only: tuple[str, ...] = option(
        (), "Names of weights, with * and ?; may be repeated.", group=_KEEP
    )
    bound: Literal["quick", "exact", "none"] = option(
        "quick",
        "Lower bound on the groups; exact also solves a set cover where that is within reach.",
        group=_SEARCH,
    )
    time_limit_s: float | None = option(
        None,
        "Seconds to search for each matrix.",
        shown_default="a fixed budget",
        group=_SEARCH,
    )
    seed: int = option(0, "Seed of the search.", group=_SEARCH)


@dataclass(frozen=True, kw_only=True)
class PackedWeights:
    """The packed weights of a file.

    Args:
        file: that was written.
        layers: figures of every weight by name; the matrices are in the file.
        left_out: tensors that are no filter matrix.
        scaled: weights of 8 bits, packed as they are stored, without the scales beside them.
        refused: weights that cannot be packed, and why, in a sentence each; not in the file.
    """

    file: Path
    layers: Mapping[str, Mapping[str, Any]]
    left_out: tuple[str, ...]
    scaled: tuple[str, ...]
    refused: Mapping[str, str]

    def __repr__(self) -> str:
        cells = sum(layer["packed_cells"] for layer in self.layers.values())
        return shown(self, file=str(self.file), weights=len(self.layers), packed_cells=cells)


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

    return pack_matrix(source, **{"alpha": 8, "gamma": 0.5, **options})


def pack_file(
    file: Path | str,
    *,
    out: Path | str | None = None,
    array: tuple[int, int] = (32, 32),
    on_weight: Callable[[str], None] | None = None,
    on_packed: Callable[[str, Mapping[str, Any]], None] | None = None,
    on_refused: Callable[[str], None] | None = None,
    **settings: Any,
) -> PackedWeights:
    """Pack every weight of a file of any size, one in memory at a time.

    Args:
        file: a .npy matrix, or a .safetensors file or index.
        out: file to write; None: FILE.packed.safetensors.
        array: rows and columns, to count tiles on.
        on_weight: told the name of each weight before it is packed.
        on_packed: told its name, and what became of it.
        on_refused: told why a weight cannot be packed, while the others are.
        settings: see `PackSettings`.

    Raises:
        InvalidFileError, InvalidMatrixError, InvalidOptionError: no weight can be packed; nothing
            is written then.
    """
    from systopack.errors import InvalidMatrixError
    from systopack.packing.file import write_matrices
    from systopack.packing.layers import LayerOptions, pack_layer
    from systopack.packing.objective import parse_objective
    from systopack.packing.rule import PackingRule
    from systopack.packing.tiling import check_array_size
    from systopack.packing.weights import SCALED

    check_array_size(*array)
    chosen = checked(PackSettings, **settings)
    for name, policies in _SEARCHING.items():
        if chosen.policy not in policies:
            why = f"the policy '{chosen.policy}' does not search by it"
            refuse_idle(settings, (name,), why)
    options = LayerOptions(
        rule=PackingRule(alpha=chosen.alpha, gamma=chosen.gamma),
        objective=parse_objective(chosen.objective),
        **chosen.model_dump(exclude={"alpha", "gamma", "objective", "only"}),
    )
    weights = open_weights(file, only=chosen.only)
    place = packed_name(file) if out is None else Path(out)
    layers: dict[str, Mapping[str, Any]] = {}
    refused: dict[str, str] = {}

    def packed_layers() -> Iterator[Named]:
        for weight in weights.weights:
            if on_weight is not None:
                on_weight(weight.name)
            try:
                layer = pack_layer(weights, weight, options)
            except InvalidMatrixError as error:
                refused[weight.name] = str(error)
                if len(refused) == len(weights.weights):
                    raise
                if on_refused is not None:
                    on_refused(str(error))
                continue
            layers[layer.name] = _figures(layer, *array)
            if on_packed is not None:
                on_packed(layer.name, layers[layer.name])
            yield layer.name, layer.matrix, "" if layer.gap is None else str(layer.gap)

    write_matrices(place, packed_layers())
    return PackedWeights(
        file=place,
        layers=layers,
        left_out=weights.left_out,
        scaled=tuple(weight.name for weight in weights.weights if weight.dtype in SCALED),
        refused=refused,
    )


def some(names: Collection[str]) -> str:
    """The first of many names, and how many more there are."""
    from systopack.packing.weights import some as listed

    return listed(list(names))


def packed_name(file: Path | str) -> Path:
    """Where the packed weights of a file go where nothing else is said."""
    return Path(file).with_suffix(".packed.safetensors")


def open_weights(file: Path | str, *, only: Sequence[str] = ()) -> WeightFile:
    """The weights of a file; see `packing.weights.open_weights`."""
    from systopack.packing.weights import open_weights as opened

    return opened(file, only=tuple(only))


def _figures(layer: PackedLayer, rows: int, columns: int) -> dict[str, Any]:
    """What became of a weight."""
    matrix, gap = layer.matrix, layer.gap
    return {
        "rows": matrix.rows,
        "columns": matrix.columns,
        "groups": [len(band.groups) for band in matrix.bands],
        "groups_lower_bound": None if gap is None else gap.bound,
        "groups_proven_optimal": None if gap is None else gap.optimal,
        "gap_percent": None if gap is None else gap.gap_percent,
        "nonzeros": matrix.nonzeros,
        "packed_cells": matrix.packed_cells,
        "packing_efficiency": matrix.packing_efficiency,
        "squared_norm_kept": layer.squared_norm_kept,
        "tiles": matrix.tile_count(rows=rows, columns=columns),
        "dense_tiles": -(-matrix.rows // rows) * -(-matrix.columns // columns),
        "pack_s": layer.seconds_s,
    }
