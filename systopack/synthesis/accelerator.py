"""The whole tiled accelerator on standard cells, block by block: area of logic and of memories.

Every module is mapped once and counted as often as it stands in the design; hierarchy is kept, so
nothing is shared between blocks. Memories are left out of the mapping and get the area of the cited
table (`hardware/energy/technology.toml`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from systopack.errors import InvalidFileError
from systopack.folders.working import WorkingFolder
from systopack.hardware.energy.technology import load_technology
from systopack.rtl.parameters import TILED_SOURCES, sources
from systopack.rtl.program import TiledProgram
from systopack.synthesis.asic import TOP, MappingFiles, Options
from systopack.synthesis.liberty import Library
from systopack.synthesis.yosys import YosysRun, run_yosys

_BLOCKS: Mapping[str, str] = {
    "systolic_array": "array",
    "stream_bank": "activation banks",
    "output_lane": "output lanes",
    "sum_serializer": "output lanes",
    "sum_deserializer": "output lanes",
    "memory": "weights and programs",
}
_OTHER = "control"
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
class Block:
    """What one kind of block takes, all its instances together.

    Args:
        name: array, activation banks, output lanes, weights and programs, control.
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
    node_nm: float,
    options: Options | None = None,
    on_line: Callable[[str], None] | None = None,
) -> tuple[Block, ...]:
    """Map the accelerator of a compiled network.

    Args:
        program: the network on its array.
        library: standard cells.
        node_nm: of the library, to scale the memories to.
        options: how it is mapped.
        on_line: called with every line that yosys prints.

    Returns:
        The blocks, the largest first.

    Raises:
        InvalidFileError: yosys is missing or refuses the design.
    """
    run = run_mapping(
        program,
        library=library,
        options=options or Options(),
        after=["opt_clean -purge", "write_json design.json"],
        outputs=["design.json"],
        on_line=on_line,
    )
    design = _Design(json.loads(run.text("design.json"))["modules"], library, node_nm)
    found: dict[str, _Content] = {}
    for instance in design.modules[TOP]["cells"].values():
        block = block_of(instance["type"])
        found.setdefault(block, _Content()).add(design.of_instance(instance))
    blocks = [design.block(name, content) for name, content in found.items()]
    return tuple(sorted(blocks, key=lambda block: -block.logic_um2 - block.memory_um2))


def run_mapping(
    program: TiledProgram,
    *,
    library: Library,
    options: Options,
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
            commands=[
                f"rename -top {TOP}",
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


def block_of(kind: str) -> str:
    """The block that an instance of a module belongs to."""
    return _BLOCKS.get(base_name(kind), _OTHER)


def is_memory(kind: str) -> bool:
    """Whether a cell type is a memory."""
    return base_name(kind) == "memory"


def base_name(kind: str) -> str:
    """The module that a cell type stands for, without the parameters in yosys' name for it."""
    return kind.split("\\")[1] if kind.startswith("$paramod") else kind.removeprefix("\\")


@dataclass(kw_only=True)
class _Content:
    """Library cells by name, and memories by their bits."""

    cells: Counter[str] = field(default_factory=Counter)
    memories: Counter[int] = field(default_factory=Counter)

    def add(self, other: _Content) -> None:
        self.cells.update(other.cells)
        self.memories.update(other.memories)


class _Design:
    """Counts what stands in a hierarchical netlist, every module once."""

    def __init__(
        self, modules: Mapping[str, Mapping[str, Any]], library: Library, node_nm: float
    ) -> None:
        self.modules = modules
        self._library = library
        self._technology = load_technology()
        self._node = self._technology.nearest_node(node_nm)
        self._known: dict[str, _Content] = {}

    def of_instance(self, instance: Mapping[str, Any]) -> _Content:
        kind = instance["type"]
        if is_memory(kind):
            sizes = {name: _number(value) for name, value in instance["parameters"].items()}
            words = sizes.get("WORDS", 1 << sizes["ADDRESS_BITS"])
            return _Content(memories=Counter({sizes["WIDTH"] * words: 1}))
        if kind in self._library.cells:
            return _Content(cells=Counter({kind: 1}))
        if kind == "$scopeinfo":
            return _Content()
        if kind not in self.modules:
            raise InvalidFileError(
                f"yosys left '{kind}' in the accelerator, which library '{self._library.name}' "
                "lacks; take another library."
            )
        if kind not in self._known:
            total = _Content()
            for inner in self.modules[kind]["cells"].values():
                total.add(self.of_instance(inner))
            self._known[kind] = total
        return self._known[kind]

    def block(self, name: str, content: _Content) -> Block:
        cells = self._library.cells
        return Block(
            name=name,
            logic_um2=sum(cells[cell].area_um2 * count for cell, count in content.cells.items()),
            flip_flops=sum(
                count for cell, count in content.cells.items() if cells[cell].kind == "flip-flop"
            ),
            memories=sum(content.memories.values()),
            memory_bits=sum(bits * count for bits, count in content.memories.items()),
            memory_um2=sum(
                count
                * self._technology.sram_cost(
                    capacity_bits=bits, node=self._node, voltage_v=self._library.voltage_v
                ).area_um2
                for bits, count in content.memories.items()
            ),
        )


def _number(value: str | int) -> int:
    """A parameter in yosys' JSON: a number, or its bits as text."""
    return value if isinstance(value, int) else int(value, 2)
