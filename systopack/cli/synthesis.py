"""`systopack synthesize`: a packed network's accelerator through the tools of a target."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from systopack.cli.effects import NO_CONTEXT, given, refuse_idle
from systopack.cli.options import ArrayOption, SetOption
from systopack.cli.outputs import claim_folder
from systopack.errors import InvalidOptionError
from systopack.hardware.named_arrays import DEFAULT_ARRAY, array_from

TARGETS = {
    "asic": "standard cells: area, clock, and energy of real work at gate level (yosys)",
    "ecp5": "LFE5U and LFE5UM FPGAs: use, clock and a bitstream (yosys, nextpnr)",
    "xilinx": "AMD's 7-series and UltraScale FPGAs: yosys' counts, RTL and a Vivado script",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(synthesize)


def synthesize(
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    network: Annotated[
        Path | None,
        typer.Argument(help="Packed network (.spk), or zoo:NAME; asic: without one no energy."),
    ] = None,
    target: Annotated[
        str,
        typer.Option(help="; ".join(f"{name}: {text}" for name, text in TARGETS.items()) + "."),
    ] = "ecp5",
    array: ArrayOption = DEFAULT_ARRAY,
    set_: SetOption = None,
    device: Annotated[str, typer.Option(help="ecp5: the device.")] = "LFE5UM-85F",
    part: Annotated[
        str, typer.Option(help="xilinx: the device, in Vivado's words.")
    ] = "xcku035-fbva676-2-e",
    clock_mhz: Annotated[float, typer.Option(help="Clock to aim at.")] = 60.0,
    seeds: Annotated[int, typer.Option(help="ecp5: placements to try, the fastest wins.")] = 1,
    block: Annotated[
        str,
        typer.Option(
            help="asic: cell, row, array, accelerator (area), or periphery (energy of the "
            "accelerator's periphery)."
        ),
    ] = "array",
    liberty: Annotated[
        Path | None, typer.Option(help="asic: Liberty file. [default: sky130hd, bundled]")
    ] = None,
    clock_ns: Annotated[float, typer.Option(help="asic: clock period to size gates for.")] = 1.5,
    node_nm: Annotated[
        float | None,
        typer.Option(
            help="asic: node of the library, for an accelerator's memories. [default: 130 for "
            "the bundled library, else 45]"
        ),
    ] = None,
    data: Annotated[str, typer.Option(help="asic: images, 'sample' or a folder.")] = "sample",
    context: typer.Context = NO_CONTEXT,
) -> None:
    """Build the tiled accelerator of a network with the tools of a target.

    Column groups are dealt to the array first, so that the memories are small.

    Examples: systopack synthesize zoo:lenet5-mnist --target ecp5 --array 32x16 --out ecp5

    systopack synthesize --target asic --block cell --array 8x8 --alpha 8 --out cell

    systopack synthesize zoo:resnet20-cifar10 --target asic --data cifar10 --array 8x8
    --cells-per-stage 8 --cells-per-accumulator 2 --weight-buffers 1
    --liberty nangate45_typ.lib.gz --out asic

    systopack synthesize zoo:lenet5-mnist --target asic --block accelerator --array 8x8 --out whole

    systopack synthesize zoo:lenet5-mnist --target asic --block periphery --array 16x16 --out
    periphery
    """
    if target not in TARGETS:
        raise InvalidOptionError(
            f"--target is '{target}', but it must be one of {', '.join(TARGETS)}."
        )
    if seeds < 1:
        raise InvalidOptionError(f"--seeds is {seeds}; give at least 1.")
    from systopack.cli import asic, fpga
    from systopack.folders.output import check_folder
    from systopack.network.file import load
    from systopack.network.group_order import fit_groups
    from systopack.network.packaged import network_file
    from systopack.records import sha256_of_file

    _check_effects(
        given(context),
        target=target,
        block=block,
        alone=network is None,
    )
    claim_folder("synthesize", out, inputs=(network, liberty))
    if target != "asic":
        check_folder(out)
    if target == "asic":
        asic.synthesize_asic(
            asic.Request(
                network=network,
                data=data,
                array=array_from(array, set_ or ()),
                block=block,
                liberty=liberty,
                clock_ns=clock_ns,
                node_nm=node_nm,
                out=out,
            )
        )
        return
    if network is None:
        raise InvalidOptionError(f"--target {target} builds a network; give its .spk or zoo:NAME.")
    file = network_file(network)
    loaded = load(file)
    design = array_from(array, set_ or (), accumulator_bits=loaded.accumulator_bits)
    fitted = fit_groups(loaded, columns=design.columns, alpha=design.alpha)
    if target == "ecp5":
        fpga.synthesize_ecp5(
            fitted,
            array=design,
            out=out,
            device=device,
            clock_mhz=clock_mhz,
            seeds=seeds,
            inputs={str(network): sha256_of_file(file)},
        )
    else:
        fpga.synthesize_xilinx(fitted, array=design, out=out, part=part, clock_mhz=clock_mhz)


_OF_TARGET = {
    "asic": ("block", "liberty", "clock_ns", "node_nm", "data"),
    "ecp5": ("device", "seeds"),
    "xilinx": ("part",),
}


def _check_effects(options: Collection[str], *, target: str, block: str, alone: bool) -> None:
    """Refuse options that this target, block or cell does not read."""
    for other, names in _OF_TARGET.items():
        if other != target:
            refuse_idle(options, names, f"it is for --target {other}")
    if target != "asic":
        return
    refuse_idle(options, ("clock_mhz",), "the ASIC target takes --clock-ns")
    if block != "accelerator":
        refuse_idle(options, ("node_nm",), "only --block accelerator has memories")
    if alone or block == "accelerator":
        refuse_idle(options, ("data",), "no image is run here")
