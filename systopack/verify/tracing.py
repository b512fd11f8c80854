"""C++ pieces that write all signals of a simulation to a VCD file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

_HEADER = """
#include "verilated_vcd_c.h"
// Never destroyed: at exit the runtime that its destructor needs may be gone already.
static VerilatedVcdC& vcd = *new VerilatedVcdC;
static uint64_t moment = 0;
"""


@dataclass(frozen=True, kw_only=True)
class TraceCode:
    """Lines for a harness; all empty where nothing is traced.

    Args:
        header: after the includes.
        start: after the model was made, with `context` and `top`.
        dump: after each evaluation.
        flush: at the end of a run.
    """

    header: str = ""
    start: str = ""
    dump: str = ""
    flush: str = ""


def trace_code(trace: Path | None) -> TraceCode:
    """The lines that trace to a file; None: none."""
    if trace is None:
        return TraceCode()
    name = json.dumps(str(trace))
    return TraceCode(
        header=_HEADER,
        start=f"context->traceEverOn(true); top->trace(&vcd, 99); vcd.open({name});",
        dump="vcd.dump(++moment);",
        flush="vcd.flush();",
    )
