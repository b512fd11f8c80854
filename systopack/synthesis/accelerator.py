"""A whole accelerator on standard cells, part by part: area of logic and of memories.

The modules of the parts are mapped once each, flattened, and counted as often as they stand in
the design; what is around them is one more. So gates are shared and sized within a part, never
between parts. Memories are left out of the mapping and priced as macros by width, words and ports
(`hardware/energy/macros.py`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from systopack.errors import InvalidFileError
from systopack.folders.working import WorkingFolder
from systopack.hardware.energy.macros import macro_cost
from systopack.hardware.energy.technology import load_technology
from systopack.rtl.parameters import TILED_SOURCES, VERILOG, sources
from systopack.rtl.program import TiledProgram
from systopack.synthesis.asic import DEFINES, TOP, MappingFiles, MappingOptions
from systopack.synthesis.library import Library
from systopack.synthesis.parts import Content, base_name, contents_of_parts
from systopack.synthesis.yosys import YosysRun, run_yosys

PART_MODULES = (
    "systolic_array", "word_streams", "feature_memory", "array_sums", "lane_operands", "sum_lane",
)  # fmt: skip
PARTS_FILE, WHOLE_FILE = "parts.json", "whole.json"
# Beside these, memories are written only while they are filled, and one port serves.
_READ_WHILE_WRITTEN = ("g_ports.sums", "g_many.windows", "lines")
MEMORY_MODULES = ("memory", "single_memory", "feature_bank")


@dataclass(frozen=True, kw_only=True)
class MemoryShape:
    """What a memory has to be.

    Args:
        width_bits: of a word.
        words: how many.
        ports: 1: it reads or writes; 2: it also does both in one cycle.
    """

    width_bits: int
    words: int
    ports: int

    @property
    def bits(self) -> int:
        """All of it."""
        return self.width_bits * self.words


@dataclass(frozen=True, kw_only=True)
class Memories:
    """Memories that are alike.

    Args:
        shape: of each.
        count: how many.
        area_um2: of each, as macros.
    """

    shape: MemoryShape
    count: int
    area_um2: float


@dataclass(frozen=True, kw_only=True)
class Design:
    """What is mapped.

    Args:
        top: the module.
        sources: Verilog files.
        text: Verilog that is in none of them.
        parameters: of the top module.
        parts: modules that are mapped one by one.
        boxes: modules that are left out; memories are always.
    """

    top: str
    sources: tuple[Path, ...]
    text: str = ""
    parameters: Mapping[str, int]
    parts: tuple[str, ...]
    boxes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PartArea:
    """What one part of the accelerator takes, all its instances together.

    Args:
        name: see `parts.PARTS`.
        logic_um2: area of its standard cells.
        flip_flops: of it.
        memories: of it, by shape.
    """

    name: str
    logic_um2: float
    flip_flops: int
    memories: tuple[Memories, ...]

    @property
    def memory_count(self) -> int:
        """All memories."""
        return sum(one.count for one in self.memories)

    @property
    def memory_bits(self) -> int:
        """Of all memories."""
        return sum(one.count * one.shape.bits for one in self.memories)

    @property
    def memory_um2(self) -> float:
        """Their area."""
        return sum(one.count * one.area_um2 for one in self.memories)


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
    design = _tiled(program)
    return areas_of(run_design(design, library, options, on_line), design, library)


def areas_of(run: YosysRun, design: Design, library: Library) -> tuple[PartArea, ...]:
    """The parts of a mapped design, the largest first.

    Raises:
        InvalidFileError: something is left that the library lacks.
        InvalidOptionError: the library's node is not known.
    """
    modules = json.loads(run.text(PARTS_FILE))["modules"]
    for module in modules.values():
        for name, instance in module["cells"].items():
            if base_name(instance["type"]) in MEMORY_MODULES:
                instance["shape"] = _shape(instance, name)

    def leaf(instance: Mapping[str, Any]) -> Content | None:
        kind = instance["type"]
        if "shape" in instance:
            return Counter({instance["shape"]: 1})
        if kind in library.cells:
            return Counter({kind: 1})
        if kind == "$scopeinfo" or base_name(kind) in design.boxes:
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
    options: MappingOptions | None,
    on_line: Callable[[str], None] | None,
) -> YosysRun:
    """Map every part of the accelerator by itself; memories stay black boxes.

    It writes the parts in their hierarchy (`PARTS_FILE`), and all in one module (`WHOLE_FILE`).

    Args:
        program, library, options, on_line: see `map_accelerator`.
    """
    return run_design(_tiled(program), library, options, on_line)


def _tiled(program: TiledProgram) -> Design:
    return Design(
        top="tiled_accelerator",
        sources=tuple(sources(TILED_SOURCES)),
        parameters=program.parameters,
        parts=PART_MODULES,
    )


def run_design(
    design: Design,
    library: Library,
    options: MappingOptions | None,
    on_line: Callable[[str], None] | None,
) -> YosysRun:
    """Map a design as `run_mapping` does; the same arguments and files."""
    with (
        WorkingFolder("memories") as folder,
        MappingFiles(library, options or MappingOptions()) as made,
    ):
        stub = folder / "memories.v"
        gate = _clock_gate(library) if (options or MappingOptions()).clock_gates else None
        boxed = (*MEMORY_MODULES, *design.boxes)
        boxes = [_black_box(VERILOG / f"{name}.v") for name in boxed]
        stub.write_text("".join([*boxes, gate or "", design.text]))
        left_out = {*boxed, *(["clock_gate"] if gate else [])}
        mapped = [path for path in design.sources if path.stem not in left_out]
        return run_yosys(
            top=design.top,
            sources=[stub, *mapped],
            parameters={**design.parameters, "GATED": int(gate is not None)},
            defines=DEFINES,
            commands=[
                f"rename -top {TOP}",
                *made.before(),
                "proc",
                *(f"flatten *{name}*" for name in design.parts),
                *(f"setattr -mod -set keep_hierarchy 1 *{name}*" for name in design.parts),
                "flatten",
                f"synth -noabc -top {TOP}",
                *made.commands(plain_flip_flops=True),
                "attrmap -remove src",
                "opt_clean -purge",
                f"write_json {PARTS_FILE}",
                *(f"setattr -mod -unset keep_hierarchy *{name}*" for name in design.parts),
                "flatten",
                "opt_clean -purge",
                f"write_json {WHOLE_FILE}",
            ],
            outputs=[PARTS_FILE, WHOLE_FILE],
            inputs=made.paths,
            on_line=on_line,
        )


def _black_box(file: Path) -> str:
    """A module's header alone."""
    header = file.read_text().partition("module ")[2].partition(");\n")[0]
    return f"(* blackbox *)\nmodule {header.replace('output reg', 'output wire')});\nendmodule\n"


def _clock_gate(library: Library) -> str | None:
    """The module `clock_gate` with the library's largest plain clock-gating cell in it."""
    gates = [
        cell
        for cell in library.cells.values()
        if cell.kind == "clock-gate" and len(cell.inputs) == 2
    ]
    if not gates:
        return None
    cell = max(gates, key=lambda gate: gate.area_um2)
    return (
        f"(* blackbox *)\nmodule {cell.name} (input {cell.clock}, input {cell.data}, "
        f"output {cell.state});\nendmodule\n"
        "module clock_gate (input clk, input enable, input test_enable, output gated);\n"
        f"    {cell.name} gate (.{cell.clock}(clk), .{cell.data}(enable), .{cell.state}(gated));\n"
        "endmodule\n"
    )


def _area(name: str, content: Content, library: Library) -> PartArea:
    cells = {library.cells[kind]: n for kind, n in content.items() if isinstance(kind, str)}
    memories = [(shape, n) for shape, n in content.items() if isinstance(shape, MemoryShape)]
    return PartArea(
        name=name,
        logic_um2=sum(cell.area_um2 * count for cell, count in cells.items()),
        flip_flops=sum(count for cell, count in cells.items() if cell.kind == "flip-flop"),
        memories=tuple(
            Memories(shape=shape, count=count, area_um2=_memory_um2(shape, library))
            for shape, count in memories
        ),
    )


def _memory_um2(shape: MemoryShape, library: Library) -> float:
    return macro_cost(
        width_bits=shape.width_bits,
        words=shape.words,
        ports=shape.ports,
        node=load_technology().nearest_node(library.node_nm),
        voltage_v=library.voltage_v,
    ).area_um2


def _shape(instance: Mapping[str, Any], name: str) -> MemoryShape:
    sizes = {name: _number(value) for name, value in instance["parameters"].items()}
    kind = base_name(instance["type"])
    return MemoryShape(
        width_bits=8 * sizes["WORD_BYTES"] if kind == "feature_bank" else sizes["WIDTH"],
        words=sizes.get("WORDS", 1 << sizes["ADDRESS_BITS"]),
        ports=2 if kind == "memory" and name.endswith(_READ_WHILE_WRITTEN) else 1,
    )


def _number(value: str | int) -> int:
    """A parameter in yosys' JSON: a number, or its bits as text."""
    return value if isinstance(value, int) else int(value, 2)
