"""`systopack rtl` and `systopack verify`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from systopack.cli import console
from systopack.cli.effects import refuse_idle
from systopack.cli.options import (
    BankPartsOption,
    ColumnsPerAccumulatorOption,
    ColumnsPerRegisterOption,
    DataOption,
    LeanOption,
    RowsPerRegisterOption,
    SizeOption,
    WeightBuffersOption,
    array_size,
    check_out,
)
from systopack.cli.outputs import claim

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from systopack.hardware.array import Array
    from systopack.network.network import PackedNetwork

NetworkArgument = Annotated[Path, typer.Argument(help="Packed network (.spk) or zoo:NAME.")]
AlphaOption = Annotated[int, typer.Option(help="Channels a cell chooses from.")]
CellOption = Annotated[str, typer.Option(help="mx, il, bl or bit-parallel.")]
LoadRowsOption = Annotated[
    int | None,
    typer.Option(help="Rows that receive a weight in one cycle of a load. [default: all]"),
]
OrganisationOption = Annotated[
    str,
    typer.Option(
        help="tiled: one array runs all tiles of all layers in turn. pipelined: every layer has "
        "its own cells, in tiles of at most --array, and starts on the first data it needs."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(rtl)
    app.command()(verify)


def rtl(
    network: NetworkArgument,
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    array: SizeOption = "32x32",
    alpha: AlphaOption = 8,
    cell: CellOption = "mx",
    input_fanout: RowsPerRegisterOption = 1,
    load_rows: LoadRowsOption = None,
    compact: LeanOption = False,
    cells_per_stage: ColumnsPerRegisterOption = 1,
    cells_per_accumulator: ColumnsPerAccumulatorOption = 1,
    weight_buffers: WeightBuffersOption = 2,
    sub_banks: BankPartsOption = 1,
    organisation: OrganisationOption = "tiled",
    data: Annotated[
        str | None,
        typer.Option(
            help="Images for the test bench: 'sample' (bundled digits), a folder of parquet "
            "files, or a Hugging Face hub id. [default: sample where it fits, else noise]"
        ),
    ] = None,
) -> None:
    """Write Verilog, memory contents, a self-checking test bench and a README of its ports.

    Example: systopack rtl packed.spk --array 32x32 --alpha 8 --cell mx --out rtl
    systopack rtl zoo:lenet5-mnist --organisation pipelined --out pipelined
    systopack rtl zoo:lenet5-mnist --compact --cells-per-stage 8 --cells-per-accumulator 2
    --weight-buffers 1 --input-fanout 32 --out compact
    """
    from systopack.folders.output import check_folder
    from systopack.network.file import load
    from systopack.network.packaged import network_file
    from systopack.rtl.write import write_rtl

    check_folder(out)
    _check_organisation(load_rows, organisation)
    loaded = load(network_file(network))
    design = _design(
        loaded,
        array,
        alpha=alpha,
        cell=cell,
        input_fanout=input_fanout,
        load_rows=load_rows,
        compact=compact,
        cells_per_stage=cells_per_stage,
        cells_per_accumulator=cells_per_accumulator,
        weight_buffers=weight_buffers,
        sub_banks=_checked_parts(sub_banks, organisation),
    )
    written = write_rtl(
        loaded,
        array=design,
        out=out,
        organisation=organisation,
        image=_bench_images(loaded, data),
    )
    console.say(
        f"wrote {len(written.files)} files to {out}: {design.name}, {written.cycles:,} cycles an "
        f"image, {written.memory_bits:,} bits of memory"
    )
    if written.warning is not None:
        console.say(written.warning)


def verify(
    network: NetworkArgument,
    data: DataOption = "sample",
    images: Annotated[int, typer.Option(help="Test images to run.")] = 4,
    array: SizeOption = "32x32",
    alpha: AlphaOption = 8,
    cell: CellOption = "mx",
    input_fanout: RowsPerRegisterOption = 1,
    load_rows: LoadRowsOption = None,
    compact: LeanOption = False,
    cells_per_stage: ColumnsPerRegisterOption = 1,
    cells_per_accumulator: ColumnsPerAccumulatorOption = 1,
    weight_buffers: WeightBuffersOption = 2,
    sub_banks: BankPartsOption = 1,
    organisation: OrganisationOption = "tiled",
    trace: Annotated[
        Path | None,
        typer.Option(help="VCD file for all signals of the run; best with one image."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Record to write. [default: NETWORK.verify.json]")
    ] = None,
) -> None:
    """Run images through the RTL and compare every word and every cycle with the models.

    Example: systopack verify packed.spk --data sample --images 4
    systopack verify zoo:lenet5-mnist --organisation pipelined --images 1 --trace run.vcd
    """
    from systopack.data.open import open_data
    from systopack.network.file import load
    from systopack.network.packaged import network_file, record_beside
    from systopack.network.reference import quantize_images
    from systopack.records import Record, sha256_of_file
    from systopack.verify.verify import verify as run_verification

    if trace is not None:
        check_out(trace, ".vcd", option="--trace")
    file = network_file(network)
    record = check_out(out or record_beside(network, "verify"), ".json")
    claim("verify", inputs=(file,), outputs=[trace] if trace else [], record=record)
    _check_organisation(load_rows, organisation)
    loaded = load(file)
    design = _design(
        loaded,
        array,
        alpha=alpha,
        cell=cell,
        input_fanout=input_fanout,
        load_rows=load_rows,
        compact=compact,
        cells_per_stage=cells_per_stage,
        cells_per_accumulator=cells_per_accumulator,
        weight_buffers=weight_buffers,
        sub_banks=_checked_parts(sub_banks, organisation),
    )
    pixels = open_data(data).test_images[: max(images, 0)]
    with console.console.status("building the RTL and running it"):
        found = run_verification(
            loaded,
            quantize_images(loaded, pixels),
            array=design,
            organisation=organisation,  # type: ignore[arg-type]
            trace=trace,
        )
    Record(
        kind="verify",
        figures={
            "passed": found.passed,
            "images": found.images,
            "words": found.words,
            "cycles": found.cycles,
            "difference": None if found.difference is None else str(found.difference),
            "assertion": found.assertion,
        },
        configuration={"array": asdict(design), "organisation": organisation, "data": data},
        inputs={str(network): sha256_of_file(file)},
        outputs={} if trace is None else {str(trace): sha256_of_file(trace)},
    ).write(record)
    if found.reason is not None:
        console.explain_error(found.reason)
        raise typer.Exit(1)
    console.say(
        f"{found.images} images, {found.words:,} words and {found.cycles:,} cycles an image: "
        f"the RTL, the integer reference and the cycle model agree; wrote {record}"
    )


def _check_organisation(load_rows: int | None, organisation: str) -> None:
    """Refuse an option that would change nothing."""
    if organisation == "pipelined" and load_rows is not None:
        refuse_idle(
            ("load_rows",), ("load_rows",), "layer-pipelined cells get their weights one by one"
        )


def _bench_images(network: PackedNetwork, data: str | None) -> NDArray[np.int8] | None:
    """Real images for a test bench; None where no set is named and the sample does not fit."""
    from systopack.data.open import open_data
    from systopack.network.reference import quantize_images
    from systopack.rtl.texts import BENCH_IMAGES

    pixels = open_data(data or "sample").test_images[:BENCH_IMAGES]
    if data is None and pixels.shape[1:] != network.input.shape:
        return None
    return quantize_images(network, pixels)


def _checked_parts(parts: int, organisation: str) -> int:
    """Refuse an option that would change nothing."""
    from systopack.errors import InvalidOptionError

    if organisation == "pipelined" and parts != 1:
        raise InvalidOptionError(
            f"--sub-banks is {parts}, but the layer-pipelined accelerator has no activation "
            "banks; leave it out, or choose --organisation tiled."
        )
    return parts


def _design(network: PackedNetwork, size: str, **options: Any) -> Array:
    """The array that the options describe, with the network's accumulators."""
    from systopack.hardware.array import Array

    rows, columns = array_size(size)
    return Array(rows=rows, columns=columns, accumulator_bits=network.accumulator_bits, **options)
