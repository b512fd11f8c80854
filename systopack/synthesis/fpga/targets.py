"""The targets `ecp5` and `xilinx`: the tiled accelerator of a network on an FPGA."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from systopack.hardware.weight_options import WeightOptions
from systopack.options import Options, option
from systopack.synthesis.fpga.devices import DEFAULT_DEVICE, device_named
from systopack.synthesis.target import Synthesized, Work

if TYPE_CHECKING:
    from systopack.hardware.tiled.weight_ring import WeightMemory
    from systopack.synthesis.fpga.design import FpgaDesign
    from systopack.synthesis.fpga.ecp5 import Use

_GROUP = "FPGA"


class ClockOptions(Options):
    """What every FPGA is asked for."""

    clock_mhz: float = option(60.0, "Clock to aim at.", gt=0, group=_GROUP)


class Ecp5Options(ClockOptions, WeightOptions):
    """An ECP5."""

    device: str = option(DEFAULT_DEVICE, "The device: LFE5U-25F to LFE5UM5G-85F.", group=_GROUP)
    seeds: int = option(1, "Placements to try, the fastest wins.", ge=1, group=_GROUP)


class XilinxOptions(ClockOptions):
    """A device of AMD's."""

    part: str = option("xcku035-fbva676-2-e", "The device, in Vivado's words.", group=_GROUP)


class Ecp5:
    """Use, clock after routing, and a bitstream."""

    name = "ecp5"
    summary = "LFE5U and LFE5UM FPGAs: use, clock and a bitstream (yosys, nextpnr)."
    example = "systopack synthesize ecp5 zoo:lenet5-mnist --array fpga-ecp5 --out ecp5"
    options = Ecp5Options
    runs_images = None

    def check(self, work: Work, options: Ecp5Options) -> None:
        """Refuse an array that the device cannot hold, before it is mapped."""
        from systopack.synthesis.fpga.ecp5 import check_cells_fit_device

        work.needed_network("target 'ecp5'")
        options.check_weights()
        check_cells_fit_device(work.array, device_named(options.device))

    def synthesize(self, work: Work, options: Ecp5Options) -> Synthesized:
        """Synthesize, place, route, and make the bitstream."""
        from systopack.hardware.tiled.weight_ring import WeightMemory
        from systopack.rtl.memories import tiled_memories
        from systopack.synthesis.fpga.ecp5 import check_memories_fit_device, implement_ecp5

        device, size = device_named(options.device), options.weight_memory
        weights = None
        if size is not None:
            weights = WeightMemory(capacity_bytes=size, beat_bits=int(options.weight_stream))
        design = _design(work, "target 'ecp5'", weights)
        assert design.program is not None
        check_memories_fit_device(tiled_memories(design.program), device)
        cycles = design.cycles or 0
        result = implement_ecp5(
            design,
            device=device,
            target_mhz=options.clock_mhz,
            seeds=range(1, options.seeds + 1),
            on_line=work.on_line,
        )
        best, netlist = result.best, result.netlist
        device_sizes = (device.luts, device.block_rams, device.multipliers)
        frames = best.fmax_mhz * 1e6 / cycles
        told = "met" if best.met else "missed; ask for a slower clock or try more --seeds"
        return Synthesized(
            figures={
                "use": asdict(netlist.use),
                "blocks": {name: asdict(part) for name, part in netlist.blocks.items()},
                "fmax_mhz": {str(placed.seed): placed.fmax_mhz for placed in result.placed},
                "clock_met": best.met,
                "cycles": cycles,
                "frames_per_s": frames,
            },
            header=("", "LUT4", "FF", "block RAM", "multipliers"),
            rows=[
                *((name, *_counts(use)) for name, use in sorted(netlist.blocks.items())),
                ("all", *_counts(netlist.use)),
                (device.name, *map(_number, (device.luts, *device_sizes))),
            ],
            told=f"{best.fmax_mhz:.1f} MHz after routing ({options.clock_mhz:g} MHz asked for: "
            f"{told}), {cycles:,} cycles per image, {frames:,.0f} images per second",
            configuration={
                "device": device.name,
                "clock_mhz": options.clock_mhz,
                "weight_memory": size,
                "weight_stream": None if size is None else int(options.weight_stream),
            },
            files={"design.bit": best.bitstream, "netlist.v": netlist.verilog},
        )


class Xilinx:
    """Counts by yosys, and what Vivado needs."""

    name = "xilinx"
    summary = "AMD's 7-series and UltraScale FPGAs: yosys' counts, RTL and a Vivado script."
    example = "systopack synthesize xilinx zoo:lenet5-mnist --out vivado"
    options = XilinxOptions
    runs_images = None

    def check(self, work: Work, options: XilinxOptions) -> None:
        """Refuse a part that is no name."""
        from systopack.synthesis.fpga.xilinx import vivado_script

        work.needed_network("target 'xilinx'")
        vivado_script((), top="accelerator", part=options.part, clock_mhz=options.clock_mhz)

    def synthesize(self, work: Work, options: XilinxOptions) -> Synthesized:
        """Count resources with yosys, and write the RTL with a Vivado project script."""
        from systopack.rtl.write import rtl_contents
        from systopack.synthesis.fpga.xilinx import FAMILIES, count_xilinx, vivado_script

        design = _design(work, "target 'xilinx'")
        assert design.program is not None
        rtl = rtl_contents(design.program.network, array=work.array)
        names = [name for name in rtl.files if name.endswith(".v") and name != "testbench.v"]
        script = vivado_script(
            names, top="accelerator", part=options.part, clock_mhz=options.clock_mhz
        )
        uses = {
            family: count_xilinx(design, family=family, on_line=work.on_line) for family in FAMILIES
        }
        return Synthesized(
            figures={
                "use": {family: asdict(use) for family, use in uses.items()},
                "cycles": design.cycles,
            },
            header=("yosys, approximate", "LUT", "FF", "RAMB36", "DSP48"),
            rows=[
                (
                    family,
                    _number(use.luts),
                    _number(use.flip_flops),
                    f"{use.block_rams:g}",
                    _number(use.multipliers),
                )
                for family, use in uses.items()
            ],
            told="with the RTL and vivado.tcl: vivado -mode batch -source vivado.tcl",
            configuration={"part": options.part, "clock_mhz": options.clock_mhz},
            files={**rtl.files, "vivado.tcl": script},
            warnings=() if rtl.warning is None else (rtl.warning,),
        )


def _design(work: Work, why: str, weights: WeightMemory | None = None) -> FpgaDesign:
    """The accelerator of the network, its groups dealt to the array so that memories are small."""
    from systopack.network.group_order import fit_groups
    from systopack.synthesis.fpga.design import tiled_design

    array = work.array
    fitted = fit_groups(work.needed_network(why), columns=array.columns, alpha=array.alpha)
    return tiled_design(fitted, array=array, weights=weights)


def _counts(use: Use) -> tuple[str, ...]:
    return tuple(map(_number, asdict(use).values()))


def _number(count: int) -> str:
    return f"{count:,}"
