"""`systopack rtl` and `systopack verify`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from systopack.cli import console
from systopack.cli.options import ArrayOption, DataOption, SetOption, check_out
from systopack.cli.outputs import claim
from systopack.hardware.named_arrays import DEFAULT_ARRAY, array_from

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from systopack.hardware.array import Array
    from systopack.network.network import PackedNetwork

NetworkArgument = Annotated[Path, typer.Argument(help="Packed network (.spk) or zoo:NAME.")]
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
    array: ArrayOption = DEFAULT_ARRAY,
    set_: SetOption = None,
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

    Example: systopack rtl packed.spk --array 16x16 --set alpha=4 --out rtl
    systopack rtl zoo:lenet5-mnist --organisation pipelined --out pipelined
    systopack rtl zoo:lenet5-mnist --array compact-32x32 --out compact
    """
    from systopack.folders.output import check_folder
    from systopack.network.file import load
    from systopack.network.packaged import network_file
    from systopack.rtl.write import write_rtl

    check_folder(out)
    loaded = load(network_file(network))
    design = array_from(array, set_ or (), accumulator_bits=loaded.accumulator_bits)
    _check_sub_banks(design, organisation)
    written = write_rtl(
        loaded,
        array=design,
        out=out,
        organisation=organisation,
        image=_bench_images(loaded, data),
    )
    console.say(
        f"wrote {len(written.files)} files to {out}: {design.label}, {written.cycles:,} cycles an "
        f"image, {written.memory_bits:,} bits of memory"
    )
    if written.warning is not None:
        console.say(written.warning)


def verify(
    network: NetworkArgument,
    data: DataOption = "sample",
    images: Annotated[int, typer.Option(help="Test images to run.")] = 4,
    array: ArrayOption = DEFAULT_ARRAY,
    set_: SetOption = None,
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
    loaded = load(file)
    design = array_from(array, set_ or (), accumulator_bits=loaded.accumulator_bits)
    _check_sub_banks(design, organisation)
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


def _bench_images(network: PackedNetwork, data: str | None) -> NDArray[np.int8] | None:
    """Real images for a test bench; None where no set is named and the sample does not fit."""
    from systopack.data.open import open_data
    from systopack.network.reference import quantize_images
    from systopack.rtl.texts import BENCH_IMAGES

    pixels = open_data(data or "sample").test_images[:BENCH_IMAGES]
    if data is None and pixels.shape[1:] != network.input.shape:
        return None
    return quantize_images(network, pixels)


def _check_sub_banks(array: Array, organisation: str) -> None:
    """Refuse what would change nothing."""
    from systopack.errors import InvalidOptionError

    if organisation == "pipelined" and array.sub_banks != 1:
        raise InvalidOptionError(
            f"sub_banks is {array.sub_banks}, but the layer-pipelined accelerator has no "
            "activation banks; add --set sub_banks=1, or choose --organisation tiled."
        )
