"""The tables of docs/silicon.md and docs/energy.md."""

from __future__ import annotations

from dataclasses import asdict

import answers
import pages
from pages import Figures, table_of

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


# Cell, cells per stage, weights per cell: the best of each word time, and what it came from.
_WORD_TIMES = (
    ("balanced", 1, 2),
    ("bit-serial-compact", 8, 1),
    ("bit-parallel", 1, 2),
    ("bit-parallel-compact", 4, 1),
    ("bit-parallel-compact", 8, 1),
    ("power-of-two", 8, 1),
)


def word_times() -> list[str]:
    """Bit-serial or bit-parallel: area x time, energy and bandwidth of a word."""
    timed = pages.figures("glitches")
    lines = []
    for figures in pages.figures("asic_cells").values():
        array = Array(**figures["array"])
        form = (array.cell, array.cells_per_stage, array.weight_buffers)
        if form not in _WORD_TIMES or array.alpha not in (1, 8):
            continue
        word_ns = figures["critical_ns"] * array.word_cycles
        settled, glitching = (_of_cells(timed, array, name) for name in ("settled", "glitching"))
        lines.append(
            {
                **figures,
                "cell": array.cell,
                "stage": array.cells_per_stage,
                "alpha": array.alpha,
                "word_ns": word_ns,
                "area_time": figures["cell_area_um2"] * word_ns,
                "words": 1000 / word_ns,
                "glitches": f"{settled:,.0f} to {glitching:,.0f}" if settled else "-",
                "order": (array.alpha, _WORD_TIMES.index(form)),
            }
        )
    lines.sort(key=lambda line: line["order"])
    columns = {
        "alpha": "{alpha}",
        "cell": "{cell}",
        "cells per stage": "{stage}",
        "area, um2": "{cell_area_um2:.0f}",
        "path, ns": "{critical_ns:.2f}",
        "a word, ns": "{word_ns:.2f}",
        "area x time, um2 ns": "{area_time:,.0f}",
        "energy, fJ a word": "{word_fj:,.0f}",
        "one tile, settled to with glitches": "{glitches}",
        "words a stream takes, millions a second": "{words:,.0f}",
    }
    return table_of(columns, lines)


def _of_cells(timed: Figures, array: Array, name: str) -> float:
    """Energy of a word without the allowances, in fJ; 0 where it was not measured."""
    parts = timed[array.label][f"{name}_word_fj"] if array.label in timed else {}
    return sum(
        parts[f"{kind}_fj"] for kind in ("switching", "internal", "clock", "leakage") if parts
    )


def _with_allowances(figures: Figures) -> float:
    return sum(figures["energy_fj_per_cell_cycle"].values())


def accelerator() -> list[str]:
    """Area of the whole accelerator for the packed ResNet-20, by part."""
    case = pages.figures("gate_level")["resnet20"]
    memories = {part["name"]: part["memories"] for part in case["areas"]}
    lines = []
    for name in {**case["parts"], **memories}:
        own = memories.get(name, [])
        cells = case["parts"].get(name, {"area_um2": 0.0, "flip_flops": 0})
        lines.append(
            {
                "name": name,
                **cells,
                "path": f"{cells['critical_ns']:.2f}" if "critical_ns" in cells else "-",
                "count": sum(one["count"] for one in own),
                "kib": sum(
                    one["count"] * one["shape"]["width_bits"] * one["shape"]["words"] for one in own
                )
                / 8192,
                "memory_um2": sum(one["count"] * one["area_um2"] for one in own),
            }
        )
    logic = sum(line["area_um2"] for line in lines)
    whole = logic + sum(line["memory_um2"] for line in lines)
    for line in lines:
        line["share"] = 100 * (line["area_um2"] + line["memory_um2"]) / whole
    lines.sort(key=lambda line: -line["share"])
    columns = {
        "part": "{name}",
        "cells, um2": "{area_um2:,.0f}",
        "flip-flops": "{flip_flops:,}",
        "path, ns": "{path}",
        "memories": "{count:,}",
        "KiB": "{kib:,.1f}",
        "memories, um2": "{memory_um2:,.0f}",
        "share": "{share:.1f} %",
    }
    return [
        *table_of(columns, lines),
        "",
        f"{whole / 1e6:.2f} mm2 in all, {logic / 1e6:.2f} mm2 of it cells.",
    ]


def gate_level() -> list[str]:
    """Energy of the accelerator without its memories over an image, by part."""
    lines = []
    for case in pages.figures("gate_level").values():
        parts: dict[str, float] = {}
        beside = {"clock_pj": 0.0, "leakage_pj": 0.0, "clock_tree_pj": 0.0, "wires_pj": 0.0}
        for node in case["nodes"]:
            for name, found in node["parts"].items():
                parts[name] = parts.get(name, 0.0) + found["cells_pj"]
                for kind in beside:
                    beside[kind] += found[kind]
        whole = sum(parts.values())
        lines.append(
            {
                **case,
                "alpha": case["array"]["alpha"],
                "kind": "packed"
                if case["combined"]
                else "uncombined"
                if case["apart"]
                else "dense",
                "each": {name: value / case["cycles"] for name, value in parts.items()},
                "all": whole / case["cycles"],
                **{kind: value / case["cycles"] for kind, value in beside.items()},
                "image_uj": whole / 1e6,
            }
        )
    columns = {
        "network": "{network}",
        "as": "{kind}",
        "cycles": "{cycles:,}",
        **{
            f"{name}, pJ a cycle": f"{{each[{name}]:.1f}}"
            for name in ("array", "streams", "lanes", "feature memory", "control")
        },
        "all": "{all:.1f}",
        "clock pins": "{clock_pj:.1f}",
        "leakage": "{leakage_pj:.1f}",
        "clock tree, beside": "{clock_tree_pj:.1f}",
        "wires, beside": "{wires_pj:.1f}",
        "uJ an image": "{image_uj:.2f}",
        "path, ns": "{critical_ns:.2f}",
        "slow corner, ns": "{slow_critical_ns:.2f}",
        "bits compared": "{bits_checked:,}",
    }
    return table_of(columns, lines)


def layer_pipelined() -> list[str]:
    """Latency and area of layer-pipelined accelerators."""
    lines = []
    for case in pages.figures("pipelined_area").values():
        around = {
            name: (part["logic_um2"] + part["memories_um2"]) / 1e6
            for name, part in case["around_um2"].items()
        }
        lines.append({**case, "around": around, "arrays": case["arrays_um2"] / 1e6})
    columns = {
        "network": "{network}",
        "array": "{array}",
        "accuracy, %": "{accuracy_percent:.2f}",
        "cells": "{built_cells:,}",
        "cycles": "{latency_cycles:,}",
        "MHz": "{clock_mhz:.0f}",
        "latency, us": "{latency_us:.1f}",
        "images/s": "{frames_per_s:,.0f}",
        "cells, mm2": "{arrays:.2f}",
        **{
            f"{name}, mm2": f"{{around[{name}]:.2f}}"
            for name in ("lanes", "sums", "streams", "line buffers", "control")
        },
        "all, mm2": "{mm2:.2f}",
    }
    return table_of(columns, [{**line, "mm2": line["area_um2"] / 1e6} for line in lines])


def coefficients() -> list[str]:
    """Measured arrays and how well layers kept back are predicted."""
    record = pages.record("energy_coefficients_nangate45")
    errors = record["configuration"]["errors"]
    lines = []
    for point in record["figures"]["points"]:
        array = Array(**{name: point[name] for name in asdict(Array())})
        missed = errors[f"{array.label}, gating {point['gating']}"].values()
        gates = "yes" if point["gating"] == "clock" else "no"
        least, largest = 100 * min(missed), 100 * max(missed)
        lines.append({**point, "gates": gates, "least": least, "largest": largest})
    columns = {
        "array": "{cell} {rows}x{columns} alpha {alpha}",
        "clock gates": "{gates}",
        **{header: f"{{{field}}}" for field, header in _FORM.items()},
        "input fan-out": "{input_fanout}",
        "area per cell, um2": "{cell_area_um2:.1f}",
        "clock, pJ per cell and cycle": "{clock_pj:.4f}",
        "active cell word, pJ": "{active_pj:.4f}",
        "word 0, pJ": "{zero_input_pj:.4f}",
        "load, pJ": "{load_pj:.4f}",
        "hop, pJ": "{hop_pj:.4f}",
        "error, kept back": "{least:+.1f} to {largest:+.1f} %",
    }
    header, rule, *rows = table_of(columns, lines)
    return [header, rule, *sorted(rows)]


def silicon_blocks() -> dict[str, list[str]]:
    """Of docs/silicon.md."""
    return {
        "answer": answers.silicon(),
        "nangate45": cells("asic_cells"),
        "word-times": word_times(),
        "sky130": cells("asic_cells_sky130"),
        "accelerator": accelerator(),
        "gate-level": gate_level(),
        "layer-pipelined": layer_pipelined(),
    }


def energy_blocks() -> dict[str, list[str]]:
    """Of docs/energy.md."""
    return {"answer": answers.energy(), "coefficients": coefficients()}
