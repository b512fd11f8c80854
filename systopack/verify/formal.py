"""Formal proofs with yosys' SAT solver: no simulation, all values at once.

Each claim is a Verilog module in `proofs/` whose output `holds` must never be 0. The cell proofs
start from any state of the cell, with any words before and after the one that is checked.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from systopack.errors import InvalidFileError
from systopack.hardware.array import Array
from systopack.rtl.parameters import VERILOG, array_parameters

_PROOFS = Path(__file__).parent / "proofs"
_ROWS = ("choice_row.v", "mx_row.v", "bl_row.v", "parallel_row.v")
_RUN = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for command in sys.argv[1:]:
    libyosys.run_pass(command, design)
"""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Something to prove.

    Args:
        name: what is claimed.
        top: the module with the output `holds`.
        files: Verilog files.
        parameters: of the top module.
        cycles: clock cycles to unroll, 0 for combinational modules.
    """

    name: str
    top: str
    files: tuple[Path, ...]
    parameters: tuple[tuple[str, int], ...]
    cycles: int


def requantizer_claim(bits: int) -> Claim:
    """The requantizer equals METHOD's rounding and saturation for every value and shift."""
    return Claim(
        name=f"requantizer of {bits} bits",
        top="requantize_proof",
        files=(VERILOG / "requantize.v", _PROOFS / "requantize_proof.v"),
        parameters=(("WIDTH", bits),),
        cycles=0,
    )


def cell_claim(array: Array) -> Claim:
    """A cell of this array adds weight * chosen word to the passing sum, whatever came before."""
    parameters = array_parameters(array)
    wanted = ("CELL", "ALPHA", "INDEX_BITS", "ACCUMULATOR_BITS", "WORD_BITS", "SUM_BITS")
    start = 4 if array.cell == "bit-parallel" else 2 * array.word_cycles
    return Claim(
        name=f"cell {array.cell}, alpha {array.alpha}, {array.accumulator_bits} bits",
        top="cell_proof",
        files=(*(VERILOG / name for name in _ROWS), _PROOFS / "cell_proof.v"),
        parameters=(
            *((name, parameters[name]) for name in wanted),
            ("WORD_CYCLES", array.word_cycles),
        ),
        cycles=start + array.multiplexer_cycles + 2 + array.partial_sum_cycles,
    )


def prove(claim: Claim, *, timeout_s: float = 600.0) -> bool:
    """Try to prove a claim; False when there is a counterexample.

    Raises:
        InvalidFileError: yosys is missing, cannot read the design or does not finish in time.
    """
    parameters = " ".join(f"-chparam {name} {value}" for name, value in claim.parameters)
    sequence = ""
    if claim.cycles:
        # The cell's state is free in the first cycle; the only known register is the clock count.
        sequence = f"-seq {claim.cycles} -prove-skip {claim.cycles - 1} -set-init cycle 0"
    commands = [
        *(f"read_verilog -sv {path}" for path in claim.files),
        f"hierarchy -top {claim.top} {parameters}",
        "proc",
        "flatten",
        "opt -full",
        "clean",
        f"sat {sequence} -prove holds 1",
    ]
    try:
        result = subprocess.run(
            [sys.executable, "-c", _RUN, *commands],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as error:
        raise InvalidFileError(
            f"The proof of '{claim.name}' did not end within {timeout_s:.0f} s; give it more time."
        ) from error
    if "SAT proof finished - no model found: SUCCESS!" in result.stdout:
        return True
    if "SAT proof finished - model found: FAIL!" in result.stdout:
        return False
    if "No module named" in result.stderr:
        raise InvalidFileError("There is no yosys; install it with 'pip install pyosys'.")
    lines = [line for line in result.stdout.splitlines() if "ERROR" in line] or ["no message"]
    raise InvalidFileError(f"yosys could not work on '{claim.name}': {lines[0]}")
