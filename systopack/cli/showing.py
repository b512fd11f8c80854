"""`systopack inspect`, `systopack report` and `systopack demo`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from systopack.cli import console
from systopack.cli.effects import NO_CONTEXT, given, refuse_idle
from systopack.cli.options import ArrayOption, check_out
from systopack.cli.outputs import claim, claim_folder
from systopack.hardware.named_arrays import DEFAULT_ARRAY, array_from

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from systopack.network.network import PackedNetwork


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(inspect)
    app.command()(report)
    app.command()(demo)


def inspect(
    file: Annotated[Path, typer.Argument(help="Network (.spk), model or packed matrices.")],
    array: ArrayOption = DEFAULT_ARRAY,
    context: typer.Context = NO_CONTEXT,
) -> None:
    """Print what a file holds.

    Example: systopack inspect packed.spk
    """
    design = array_from(array)
    rows, columns = design.rows, design.columns
    if file.suffix == ".spk":
        from systopack.network.file import load_with_sha256
        from systopack.network.permute import count_streams_out_of_place
        from systopack.network.text import describe

        network, digest = load_with_sha256(file)
        console.say(describe(network))
        console.say(f"tiles on {array}: {network.tile_count(rows=rows, columns=columns):,}")
        console.say(f"streams out of place: {sum(count_streams_out_of_place(network).values()):,}")
        console.say(f"sha256 {digest}")
        return
    from systopack.errors import InvalidFileError
    from systopack.packing.file import read_matrices

    try:
        lines = [
            [
                name,
                f"{matrix.rows} x {matrix.columns}",
                "+".join(str(len(band.groups)) for band in matrix.bands),
                f"{matrix.nonzeros:,}",
                f"{matrix.packing_efficiency:.3f}",
                str(matrix.tile_count(rows=rows, columns=columns)),
                note,
            ]
            for name, matrix, note in read_matrices(file)
        ]
    except InvalidFileError:
        refuse_idle(given(context), ("array",), "a model has no tiles yet")
        _inspect_model(file)
        return
    console.table(
        ["matrix", "size", "groups", "nonzeros", "efficiency", "tiles", "lower bound"], lines
    )


def _inspect_model(file: Path) -> None:
    from systopack.training.model import load_model

    model = load_model(file)
    combined = "combined" if model.groups is not None else "dense"
    console.say(
        f"{combined} {model.architecture}, {len(model.class_names)} classes, "
        f"{len(model.history)} epochs"
    )
    state = {name: tensor for name, tensor in model.state.items() if tensor.ndim > 1}
    console.table(
        ["weight", "shape", "nonzeros", "groups"],
        [
            [
                name,
                "x".join(str(size) for size in tensor.shape),
                f"{int(tensor.count_nonzero()):,}",
                "+".join(
                    str(len(groups))
                    for _, groups in (model.groups or {}).get(name.removesuffix(".weight"), ())
                ),
            ]
            for name, tensor in state.items()
            if tensor.is_floating_point()
        ],
    )


def report(
    network: Annotated[Path, typer.Argument(help="Packed network (.spk).")],
    out: Annotated[Path, typer.Option(help="Page to write (.html).")],
    dense: Annotated[
        Path | None, typer.Option(help="Dense network (.spk) to compare with.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Model file whose training curve to show.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Heading. [default: the name]")] = None,
    record: Annotated[
        list[Path] | None, typer.Option(help="Records to quote; may be given several times.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="'sample', a folder of parquet files or a Hugging Face id: the animation streams "
            "the words of its first test image."
        ),
    ] = None,
    array: ArrayOption = DEFAULT_ARRAY,
    alpha: Annotated[int, typer.Option(help="Channels a cell chooses from.")] = 8,
) -> None:
    """Write one self-contained HTML page about a packed network.

    Example: systopack report packed.spk --dense dense.spk --model packed.safetensors
    --data sample --out report.html
    """
    check_out(out, ".html")
    inputs = [path for path in (network, dense, model, *(record or ())) if path is not None]
    from systopack.records import Record, read_record, record_path, sha256_of_file

    own_record = record_path(out, "report")
    claim("report", inputs=inputs, outputs=(out,), record=own_record)
    from systopack.files import write_atomically
    from systopack.hardware.array import Array
    from systopack.hardware.cycles import count_cycles
    from systopack.hardware.pipelined.cycles import count_pipelined
    from systopack.hardware.tiled import count_tiled
    from systopack.network.file import load
    from systopack.network.nodes import ConcatLayer
    from systopack.report.comparison import compare
    from systopack.report.page import render

    design = array_from(array)
    rows, columns = design.rows, design.columns
    networks = {} if dense is None else {"dense": load(dense)}
    networks["packed"] = load(network)
    history: Sequence[Mapping[str, Any]] = ()
    if model is not None:
        from systopack.training.model import load_model

        history = load_model(model).history
    cycles = {
        name: count_cycles(
            loaded,
            array=Array(
                rows=rows,
                columns=columns,
                alpha=alpha if name == "packed" else 1,
                accumulator_bits=loaded.accumulator_bits,
            ),
        )
        for name, loaded in networks.items()
    }
    content = compare(
        title=title or networks["packed"].name,
        networks=networks,
        cycles=cycles,
        accelerators={
            name: count_tiled(loaded, array=cycles[name].array) for name, loaded in networks.items()
        },
        pipelined={
            name: count_pipelined(loaded, array=cycles[name].array)
            for name, loaded in networks.items()
            if not any(isinstance(node, ConcatLayer) for node in loaded.nodes)
        },
        image=None if data is None else _first_image(networks["packed"], data),
        history=history,
        records=[read_record(path) for path in record or []],
    )
    write_atomically(out, render(content))
    Record(
        kind="report",
        figures={"bytes": out.stat().st_size},
        configuration={"title": content.title, "array": array, "alpha": alpha, "data": data},
        inputs={str(path): sha256_of_file(path) for path in inputs},
        outputs={str(out): sha256_of_file(out)},
    ).write(own_record)
    console.say(f"wrote {out} and {own_record}")


def _first_image(network: PackedNetwork, data: str) -> NDArray[np.int8]:
    """The first test image as the network reads it."""
    from systopack.data.open import open_data
    from systopack.network.reference import quantize_images

    first: NDArray[np.int8] = quantize_images(network, open_data(data).test_images[:1])[0]
    return first


def demo(
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Seed of the run.")] = 0,
) -> None:
    """Train, pack, quantize and count cycles on bundled digits, in about a minute.

    Example: systopack demo --out demo
    """
    from systopack.demo.run import FILES, run_demo

    claim_folder("demo", out, files=FILES)
    with console.TrainingDisplay() as display:
        result = run_demo(out, seed=seed, observer=display)
    console.table(result.header, result.rows)
    console.say(f"wrote {', '.join(str(path) for path in result.files)}")
    console.say(f"open {result.report} in a browser")
