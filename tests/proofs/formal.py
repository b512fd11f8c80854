"""Formal proofs with yosys' SAT solver: no simulation, all values at once.

Each property is a Verilog module in `proofs/` whose output `holds` must never be 0. What is proven
of which block is in `properties.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from systopack.errors import InvalidFileError

_RUN = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for command in sys.argv[1:]:
    libyosys.run_pass(command, design)
"""
_PROVEN = ("SAT proof finished - no model found: SUCCESS!", "Induction step proven: SUCCESS!")
_REFUTED = ("model found: FAIL!", "model found for base case: FAIL!", "proof failed.")
_INDUCTION_STEPS = 3


@dataclass(frozen=True, kw_only=True)
class Property:
    """Something to prove.

    Args:
        name: what is claimed.
        top: the module with the output `holds`.
        files: Verilog files.
        parameters: of the top module.
        cycles: clock cycles to unroll; `holds` is wanted in the last one. 0: combinational, or
            by induction.
        induction: prove `holds` for every cycle of an endless run, by induction.
        wires: (wire of the top module, what it is connected to) inside the flattened design, for
            proofs that look into a block. It reads only and changes nothing of the block.
        any_memory: memories may give any word at any time, so that what is proven holds for all
            contents; proofs of whole accelerators end in time by it.
    """

    name: str
    top: str
    files: tuple[Path, ...]
    parameters: tuple[tuple[str, int], ...]
    cycles: int = 0
    induction: bool = False
    wires: tuple[tuple[str, str], ...] = ()
    any_memory: bool = False


def prove(property: Property, *, timeout_s: float = 600.0) -> bool:
    """Try to prove a property.

    Registers start with any value but where the proof's module gives one.

    Returns:
        Whether it is proven; False when there is a counterexample (in an induction also when
        what `holds` says is not enough to go on from one cycle to the next).

    Raises:
        InvalidFileError: yosys is missing, cannot read the design or does not finish in time.
    """
    parameters = " ".join(f"-chparam {name} {value}" for name, value in property.parameters)
    goal = "sat -prove holds 1"
    if property.induction:
        goal += f" -tempinduct -maxsteps {_INDUCTION_STEPS}"
    elif property.cycles:
        goal += f" -seq {property.cycles} -prove-skip {property.cycles - 1}"
    commands = [
        # Modules are not built at their default sizes first, which takes minutes for an array.
        *(f"read_verilog -defer -sv {path}" for path in property.files),
        f"hierarchy -top {property.top} {parameters}",
        "proc",
        "flatten",
        "memory_collect",
        "delete t:$mem_v2" if property.any_memory else "memory_map",
        *(f"connect -nounset -set {wire} {inner}" for wire, inner in property.wires),
        # A register that only ever takes one value starts with any other one all the same.
        "opt -full -noff",
        "clean",
        goal,
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
            f"The proof of '{property.name}' did not end within {timeout_s:.0f} s; give more time."
        ) from error
    if any(text in result.stdout for text in _PROVEN):
        return True
    if any(text in result.stdout for text in _REFUTED):
        return False
    if "No module named" in result.stderr:
        raise InvalidFileError("There is no yosys; install it with 'pip install pyosys'.")
    words = (result.stdout + result.stderr).splitlines()
    lines = [line for line in words if "ERROR" in line] or ["no message"]
    raise InvalidFileError(f"yosys could not work on '{property.name}': {lines[0]}")


def prove_all(properties: Sequence[Property], *, timeout_s: float = 600.0) -> tuple[Property, ...]:
    """Try to prove all properties, as many at once as there are processors.

    Returns:
        Those that are not proven, in the order given.

    Raises:
        InvalidFileError: as `prove`.
    """
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        outcomes = list(pool.map(lambda one: prove(one, timeout_s=timeout_s), properties))
    return tuple(one for one, proven in zip(properties, outcomes, strict=True) if not proven)
