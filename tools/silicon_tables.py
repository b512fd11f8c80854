"""The tables of docs/silicon.md and docs/energy.md."""

from __future__ import annotations

from dataclasses import asdict

import pages
from pages import Figures

from systopack.hardware.array import Array
from systopack.report.text import markdown_table

_FORM = {
    "cells_per_stage": "cells per stage",
    "weight_buffers": "weights per cell",
}


def cells(name: str) -> list[str]:
    """Every measured kind of cell; ratios are to alpha 1 of the same kind."""
    record = pages.record(name)
    entries = {}
    for figures in record["figures"].values():
        array = figures["array"]
        form = tuple(array[field] for field in _FORM)
        entries[array["cell"], form, array["alpha"]] = figures
    header = ["cell", *_FORM.values(), "alpha", "area, um2", "ratio", "path, ns"]
    header += ["OpenSTA, ns", "energy, fJ a cycle", "clock pins", "ratio", "energy, fJ a word"]
    header += ["clock tree, fJ a cycle", "wires, fJ a cycle", "ratio with both"]
    rows = []
    for (cell, form, alpha), figures in sorted(entries.items()):
        base = entries.get((cell, form, 1), figures)
        sta = figures.get("opensta_ns")
        parts = figures["energy_fj_per_cell_cycle"]
        rows.append(
            [
                cell,
                *(str(number) for number in form),
                str(alpha),
                f"{figures['cell_area_um2']:.1f}",
                f"{figures['cell_area_um2'] / base['cell_area_um2']:.2f}",
                f"{figures['critical_ns']:.3f}",
                "-" if sta is None else f"{sta:.3f}",
                f"{figures['cells_fj']:.1f}",
                f"{parts['clock_fj']:.1f}",
                f"{figures['cells_fj'] / base['cells_fj']:.2f}",
                f"{figures['word_fj']:.0f}",
                f"{parts['clock_tree_fj']:.1f}",
                f"{parts['wires_fj']:.1f}",
                f"{_with_allowances(figures) / _with_allowances(base):.2f}",
            ]
        )
    return markdown_table(header, rows)


def _with_allowances(figures: Figures) -> float:
    return sum(figures["energy_fj_per_cell_cycle"].values())


def accelerator() -> list[str]:
    """Area of the whole accelerator by block."""
    record = pages.record("asic_accelerator")
    blocks = record["figures"]["blocks"]
    whole = sum(block["logic_um2"] + block["memory_um2"] for block in blocks)
    rows = [
        [
            block["name"],
            f"{block['logic_um2']:,.0f}",
            f"{block['flip_flops']:,}",
            f"{block['memories']:,}",
            f"{block['memory_bits'] / 8192:,.1f}",
            f"{block['memory_um2']:,.0f}",
            f"{100 * (block['logic_um2'] + block['memory_um2']) / whole:.1f} %",
        ]
        for block in blocks
    ]
    header = ["block", "cells, um2", "flip-flops", "memories", "KiB", "memories, um2", "share"]
    logic = sum(block["logic_um2"] for block in blocks)
    return [
        *markdown_table(header, rows),
        "",
        f"{whole / 1e6:.2f} mm2 in all, {logic / 1e6:.2f} mm2 of it cells.",
    ]


def periphery() -> list[str]:
    """Energy of the periphery, by block."""
    record = pages.record("periphery")
    blocks = ("activation banks", "output lanes", "control")
    header = ["network", "alpha", "clock gates", "cycles", "flip-flops"]
    header += [*(f"{block}, pJ a cycle" for block in blocks), "all, pJ a cycle", "clock pins"]
    header += ["clock tree", "wires", "uJ an image", "path, ns", "bits compared"]
    rows = [
        [
            case["network"],
            str(case["alpha"]),
            "yes" if case["clock_gates"] else "no",
            f"{case['cycles']:,}",
            f"{case['flip_flops']:,}",
            *(f"{case['blocks_pj'][block]:.1f}" for block in blocks),
            f"{case['total_pj']:.1f}",
            f"{case['clock_pj']:.1f}",
            f"{case['clock_tree_pj']:.1f}",
            f"{case['wires_pj']:.1f}",
            f"{case['total_pj'] * case['cycles'] / 1e6:.2f}",
            f"{case['critical_ns']:.2f}",
            f"{case['bits_checked']:,}",
        ]
        for case in record["figures"].values()
    ]
    return markdown_table(header, rows)


def coefficients() -> list[str]:
    """Measured arrays and how well layers kept back are predicted."""
    record = pages.record("energy_coefficients_nangate45")
    errors = record["configuration"]["errors"]
    header = ["array", "clock gates", *_FORM.values(), "input fan-out"]
    header += ["area per cell, um2"]
    header += ["clock, pJ per cell and cycle", "active cell word, pJ", "word 0, pJ", "load, pJ"]
    header += ["hop, pJ", "error, kept back"]
    rows = []
    for point in record["figures"]["points"]:
        array = Array(**{name: point[name] for name in asdict(Array())})
        missed = errors[f"{array.label}, gating {point['gating']}"].values()
        rows.append(
            [
                f"{array.cell} {array.rows}x{array.columns} alpha {array.alpha}",
                "yes" if point["gating"] == "clock" else "no",
                *(str(point[field]) for field in _FORM),
                str(point["input_fanout"]),
                f"{point['cell_area_um2']:.1f}",
                *(
                    f"{point[field]:.4f}"
                    for field in ("clock_pj", "active_pj", "zero_input_pj", "load_pj", "hop_pj")
                ),
                f"{100 * min(missed):+.1f} to {100 * max(missed):+.1f} %",
            ]
        )
    return markdown_table(header, sorted(rows))


def silicon_blocks() -> dict[str, list[str]]:
    """Of docs/silicon.md."""
    return {
        "nangate45": cells("asic_cells"),
        "sky130": cells("asic_cells_sky130"),
        "accelerator": accelerator(),
        "periphery": periphery(),
    }


def energy_blocks() -> dict[str, list[str]]:
    """Of docs/energy.md."""
    return {"coefficients": coefficients()}
