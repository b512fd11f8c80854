"""`systopack pack`: bare filter matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import typer

from systopack.api.matrices import LayerFigures, open_weights, pack_file, packed_name
from systopack.cli import console
from systopack.cli.builder import command
from systopack.cli.job import Job
from systopack.cli.shared import OUTPUT, ArraySize
from systopack.options import Options, argument, option, refuse_idle

_SEARCH, _KEEP = "Search", "What is packed"
# The policies that an option of the search has an effect on.
_SEARCHING = {
    "seed": ("refine", "best"),
    "time_limit_s": ("polish", "refine", "best"),
}


class Weights(Options):
    """The file."""

    file: Path = argument("A .npy matrix, or a .safetensors file or index.")
    out: Path | None = option(
        None, "File to write.", shown_default="FILE.packed.safetensors", group=OUTPUT
    )


class Packing(Options):
    """How every weight is packed."""

    alpha: int = option(8, "Largest column group.")
    gamma: float = option(0.5, "Conflicts per row of a group.")
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
    band_rows: int | None = option(
        None, "Rows that share column groups, for instance 32.", shown_default="all"
    )
    time_limit_s: float | None = option(
        None,
        "Seconds to search for each matrix.",
        shown_default="a fixed budget",
        group=_SEARCH,
    )
    seed: int = option(0, "Seed of the search.", group=_SEARCH)


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "pack", panel="Networks")(pack)


def pack(source: Weights, options: Packing, array: ArraySize, job: Job) -> None:
    """Combine the columns of filter matrices: of a .npy matrix, or of every 2-D or 4-D weight of
    a .safetensors file of any size, one in memory at a time.

    Example: systopack pack weights.npy --alpha 8 --gamma 0.5 --density 0.15 --policy best

    Every weight of a file: systopack pack model.safetensors --density 0.1

    Some, for an array of 128 columns: systopack pack model.safetensors --only '*.mlp.*'
    --objective tiles:128 --array 128x128

    Fewest groups without pruning, proven: systopack pack weights.npy --gamma 0 --policy best
    --bound exact
    """
    for name, policies in _SEARCHING.items():
        if options.policy not in policies:
            why = f"the policy '{options.policy}' does not search by it"
            refuse_idle(options.given, (name,), why)
    size = array.size
    out = source.out or packed_name(source.file)
    job.writes(out, suffix=".safetensors", reads=(source.file,))
    weights = open_weights(source.file, only=options.only).weights
    display = console.RowsDisplay(
        ["matrix", "size", "groups", "at least", "efficiency", "kept", "tiles", "seconds"],
        first_width=max(len(weight.name) for weight in weights),
        total=sum(weight.cells for weight in weights),
    )
    with display:
        found = pack_file(
            source.file,
            out=out,
            array=size,
            on_weight=display.on_begin,
            on_packed=lambda layer: display.on_row(_row(layer), work=layer.rows * layer.columns),
            **options.model_dump(),
        )
    if found.left_out:
        console.say(
            f"left out: {len(found.left_out)} tensors that are no 2-D or 4-D floating point "
            f"weights: {found.left_out_text}"
        )
    if len(found.layers) > 1:
        console.say(_sum(found.layers))
    figures = {layer.name: asdict(layer) for layer in found.layers}
    configuration = {**options.model_dump(exclude={"seed"}), "array": array.array}
    job.write(figures, configuration, seed=options.seed)


def _row(layer: LayerFigures) -> list[str]:
    gap = "optimal" if layer.groups_proven_optimal else f"{layer.gap_percent or 0:.1f} %"
    groups = layer.groups
    return [
        layer.name,
        f"{layer.rows} x {layer.columns}",
        str(sum(groups)) if len(groups) == 1 else f"{sum(groups)} in {len(groups)}",
        "-" if layer.groups_lower_bound is None else f"{layer.groups_lower_bound} ({gap})",
        f"{layer.packing_efficiency:.3f}",
        f"{layer.squared_norm_kept:.3f}",
        f"{layer.dense_tiles} -> {layer.tiles}",
        f"{layer.pack_s:.2f}",
    ]


def _sum(layers: Sequence[LayerFigures]) -> str:
    """All layers together, in a sentence."""
    cells = sum(layer.rows * layer.columns for layer in layers)
    packed = sum(layer.packed_cells for layer in layers)
    tiles, dense = sum(layer.tiles for layer in layers), sum(layer.dense_tiles for layer in layers)
    return (
        f"{len(layers)} matrices, {cells:,} weights: {packed / cells:.3f} of the cells, "
        f"tiles {dense:,} -> {tiles:,}, {sum(layer.pack_s for layer in layers):.1f} s packing"
    )
