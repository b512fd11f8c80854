"""The ASIC target of `systopack synthesize`: area, clock and energy of cells, rows and arrays."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from systopack.cli import console

if TYPE_CHECKING:
    from systopack.hardware.array import Array


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the command line asked for.

    Args:
        network: packed network whose tiles run on the netlist, None: area and clock alone.
        data: where its images are from.
        array: the array.
        block: cell, row, array, accelerator, or periphery: its periphery.
        liberty: a Liberty file, None: the bundled one.
        clock_ns: clock period.
        node_nm: of the library, for the memories of an accelerator; None: 130 for the bundled
            library, 45 for another.
        out: folder for the record.
    """

    network: Path | None
    data: str
    array: Array
    block: str
    liberty: Path | None
    clock_ns: float
    node_nm: float | None
    out: Path


def synthesize_asic(request: Request) -> None:
    """Map a cell, a row or an array, run real tiles on it, print and write what was found."""
    from systopack.data.open import open_data
    from systopack.errors import InvalidOptionError
    from systopack.hardware.array import check_fits
    from systopack.network.file import load
    from systopack.network.packaged import network_file
    from systopack.network.reference import quantize_images
    from systopack.records import Record, sha256_of_file
    from systopack.synthesis.asic import Options, piece_of
    from systopack.synthesis.liberty import BUNDLED, read_library
    from systopack.synthesis.measure import measure_array
    from systopack.synthesis.yosys import yosys_version

    if request.block not in ("cell", "row", "array", "accelerator", "periphery"):
        raise InvalidOptionError(
            f"--block is '{request.block}'; the ASIC target maps cell, row, array, accelerator, or "
            "periphery, the accelerator's periphery."
        )
    if request.block in ("accelerator", "periphery"):
        (_whole if request.block == "accelerator" else _outside)(request)
        return
    options = Options(clock_ns=request.clock_ns)
    path = request.liberty or BUNDLED
    library = read_library(path, power=request.network is not None)
    design, loaded, images = request.array, None, None
    if request.network is not None:
        loaded = load(network_file(request.network))
        design = replace(design, accumulator_bits=loaded.accumulator_bits)
        if design.alpha > 1:
            check_fits(loaded, design)
        images = quantize_images(loaded, open_data(request.data).test_images[:4])
    design = piece_of(design, request.block)  # type: ignore[arg-type]
    with console.console.status(f"mapping {design.label} to {library.name}") as status:

        def show(line: str) -> None:
            if line[:1].isdigit():
                status.update(f"mapping {design.label}: {line.partition('. ')[2][:60]}")

        found = measure_array(
            design,
            library=library,
            options=options,
            network=loaded,
            images=images,
            on_line=show,
        )
    rows = [
        ("area, um2 a cell", f"{found.cell_area_um2:.1f}"),
        ("flip-flops a cell", f"{found.flip_flops / (design.rows * design.columns):.1f}"),
        ("clock gates", f"{found.clock_gates}"),
        ("longest path, ns", f"{found.critical_ns:.3f}"),
        (
            "   the same by OpenSTA",
            "not installed" if found.opensta_ns is None else f"{found.opensta_ns:.3f}",
        ),
    ]
    if found.energy is not None and found.word_fj is not None:
        rows += [
            ("energy, fJ a cell and cycle", f"{found.energy.cells_fj:.1f}"),
            ("   of it clock pins", f"{found.energy.clock_fj:.1f}"),
            ("   allowance for the clock tree, beside it", f"{found.energy.clock_tree_fj:.1f}"),
            ("   allowance for wires, beside it", f"{found.energy.wires_fj:.1f}"),
            ("energy, fJ a cell and word", f"{found.word_fj:.0f}"),
            ("sums checked", f"{found.sums_checked:,}"),
        ]
    console.table([design.label, library.name], rows)
    inputs = [path, *([network_file(request.network)] if request.network else [])]
    record = request.out / "synthesize.json"
    Record(
        kind="synthesize-asic",
        figures={
            "cell_area_um2": found.cell_area_um2,
            "flip_flops": found.flip_flops,
            "clock_gates": found.clock_gates,
            "critical_ns": found.critical_ns,
            "opensta_ns": found.opensta_ns,
            "energy_fj_per_cell_cycle": None if found.energy is None else asdict(found.energy),
            "sums_checked": found.sums_checked,
            "pyosys": yosys_version(),
        },
        configuration={"array": asdict(design), "library": library.name, "target": "asic"},
        inputs={Path(item).name: sha256_of_file(item) for item in inputs},
    ).write(record)
    console.say(f"wrote {record}; wires and the clock tree are estimates beside these figures")


def _whole(request: Request) -> None:
    """The accelerator of a network, block by block."""
    from systopack.errors import InvalidOptionError
    from systopack.network.file import load
    from systopack.network.packaged import network_file
    from systopack.records import Record, sha256_of_file
    from systopack.rtl.program import compile_tiled
    from systopack.synthesis.accelerator import map_accelerator
    from systopack.synthesis.asic import Options
    from systopack.synthesis.liberty import BUNDLED, read_library
    from systopack.synthesis.yosys import yosys_version

    if request.network is None:
        raise InvalidOptionError(
            "--block accelerator builds the memories of a network; give its .spk or zoo:NAME."
        )
    file = network_file(request.network)
    loaded = load(file)
    design = replace(request.array, accumulator_bits=loaded.accumulator_bits)
    library = read_library(request.liberty or BUNDLED, power=False)
    node_nm = request.node_nm or (130.0 if request.liberty is None else 45.0)
    with console.console.status(f"mapping the accelerator around {design.label}") as status:
        blocks = map_accelerator(
            compile_tiled(loaded, array=design),
            library=library,
            node_nm=node_nm,
            options=Options(clock_ns=request.clock_ns),
            on_line=lambda line: status.update(f"mapping: {line[:60]}"),
        )
    whole = sum(block.logic_um2 + block.memory_um2 for block in blocks)
    console.table(
        ["block", "cells, um2", "flip-flops", "memories", "bits", "memories, um2", "share"],
        [
            (
                block.name,
                f"{block.logic_um2:,.0f}",
                f"{block.flip_flops:,}",
                f"{block.memories:,}",
                f"{block.memory_bits:,}",
                f"{block.memory_um2:,.0f}",
                f"{100 * (block.logic_um2 + block.memory_um2) / whole:.1f} %",
            )
            for block in blocks
        ],
    )
    record = request.out / "synthesize.json"
    Record(
        kind="synthesize-accelerator",
        figures={"blocks": [asdict(block) for block in blocks], "pyosys": yosys_version()},
        configuration={
            "array": asdict(design),
            "library": library.name,
            "node_nm": node_nm,
            "target": "asic",
        },
        inputs={path.name: sha256_of_file(path) for path in (file, library.path)},
    ).write(record)
    console.say(
        f"{whole / 1e6:.3f} mm2 at {node_nm:g} nm, memories from the cited table, wires and clock "
        f"tree not included; wrote {record}"
    )


def _outside(request: Request) -> None:
    """What the periphery takes while it runs an image."""
    from systopack.data.open import open_data
    from systopack.errors import InvalidOptionError
    from systopack.network.file import load
    from systopack.network.packaged import network_file
    from systopack.network.reference import quantize_images
    from systopack.records import Record, sha256_of_file
    from systopack.rtl.program import compile_tiled
    from systopack.synthesis.asic import Options
    from systopack.synthesis.liberty import BUNDLED, read_library
    from systopack.synthesis.periphery import measure_periphery
    from systopack.synthesis.yosys import yosys_version

    if request.network is None:
        raise InvalidOptionError(
            "--block periphery runs an image of a network through the accelerator; give its .spk "
            "or zoo:NAME."
        )
    file = network_file(request.network)
    loaded = load(file)
    design = replace(request.array, accumulator_bits=loaded.accumulator_bits)
    program = compile_tiled(loaded, array=design)
    image = quantize_images(loaded, open_data(request.data).test_images[:1])[0]
    library = read_library(request.liberty or BUNDLED)
    with console.console.status(f"mapping and simulating what is around {design.label}") as status:
        found = measure_periphery(
            program,
            image,
            library=library,
            options=Options(clock_ns=request.clock_ns),
            on_progress=lambda done, parts: status.update(f"netlists: part {done} of {parts}"),
        )
    rows = [(f"{name}, pJ a cycle", f"{value:.2f}") for name, value in found.blocks_pj.items()]
    rows += [
        ("all, pJ a cycle", f"{found.total_pj:.2f}"),
        ("   of it clock pins", f"{found.clock_pj:.2f}"),
        ("   allowance for the clock tree, beside it", f"{found.clock_tree_pj:.2f}"),
        ("   allowance for wires, beside it", f"{found.wires_pj:.2f}"),
        ("cycles of the image", f"{found.cycles:,}"),
        ("all, uJ an image", f"{found.total_pj * found.cycles / 1e6:.3f}"),
        ("area, um2", f"{found.area_um2:,.0f}"),
        ("flip-flops", f"{found.flip_flops:,}"),
        ("longest path, ns", f"{found.critical_ns:.3f}"),
        ("bits compared with the Verilog, all equal", f"{found.bits_checked:,}"),
    ]
    console.table([f"around {design.label}", library.name], rows)
    record = request.out / "synthesize.json"
    Record(
        kind="synthesize-periphery",
        figures={**asdict(found), "total_pj": found.total_pj, "pyosys": yosys_version()},
        configuration={"array": asdict(design), "library": library.name, "target": "asic"},
        inputs={path.name: sha256_of_file(path) for path in (file, library.path)},
    ).write(record)
    console.say(f"wrote {record}; array and memories are not in these figures")
