"""C++ pieces that write signals of a simulation to a file: all of them, or some in every cycle."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from systopack.verification.bench import Port

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
        settled: once a cycle of a run, before the clock edge.
        flush: at the end of a run.
    """

    header: str = ""
    start: str = ""
    dump: str = ""
    settled: str = ""
    flush: str = ""


def trace_code(trace: Path | None) -> TraceCode:
    """The lines that trace to a file; None: none."""
    if trace is None:
        return TraceCode()
    name = c_string(os.fsencode(trace))
    return TraceCode(
        header=_HEADER,
        start=f"context->traceEverOn(true); top->trace(&vcd, 99); vcd.open({name});",
        dump="vcd.dump(++moment);",
        settled="vcd.dump(++moment);",
        flush="vcd.flush();",
    )


def c_string(text: bytes) -> str:
    """A string of C++ with any bytes in it but zero."""
    return '"' + "".join(f"\\{byte:03o}" for byte in text) + '"'


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Signals of a module, written in every cycle of a run, after they have settled.

    Args:
        ports: signals by their path from the module, and their widths.
        file: 32-bit words, little-endian: a cycle's bits in the order of `ports`, least
            significant first, filled up to whole words.
    """

    ports: Sequence[Port]
    file: Path

    @property
    def bits(self) -> int:
        """Of a cycle."""
        return sum(port.bits for port in self.ports)

    def with_wire(self, verilog: str) -> str:
        """The module's text with a wire that holds all the signals."""
        head, _, tail = verilog.rpartition("endmodule")
        signals = ",\n        ".join(port.name for port in reversed(self.ports))
        wire = f"    wire [{self.bits - 1}:0] probe /* verilator public_flat_rd */ = {{{signals}}};"
        return f"{head}{wire}\nendmodule{tail}"

    def code(self, module: str) -> TraceCode:
        """The lines that write the wire to the file that `probe_to` has opened."""
        words = -(-self.bits // 32)
        return TraceCode(
            header='#include "Vmodel___024root.h"\n#include <cstdio>\n'
            "static FILE* probed = nullptr;\n"
            'extern "C" void probe_to(const char* name) {\n'
            "  if (probed) fclose(probed);\n"
            '  probed = fopen(name, "wb");\n'
            "}",
            settled=f"fwrite(&top->rootp->{module}__DOT__probe, 4, {words}, probed);",
            flush="fflush(probed);",
        )
