"""Map a cell, a row or an array to a standard cell library, flattened, for timing and power."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from systopack.errors import InvalidOptionError
from systopack.folders.working import WorkingFolder
from systopack.hardware.array import Array
from systopack.rtl.parameters import array_parameters, sources
from systopack.synthesis.boolean import variable_table
from systopack.synthesis.liberty import Library, LibraryCell
from systopack.synthesis.netlist import Netlist, parse_netlist
from systopack.synthesis.yosys import run_yosys

Piece = Literal["cell", "row", "array"]
TOP = "design"
_UNUSED = ("*lpflow*", "*probe*", "*dlymetal*", "*dlygate*", "*clkdly*")  # no logic, in sky130
_DRIVE = ("BUF_X2", "sky130_fd_sc_hd__buf_2")
_GATE_LIMIT = 3  # flip-flops with one enable, from which on a clock gate pays


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a design is mapped.

    Args:
        clock_gates: turn enables of 3 flip-flops or more into clock gates.
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


def piece_of(array: Array, piece: Piece) -> Array:
    """One cell of an array, one row of it, or all of it, as an array of that size.

    Raises:
        InvalidOptionError: a cell of a pair.
    """
    if piece == "array":
        return array
    if piece == "cell" and array.cells_per_adder > 1:
        raise InvalidOptionError(
            f"cells_per_stage is {array.cells_per_stage}, so that cells work in pairs and none is "
            "alone; map a row or an array, or choose an odd number."
        )
    columns = 1 if piece == "cell" else array.columns
    shared = min(array.cells_per_stage, columns)
    return replace(
        array,
        rows=1,
        columns=columns,
        input_fanout=1,
        cells_per_stage=shared,
    )


def map_array(
    array: Array,
    *,
    library: Library,
    options: Options | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Netlist:
    """Map an array, flattened.

    Raises:
        InvalidFileError: yosys is missing or refuses the design or the library.
    """
    return map_flat(
        top="systolic_array",
        files=sources(),
        parameters=array_parameters(array),
        library=library,
        options=options or Options(),
        on_line=on_line,
    )


def map_flat(
    *,
    top: str,
    files: Sequence[Path],
    parameters: Mapping[str, int],
    library: Library,
    options: Options,
    on_line: Callable[[str], None] | None = None,
) -> Netlist:
    """Map any module, flattened; it may hold no memories."""
    with MappingFiles(library, options) as made:
        run = run_yosys(
            top=top,
            sources=files,
            parameters=parameters,
            commands=[
                f"rename -top {TOP}",
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

    def __init__(self, library: Library, options: Options) -> None:
        self._library = library
        self._options = options
        self.library_name = library.path.name
        self.paths: list[Path] = [library.path]

    def __enter__(self) -> MappingFiles:
        self._folder = WorkingFolder("asic")
        folder = self._folder.path
        driver = next((name for name in _DRIVE if name in self._library.cells), None)
        if driver is not None:
            limits = folder / "abc.constr"
            limits.write_text(f"set_driving_cell {driver}\nset_load 2.0 [all_outputs]\n")
            self.paths.append(limits)
        self._adder = _full_adder(self._library) if self._options.full_adders else None
        if self._adder is not None:
            adders = folder / "full_adder.v"
            adders.write_text(self._adder)
            self.paths.append(adders)
        self._limited = driver is not None
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def commands(self, *, plain_flip_flops: bool = False) -> list[str]:
        """From generic gates to cells.

        Args:
            plain_flip_flops: enables and resets left over become gates, even where the library
                has flip-flops with them.
        """
        liberty = self.library_name
        unused = " ".join(f"-dont_use {name}" for name in self._not_wanted())
        steps = []
        if self._adder is not None:
            steps += ["extract_fa -fa", "techmap -map full_adder.v", "opt_clean"]
        if self._options.clock_gates:
            steps.append(f"clockgate -liberty {liberty} -min_net_size {_GATE_LIMIT}")
        if plain_flip_flops:
            steps.append("dfflegalize -cell $_DFF_P_ x")
        limits = " -constr abc.constr" if self._limited else ""
        return [
            *steps,
            f"dfflibmap -liberty {liberty}",
            f"abc -liberty {liberty}{limits} -D {self._options.clock_ns * 1000:.0f} {unused}",
        ]

    def _not_wanted(self) -> list[str]:
        listed = sorted(self._library.excluded)
        return listed + [
            pattern
            for pattern in _UNUSED
            if any(pattern.strip("*") in name for name in self._library.cells)
        ]


def _full_adder(library: Library) -> str | None:
    """Verilog that maps yosys' $fa to the library's smallest full adder, None without one."""
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
    _, cell, sum_pin, carry_pin = min(found, key=lambda item: (item[0], item[1].name))
    inputs = ", ".join(
        f".{pin}({port}[i])" for pin, port in zip(cell.inputs, ("A", "B", "C"), strict=True)
    )
    return (
        '(* techmap_celltype = "$fa" *)\n'
        "module full_adders (A, B, C, X, Y);\n"
        "    parameter WIDTH = 1;\n"
        "    input [WIDTH-1:0] A, B, C;\n"
        "    output [WIDTH-1:0] X, Y;\n"
        "    genvar i;\n"
        "    generate for (i = 0; i < WIDTH; i = i + 1) begin : g_bit\n"
        f"        {cell.name} adder ({inputs}, .{sum_pin}(Y[i]), .{carry_pin}(X[i]));\n"
        "    end endgenerate\n"
        "endmodule\n"
    )
