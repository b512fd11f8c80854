"""Run images through a synthesized ECP5 netlist: the design as the device would hold it.

Lookup tables, adders, flip-flops and distributed memories are yosys' own simulation models of the
cells; the block memory's is `verilog/DP16KD.v`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidFileError, InvalidOptionError
from systopack.network.reference import run
from systopack.synthesis.fpga.design import TOP, FpgaDesign
from systopack.synthesis.fpga.ecp5 import Ecp5Netlist
from systopack.synthesis.yosys import run_yosys, yosys_version
from systopack.verify.axi import SimulatedBoard

_MEMORY = Path(__file__).parent / "verilog" / "DP16KD.v"
_MODELS = ("cells_sim.v", "common_sim.vh", "ccu2c_sim.vh")
_ONLY_OURS = '`define NO_INCLUDES\n`include "cells_sim.v"\n'


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
    design: FpgaDesign,
    netlist: Ecp5Netlist,
    images: NDArray[np.int8],
    *,
    on_line: Callable[[str], None] | None = None,
) -> NetlistRun:
    """Configure the netlist through AXI, stream images in and compare the results.

    Args:
        design: with the program of a network.
        netlist: of this design.
        images: shape (B, C, H, W), int8.
        on_line: called with every line that yosys prints.

    Raises:
        InvalidOptionError: the design has no program, or multipliers, which have no model.
        InvalidFileError: a tool is missing or fails.
    """
    if design.program is None:
        raise InvalidOptionError("The design has no network to run; give one of a network.")
    if netlist.use.multipliers:
        raise InvalidOptionError(
            f"The netlist has {netlist.use.multipliers} multipliers, which have no simulation "
            "model; take a network without average pooling."
        )
    network = design.program.network
    with tempfile.TemporaryDirectory(prefix="systopack-netlist-") as name:
        flat = Path(name) / "flat.v"
        flat.write_bytes(expanded(netlist, on_line=on_line))
        board = SimulatedBoard(design.program, netlist=[flat, _MEMORY])
    board.host.configure(design.program)
    expected = run(network, images)[network.output.name].reshape(len(images), -1)
    found = np.stack([board.run(image) for image in images])
    return NetlistRun(
        images=len(images),
        results=found.size,
        different=int(np.count_nonzero(found != expected)),
        cycles=board.host.cycles(),
    )


def expanded(netlist: Ecp5Netlist, *, on_line: Callable[[str], None] | None = None) -> bytes:
    """The netlist as Verilog in which every cell but the block memories is its model."""
    yosys_version()
    found = find_spec("pyosys")
    share = Path(found.origin).parent / "share" / "ecp5" if found and found.origin else Path()
    if not (share / "cells_sim.v").is_file():
        raise InvalidFileError(
            f"yosys' models of ECP5 cells are not in '{share}'; install it anew with 'pip install "
            "--force-reinstall pyosys'."
        )
    with tempfile.TemporaryDirectory(prefix="systopack-netlist-") as name:
        mapped, models = Path(name) / "netlist.v", Path(name) / "models.v"
        mapped.write_bytes(netlist.verilog)
        models.write_text(_ONLY_OURS)
        result = run_yosys(
            top=TOP,
            sources=[models, mapped],
            inputs=[share / model for model in _MODELS],
            commands=[
                "blackbox DP16KD",
                "proc",
                "opt_expr",
                "opt_clean",
                "flatten",
                "splitnets",  # single bits: no vectors are put together for one of them
                "opt_clean -purge",
                "rename -hide",  # short names: a twentieth of the text
                "write_verilog -noattr flat.v",
            ],
            outputs=("flat.v",),
            on_line=on_line,
        )
    return result.files["flat.v"]
