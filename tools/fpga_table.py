"""The table of docs/fpga.md, from the record `fpga_cells.json`."""

from __future__ import annotations

import pages
from pages import table_of

from systopack.hardware.array import Array


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
    """Of docs/fpga.md."""
    return {"cells": cells()}
