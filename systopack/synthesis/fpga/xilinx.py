"""Resource counts for AMD's 7-series and UltraScale devices, and a Vivado project script.

The counts are yosys' and approximate: it knows the adders of the 7 series only, so an UltraScale's
CARRY8 are counted as CARRY4, and it packs nothing. Vivado's own figures come from the script.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from systopack.errors import InvalidOptionError
from systopack.synthesis.fpga.design import DEFINE, FpgaDesign
from systopack.synthesis.yosys import run_yosys

FAMILIES = {"7-series": "xc7", "ultrascale": "xcu"}
_RAM_HALVES = {"RAMB18E1": 1, "RAMB18E2": 1, "RAMB36E1": 2, "RAMB36E2": 2}
_MEMORY_LUTS = {
    "RAM16X1D": 2,
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM128X1D": 4,
    "RAM32M": 4,
    "RAM64M": 4,
    "RAM32M16": 8,
    "RAM64M8": 8,
    "SRL16E": 1,
    "SRLC16E": 1,
    "SRLC32E": 1,
}


@dataclass(frozen=True, kw_only=True)
class XilinxUse:
    """Resources that yosys counts.

    Args:
        family: a key of `FAMILIES`.
        luts: LUT1 to LUT6, and LUTs used as memories or shift registers.
        flip_flops: FDRE and its kin.
        carries: CARRY4.
        block_rams: of 36 kbit; half a one where only 18 kbit are used.
        multipliers: DSP48.
    """

    family: str
    luts: int
    flip_flops: int
    carries: int
    block_rams: float
    multipliers: int


def count_xilinx(
    design: FpgaDesign, *, family: str, on_line: Callable[[str], None] | None = None
) -> XilinxUse:
    """Map a design to a family's cells and count them.

    Raises:
        InvalidOptionError: there is no such family.
        InvalidFileError: yosys is missing or refuses the design.
    """
    if family not in FAMILIES:
        raise InvalidOptionError(
            f"The family is '{family}', but it must be one of {', '.join(FAMILIES)}."
        )
    run = run_yosys(
        top=design.top,
        parameters=design.parameters,
        sources=design.sources,
        defines=(DEFINE,),
        commands=[
            f"synth_xilinx -family {FAMILIES[family]} -noiopad",
            "flatten",
            "clean -purge",
            "tee -q -o cells.json stat -json",
        ],
        outputs=("cells.json",),
        on_line=on_line,
    )
    return use_of(family, json.loads(run.text("cells.json"))["design"]["num_cells_by_type"])


def use_of(family: str, cells: Mapping[str, int]) -> XilinxUse:
    """Cells by type as resources.

    >>> use_of("7-series", {"LUT6": 3, "RAM32M": 1, "RAMB18E1": 1, "FDRE": 5}).luts
    7
    """
    counts = Counter(cells)
    luts = sum(counts[f"LUT{inputs}"] for inputs in range(1, 7))
    halves = sum(size * counts[name] for name, size in _RAM_HALVES.items())
    return XilinxUse(
        family=family,
        luts=luts + sum(size * counts[name] for name, size in _MEMORY_LUTS.items()),
        flip_flops=sum(counts[name] for name in ("FDRE", "FDSE", "FDCE", "FDPE")),
        carries=counts["CARRY4"],
        block_rams=halves / 2,
        multipliers=counts["DSP48E1"] + counts["DSP48E2"],
    )


def vivado_script(sources: Sequence[str], *, top: str, part: str, clock_mhz: float) -> str:
    """Tcl that builds a project from the written RTL and reports use and timing.

    The design is built out of context: its AXI ports go to other logic, not to pins.

    Args:
        sources: file names beside the script.
        top: the top module, without parameters.
        part: Vivado's name of the device, for instance xcku035-fbva676-2-e.
        clock_mhz: the clock to ask for, above 0.

    Raises:
        InvalidOptionError: the clock is not above 0, or the part is no name.
    """
    if not clock_mhz > 0:
        raise InvalidOptionError(f"The clock is {clock_mhz} MHz; give a number above 0.")
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", part) is None:
        raise InvalidOptionError(
            f"The part is '{part}'; give Vivado's name of a device, for instance "
            "xcku035-fbva676-2-e."
        )
    files = " ".join(sources)
    return f"""# vivado -mode batch -source vivado.tcl
# Builds {top} out of context for {part} and writes its use and timing beside this file.
set here [file dirname [file normalize [info script]]]
create_project -force {top} [file join $here vivado] -part {part}
foreach name {{{files}}} {{
    add_files -norecurse [file join $here $name]
}}
set_property top {top} [current_fileset]
set_property verilog_define {DEFINE} [current_fileset]
set constraints [file join $here vivado clock.xdc]
set stream [open $constraints w]
puts $stream "create_clock -name clk -period {1000 / clock_mhz:.3f} \\[get_ports clk\\]"
close $stream
add_files -fileset constrs_1 $constraints
synth_design -top {top} -part {part} -mode out_of_context -flatten_hierarchy rebuilt
opt_design
place_design
phys_opt_design
route_design
report_utilization -hierarchical -file [file join $here utilization.txt]
report_timing_summary -file [file join $here timing.txt]
write_checkpoint -force [file join $here {top}.dcp]
"""
