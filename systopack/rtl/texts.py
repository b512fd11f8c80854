"""Text files of an accelerator's folder that both organisations have."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from systopack.rtl.parameters import VERILOG


def configuration_text(writes: Iterable[tuple[int, int]]) -> str:
    """One line for each register write: register (2 digits), value (8 digits)."""
    return "".join(f"{register:02x}{value:08x}\n" for register, value in writes)


def hex_lines(values: NDArray[np.integer], bits: int) -> str:
    """Two's complement numbers of so many bits, a line each.

    A two-dimensional array gives one line a row, its first number lowest.
    """
    digits, mask = bits // 4, (1 << bits) - 1
    rows = values if values.ndim == 2 else values[:, None]
    return "".join(
        "".join(f"{int(value) & mask:0{digits}x}" for value in reversed(row)) + "\n" for row in rows
    )


def test_bench(*, writes: int, beats: int, beat_bits: int, results: int, cycles: int) -> str:
    """The self-checking test bench, its sizes set."""
    text = (VERILOG / "testbench.v").read_text()
    for name, before, value in (
        ("WRITES", 1, writes),
        ("IMAGE_BITS", 8, beat_bits),
        ("BEATS", 1, beats),
        ("RESULTS", 1, results),
        ("CYCLES", 1, cycles),
    ):
        text = text.replace(f"parameter {name} = {before};", f"parameter {name} = {value};")
    return text
