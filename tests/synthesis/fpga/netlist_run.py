"""Run images through a synthesized ECP5 netlist: the design as the device would hold it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidOptionError
from systopack.folders.working import WorkingFolder
from systopack.network.reference import run
from systopack.synthesis.fpga.design import FpgaDesign
from systopack.synthesis.fpga.ecp5 import Ecp5Netlist
from systopack.synthesis.yosys import run_yosys
from tests.verify.axi_host import SimulatedBoard

_QUIET = "// verilator lint_off WIDTHEXPAND\n// verilator lint_off WIDTHTRUNC\n"  # of yosys' words
_MODELS = [Path(__file__).with_name(name) for name in ("dp16kd.v", "mult18x18d.v")]


@dataclass(frozen=True, kw_only=True)
class NetlistRun:
    """What a netlist did with images.

    Args:
        images: run.
        results: words compared with the integer reference.
        different: of them, not equal.
        cycles: of one image, as the netlist's own register counts them.
    """

    images: int
    results: int
    different: int
    cycles: int


def simulate_netlist(
    design: FpgaDesign, netlist: Ecp5Netlist, images: NDArray[np.int8]
) -> NetlistRun:
    """Configure the netlist through AXI in Verilator, run images, and compare the results.

    Args:
        design: with the program of a network.
        netlist: of this design.
        images: shape (B, C, H, W), int8, at least one.

    Raises:
        InvalidOptionError: the design has no program, or there is no image.
        InvalidFileError: a tool is missing, or the netlist has cells without a simulation model.
        InvalidNetworkError: the results do not come.
    """
    if design.program is None:
        raise InvalidOptionError("The design has no network to run; give one of a network.")
    if not len(images):
        raise InvalidOptionError("There is no image to run; give at least one.")
    network = design.program.network
    board = SimulatedBoard(design.program, netlist=simulation_verilog(netlist, top=design.top))
    board.host.configure(design.program)
    expected = run(network, images)[network.output.name].reshape(len(images), -1)
    limit = 4 * (design.cycles or 1 << 20)
    found = np.stack([board.run(image, cycle_limit=limit) for image in images])
    while board.host.busy():  # the last result leaves before the run ends
        pass
    return NetlistRun(
        images=len(images),
        results=expected.size,
        different=int(np.count_nonzero(found != expected)),
        cycles=board.host.cycles(),
    )


def simulation_verilog(netlist: Ecp5Netlist, *, top: str) -> str:
    """A netlist in which every cell is replaced by its model, for Verilator.

    The models are yosys' own, `dp16kd.v` and `mult18x18d.v`. Only inside them something is simplified: constants,
    equal expressions, and what no output depends on.

    Raises:
        InvalidFileError: yosys is missing, or a cell has no model.
    """
    with WorkingFolder("netlist") as folder:
        source = folder / "netlist.v"
        source.write_bytes(netlist.verilog)
        run = run_yosys(
            top=top,
            models=["+/ecp5/cells_sim.v"],
            sources=[*_MODELS, source],
            commands=[
                "proc",
                f"setundef -zero {top}",  # pins of which nothing depends
                "flatten",
                "opt_expr",
                "opt_reduce",
                "opt_merge",
                "opt_muxtree",
                "opt_expr",
                "opt_mem",  # ports that never write
                "rename -hide w:*",  # long names are most of the text
                "rename -hide c:*",
                "opt_clean -purge",
                "write_verilog -noattr simulated.v",
            ],
            outputs=["simulated.v"],
        )
    return f"{_QUIET}{run.text('simulated.v')}"
