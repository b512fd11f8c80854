"""Run a compiled network on the RTL of the tiled accelerator and record all that it does."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from systopack.errors import InvalidNetworkError
from systopack.folders.working import WorkingFolder
from systopack.rtl.parameters import TILED_SOURCES, VERILOG
from systopack.rtl.program import TiledProgram
from systopack.verification.bench import Port, copy_port
from systopack.verification.host_code import fill_code, pointer, run_arguments, taken
from systopack.verification.memories import memory_rows
from systopack.verification.tracing import Probe, Trace, TraceCode, finished, trace_code
from systopack.verification.verilator import also_failed, build, take_assertion


@dataclass(frozen=True, kw_only=True, eq=False)
class TiledRun:
    """What the accelerator did with each image.

    Args:
        cycles: shape (images,), int64: from the start of a run to its end.
        entered: shape (images,), int64: word times in which words entered the array.
        stalled: shape (images,), int64: word times lost to weights.
        results: shape (images, results), int32: the words it sent.
        op_starts: shape (images, operations), int64: the cycle in which each instruction started.
        writes: for each image, shape (writes, 4 + word bytes), int64: instruction, bank, address,
            byte enables, bytes of every word written, in order.
        assertion: see `take_assertion`.
    """

    cycles: NDArray[np.int64]
    entered: NDArray[np.int64]
    stalled: NDArray[np.int64]
    results: NDArray[np.int32]
    op_starts: NDArray[np.int64]
    writes: tuple[NDArray[np.int64], ...]
    assertion: str | None


def run_tiled(
    program: TiledProgram,
    images: NDArray[np.int8],
    *,
    back_pressure: int = 0,
    cycle_limit: int = 1 << 32,
    reset_after: int = -1,
    wrong_bytes: int = 0,
    verilog: Path = VERILOG,
    trace: Trace | None = None,
    probe: Probe | None = None,
) -> TiledRun:
    """Build the accelerator (or find it built), fill its memories and run images through it.

    Args:
        images: shape (B, C, H, W), int8.
        back_pressure: 0: the host never waits; else the seed of random back-pressure on all
            streams.
        cycle_limit: cycles after which a run is given up.
        reset_after: cycle of every run in which a reset comes and it begins anew; -1: none.
        wrong_bytes: of an image of another length that the host sends ahead of every image.
        verilog: folder of the Verilog files.
        trace: a file for all signals of the run; large and slow, None: no trace.
        probe: some signals of every cycle, from the start of the first image; not beside a trace.

    Raises:
        InvalidFileError: a tool is missing.
        InvalidNetworkError: a run did not end within the limit.
    """
    library = _build(program, verilog, trace, probe)
    if probe is not None:
        library.probe_to(str(probe.file).encode())
    take_assertion(library)  # of runs before this one
    count = len(images)
    layer = program.network.output
    results = np.zeros((count, int(np.prod(program.network.shapes[layer.name]))), np.int32)
    op_starts = np.zeros((count, program.instructions - 1), np.uint32)
    counters = np.zeros((count, 3), np.uint32)
    config = memory_rows(program.images, program.parameters["CONFIG_BITS"])
    none = np.zeros((1, 1), np.uint32)
    beats = np.ascontiguousarray(none if program.weight_beats is None else program.weight_beats)
    pixels = np.ascontiguousarray(images.reshape(count, -1)).view(np.uint8)
    library.run.restype = ctypes.c_long
    library.write_log.restype = ctypes.POINTER(ctypes.c_uint32)
    writes = []
    entry = 4 + program.parameters["WORD_BYTES"] // 4
    with finished(trace, library):
        for image in range(count):
            sizes = np.zeros(1, np.int64)
            ended = library.run(
                *run_arguments(config, pixels[image], results[image]),
                pointer(beats),
                ctypes.c_long(0 if program.weight_beats is None else len(beats)),
                pointer(op_starts[image]),
                pointer(counters[image]),
                pointer(sizes),
                ctypes.c_long(cycle_limit),
                ctypes.c_uint32(back_pressure + image if back_pressure else 0),
                ctypes.c_long(reset_after),
                ctypes.c_long(wrong_bytes),
                ctypes.c_int(int(image == 0)),
            )
            if not ended:
                raise InvalidNetworkError(
                    f"The accelerator did not finish image {image} of network "
                    f"'{program.network.name}' within {cycle_limit} cycles."
                    f"{also_failed(library)}"
                )
            writes.append(_split(taken(library.write_log(), (int(sizes[0]), entry), np.uint32)))
    return TiledRun(
        cycles=counters[:, 0].astype(np.int64),
        entered=counters[:, 1].astype(np.int64),
        stalled=counters[:, 2].astype(np.int64),
        results=results,
        op_starts=op_starts.astype(np.int64),
        writes=tuple(writes),
        assertion=take_assertion(library),
    )


def _split(log: NDArray[np.uint32]) -> NDArray[np.int64]:
    data = np.ascontiguousarray(log[:, 4:]).view(np.int8).astype(np.int64)
    return np.concatenate([log[:, :4].astype(np.int64), data], axis=1)


def _build(
    program: TiledProgram, verilog: Path, trace: Trace | None, probe: Probe | None
) -> ctypes.CDLL:
    top = "tiled_accelerator"
    with WorkingFolder("probe") as folder:
        sources = [verilog / name for name in TILED_SOURCES]
        if probe is not None:
            probed = folder / f"{top}.v"
            probed.write_text(probe.with_wire((verilog / probed.name).read_text()))
            sources[-1] = probed
        return build(
            top=top,
            sources=sources,
            parameters=program.parameters,
            harness=_harness(program, trace_code(trace) if probe is None else probe.code(top)),
            trace=None if trace is None else trace.format,
        )


def _harness(program: TiledProgram, code: TraceCode) -> str:
    """The C++ host: it fills memories, streams an image in and results out, and keeps a log."""
    parameters = program.parameters
    banks, address = parameters["BANKS"], parameters["FEATURE_BITS"]
    size = parameters["WORD_BYTES"]
    config = Port(name="config_data", bits=parameters["CONFIG_BITS"])
    beat = Port(name="weights_data", bits=parameters.get("BEAT_BITS", 32))
    seen = [
        Port(name="written", bits=banks),
        Port(name="written_address", bits=banks * address),
        Port(name="written_enables", bits=banks * size),
        Port(name="written_data", bits=banks * size * 8),
    ]
    copies = {
        port.name: f"{{ uint32_t* p = {port.name}; {copy_port(port, 'p', to_model=False)} }}"
        for port in seen
    }
    return _TEMPLATE % {
        "trace_header": code.header,
        "trace_settled": code.settled,
        "trace_run": code.run,
        "trace_flush": code.flush,
        "declare": "\n".join(f"static uint32_t {port.name}[{port.words}];" for port in seen),
        "fill": fill_code(config, code),
        **copies,
        "beat": copy_port(beat, "beat", to_model=True),
        "beat_words": beat.words,
        "written_words": seen[0].words,
        "address_bits": address,
        "bytes": size,
        "entry": 4 + size // 4,
    }


_TEMPLATE = """
#include "Vmodel.h"
#include "verilated.h"
%(trace_header)s
#include <vector>
double sc_time_stamp() { return 0; }
%(declare)s
static std::vector<uint32_t> writes;
static VerilatedContext* context = nullptr;
static Vmodel* top = nullptr;
extern "C" uint32_t* write_log() { return writes.data(); }
%(fill)sextern "C" long run(const uint32_t* config, long config_count, const uint8_t* image,
                    long image_bytes, int32_t* results, long result_count,
                    const uint32_t* beats, long beat_count, uint32_t* op_starts,
                    uint32_t* counters, int64_t* sizes, long limit, uint32_t pressure,
                    long reset_after, long wrong, int fresh) {
  if (fresh) fill(config, config_count);
  auto& model = *top; %(trace_run)s
  writes.clear();
  const long all = wrong + image_bytes;
  long sent = 0, got = 0, fed = 0; bool started = false;
  uint32_t noise = pressure * 2654435761u + 1;
  model.go = 1;
  for (long cycle = 0; cycle < limit; ++cycle) {
    if (cycle == reset_after) {
      model.reset = 1; model.image_valid = model.weights_valid = 0; model.eval(); edge();
      model.reset = 0; model.go = 1; started = false; sent = got = fed = 0; writes.clear();
    }
    noise ^= noise << 13; noise ^= noise >> 17; noise ^= noise << 5;
    if (!model.image_valid) model.image_valid = sent < all && (!pressure || (noise & 3));
    model.image_byte = sent >= wrong && sent < all ? image[sent - wrong] : 85;
    model.image_last = sent == wrong - 1 || sent == all - 1;
    model.result_ready = !pressure || (noise & 4);
    if (!model.weights_valid) model.weights_valid = fed < beat_count && (!pressure || (noise & 24));
    model.weights_last = fed == beat_count - 1;
    { const uint32_t* beat = beats + (fed < beat_count ? fed : 0) * %(beat_words)d; %(beat)s }
    model.eval(); %(trace_settled)s
    if (model.busy) { started = true; model.go = 0; }
    if (started && !model.busy) {
      counters[0] = model.cycles; counters[1] = model.entered; counters[2] = model.stalled;
      sizes[0] = writes.size() / %(entry)d;
      %(trace_flush)s
      return got == result_count && sent == all && fed == beat_count && !model.weights_wrong;
    }
    if (model.op_start) op_starts[model.op_number] = model.cycles;
    %(written)s
    bool any = false;
    for (int i = 0; i < %(written_words)d; ++i) any |= written[i] != 0;
    if (any) {
      %(written_address)s
      %(written_enables)s
      %(written_data)s
      for (int i = 0; i < %(written_words)d; ++i)
        for (uint32_t left = written[i]; left; left &= left - 1) {
          long bank = 32 * i + __builtin_ctz(left);
          writes.push_back(model.op_number);
          writes.push_back(bank);
          writes.push_back(field(written_address, bank * %(address_bits)d, %(address_bits)d));
          writes.push_back(field(written_enables, bank * %(bytes)d, %(bytes)d));
          for (int k = 0; k < %(bytes)d / 4; ++k)
            writes.push_back(field(written_data, bank * %(bytes)d * 8 + 32 * k, 32));
        }
    }
    if (model.result_valid && model.result_ready && got < result_count)
      results[got++] = model.result_word;
    bool took = model.image_valid && model.image_ready;
    bool fills = model.weights_valid && model.weights_ready;
    edge();
    if (took) { ++sent; model.image_valid = 0; }
    if (fills) { ++fed; model.weights_valid = 0; }
  }
  return 0;
}
"""
