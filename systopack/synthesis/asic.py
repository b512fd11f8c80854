"""Map a cell, a row or an array to a standard cell library, flattened, for timing and power."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from systopack.errors import InvalidOptionError
from systopack.folders.working import WorkingFolder
from systopack.hardware.array import Array
from systopack.rtl.parameters import array_parameters, sources
from systopack.synthesis.boolean import variable_table
from systopack.synthesis.library import Library, LibraryCell
from systopack.synthesis.netlist import Netlist, parse_netlist
from systopack.synthesis.yosys import run_yosys

TOP = "design"
DEFINES = ("SYSTOPACK_CARRY_SAVE",)  # compact bit-parallel cells of full adders, not of `*`


@dataclass(frozen=True, kw_only=True)
class MappingOptions:
    """How a design is mapped.

    Args:
        clock_gates: turn enables into clock gates where the library's facts say that it pays.
        full_adders: use the library's full adder cells: less area and energy, more delay.
        clock_ns: what gates are sized for.
    """

    clock_gates: bool = True
    full_adders: bool = True
    clock_ns: float = 1.5

    def __post_init__(self) -> None:
        if not 0.01 <= self.clock_ns <= 1000:
            raise InvalidOptionError(
                f"The clock period is {self.clock_ns} ns, but it must be from 0.01 to 1000 ns."
            )


def map_array(
    array: Array,
    *,
    library: Library,
    options: MappingOptions | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Netlist:
    """Map an array, flattened; it holds no memories.

    Raises:
        InvalidFileError: yosys is missing or refuses the design or the library.
    """
    with MappingFiles(library, options or MappingOptions()) as made:
        run = run_yosys(
            top="systolic_array",
            sources=sources(),
            parameters=array_parameters(array),
            defines=DEFINES,
            commands=[
                f"rename -top {TOP}",
                *made.before(),
                f"synth -flatten -noabc -top {TOP}",
                *made.commands(),
                "opt_clean -purge",
                "write_json design.json",
            ],
            outputs=["design.json"],
            inputs=made.paths,
            on_line=on_line,
        )
    return parse_netlist(run.text("design.json"), top=TOP, library=library)


class MappingFiles:
    """The library and what the commands need beside it, in a folder that is gone afterwards."""

    def __init__(self, library: Library, options: MappingOptions) -> None:
        self._library = library
        self._options = options
        self.paths: list[Path] = [library.path]

    def __enter__(self) -> MappingFiles:
        self._folder = WorkingFolder("asic")
        facts = self._library.facts
        if facts.driver is not None:
            self._write(
                "abc.constr",
                f"set_driving_cell {facts.driver}\nset_load {facts.load_ff} [all_outputs]\n",
            )
        self._adder = _full_adder(self._library) if self._options.full_adders else None
        if self._adder is not None:
            self._write("adder_map.v", self._adder[0])
            self._write("adder_box.v", self._adder[1])
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def _write(self, name: str, text: str) -> None:
        self.paths.append(self._folder.path / name)
        self.paths[-1].write_text(text)

    def before(self) -> list[str]:
        """In front of synthesis: full adders of the Verilog become the library's."""
        if self._adder is None:
            return []
        return ["read_verilog -lib adder_box.v", "techmap -map adder_map.v"]

    def commands(self, *, plain_flip_flops: bool = False) -> list[str]:
        """From generic gates to cells.

        Args:
            plain_flip_flops: enables and resets left over become gates, even where the library
                has flip-flops with them.
        """
        facts, liberty = self._library.facts, self._library.path.name
        there = [
            pattern
            for pattern in facts.unused
            if any(fnmatchcase(name, pattern) for name in self._library.cells)
        ]
        unused = " ".join(f"-dont_use {name}" for name in [*sorted(self._library.excluded), *there])
        steps = []
        if self._adder is not None:
            steps += ["extract_fa -fa", "techmap -map adder_map.v", "opt_clean"]
        if self._options.clock_gates:
            least = facts.clock_gate_flip_flops
            steps.append(f"clockgate -liberty {liberty} -min_net_size {least}")
        if plain_flip_flops:
            steps.append("dfflegalize -cell $_DFF_P_ x")
        limits = " -constr abc.constr" if facts.driver is not None else ""
        return [
            *steps,
            f"dfflibmap -liberty {liberty}",
            f"abc -liberty {liberty}{limits} -D {self._options.clock_ns * 1000:.0f} {unused}",
        ]


def _full_adder(library: Library) -> tuple[str, str] | None:
    """What maps full adders, yosys' $fa and ours, to the library's smallest; and its black box.

    None where the library has no such cell.
    """
    a, b, c = (variable_table(k, 3) for k in range(3))
    total, carry = a ^ b ^ c, (a & b) | (c & (a ^ b))
    found: list[tuple[float, LibraryCell, str, str]] = []
    for cell in library.cells.values():
        if cell.kind == "gate" and len(cell.inputs) == 3 and cell.name not in library.excluded:
            roles = {cell.pins[name].function: name for name in cell.outputs}
            if set(roles) == {total, carry}:
                found.append((cell.area_um2, cell, roles[total], roles[carry]))
    if not found:
        return None
    _, cell, total_pin, carry_pin = min(found, key=lambda item: (item[0], item[1].name))
    one, two, three = cell.inputs
    mapped = f"""
(* techmap_celltype = "$fa" *)
module full_adders (A, B, C, X, Y);
    parameter WIDTH = 1;
    input [WIDTH-1:0] A, B, C;
    output [WIDTH-1:0] X, Y;
    genvar i;
    generate for (i = 0; i < WIDTH; i = i + 1) begin : g_bit
        {cell.name} adder (.{one}(A[i]), .{two}(B[i]), .{three}(C[i]),
            .{total_pin}(Y[i]), .{carry_pin}(X[i]));
    end endgenerate
endmodule
module full_adder (input a, b, c, output sum, carry);
    {cell.name} adder (.{one}(a), .{two}(b), .{three}(c), .{total_pin}(sum), .{carry_pin}(carry));
endmodule
"""
    ports = f"input {one}, {two}, {three}, output {total_pin}, {carry_pin}"
    return mapped, f"module {cell.name} ({ports});\nendmodule\n"
