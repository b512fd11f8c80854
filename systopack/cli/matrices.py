"""`systopack pack`: bare filter matrices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from systopack.cli import console
from systopack.cli.effects import NO_CONTEXT, given, refuse_idle
from systopack.cli.options import ArrayOption, check_out
from systopack.cli.outputs import claim
from systopack.hardware.named_arrays import DEFAULT_ARRAY, array_from

if TYPE_CHECKING:
    from systopack.packing.file import Named
    from systopack.packing.layers import PackedLayer


# The policies that an option of the search has an effect on.
_SEARCHING = {
    "seed": ("refine", "best"),
    "time_limit_s": ("polish", "refine", "best"),
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(pack)


def pack(
    file: Annotated[Path, typer.Argument(help="A .npy matrix, or a .safetensors file.")],
    out: Annotated[
        Path | None,
        typer.Option(help="File to write. \\[default: FILE.packed.safetensors]"),
    ] = None,
    alpha: Annotated[int, typer.Option(help="Largest group.")] = 8,
    gamma: Annotated[float, typer.Option(help="Conflicts per row of a group.")] = 0.5,
    policy: Annotated[
        str,
        typer.Option(
            help="dense-column-first, authors, least-loss, assignment, polish, refine or best."
        ),
    ] = "least-loss",
    objective: Annotated[
        str,
        typer.Option(
            help="groups: as few as can be; groups!: the same at any cost of squared norm; "
            "tiles:COLUMNS: fewest tiles of an array so wide, its last columns filled; "
            "norm:GROUPS: most squared norm in so many groups."
        ),
    ] = "groups",
    density: Annotated[
        float | None,
        typer.Option(help="First keep only this share of each matrix, by magnitude."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Names of weights, with * and ?; may be given several times."),
    ] = None,
    bound: Annotated[
        str,
        typer.Option(
            help="Lower bound on the groups: quick, exact (also solves a set cover where that is "
            "within reach) or none."
        ),
    ] = "quick",
    band_rows: Annotated[
        int | None,
        typer.Option(help="Rows that share column groups, for instance 32. \\[default: all]"),
    ] = None,
    time_limit_s: Annotated[
        float | None,
        typer.Option(help="Seconds to search for each matrix. \\[default: a fixed budget]"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the search.")] = 0,
    array: ArrayOption = DEFAULT_ARRAY,
    context: typer.Context = NO_CONTEXT,
) -> None:
    """Combine the columns of filter matrices: of a .npy matrix, or of every 2-D or 4-D weight of
    a .safetensors file of any size, one in memory at a time.

    Example: systopack pack weights.npy --alpha 8 --gamma 0.5 --density 0.15 --policy best

    Every weight of a file: systopack pack model.safetensors --density 0.1

    Some, for an array of 128 columns: systopack pack model.safetensors --only '*.mlp.*'
    --objective tiles:128 --array 128x128

    Fewest groups without pruning, proven: systopack pack weights.npy --gamma 0 --policy best
    --bound exact
    """
    from systopack.packing.file import write_matrices
    from systopack.packing.layers import LayerOptions, pack_layer
    from systopack.packing.objective import parse_objective
    from systopack.packing.rule import PackingRule
    from systopack.packing.tiling import check_array_size
    from systopack.packing.weights import open_weights, some
    from systopack.records import Record, record_path, sha256_of_file

    tile = array_from(array)
    rows, columns = tile.rows, tile.columns
    check_array_size(rows, columns)
    for option, policies in _SEARCHING.items():
        if policy not in policies:
            refuse_idle(given(context), (option,), f"the policy '{policy}' does not search by it")
    options = LayerOptions(
        rule=PackingRule(alpha=alpha, gamma=gamma),
        policy=policy,
        objective=parse_objective(objective),
        seed=seed,
        time_limit_s=time_limit_s,
        band_rows=band_rows,
        density=density,
        bound=bound,  # type: ignore[arg-type]  # checked there
    )
    out = check_out(out or file.with_suffix(".packed.safetensors"), ".safetensors")
    record = record_path(out, "pack")
    claim("pack", inputs=(file,), outputs=(out,), record=record)
    weights = open_weights(file, only=tuple(only or ()))
    figures: dict[str, dict[str, Any]] = {}
    display = console.RowsDisplay(
        ["matrix", "size", "groups", "at least", "efficiency", "kept", "tiles", "seconds"],
        first_width=max(len(weight.name) for weight in weights.weights),
        total=sum(weight.cells for weight in weights.weights),
    )

    def packed_layers() -> Iterator[Named]:
        for weight in weights.weights:
            display.on_begin(weight.name)
            layer = pack_layer(weights, weight, options)
            entry = figures[layer.name] = _figures(layer, rows, columns)
            display.on_row(_row(layer.name, entry), work=weight.cells)
            yield layer.name, layer.matrix, "" if layer.gap is None else str(layer.gap)

    with display:
        write_matrices(out, packed_layers())
    Record(
        kind="pack",
        figures=figures,
        configuration={
            "alpha": alpha,
            "gamma": gamma,
            "policy": policy,
            "objective": objective,
            "density": density,
            "only": only or [],
            "bound": bound,
            "band_rows": band_rows,
            "time_limit_s": time_limit_s,
            "array": array,
        },
        seed=seed,
        inputs={str(file): sha256_of_file(file)},
        outputs={str(out): sha256_of_file(out)},
    ).write(record)
    if weights.left_out:
        console.say(
            f"left out: {len(weights.left_out)} tensors that are no 2-D or 4-D floating point "
            f"weights: {some(list(weights.left_out))}"
        )
    if len(figures) > 1:
        console.say(_sum(list(figures.values())))
    console.say(f"wrote {out} and {record}")


def _figures(layer: PackedLayer, rows: int, columns: int) -> dict[str, Any]:
    """What the record says of a layer."""
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


def _row(name: str, entry: dict[str, Any]) -> list[str]:
    bound = entry["groups_lower_bound"]
    gap = "optimal" if entry["groups_proven_optimal"] else f"{entry['gap_percent'] or 0:.1f} %"
    groups = entry["groups"]
    return [
        name,
        f"{entry['rows']} x {entry['columns']}",
        str(sum(groups)) if len(groups) == 1 else f"{sum(groups)} in {len(groups)}",
        "-" if bound is None else f"{bound} ({gap})",
        f"{entry['packing_efficiency']:.3f}",
        f"{entry['squared_norm_kept']:.3f}",
        f"{entry['dense_tiles']} -> {entry['tiles']}",
        f"{entry['pack_s']:.2f}",
    ]


def _sum(entries: list[dict[str, Any]]) -> str:
    """All layers together, in a sentence."""
    cells = sum(entry["rows"] * entry["columns"] for entry in entries)
    packed = sum(entry["packed_cells"] for entry in entries)
    tiles, dense = (sum(entry[key] for entry in entries) for key in ("tiles", "dense_tiles"))
    return (
        f"{len(entries)} matrices, {cells:,} weights: {packed / cells:.3f} of the cells, "
        f"tiles {dense:,} -> {tiles:,}, {sum(entry['pack_s'] for entry in entries):.1f} s packing"
    )
