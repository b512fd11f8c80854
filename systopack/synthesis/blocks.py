"""What the target `asic` builds, and what is measured of it: one row each.

Sources and parameters of a block are those of its top module in `rtl.parameters`: `systolic_array`
for what is made of an array alone, `tiled_accelerator` of a compiled network for the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from systopack.errors import InvalidOptionError
from systopack.hardware.array import Array
from systopack.synthesis.target import Synthesized, Work

if TYPE_CHECKING:
    from systopack.synthesis.library import Library
    from systopack.synthesis.measure import ArrayMeasurement

_IMAGES = 4  # whose words the tiles of an array stream


def _array(block: Block, work: Work, clock_ns: float, library: Library) -> Synthesized:
    from systopack.synthesis.asic import MappingOptions
    from systopack.synthesis.measure import measure_array

    found = measure_array(
        block.size(work.array),
        library=library,
        options=MappingOptions(clock_ns=clock_ns),
        network=work.network,
        images=None if work.network is None else work.quantized_images(_IMAGES),
        on_line=work.on_line,
    )
    return Synthesized(
        figures=found.figures,
        header=(found.array.label, library.name),
        rows=_array_rows(found),
        told="wires and the clock tree are estimates beside these figures",
    )


def _array_rows(found: ArrayMeasurement) -> list[tuple[str, str]]:
    cells = found.array.rows * found.array.columns
    sta = "not installed" if found.opensta_ns is None else f"{found.opensta_ns:.3f}"
    rows = [
        ("area per cell, um2", f"{found.cell_area_um2:.1f}"),
        ("flip-flops per cell", f"{found.flip_flops / cells:.1f}"),
        ("clock gates", f"{found.clock_gates}"),
        ("longest path, ns", f"{found.critical_ns:.3f}"),
        ("   the same by OpenSTA", sta),
    ]
    if found.energy is not None and found.word_fj is not None:
        rows += [
            ("energy per cell and cycle, fJ", f"{found.energy.cells_fj:.1f}"),
            ("   of it clock pins", f"{found.energy.clock_fj:.1f}"),
            ("   allowance for the clock tree, beside it", f"{found.energy.clock_tree_fj:.1f}"),
            ("   allowance for wires, beside it", f"{found.energy.wires_fj:.1f}"),
            ("energy per cell and word, fJ", f"{found.word_fj:.0f}"),
            ("sums checked", f"{found.sums_checked:,}"),
        ]
    return rows


def _accelerator(block: Block, work: Work, clock_ns: float, library: Library) -> Synthesized:
    from systopack.rtl.program import compile_tiled
    from systopack.synthesis.accelerator import map_accelerator
    from systopack.synthesis.asic import MappingOptions

    parts = map_accelerator(
        compile_tiled(work.needed_network(block.option), array=work.array),
        library=library,
        options=MappingOptions(clock_ns=clock_ns),
        on_line=work.on_line,
    )
    whole = sum(part.logic_um2 + part.memory_um2 for part in parts)
    return Synthesized(
        figures={"blocks": [asdict(part) for part in parts]},
        header=("part", "cells, um2", "flip-flops", "memories", "bits", "memories, um2", "share"),
        rows=[
            (
                part.name,
                f"{part.logic_um2:,.0f}",
                f"{part.flip_flops:,}",
                f"{part.memory_count:,}",
                f"{part.memory_bits:,}",
                f"{part.memory_um2:,.0f}",
                f"{100 * (part.logic_um2 + part.memory_um2) / whole:.1f} %",
            )
            for part in parts
        ],
        told=f"{whole / 1e6:.3f} mm2 at {library.node_nm:g} nm, memories priced as macros, "
        "wires and clock tree not included",
        configuration={"node_nm": library.node_nm},
    )


def _accelerator_energy(block: Block, work: Work, clock_ns: float, library: Library) -> Synthesized:
    from systopack.rtl.program import compile_tiled
    from systopack.synthesis.asic import MappingOptions
    from systopack.synthesis.gate_level import KINDS, measure_gates

    found = measure_gates(
        compile_tiled(work.needed_network(block.option), array=work.array),
        work.quantized_images(1)[0],
        library=library,
        options=MappingOptions(clock_ns=clock_ns),
        on_progress=work.on_line,
    )
    mean = {
        name: [found.total(kind, name) / found.cycles for kind in KINDS] for name in found.parts
    }
    rows = [
        (
            name,
            f"{cells.area_um2:,.0f}",
            f"{cells.flip_flops:,}",
            *(f"{value:.2f}" for value in mean[name]),
            f"{cells.critical_ns:.3f}",
        )
        for name, cells in found.parts.items()
    ]
    whole = (f"{found.total(kind) / found.cycles:.2f}" for kind in KINDS)
    area, flip_flops = f"{found.area_um2:,.0f}", f"{found.flip_flops:,}"
    return Synthesized(
        figures={**asdict(found), "cells_pj": found.total("cells_pj")},
        header=(
            *("part", "um2", "flip-flops", "pJ a cycle", "of it clock pins", "of it leakage"),
            *("clock tree, beside it", "wires, beside it", "longest path, ns"),
        ),
        rows=[*rows, ("all", area, flip_flops, *whole, f"{found.critical_ns:.3f}")],
        told=f"{found.cycles:,} cycles, {found.total('cells_pj') / 1e6:.3f} uJ an image without "
        f"memories; {found.bits_checked:,} bits compared with the Verilog, all equal",
    )


def _whole(array: Array) -> Array:
    return array


def _row(array: Array) -> Array:
    return replace(array, rows=1, input_fanout=1)


def _cell(array: Array) -> Array:
    if array.cells_per_adder > 1:
        raise InvalidOptionError(
            f"cells_per_stage is {array.cells_per_stage}, so that cells share an adder and none is "
            "alone; map a row or an array, or choose cells_per_stage 1."
        )
    return replace(array, rows=1, columns=1, input_fanout=1, cells_per_stage=1)


@dataclass(frozen=True, kw_only=True)
class Block:
    """Something that can be built.

    Args:
        name: as users write it.
        built: what it is.
        measured: what is found out.
        network: whether a network is needed; without, energy is left out.
        images: whether images run on it, where there is a network.
        size: the array that is built for an array.
        measure: builds and measures it for a clock period in ns and a library.
    """

    name: str
    built: str
    measured: str
    network: bool = False
    images: bool = True
    size: Callable[[Array], Array] = _whole
    measure: Callable[[Block, Work, float, Library], Synthesized] = _array

    @property
    def option(self) -> str:
        """How it is chosen."""
        return f"--block {self.name}"


_TILES = "area, clock; with a network energy of its tiles"
BLOCKS: Mapping[str, Block] = {
    block.name: block
    for block in (
        Block(name="cell", built="one cell with its registers", measured=_TILES, size=_cell),
        Block(name="row", built="one row with its registers", measured=_TILES, size=_row),
        Block(name="array", built="the array", measured=_TILES),
        Block(
            name="accelerator",
            built="the accelerator of a network, memories priced as macros",
            measured="area of each part",
            network=True,
            images=False,
            measure=_accelerator,
        ),
        Block(
            name="accelerator-energy",
            built="the accelerator of a network without its memories",
            measured="energy over an image node by node, area, clock",
            network=True,
            measure=_accelerator_energy,
        ),
    )
}
