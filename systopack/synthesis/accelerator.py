"""The whole tiled accelerator on standard cells, part by part: area of logic and of memories.

Every module is mapped once and counted as often as it stands in the design; hierarchy is kept, so
nothing is shared between parts. Memories are left out of the mapping and get the area of the cited
table (`hardware/energy/technology.toml`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from systopack.errors import InvalidFileError
from systopack.folders.working import WorkingFolder
from systopack.hardware.energy.technology import load_technology
from systopack.rtl.parameters import TILED_SOURCES, sources
from systopack.rtl.program import TiledProgram
from systopack.synthesis.asic import DEFINES, TOP, MappingFiles, MappingOptions
from systopack.synthesis.library import Library
from systopack.synthesis.parts import Content, base_name, contents_of_parts
from systopack.synthesis.yosys import YosysRun, run_yosys

# Which bits of a register share an enable, and so a clock gate, is seen where it is used alone.
_REGISTERS_IN_PLACE = (
    "proc",
    "setattr -mod -set keep_hierarchy 1 *",
    "setattr -mod -unset keep_hierarchy *masked_register* *weight_register*",
    "flatten",
    "setattr -mod -unset keep_hierarchy *",
)
_MEMORY = """(* blackbox *)
module memory #(
    parameter WIDTH = 8,
    parameter ADDRESS_BITS = 10,
    parameter WORDS = 1 << ADDRESS_BITS
) (
    input  wire                    clk,
    input  wire                    write,
    input  wire [ADDRESS_BITS-1:0] write_address,
    input  wire [WIDTH-1:0]        write_data,
    input  wire [ADDRESS_BITS-1:0] read_address,
    output wire [WIDTH-1:0]        read_data
);
endmodule
"""


@dataclass(frozen=True, kw_only=True)
class PartArea:
    """What one part of the accelerator takes, all its instances together.

    Args:
        name: see `parts.PARTS`.
        logic_um2: area of its standard cells.
        flip_flops: of it.
        memories: number of memories.
        memory_bits: of all of them.
        memory_um2: their area by the cited table.
    """

    name: str
    logic_um2: float
    flip_flops: int
    memories: int
    memory_bits: int
    memory_um2: float


def map_accelerator(
    program: TiledProgram,
    *,
    library: Library,
    options: MappingOptions | None = None,
    on_line: Callable[[str], None] | None = None,
) -> tuple[PartArea, ...]:
    """Map the accelerator of a compiled network.

    Args:
        program: the network on its array.
        library: standard cells; memories are scaled to its node.
        options: how it is mapped.
        on_line: called with every line that yosys prints.

    Returns:
        The parts, the largest first.

    Raises:
        InvalidFileError: yosys is missing or refuses the design.
        InvalidOptionError: the library's node is not known.
    """
    run = run_mapping(
        program,
        library=library,
        options=options or MappingOptions(),
        after=["opt_clean -purge", "write_json design.json"],
        outputs=["design.json"],
        on_line=on_line,
    )
    modules = json.loads(run.text("design.json"))["modules"]

    def leaf(instance: Mapping[str, Any]) -> Content | None:
        kind = instance["type"]
        if base_name(kind) == "memory":
            sizes = {name: _number(value) for name, value in instance["parameters"].items()}
            words = sizes.get("WORDS", 1 << sizes["ADDRESS_BITS"])
            return Counter({sizes["WIDTH"] * words: 1})
        if kind in library.cells:
            return Counter({kind: 1})
        if kind == "$scopeinfo":
            return Counter()
        if kind not in modules:
            raise InvalidFileError(
                f"yosys left '{kind}' in the accelerator, which library '{library.name}' "
                "lacks; take another library."
            )
        return None

    parts = [
        _area(name, content, library)
        for name, content in contents_of_parts(modules, TOP, leaf=leaf).items()
    ]
    return tuple(sorted(parts, key=lambda part: -part.logic_um2 - part.memory_um2))


def run_mapping(
    program: TiledProgram,
    *,
    library: Library,
    options: MappingOptions,
    before: Sequence[str] = (),
    after: Sequence[str],
    outputs: Sequence[str],
    plain_flip_flops: bool = False,
    on_line: Callable[[str], None] | None,
) -> YosysRun:
    """Map every module of the accelerator by itself; memories stay black boxes.

    Args:
        program, library, options, on_line: see `map_accelerator`.
        before, after: yosys' commands before and after the mapping.
        outputs: files that these write.
        plain_flip_flops: see `MappingFiles.commands`.
    """
    with (
        WorkingFolder("memory") as folder,
        MappingFiles(library, options) as made,
    ):
        stub = folder / "memory.v"
        stub.write_text(_MEMORY)
        return run_yosys(
            top="tiled_accelerator",
            sources=[stub, *(path for path in sources(TILED_SOURCES) if path.name != stub.name)],
            parameters=program.parameters,
            defines=DEFINES,
            commands=[
                f"rename -top {TOP}",
                *made.before(),
                *before,
                *_REGISTERS_IN_PLACE,
                f"synth -noabc -top {TOP}",
                *made.commands(plain_flip_flops=plain_flip_flops),
                *after,
            ],
            outputs=outputs,
            inputs=made.paths,
            on_line=on_line,
        )


def _area(name: str, content: Content, library: Library) -> PartArea:
    technology = load_technology()
    node = technology.nearest_node(library.node_nm)
    cells = {library.cells[kind]: n for kind, n in content.items() if isinstance(kind, str)}
    memories = {bits: count for bits, count in content.items() if isinstance(bits, int)}
    return PartArea(
        name=name,
        logic_um2=sum(cell.area_um2 * count for cell, count in cells.items()),
        flip_flops=sum(count for cell, count in cells.items() if cell.kind == "flip-flop"),
        memories=sum(memories.values()),
        memory_bits=sum(bits * count for bits, count in memories.items()),
        memory_um2=sum(
            count
            * technology.sram_cost(
                capacity_bits=bits, node=node, voltage_v=library.voltage_v
            ).area_um2
            for bits, count in memories.items()
        ),
    )


def _number(value: str | int) -> int:
    """A parameter in yosys' JSON: a number, or its bits as text."""
    return value if isinstance(value, int) else int(value, 2)
