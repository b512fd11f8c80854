"""`systopack pack`: bare filter matrices."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import typer

from systopack.api.matrices import (
    JobSettings,
    PackSettings,
    open_weights,
    pack_file,
    packed_name,
    some,
)
from systopack.cli import console
from systopack.cli.builder import command
from systopack.cli.interrupt import interruptible
from systopack.cli.job import Job
from systopack.cli.outputs import check_resume
from systopack.cli.shared import OUTPUT, ArraySize, ResumeOptions
from systopack.errors import InvalidMatrixError
from systopack.options import argument, option


class Pack(ArraySize):
    """The file, and the array on which tiles are counted."""

    source: Path = argument("A .npy matrix, or a .safetensors file or index.")
    out: Path | None = option(
        None, "File to write.", shown_default="FILE.packed.safetensors", group=OUTPUT
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "pack", panel="Networks")(pack)


def pack(
    options: Pack, settings: PackSettings, shared: JobSettings, run: ResumeOptions, job: Job
) -> None:
    """Combine the columns of filter matrices: of a .npy matrix, or of every 2-D or 4-D weight of
    a .safetensors file of any size, one in memory at a time (in each of --jobs processes).

    Example: systopack pack weights.npy --alpha 8 --gamma 0.5 --density 0.15 --policy best

    Every weight of a file: systopack pack model.safetensors --density 0.1

    Some, for an array of 128 columns: systopack pack model.safetensors --only '*.mlp.*'
    --objective tiles:128 --array 128x128

    Fewest groups without pruning, proven: systopack pack weights.npy --gamma 0 --policy best
    --bound exact
    """
    size = options.size
    out = options.out or packed_name(options.source)
    job.writes(out, suffix=".safetensors", reads=(options.source,))
    check_resume(run.resume, out)
    weights = open_weights(options.source, only=settings.only).weights
    display = console.RowsDisplay(
        ["matrix", "size", "groups", "at least", "efficiency", "kept", "tiles", "seconds"],
        first_width=max(len(weight.name) for weight in weights),
        total=sum(weight.cells for weight in weights),
    )
    with interruptible(out), display:
        found = pack_file(
            options.source,
            out=out,
            array=size,
            jobs=shared.jobs,
            resume=run.resume,
            on_weight=display.on_begin,
            on_packed=lambda name, one: display.on_row(
                _row(name, one), work=one["rows"] * one["columns"]
            ),
            on_refused=console.explain_error,
            **settings.given,
        )
    if found.left_out:
        console.say(
            f"left out: {len(found.left_out)} tensors that are no 2-D or 4-D weights of a "
            f"type that is packed: {some(found.left_out)}"
        )
    if found.scaled:
        console.say(
            f"as stored, without the scales beside them: {len(found.scaled)} weights of 8 bits: "
            f"{some(found.scaled)}"
        )
    if len(found.layers) > 1:
        console.say(_sum(found.layers.values()))
    configuration = {**settings.model_dump(exclude={"seed"}), "array": options.array}
    if found.refused:
        configuration["refused"] = dict(found.refused)
    job.write(found.layers, configuration, seed=settings.seed)
    if found.refused:
        raise InvalidMatrixError(
            f"{len(found.refused)} of {len(weights)} weights cannot be packed and are not in "
            f"'{out}': {some(found.refused)}; mend them, or choose the others with --only."
        )


def _row(name: str, entry: Mapping[str, Any]) -> list[str]:
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


def _sum(entries: Collection[Mapping[str, Any]]) -> str:
    """All layers together, in a sentence."""
    cells = sum(entry["rows"] * entry["columns"] for entry in entries)
    packed, tiles, dense, seconds = (
        sum(entry[key] for entry in entries)
        for key in ("packed_cells", "tiles", "dense_tiles", "pack_s")
    )
    return (
        f"{len(entries)} matrices, {cells:,} weights: {packed / cells:.3f} of the cells, "
        f"tiles {dense:,} -> {tiles:,}, {seconds:.1f} s packing"
    )
