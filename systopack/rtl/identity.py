"""What an accelerator was built for: the parameters behind its AXI ports, and their digest.

The digest stands in the BUILD register. Networks with the same digest run on the same hardware:
widths, depths and, in a layer-pipelined accelerator, all wires are equal; memory contents are not
part of it.
"""

from __future__ import annotations

import hashlib

import numpy as np

from systopack.rtl.pipelined.program import PipelinedProgram
from systopack.rtl.pipelined.top import top_module
from systopack.rtl.program import TiledProgram
from systopack.rtl.registers import PIPELINED_IDENTITY, TILED_IDENTITY

Program = TiledProgram | PipelinedProgram
_DIGEST_BITS = 31  # a positive number in every tool's arithmetic


def identity(program: Program) -> int:
    """What the IDENTITY register of this network's accelerator reads."""
    return PIPELINED_IDENTITY if isinstance(program, PipelinedProgram) else TILED_IDENTITY


def axi_parameters(program: Program) -> dict[str, int]:
    """The parameters of `axi_tiled` or `axi_pipelined` for a compiled network."""
    return {**_sizes(program), "BUILD": build_digest(program)}


def build_digest(program: Program) -> int:
    """What the BUILD register of this network's accelerator reads, 31 bits."""
    sizes = [f"{name}={value}" for name, value in sorted(_sizes(program).items())]
    if isinstance(program, PipelinedProgram):
        # Comments have names, which say nothing of the hardware.
        lines = (line.strip() for line in top_module(program).splitlines())
        sizes += [line for line in lines if not line.startswith(("//", "/*"))]
    digest = hashlib.sha256("\n".join(sizes).encode()).digest()
    return int.from_bytes(digest[:4], "big") & ((1 << _DIGEST_BITS) - 1)


def _sizes(program: Program) -> dict[str, int]:
    if isinstance(program, PipelinedProgram):
        return dict(program.parameters)
    shapes = program.network.shapes
    results = int(np.prod(shapes[program.network.output.name]))
    return {"RESULTS": results, **program.parameters}
