"""`systopack synthesize --target ecp5` and `--target xilinx`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from systopack.cli import console
from systopack.hardware.array import Array
from systopack.network.network import PackedNetwork


def synthesize_ecp5(
    network: PackedNetwork,
    *,
    array: Array,
    out: Path,
    device: str,
    clock_mhz: float,
    seeds: int,
    inputs: dict[str, str],
) -> None:
    """Build a bitstream, print what it uses and how fast it is, and write both to a folder."""
    from systopack.folders.output import write_folder
    from systopack.records import Record
    from systopack.synthesis.fpga.design import tiled_design
    from systopack.synthesis.fpga.devices import device_named
    from systopack.synthesis.fpga.ecp5 import check_cells_fit_device, implement_ecp5

    chosen = device_named(device)
    check_cells_fit_device(array, chosen)
    design = tiled_design(network, array=array)
    cycles = design.cycles or 0
    with console.console.status("synthesizing, placing and routing; minutes to an hour"):
        result = implement_ecp5(
            design, device=chosen, target_mhz=clock_mhz, seeds=range(1, seeds + 1)
        )
    best, use = result.best, result.netlist.use
    record = Record(
        kind="synthesize-ecp5",
        figures={
            "use": asdict(use),
            "blocks": {name: asdict(part) for name, part in result.netlist.blocks.items()},
            "fmax_mhz": {str(placed.seed): placed.fmax_mhz for placed in result.placed},
            "clock_met": best.met,
            "cycles": cycles,
            "frames_per_s": best.fmax_mhz * 1e6 / cycles,
        },
        configuration={"device": device, "clock_mhz": clock_mhz, "array": asdict(array)},
        inputs=inputs,
    )
    write_folder(
        out,
        {
            "design.bit": best.bitstream,
            "netlist.v": result.netlist.verilog,
            "synthesize.json": record.to_json(),
        },
    )
    rows = [(name, *_cells(asdict(part))) for name, part in sorted(result.netlist.blocks.items())]
    rows.append(("all", *_cells(asdict(use))))
    rows.append((chosen.name, *map(_number, (chosen.luts, chosen.luts))))
    rows[-1] += (_number(chosen.block_rams), _number(chosen.multipliers))
    console.table(("", "LUT4", "FF", "block RAM", "multipliers"), rows)
    told = "met" if best.met else "missed; ask for a slower clock or try more --seeds"
    console.say(
        f"{best.fmax_mhz:.1f} MHz after routing ({clock_mhz:g} MHz asked for: {told}), "
        f"{cycles:,} cycles an image, {best.fmax_mhz * 1e6 / cycles:,.0f} images per second; "
        f"wrote {out}"
    )


def synthesize_xilinx(
    network: PackedNetwork, *, array: Array, out: Path, part: str, clock_mhz: float
) -> None:
    """Count resources with yosys and write the RTL with a Vivado project script."""
    from systopack.rtl.write import write_rtl
    from systopack.synthesis.fpga.design import tiled_design
    from systopack.synthesis.fpga.xilinx import FAMILIES, count_xilinx, vivado_script

    def project(names: list[str]) -> dict[str, str]:
        names = [name for name in names if name != "testbench.v"]
        script = vivado_script(names, top="accelerator", part=part, clock_mhz=clock_mhz)
        return {"vivado.tcl": script}

    written = write_rtl(network, array=array, out=out, extra=project)
    if written.warning is not None:
        console.say(written.warning)
    design = tiled_design(network, array=array)
    rows = []
    with console.console.status("counting with yosys"):
        for family in FAMILIES:
            use = count_xilinx(design, family=family)
            counts = map(_number, (use.luts, use.flip_flops))
            rows.append((family, *counts, f"{use.block_rams:g}", _number(use.multipliers)))
    console.table(("yosys, approximate", "LUT", "FF", "RAMB36", "DSP48"), rows)
    console.say(f"wrote the RTL and vivado.tcl to {out}: vivado -mode batch -source vivado.tcl")


def _cells(use: dict[str, Any]) -> tuple[str, ...]:
    return tuple(_number(value) for value in use.values())


def _number(value: int) -> str:
    return f"{value:,}"
