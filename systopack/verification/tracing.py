"""C++ pieces that write signals of a simulation to a file: all of them, or some in every cycle."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from systopack.errors import InvalidOptionError
from systopack.verification.bench import Port

FORMATS = {".vcd": ("vcd", "VerilatedVcdC"), ".fst": ("fst", "VerilatedFstC")}
_HEADER = """
#include "verilated_%(format)s_c.h"
// Never destroyed: at exit the runtime that its destructor needs may be gone already.
static %(writer)s& tracer = *new %(writer)s;
static uint64_t moment = 0;
static int64_t run_cycle = -1;  // -1: the memories are being filled
static void trace_now() {
  ++moment;
  if (%(wanted)s) tracer.dump(moment);
}
extern "C" void end_trace() { tracer.close(); }
"""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A file for all signals of a run.

    Args:
        file: with suffix `.vcd` or `.fst`.
        first_cycle: cycle of the run to begin with, 0 or more; 0 is the first one after the
            memories were filled, and the count goes on from image to image.
        cycles: how many, at least 1; None: all that come, and with `first_cycle` 0 also those that
            fill the memories.

    Raises:
        InvalidOptionError: another suffix, or a number out of its range.
    """

    file: Path
    first_cycle: int = 0
    cycles: int | None = None

    def __post_init__(self) -> None:
        if self.file.suffix not in FORMATS:
            raise InvalidOptionError(
                f"A trace is a file {' or '.join(FORMATS)}, not '{self.file}'; name it so."
            )
        if self.first_cycle < 0 or (self.cycles is not None and self.cycles < 1):
            raise InvalidOptionError(
                f"A trace from cycle {self.first_cycle} of {self.cycles} cycles has none; begin "
                "with 0 or more and take at least 1."
            )

    @property
    def format(self) -> str:
        """ "vcd" or "fst"."""
        return FORMATS[self.file.suffix][0]

    @property
    def wanted(self) -> str:
        """C++ condition on `run_cycle`."""
        first = self.first_cycle
        if self.cycles is None:
            return f"run_cycle >= {first}" if first else "true"
        return f"run_cycle >= {first} && run_cycle < {first + self.cycles}"


@dataclass(frozen=True, kw_only=True)
class TraceCode:
    """Lines for a harness; all empty where nothing is traced.

    Args:
        header: after the includes.
        start: after the model was made, with `context` and `top`.
        run: at the beginning of a run.
        dump: after each evaluation.
        cycle: after the edges of a cycle.
        settled: once a cycle of a run, before the clock edge.
        flush: at the end of a run.
    """

    header: str = ""
    start: str = ""
    run: str = ""
    dump: str = ""
    cycle: str = ""
    settled: str = ""
    flush: str = ""


def trace_code(trace: Trace | None) -> TraceCode:
    """The lines that trace to a file; None: none."""
    if trace is None:
        return TraceCode()
    name = c_string(os.fsencode(trace.file))
    kind, writer = FORMATS[trace.file.suffix]
    return TraceCode(
        header=_HEADER % {"format": kind, "writer": writer, "wanted": trace.wanted},
        start=f"context->traceEverOn(true); top->trace(&tracer, 99); tracer.open({name});",
        run="if (run_cycle < 0) run_cycle = 0;",
        dump="trace_now();",
        cycle="if (run_cycle >= 0) ++run_cycle;",
        settled="trace_now();",
        flush="tracer.flush();",
    )


@contextmanager
def finished(trace: Trace | None, library: ctypes.CDLL) -> Iterator[None]:
    """Finish the trace that the harness of a library writes, however the runs end."""
    try:
        yield
    finally:
        if trace is not None:
            library.end_trace()


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
