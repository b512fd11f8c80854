"""The tiled accelerator of one network, as yosys reads it for an FPGA."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from systopack.hardware.array import Array
from systopack.hardware.tiled.cycles import count_tiled
from systopack.hardware.tiled.weight_ring import WeightMemory
from systopack.network.network import PackedNetwork
from systopack.rtl.identity import axi_parameters
from systopack.rtl.parameters import AXI_TILED_SOURCES, sources
from systopack.rtl.program import TiledProgram, compile_tiled

TOP = "axi_tiled"
DEFINE = "SYSTOPACK_FPGA"  # of the Verilog: registers in place of logic


@dataclass(frozen=True, kw_only=True, eq=False)
class FpgaDesign:
    """What is synthesized.

    Args:
        top: the top module.
        sources: Verilog files.
        parameters: of the top module.
        program: the compiled network, None for a design without one.
        cycles: of one image.
    """

    top: str
    sources: tuple[Path, ...]
    parameters: Mapping[str, int]
    program: TiledProgram | None = None
    cycles: int | None = None


def tiled_design(
    network: PackedNetwork, *, array: Array, weights: WeightMemory | None = None
) -> FpgaDesign:
    """The tiled accelerator behind AXI, its memories sized for a network.

    Args:
        weights: the memory that the weights share, the others come as a stream; None: one that
            holds them all.

    Raises:
        InvalidOptionError: the network does not fit the array, or two of its tiles the memory.
    """
    program = compile_tiled(network, array=array, weights=weights)
    return FpgaDesign(
        top=TOP,
        sources=tuple(sources(AXI_TILED_SOURCES)),
        parameters=axi_parameters(program),
        program=program,
        cycles=count_tiled(network, array=array, plan=program.plan).cycles,
    )
