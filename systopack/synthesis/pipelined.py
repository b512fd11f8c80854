"""The layer-pipelined accelerator of a network on standard cells, all but its arrays."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from systopack.rtl.parameters import PIPELINED_SOURCES, sources
from systopack.rtl.pipelined.program import PipelinedProgram
from systopack.rtl.pipelined.top import top_module
from systopack.synthesis.accelerator import WHOLE_FILE, Design, PartArea, areas_of, run_design
from systopack.synthesis.asic import TOP, MappingOptions
from systopack.synthesis.buffering import buffered
from systopack.synthesis.delays import propagate, starts_of
from systopack.synthesis.gate_parts import netlist_of, registers_of
from systopack.synthesis.library import Library

_PARTS = ("pipe_window", "pipe_streams", "pipe_array", "pipe_lane", "pipe_pool", "pipe_host")
_ARRAY = "systolic_array"


@dataclass(frozen=True, kw_only=True)
class PipelinedMapping:
    """What stands around the arrays of a layer-pipelined accelerator.

    Args:
        parts: area of logic and memories, the largest first.
        critical_ns: shortest clock period; what arrays and memories give comes at time 0.
        startpoint, endpoint: registers between which the longest path goes.
    """

    parts: tuple[PartArea, ...]
    critical_ns: float
    startpoint: str
    endpoint: str

    @property
    def area_um2(self) -> float:
        """Of all parts."""
        return sum(part.logic_um2 + part.memory_um2 for part in self.parts)


def map_pipelined(
    program: PipelinedProgram,
    *,
    library: Library,
    options: MappingOptions | None = None,
    on_line: Callable[[str], None] | None = None,
) -> PipelinedMapping:
    """Map the accelerator; its arrays are black boxes, which are measured as arrays.

    Args:
        program: a compiled network.
        library: standard cells; memories are scaled to its node.
        options: how it is mapped.
        on_line: called with every line that yosys prints.

    Raises:
        InvalidFileError: yosys is missing or refuses the design.
        InvalidOptionError: the library's node is not known.
    """
    design = Design(
        top="pipelined_accelerator",
        sources=tuple(sources(PIPELINED_SOURCES)),
        text=top_module(program),
        parameters={},
        parts=_PARTS,
        boxes=(_ARRAY,),
    )
    run = run_design(design, library, options, on_line)
    whole = json.loads(run.text(WHOLE_FILE))["modules"][TOP]
    registers = registers_of(whole, library)
    netlist = buffered(netlist_of(whole, library, boxes=design.boxes))
    delays = propagate(netlist)
    worst, end = max(
        (float(times.max()), netlist.instances[cell].names[int(times.argmax())])
        for cell, times in delays.ends_ns.items()
        if np.size(times)
    )
    start = starts_of(netlist, delays, [end])[0]
    return PipelinedMapping(
        parts=areas_of(run, design, library),
        critical_ns=max(worst, delays.critical_ns),
        startpoint=registers.get(start, start),
        endpoint=registers.get(end, end) if worst == delays.critical_ns else delays.endpoint,
    )
