"""The tables of docs/fpga.md: networks that were routed, arrays by the model, cells alone."""

from __future__ import annotations

import pages
from pages import table_of

from systopack.hardware.array import Array
from systopack.records import STORE

_NETWORKS = {"fpga_resnet20": "ResNet-20", "fpga_lenet5": "LeNet-5"}
_USE = ("lut4", "ff", "block_ram", "dsp")


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


def routed() -> list[str]:
    """Networks on the device: one line for each form that was built."""
    rows = []
    for record, network in _NETWORKS.items():
        if not (STORE / f"{record}.json").exists():
            continue
        figures = pages.figures(record)
        for form in ("packed", "uncombined", "dense"):
            one = figures.get(form)
            if one is None:
                continue
            array = Array(**one["array"])
            used = [f"{one[key]:,}" if key in one else "-" for key in _USE]
            if one.get("routed"):
                equal = "-"
                if "netlist_images" in one:
                    told = f"{one['netlist_differences']} of {one['netlist_results']} differ"
                    equal = f"{one['netlist_images']} images, {told}"
                found = [f"{one['mhz']:.1f}", f"{one['images_per_s']:,.0f}", equal]
            else:
                found = ["not routed" if one["fits"] else "does not fit", "-", "-"]
            name = f"{array.rows}x{array.columns} alpha {array.alpha}"
            rows.append([f"{network}, {form}", name, f"{one['cycles']:,}", *found, *used])
    header = (
        "network | array | cycles | MHz | images per second | netlist against the reference | "
        "LUT4 | FF | block RAM | DSP"
    )
    return pages.table(header, rows)


def shapes() -> list[str]:
    """Arrays for ResNet-20 by the model."""
    rows = []
    for one in pages.figures("fpga_resnet20")["search"]:
        array = Array(**one["array"])
        rows.append(
            [
                f"{array.cell} {array.rows}x{array.columns}",
                str(array.input_fanout),
                f"{one['cycles']:,}",
                str(one["banks"]),
                str(one["multipliers"]),
                str(one["least_block_memories"]),
            ]
        )
    header = "array | rows of an input register | cycles | banks | DSP | block RAM at least"
    return pages.table(header, rows)


def blocks() -> dict[str, list[str]]:
    """Of docs/fpga.md."""
    return {"routed": routed(), "shapes": shapes(), "cells": cells()}
