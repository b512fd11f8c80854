"""`systopack pack`: bare filter matrices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from systopack.cli import console
from systopack.cli.options import SizeOption, array_size, check_out
from systopack.errors import InvalidFileError, InvalidOptionError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(pack)


def pack(
    file: Annotated[Path, typer.Argument(help="A .npy matrix, or a .safetensors file.")],
    out: Annotated[
        Path | None,
        typer.Option(help="File to write. [default: FILE.packed.safetensors]"),
    ] = None,
    alpha: Annotated[int, typer.Option(help="Largest group.")] = 8,
    gamma: Annotated[float, typer.Option(help="Conflicts per row of a group.")] = 0.5,
    policy: Annotated[
        str,
        typer.Option(help="dense-column-first, authors, least-loss, assignment, refine or best."),
    ] = "least-loss",
    density: Annotated[
        float | None,
        typer.Option(help="First keep only this share of each matrix, by magnitude."),
    ] = None,
    band_rows: Annotated[
        int | None,
        typer.Option(help="Rows that share column groups, for instance 32. [default: all]"),
    ] = None,
    time_limit_s: Annotated[
        float | None,
        typer.Option(help="Seconds to search for each matrix. [default: a fixed budget]"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the search.")] = 0,
    array: SizeOption = "32x32",
) -> None:
    """Combine the columns of filter matrices; of a .safetensors file, of every 2-D or 4-D weight.

    Example: systopack pack weights.npy --alpha 8 --gamma 0.5 --density 0.15 --policy best
    """
    from systopack.packing.bounds import group_gap
    from systopack.packing.file import PackedFile, save_matrices
    from systopack.packing.pack import pack as pack_matrix
    from systopack.packing.rule import PackingRule
    from systopack.records import Record, sha256_of_file

    rule = PackingRule(alpha=alpha, gamma=gamma)
    rows, columns = array_size(array)
    out = check_out(out or file.with_suffix(".packed.safetensors"), ".safetensors", sources=(file,))
    packed, notes = {}, {}
    table: list[list[str]] = []
    figures: dict[str, Any] = {}
    for name, dense in sorted(_matrices(file).items()):
        matrix = _pruned(dense, density)
        result = pack_matrix(
            matrix,
            alpha=rule.alpha,
            gamma=gamma,
            policy=policy,
            seed=seed,
            time_limit_s=time_limit_s,
            band_rows=band_rows,
        )
        packed[name] = result
        gap = group_gap(result, matrix, alpha=rule.alpha, gamma=gamma)
        notes[name] = str(gap)
        energy = float((matrix.astype("float64") ** 2).sum())
        kept = float((result.to_dense().astype("float64") ** 2).sum())
        figures[name] = {
            "rows": result.rows,
            "columns": result.columns,
            "groups": [len(band.groups) for band in result.bands],
            "groups_lower_bound": gap.bound,
            "groups_proven_optimal": gap.optimal,
            "nonzeros": result.nonzeros,
            "packing_efficiency": result.packing_efficiency,
            "energy_kept": kept / energy if energy else 1.0,
            "tiles": result.tile_count(rows=rows, columns=columns),
            "dense_tiles": -(-result.rows // rows) * -(-result.columns // columns),
        }
        table.append(
            [
                name,
                f"{result.rows} x {result.columns}",
                "+".join(str(len(band.groups)) for band in result.bands),
                f"{gap.bound}{' (optimal)' if gap.optimal else ''}",
                f"{result.packing_efficiency:.3f}",
                f"{figures[name]['energy_kept']:.3f}",
                f"{figures[name]['dense_tiles']} -> {figures[name]['tiles']}",
            ]
        )
    save_matrices(PackedFile(matrices=packed, notes=notes), out)
    console.table(
        ["matrix", "size", "groups", "at least", "efficiency", "energy kept", "tiles"], table
    )
    record = out.with_suffix(".json")
    Record(
        kind="pack",
        figures=figures,
        configuration={
            "alpha": alpha,
            "gamma": gamma,
            "policy": policy,
            "density": density,
            "band_rows": band_rows,
            "time_limit_s": time_limit_s,
            "array": array,
        },
        seed=seed,
        inputs={str(file): sha256_of_file(file)},
        outputs={str(out): sha256_of_file(out)},
    ).write(record)
    console.say(f"wrote {out} and {record}")


def _pruned(matrix: Any, density: float | None) -> Any:
    """The largest weights of a matrix; all of them without a density."""
    import numpy as np

    from systopack.packing.checks import checked_matrix
    from systopack.packing.pruning import magnitude_mask

    checked = checked_matrix(matrix)
    if density is None:
        return checked
    if not 0 < density <= 1:
        raise InvalidOptionError(
            f"--density is {density}, but it is a share of the weights, above 0 and at most 1."
        )
    return np.where(magnitude_mask(checked, keep=round(density * checked.size)), checked, 0)


def _matrices(file: Path) -> dict[str, Any]:
    """The filter matrices of a file by name."""
    import numpy as np

    from systopack.files import read_file

    if file.suffix == ".npy":
        import io

        content = read_file(file, what="a .npy matrix")
        try:
            return {file.stem: np.load(io.BytesIO(content), allow_pickle=False)}
        except (ValueError, EOFError, OSError) as error:
            raise InvalidFileError(
                f"'{file}' is not a .npy file of plain numbers; save it with numpy.save."
            ) from error
    if file.suffix != ".safetensors":
        raise InvalidFileError(f"'{file}' is neither .npy nor .safetensors; convert it first.")
    from safetensors import SafetensorError
    from safetensors.numpy import load

    content = read_file(file, what="a .safetensors file")
    try:
        tensors = load(content)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise InvalidFileError(f"'{file}' is not a valid .safetensors file.") from error
    found = {
        name: tensor.reshape(len(tensor), -1)
        for name, tensor in tensors.items()
        if tensor.ndim in (2, 4) and tensor.dtype.kind == "f" and tensor.size
    }
    if not found:
        raise InvalidFileError(f"'{file}' holds no 2-D or 4-D weight to pack.")
    return found
