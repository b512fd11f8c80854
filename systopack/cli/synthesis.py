"""`systopack synthesize`: a packed network's accelerator through the tools of a target."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from systopack.cli.effects import NO_CONTEXT, given, refuse_idle
from systopack.cli.hardware import AlphaOption, CellOption
from systopack.cli.options import SizeOption, array_size
from systopack.cli.outputs import claim_folder
from systopack.errors import InvalidOptionError

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
    array: SizeOption = "32x16",
    alpha: AlphaOption = 8,
    cell: CellOption = "mx",
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
    sub_banks: Annotated[int, typer.Option(help="Memories of an activation bank, 1, 2 or 4.")] = 1,
    data: Annotated[str, typer.Option(help="asic: images, 'sample' or a folder.")] = "sample",
    compact: Annotated[bool, typer.Option(help="asic: cells with the fewest flip-flops.")] = True,
    input_fanout: Annotated[
        int | None, typer.Option(help="asic: rows that share input registers. [default: all]")
    ] = None,
    cells_per_stage: Annotated[
        int, typer.Option(help="asic: compact cells that share sum registers.")
    ] = 2,
    cells_per_accumulator: Annotated[
        int, typer.Option(help="asic: compact cells whose products share an accumulator, 1 or 2.")
    ] = 1,
    weight_buffers: Annotated[
        int, typer.Option(help="Weights a cell holds; 1: the next ones come with a tile's words.")
    ] = 2,
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
    from systopack.hardware.array import Array
    from systopack.network.file import load
    from systopack.network.group_order import fit_groups
    from systopack.network.packaged import network_file
    from systopack.records import sha256_of_file

    _check_effects(
        given(context),
        target=target,
        block=block,
        cell=cell,
        compact=compact,
        alone=network is None,
    )
    claim_folder("synthesize", out, inputs=(network, liberty))
    rows, columns = array_size(array)
    if target != "asic":
        check_folder(out)
    if target == "asic":
        serial = compact and cell in ("mx", "il")
        asic.synthesize_asic(
            asic.Request(
                network=network,
                data=data,
                array=Array(
                    rows=rows,
                    columns=columns,
                    alpha=alpha,
                    cell=cell,  # type: ignore[arg-type]
                    compact=serial,
                    input_fanout=input_fanout or rows,
                    cells_per_stage=min(cells_per_stage, columns) if serial else 1,
                    cells_per_accumulator=cells_per_accumulator,
                    weight_buffers=weight_buffers,
                    sub_banks=sub_banks,
                ),
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
    design = Array(
        rows=rows,
        columns=columns,
        alpha=alpha,
        accumulator_bits=loaded.accumulator_bits,
        cell=cell,  # type: ignore[arg-type]
        cells_per_accumulator=cells_per_accumulator,
        weight_buffers=weight_buffers,
        sub_banks=sub_banks,
    )
    fitted = fit_groups(loaded, columns=columns, alpha=alpha)
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
    "asic": (
        *("block", "liberty", "clock_ns", "node_nm", "data", "compact"),
        *("input_fanout", "cells_per_stage"),
    ),
    "ecp5": ("device", "seeds"),
    "xilinx": ("part",),
}


def _check_effects(
    options: Collection[str], *, target: str, block: str, cell: str, compact: bool, alone: bool
) -> None:
    """Refuse options that this target, block or cell does not read."""
    for other, names in _OF_TARGET.items():
        if other != target:
            refuse_idle(options, names, f"it is for --target {other}")
    if target != "asic":
        return
    refuse_idle(options, ("clock_mhz",), "the ASIC target takes --clock-ns")
    if block != "accelerator":
        refuse_idle(options, ("node_nm",), "only --block accelerator has memories")
    if block not in ("accelerator", "periphery"):
        refuse_idle(options, ("sub_banks",), f"--block {block} has no activation banks")
    if alone or block == "accelerator":
        refuse_idle(options, ("data",), "no image is run here")
    if cell not in ("mx", "il"):
        idle = ("compact", "cells_per_stage") if compact else ("cells_per_stage",)
        refuse_idle(options, idle, f"there are no compact '{cell}' cells")
    elif not compact:
        refuse_idle(options, ("cells_per_stage",), "only compact cells share sum registers")
